/*
 * Out of memory: who can end, or let go of all it has, registers as a victim. Theory in mm/oom.c.
 */
#ifndef MM_OOM_H
#define MM_OOM_H

#include <base/list.h>
#include <mm/os_task.h>

/*
 * badness: pages that its end would give back, of nodes in the mask; 0: not now. Called under a spinlock:
 * counts, and takes at most a lock under which nobody registers or unregisters. kill: tell it to end; no
 * lock is held; must not sleep nor ask for memory; its pages come back later, by its own thread. task:
 * whose requests may go below the marks from then on; NULL: none. Give it, so that nobody waits for
 * himself. A task has one victim at a time: a second one is a panic that names both.
 */
struct oom_victim {
	const char *name;
	u64 (*badness)(struct oom_victim *victim, nodemask_t nodes);
	void (*kill)(struct oom_victim *victim);
	struct os_task *task;

	/* mm/oom.c's, under its lock. */
	struct list_head link;
	u32 id; /* as reports and traces call it */
	bool chosen;
	u64 chosen_badness;
};

/*
 * Threads; may sleep. Unregistering is how a victim says that it has ended: who waits for that is woken. When
 * it returns, nobody is inside its functions, and its task is a task like others.
 */
void oom_victim_register(struct oom_victim *victim);
void oom_victim_unregister(struct oom_victim *victim);

/* What becomes of a request when there is nobody to ask: option oom=fail|panic. */
enum oom_last_resort { OOM_FAIL, OOM_PANIC };
void oom_set_last_resort(enum oom_last_resort what);

#endif
