/*
 * A long random mix of movable and other pages in one zone, and how far the latter are spread. The same
 * body runs in the kernel and on the host. Theory in type_mix.c.
 */
#ifndef TESTS_TYPE_MIX_H
#define TESTS_TYPE_MIX_H

#include <base/types.h>
#include <mm/gfp.h>

struct type_mix {
	u64 seed;
	int nid;
	gfp_t gfp;         /* of all requests, beside __GFP_MOVABLE; must stay in one zone */
	u32 full_percent;  /* of the zone's pages that are free before, in all */
	u32 stays_percent; /* of them not movable */
	u32 turns;         /* how often, on average, each page is given back and taken anew */
};

struct type_mix_result {
	u64 requests;
	u64 pages_that_stay; /* at the end, when all movable ones are given back */
	u64 pageblocks;      /* of the zone */
	u64 spread;          /* of them with one that stays */
	u64 least;           /* in how many they would have had room */
};

/* Holds nothing any more when it returns. False: there was no memory to begin with. */
bool type_mix_run(const struct type_mix *mix, struct type_mix_result *result);

#endif
