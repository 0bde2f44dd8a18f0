/*
 * The last resort, private to mm/: for the slow path, and for check.
 */
#ifndef MM_OOM_PRIVATE_H
#define MM_OOM_PRIVATE_H

#include <mm/oom.h>

#include "alloc_context.h"

enum oom_outcome {
	OOM_NOBODY, /* is left to ask, or the running task itself shall end */
	OOM_AGAIN,  /* worth looking again: a victim has ended, or a zone is above its high mark */
	OOM_WAITED, /* as well: another request is at it, or a victim was passed over */
};

/* Asks a victim to end, reports, and waits a bounded time for its pages. May sleep. */
enum oom_outcome out_of_memory(const struct alloc_context *ac, uintptr_t call_site);

/* --- mm/oom_report.c ---------------------------------------------------------------------------- */

/* Who asks for what, how it stands with memory, and who could be asked to end. */
void oom_report(const struct alloc_context *ac, uintptr_t call_site);
#define OOM_NAME_BYTES 32
/* What can be said of a victim when it may be gone: a copy, and its task only to be compared. */
struct oom_victim_snapshot {
	char name[OOM_NAME_BYTES];
	u32 id;
	u64 badness;
	bool chosen;
	const struct os_task *task;
};
/* The i-th victim; false past the end. */
bool oom_victim_snapshot(u32 i, nodemask_t nodes, struct oom_victim_snapshot *out);

/* --- For check ----------------------------------------------------------------------------------- */

/*
 * Who can be asked, and what goes on. Guarded by lock; who walks the list holds it.
 *
 * Invariants (check):
 *   OOM-1  the list's links agree, and each on it has a name, both functions, and a number of its own
 *   OOM-2  a victim's task says that it is one if and only if the victim is chosen
 *   OOM-3  who is awaited, or being told, is on the list and chosen, and only while a killer is at it
 */
struct oom_state {
	struct spinlock lock;
	struct list_head victims;   /* of struct oom_victim */
	u32 next_id;                /* 0 is nobody's */
	struct oom_victim *telling; /* whose kill() runs */
	struct oom_victim
		*awaited; /* whose end the killer waits for; may be read without the lock */
	u32 killer;       /* atomic: somebody is at it */
	enum oom_last_resort resort; /* atomic */
};
extern struct oom_state oom_state;

#endif
