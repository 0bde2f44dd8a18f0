/*
 * gfp_t: what a request may do and where its memory may come from ("get free pages").
 * Linux's names and meanings; the values are our own.
 */
#ifndef MM_GFP_H
#define MM_GFP_H

#include <base/types.h>

typedef u32 gfp_t;

/*
 * The values are in an order that saves the hit paths questions: those flags that no hit path
 * serves are the highest, so one comparison says whether a request has any (this_task_may_hit()), and
 * MOVABLE is as large as a type has lists of small orders (pcp_index()).
 */

/* How far down the marks. */
#define __GFP_HIGH       ((gfp_t)1 << 0) /* urgent: may use half of the min mark */
#define __GFP_MEMALLOC   ((gfp_t)1 << 1) /* frees more than it takes: may use the whole reserve */

#define __GFP_MOVABLE    ((gfp_t)1 << 2) /* its owner can move or drop it: from movable blocks */

#define __GFP_NOMEMALLOC ((gfp_t)1 << 3) /* never the reserve, whatever else says so */

/* What it may do to get there. */
#define __GFP_DIRECT_RECLAIM ((gfp_t)1 << 4) /* the caller may sleep and reclaim */
#define __GFP_KSWAPD_RECLAIM ((gfp_t)1 << 5) /* may wake kswapd */
#define __GFP_IO             ((gfp_t)1 << 6) /* reclaim may start writing to a device */
#define __GFP_NORETRY        ((gfp_t)1 << 7) /* one round of reclaim, and no OOM */

#define __GFP_NOWARN         ((gfp_t)1 << 8) /* failure is expected: no report */

/* From here on: those that a hit path would have to do or look at something for. */
#define GFP_HIT_END ((gfp_t)1 << 9)

/* Where: the highest zone that will do, and from whom. */
#define __GFP_DMA      ((gfp_t)1 << 9)  /* only below 16 MiB */
#define __GFP_DMA32    ((gfp_t)1 << 10) /* only below 4 GiB */
#define __GFP_THISNODE ((gfp_t)1 << 11) /* this node or none */

/* Rare; and without them no contradiction comes to a hit path. */
#define __GFP_RETRY_MAYFAIL ((gfp_t)1 << 12) /* as long as there is progress, but no OOM */
#define __GFP_NOFAIL        ((gfp_t)1 << 13) /* there is nothing the caller could do without it */

#define __GFP_ZERO          ((gfp_t)1 << 14) /* content is zero */
#define __GFP_ALL           (((gfp_t)1 << 15) - 1)

#define __GFP_RECLAIM       (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL          (__GFP_RECLAIM | __GFP_IO)
#define GFP_NOIO            (__GFP_RECLAIM)
#define GFP_NOWAIT          (__GFP_KSWAPD_RECLAIM)
#define GFP_ATOMIC          (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_DMA             (__GFP_DMA)
#define GFP_DMA32           (__GFP_DMA32)

/* Of larger blocks nobody can promise one: with __GFP_NOFAIL they are refused. */
#define GFP_NOFAIL_MAX_ORDER 1u

/* Every flag and bundle by name, for parsing and printing. */
struct gfp_name {
	const char *name;
	gfp_t flags;
};
extern const struct gfp_name gfp_names[];
extern const u32 nr_gfp_names;

#define GFP_TEXT_BYTES 320 /* room for all names */
/* "GFP_KERNEL|__GFP_ZERO" into buf; bundles first, so that a reader sees the intent. */
void gfp_format(gfp_t gfp, char *buf, size_t size);
/* Reads names with '|', ',' or '+' between them. 0, or -EINVAL and *gfp as it was. */
int gfp_parse(const char *text, gfp_t *gfp);

/*
 * Flags, and an order, that contradict each other: "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM", or
 * NULL. For the text of a refusal.
 */
const char *gfp_contradiction(gfp_t gfp, unsigned int order);

#endif
