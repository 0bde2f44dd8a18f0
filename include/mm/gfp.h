/*
 * gfp_t: what a request may do and where its memory may come from ("get free pages").
 * Linux's names and meanings; the values are our own.
 */
#ifndef MM_GFP_H
#define MM_GFP_H

#include <base/types.h>

typedef u32 gfp_t;

/* Where: the highest zone that will do, and from whom. */
#define __GFP_DMA      ((gfp_t)1 << 0) /* only below 16 MiB */
#define __GFP_DMA32    ((gfp_t)1 << 1) /* only below 4 GiB */
#define __GFP_MOVABLE  ((gfp_t)1 << 2) /* its owner can move or drop it: from movable blocks */
#define __GFP_THISNODE ((gfp_t)1 << 3) /* this node or none */

/* How far down the marks. */
#define __GFP_HIGH       ((gfp_t)1 << 4) /* urgent: may use half of the min mark */
#define __GFP_MEMALLOC   ((gfp_t)1 << 5) /* frees more than it takes: may use the whole reserve */
#define __GFP_NOMEMALLOC ((gfp_t)1 << 6) /* never the reserve, whatever else says so */

/* What it may do to get there. */
#define __GFP_DIRECT_RECLAIM ((gfp_t)1 << 7)  /* the caller may sleep and reclaim */
#define __GFP_KSWAPD_RECLAIM ((gfp_t)1 << 8)  /* may wake kswapd */
#define __GFP_IO             ((gfp_t)1 << 9)  /* reclaim may start writing to a device */
#define __GFP_NORETRY        ((gfp_t)1 << 10) /* one round of reclaim, and no OOM */
#define __GFP_RETRY_MAYFAIL  ((gfp_t)1 << 11) /* as long as there is progress, but no OOM */
#define __GFP_NOFAIL         ((gfp_t)1 << 12) /* there is nothing the caller could do without it */

#define __GFP_ZERO           ((gfp_t)1 << 13) /* content is zero */
#define __GFP_NOWARN         ((gfp_t)1 << 14) /* failure is expected: no report */
#define __GFP_ALL            (((gfp_t)1 << 15) - 1)

#define __GFP_RECLAIM        (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL           (__GFP_RECLAIM | __GFP_IO)
#define GFP_NOIO             (__GFP_RECLAIM)
#define GFP_NOWAIT           (__GFP_KSWAPD_RECLAIM)
#define GFP_ATOMIC           (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_DMA              (__GFP_DMA)
#define GFP_DMA32            (__GFP_DMA32)

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
