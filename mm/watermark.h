/*
 * Watermarks: how far down a zone may go for whom.
 */
#ifndef MM_WATERMARK_H
#define MM_WATERMARK_H

#include <mm/explain.h>

#include "zone.h"

/* What lets a request go below the mark it is checked against. */
#define ALLOC_MIN_RESERVE   1u /* __GFP_HIGH: half of the mark */
#define ALLOC_NON_BLOCK     2u /* with it, cannot reclaim: a quarter of the rest as well */
#define ALLOC_OOM           4u /* a victim of the OOM killer: half of what is left */
#define ALLOC_NO_WATERMARKS 8u /* entitled: every page there is */

/* The same sum for people, as if `more` pages were free besides. */
void zone_watermark_check(const struct zone *zone, unsigned int order, u64 mark,
			  enum zone_type request_class, u32 alloc_flags, u64 more,
			  struct watermark_check *out);

/*
 * May a request of this order and class take from the zone and leave `mark` pages? Reads without
 * the lock: a hint when others allocate, exact under it.
 */
bool zone_watermark_ok(const struct zone *zone, unsigned int order, u64 mark,
		       enum zone_type request_class, u32 alloc_flags);

/* What a zone's marks must be: its share, by managed pages, of min_free_kbytes. */
void watermark_compute(const struct zone *zone, u64 min_free_kbytes, u64 marks[NR_WMARK]);
/* What a zone must keep from requests of each class, of the memory that those have above it. */
void lowmem_reserve_compute(const struct zone *zone, u64 reserve[MAX_NR_ZONES]);

/* Sets both in every zone. After managed_pages are known, and some page is managed. */
void watermark_setup(u64 min_free_kbytes);

/*
 * Above which count of free pages the hit path takes a block without a question: the low mark with
 * all that the largest request of that path could mean. While hit paths are closed: never.
 */
void fast_marks_setup(void);

/* sqrt(16 x lowmem kB) within 128 .. 262144. */
u64 watermark_default_min_free_kbytes(u64 managed_pages);

#endif
