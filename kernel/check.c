/*
 * Executing the invariants of the kernel around mm/: the sentences above the interfaces, as code.
 *
 * `check` runs mm_check() and then these, into one report. Here are those of the address space
 * (PAGING-*, <x86/paging.h>): each looks at every entry that maps something, with the rights that
 * the CPU will find there, and asks nobody what was meant to be mapped. Those of other parts are in
 * files of their own, and in the list of groups below.
 *
 * Nothing is changed, nothing allocated. No lock: tables are never taken away.
 */
#include <kernel/check.h>

#include <base/format.h>
#include <base/string.h>
#include <kernel/printk.h>
#include <x86/image.h>
#include <x86/paging.h>

#include "check_internal.h"

/* Further failures of one invariant are counted, not logged. */
#define MAX_LOGGED     4

#define LOWER_HALF_END 0x800000000000UL

static bool not_both(const struct paging_leaf *leaf)
{
	return !leaf->writable || !leaf->executable;
}

/* Does the leaf reach the memory of this part of the image? */
static bool reaches(const struct paging_leaf *leaf, const char *start, const char *end)
{
	return leaf->phys < image_to_phys(end) &&
	       leaf->phys + leaf->size_bytes > image_to_phys(start);
}

static bool constant_stays_constant(const struct paging_leaf *leaf)
{
	return !leaf->writable || (!reaches(leaf, __text_start, __text_end) &&
				   !reaches(leaf, __rodata_start, __rodata_end) &&
				   !reaches(leaf, __ksyms_start, __ksyms_end));
}

static bool only_text_runs(const struct paging_leaf *leaf)
{
	return !leaf->executable || (leaf->virt >= (uintptr_t)__text_start &&
				     leaf->virt + leaf->size_bytes <= (uintptr_t)__text_end);
}

static bool lower_half_is_empty(const struct paging_leaf *leaf)
{
	return leaf->virt >= LOWER_HALF_END;
}

struct leaf_walk {
	struct check_run *run;
	bool (*holds)(const struct paging_leaf *leaf);
};

static void look_at(const struct paging_leaf *leaf, void *arg)
{
	struct leaf_walk *walk = arg;

	check_item(walk->run);
	if (!walk->holds(leaf))
		check_broken(walk->run, "0x%lx + 0x%llx maps 0x%llx, %s, %s", leaf->virt,
			     (unsigned long long)leaf->size_bytes, (unsigned long long)leaf->phys,
			     leaf->writable ? "writable" : "read-only",
			     leaf->executable ? "executable" : "not executable");
}

static void every_leaf(struct check_run *run, bool (*holds)(const struct paging_leaf *leaf))
{
	struct leaf_walk walk = {run, holds};

	paging_for_each_leaf(look_at, &walk);
}

static void check_not_both(struct check_run *run)
{
	every_leaf(run, not_both);
}

static void check_constants(struct check_run *run)
{
	every_leaf(run, constant_stays_constant);
}

static void check_only_text_runs(struct check_run *run)
{
	every_leaf(run, only_text_runs);
}

static void check_lower_half(struct check_run *run)
{
	every_leaf(run, lower_half_is_empty);
}

static const struct kernel_invariant paging_invariants[] = {
	{"PAGING-1", "no page is both writable and executable", check_not_both},
	{"PAGING-2", "the memory of text, rodata and symbols is writable at no address",
	 check_constants},
	{"PAGING-3", "nothing but the kernel's text is executable", check_only_text_runs},
	{"PAGING-4", "the lower half of the address space is empty", check_lower_half},
	{NULL, NULL, NULL},
};

static const struct kernel_invariant *const groups[] = {paging_invariants, cpu_invariants,
							thread_invariants, cache_invariants};

static const struct kernel_invariant *invariant(u32 i)
{
	for (u32 group = 0; group < ARRAY_SIZE(groups); group++)
		for (const struct kernel_invariant *at = groups[group]; at->id; at++)
			if (i-- == 0)
				return at;
	return NULL;
}

void check_item(struct check_run *run)
{
	run->report->items++;
}

void check_broken(struct check_run *run, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (run->failures++ < MAX_LOGGED)
		klog(LOG_ERR, "check", "%s broken: %s", run->invariant->id, text);
	if (run->report->first[0] == '\0')
		snprintf(run->report->first, sizeof(run->report->first), "%s: %s",
			 run->invariant->id, text);
}

bool kernel_check(struct check_report *report)
{
	const struct kernel_invariant *at;
	u32 failed = 0;

	for (u32 i = 0; (at = invariant(i)); i++) {
		struct check_run run = {.invariant = at, .report = report};

		at->run(&run);
		report->run++;
		failed += run.failures != 0;
		if (run.failures > MAX_LOGGED)
			klog(LOG_ERR, "check", "%s: %u failures in all", at->id, run.failures);
	}
	report->failed += failed;
	return failed == 0;
}

bool kernel_check_describe(u32 i, const char **id, const char **sentence)
{
	const struct kernel_invariant *at = invariant(i);

	if (!at)
		return false;
	*id = at->id;
	*sentence = at->sentence;
	return true;
}
