/*
 * Lists of nodes as people write them, "0-2,5": for commands and reports. Pure.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/node_list.h>

/* What does not fit ends in "...". */
void node_list_format(nodemask_t nodes, char *buf, size_t size)
{
	int first = NUMA_NO_NODE;
	size_t at = 0;

	buf[0] = '\0';
	for (int nid = 0; nid <= MAX_NUMNODES && at < size; nid++) {
		bool in = nid < MAX_NUMNODES && node_isset(nid, nodes);

		if (in && first == NUMA_NO_NODE)
			first = nid;
		if (in || first == NUMA_NO_NODE)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%d", at ? "," : "", first);
		if (nid - 1 > first && at < size)
			at += (size_t)snprintf(buf + at, size - at, "-%d", nid - 1);
		first = NUMA_NO_NODE;
	}
	if (at >= size)
		memcpy(buf + size - 4, "...", 4);
}

/* At a number; moves behind it. */
static bool read_node(const char **text, u32 *nid)
{
	const char *at = *text;
	u32 n = 0;

	while (*at >= '0' && *at <= '9' && n < MAX_NUMNODES)
		n = n * 10 + (u32)(*at++ - '0');
	if (at == *text || n >= MAX_NUMNODES)
		return false;
	*text = at;
	*nid = n;
	return true;
}

int node_list_parse(const char *text, nodemask_t *nodes, const char **bad)
{
	nodemask_t mask = 0;

	for (;; text++) {
		u32 first, last;

		*bad = text;
		if (!read_node(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!read_node(&text, &last) || last < first)
				return -EINVAL;
		}
		for (u32 nid = first; nid <= last; nid++)
			mask |= NODE_BIT(nid);
		if (*text == '\0')
			break;
		*bad = text;
		if (*text != ',')
			return -EINVAL;
	}
	*nodes = mask;
	return 0;
}
