/*
 * What was chosen at boot, one behaviour for each of the four mechanisms.
 *
 * This table is the only place that knows the names. A mechanism asks for its own choice once, when
 * it installs its policy; until a mechanism exists its choice is kept and shown, and changes
 * nothing.
 */
#include <mm/policy.h>

#include <base/assert.h>
#include <base/errno.h>

static enum mm_behaviour chosen[NR_MM_MECHANISMS] = {
	[MM_FALLBACK] = MM_AFTER,
	[MM_CRITICAL] = MM_AFTER,
	[MM_PFMEMALLOC] = MM_AFTER,
	[MM_CAPTURE] = MM_AFTER,
};

static bool installed[NR_MM_MECHANISMS];

static const char *const mechanism_names[NR_MM_MECHANISMS] = {
	[MM_FALLBACK] = "fallback",
	[MM_CRITICAL] = "critical",
	[MM_PFMEMALLOC] = "pfmemalloc",
	[MM_CAPTURE] = "capture",
};

static const char *const behaviour_names[NR_MM_BEHAVIOURS] = {
	[MM_BEFORE] = "before",
	[MM_POSTED] = "posted",
	[MM_AFTER] = "after",
	[MM_LAYERED] = "layered",
};

/* NULL: there is no such behaviour. */
static const char *const sentences[NR_MM_MECHANISMS][NR_MM_BEHAVIOURS] = {
	[MM_FALLBACK] =
		{
			[MM_BEFORE] =
				"an object is sought node by node, and no node reclaims for it",
			[MM_POSTED] =
				"free objects on allowed nodes first, then one page from anywhere",
			[MM_AFTER] = "the same by one predicate, nearest first, arrays counted",
		},
	[MM_CRITICAL] =
		{
			[MM_BEFORE] = "no pool stands behind slab allocations",
			[MM_POSTED] = "pages of the pool become slabs and never come back",
			[MM_AFTER] = "critical slabs stand apart and return to their pool",
			[MM_LAYERED] =
				"a pool of sized elements above a slab that knows nothing of it",
		},
	[MM_PFMEMALLOC] =
		{
			[MM_BEFORE] = "a slab from the reserve serves everyone",
			[MM_POSTED] = "objects of reserve slabs are tagged in the per-CPU arrays",
			[MM_AFTER] = "reserve objects stay on their slabs, checked at the list",
		},
	[MM_CAPTURE] =
		{
			[MM_BEFORE] = "a reclaimer frees page by page, and others take them",
			[MM_POSTED] = "freed pages gather on the reclaimer's list, batch by batch",
			[MM_AFTER] = "a claim is held while the mark recovers, then decided",
		},
};

int mm_policy_choose(enum mm_mechanism mechanism, enum mm_behaviour behaviour)
{
	if (mechanism >= NR_MM_MECHANISMS || behaviour >= NR_MM_BEHAVIOURS ||
	    installed[mechanism] || sentences[mechanism][behaviour] == NULL)
		return -EINVAL;
	chosen[mechanism] = behaviour;
	return 0;
}

enum mm_behaviour mm_policy_chosen(enum mm_mechanism mechanism)
{
	ASSERT(mechanism < NR_MM_MECHANISMS);
	return chosen[mechanism];
}

enum mm_behaviour mm_policy_install(enum mm_mechanism mechanism)
{
	ASSERT(mechanism < NR_MM_MECHANISMS);
	installed[mechanism] = true;
	return chosen[mechanism];
}

bool mm_policy_installed(enum mm_mechanism mechanism)
{
	return mechanism < NR_MM_MECHANISMS && installed[mechanism];
}

const char *mm_behaviour_name(enum mm_behaviour behaviour)
{
	return behaviour < NR_MM_BEHAVIOURS ? behaviour_names[behaviour] : "?";
}

const char *mm_mechanism_name(enum mm_mechanism mechanism)
{
	return mechanism < NR_MM_MECHANISMS ? mechanism_names[mechanism] : "?";
}

const char *mm_policy_sentence(enum mm_mechanism mechanism, enum mm_behaviour behaviour)
{
	return mechanism < NR_MM_MECHANISMS && behaviour < NR_MM_BEHAVIOURS
		       ? sentences[mechanism][behaviour]
		       : NULL;
}
