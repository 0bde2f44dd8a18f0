/*
 * The request, private to mm/.
 */
#ifndef MM_ALLOC_CONTEXT_H
#define MM_ALLOC_CONTEXT_H

#include <mm/page_alloc.h>

#include "zone.h"

/*
 * What is asked for. Built once from the caller's words, then const: what a retry changes lives in
 * the slow path's own variables.
 */
struct alloc_context {
	gfp_t gfp;
	unsigned int order;
	enum block_type block_type;
	int preferred_nid;
	const struct zonelist *zonelist;
	enum zone_type request_class; /* the highest zone it may use */
};

#endif
