/* Between the files of the stress. */
#ifndef TESTS_STRESS_INTERNAL_H
#define TESTS_STRESS_INTERNAL_H

#include <arch/page.h>
#include <base/random.h>
#include <mm/os_task.h>
#include <mm/page.h>

#include "../../mm/claim.h"
#include "gate.h"
#include "stress.h"

/* A block that somebody holds, and what was written into it. */
struct stress_block {
	struct page *page;
	u64 serial; /* no other block of the run has it: owner and number */
	u32 order;
};

/* What a page shows instead of what was written. */
struct stress_difference {
	pfn_t pfn;
	u32 word;
	u64 found, expected;
};

/* pattern.c */
bool stress_writes_whole_pages(const struct stress_block *block);
void stress_write(const struct stress_block *block);
bool stress_verify(const struct stress_block *block, struct stress_difference *difference);
bool stress_is_zero(const struct stress_block *block);

/* mailbox.c */
#define STRESS_SLOTS 16

struct stress_slot {
	u32 state; /* atomic; who made it FILLING or TAKING has the block */
	struct stress_block block;
};
struct stress_mailbox {
	struct stress_slot slot[STRESS_SLOTS];
};
bool stress_post(struct stress_mailbox *box, u32 first, const struct stress_block *block);
bool stress_collect(struct stress_mailbox *box, struct stress_block *block);

/* --- Who does what -------------------------------------------------------------------------- */

#define STRESS_MAX_HELD     64
#define STRESS_MAX_IRQ_HELD 6
/* Serials: which thread or interrupt, then its how-manieth. */
#define STRESS_OWNER_SHIFT 40

/* Of a thread or of a CPU's interrupts; alone its owner's until all is over. */
struct actor {
	struct stress *stress;
	u32 cpu, id;
	struct random_state random;
	u64 nr_serials;
	u64 count[NR_STRESS_COUNTS];
};

struct worker {
	struct actor actor;
	struct os_thread *thread;
	struct claim_ticket claim; /* of the block that it gathers; none: all zero */
	u32 claim_order;
	u32 nr_held;
	struct stress_block held[STRESS_MAX_HELD];
};

struct cpu_side {
	struct actor actor; /* of its interrupts */
	u32 nr_held;
	struct stress_block held[STRESS_MAX_IRQ_HELD];
	struct stress_mailbox mailbox;
};

_Static_assert(sizeof(struct worker) <= PAGE_SIZE && sizeof(struct cpu_side) <= PAGE_SIZE,
	       "each is a page of its own");

struct stress {
	struct stress_plan plan;
	u32 nr_cpus, nr_workers;
	u32 cpu[MAX_CPUS]; /* those that take part */
	struct cpu_side *side[MAX_CPUS];
	struct worker *worker[STRESS_MAX_THREADS];

	struct gate gate; /* behind it the threads begin */
	bool running;     /* so may interrupts; release, acquire */

	bool found; /* atomic: somebody writes `finding`, or has */
	char finding[160];
};

/* operations.c */
void stress_operate(struct worker *w, u32 number);
void stress_do_harm(struct worker *w);
void stress_free_all(struct worker *w);
void stress_collect_all(struct actor *a, u32 cpu);
void stress_end_interrupts_here(void *arg);

#endif
