/*
 * Lists of nodes as people write them: "0-2,5".
 */
#ifndef KERNEL_NODE_LIST_H
#define KERNEL_NODE_LIST_H

#include <mm/numa.h>

/* Into buf, of at least 4 bytes; "" for none. What does not fit ends in "...". */
void node_list_format(nodemask_t nodes, char *buf, size_t size);
/* 0, or -EINVAL, *bad where in the text it is wrong, and *nodes as it was. */
int node_list_parse(const char *text, nodemask_t *nodes, const char **bad);

#endif
