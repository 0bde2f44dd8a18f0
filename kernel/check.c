/*
 * Executing the invariants of the kernel around mm/: the sentences above the interfaces, as code.
 *
 * `check` runs mm_check() and then these, into one report. So far they are about the address space
 * (PAGING-*, <x86/paging.h>): each looks at every entry that maps something, with the rights that
 * the CPU will find there, and asks nobody what was meant to be mapped.
 *
 * Nothing is changed, nothing allocated. No lock: tables only ever gain entries.
 */
#include <kernel/check.h>

#include <base/format.h>
#include <base/string.h>
#include <kernel/printk.h>
#include <x86/image.h>
#include <x86/paging.h>

/* Further failures of one invariant are counted, not logged. */
#define MAX_LOGGED     4

#define LOWER_HALF_END 0x800000000000UL

struct invariant {
	const char *id, *sentence;
	bool (*holds)(const struct paging_leaf *leaf);
};

struct walk {
	const struct invariant *invariant;
	struct check_report *report;
	u32 failures;
};

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

static const struct invariant invariants[] = {
	{"PAGING-1", "no page is both writable and executable", not_both},
	{"PAGING-2", "the memory of text, rodata and symbols is writable at no address",
	 constant_stays_constant},
	{"PAGING-3", "nothing but the kernel's text is executable", only_text_runs},
	{"PAGING-4", "the lower half of the address space is empty", lower_half_is_empty},
};

static void look_at(const struct paging_leaf *leaf, void *arg)
{
	struct walk *walk = arg;
	char text[160];

	walk->report->items++;
	if (walk->invariant->holds(leaf))
		return;
	snprintf(text, sizeof(text), "0x%lx + 0x%llx maps 0x%llx, %s, %s", leaf->virt,
		 (unsigned long long)leaf->size_bytes, (unsigned long long)leaf->phys,
		 leaf->writable ? "writable" : "read-only",
		 leaf->executable ? "executable" : "not executable");
	if (walk->failures++ < MAX_LOGGED)
		klog(LOG_ERR, "check", "%s broken: %s", walk->invariant->id, text);
	if (walk->report->first[0] == '\0')
		snprintf(walk->report->first, sizeof(walk->report->first), "%s: %s",
			 walk->invariant->id, text);
}

bool kernel_check(struct check_report *report)
{
	u32 failed = 0;

	for (u32 i = 0; i < ARRAY_SIZE(invariants); i++) {
		struct walk walk = {.invariant = &invariants[i], .report = report};

		paging_for_each_leaf(look_at, &walk);
		report->run++;
		failed += walk.failures != 0;
		if (walk.failures > MAX_LOGGED)
			klog(LOG_ERR, "check", "%s: %u failures in all", invariants[i].id,
			     walk.failures);
	}
	report->failed += failed;
	return failed == 0;
}

bool kernel_check_describe(u32 i, const char **id, const char **sentence)
{
	if (i >= ARRAY_SIZE(invariants))
		return false;
	*id = invariants[i].id;
	*sentence = invariants[i].sentence;
	return true;
}
