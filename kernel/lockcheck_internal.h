/*
 * Between the parts of the lock checker, and what it asks of where it runs.
 */
#ifndef KERNEL_LOCKCHECK_INTERNAL_H
#define KERNEL_LOCKCHECK_INTERNAL_H

#include <arch/spinlock.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>

#define MAX_HELD  12
#define MAX_STEPS 8

/* A spinlock that is held, or is being waited for. */
struct held {
	const struct spinlock *lock;
	uintptr_t site;
	u64 since;   /* arch_timestamp() */
	u32 class;   /* 0: there was no room for its name */
	bool in_irq; /* taken in an interrupt: no business of who was interrupted */
};

/*
 * A CPU's (on the host a thread's), which alone looks at it, with interrupts off. An interrupt leaves
 * `held` as it has found it, and a CPU that holds a spinlock switches no threads.
 */
struct lockcheck_context {
	bool busy; /* in the checker: what it prints is not checked */
	u32 nr_held;
	struct held held[MAX_HELD];
};

/* What is wrong, if anything is: the first finding stays. */
struct finding {
	struct lockcheck_report report;
	u32 nr_steps; /* of an order by way of others: pairs, from the outermost inward */
	u32 step[MAX_STEPS];
};

/* --- The surroundings: kernel/lockcheck_env.c, tests/host/lockcheck_env.c ----------------------- */

struct lockcheck_context *lockcheck_context(void);
bool lockcheck_in_interrupt(void);
const void *lockcheck_thread(void); /* any value that no other running thread has; not NULL */
void lockcheck_show_life(void);     /* while waiting with interrupts off, perhaps for long */

/* --- lockcheck.c --------------------------------------------------------------------------------- */

struct site_text {
	char text[OS_CALLER_BYTES];
};
const char *lockcheck_site(struct site_text *text, uintptr_t site);
/* The report to fill in; NULL: something was found before. */
struct lockcheck_report *lockcheck_found(struct finding *finding, enum lockcheck_kind kind);
/*
 * All that the checker does is between these two, with interrupts off. NULL: the checker is what is running
 * already, and the caller is not checked.
 */
struct lockcheck_context *lockcheck_enter(unsigned long *flags);
void lockcheck_leave(struct lockcheck_context *context, unsigned long flags);

/* Two words: the text, which is most of it, is written when there is one. */
static inline void finding_init(struct finding *finding)
{
	finding->report.kind = LOCKCHECK_NOTHING;
	finding->nr_steps = 0;
}

/* Tells of a finding, if there is one: a panic, unless a test wants it. */
void lockcheck_report_it(const struct finding *finding);
u32 lockcheck_reports(void);

/* --- lockcheck_mutex.c --------------------------------------------------------------------------- */

/* What the running thread holds of mutexes comes before this class. */
void mutexes_come_before(u32 class, uintptr_t site, struct finding *finding);

/* --- lockcheck_order.c: what was learned ---------------------------------------------------------
 * All of it with interrupts off, inside the checker (`busy`).
 */

enum lock_use { USE_IN_IRQ, USE_IRQS_ON, NR_LOCK_USES };

/* The number of the name; 0 if there is no room for it. */
u32 order_class(const char *name, bool mutex);
/* `inner` is about to be taken at inner_site with `outer`, taken at outer_site, held. Neither is 0. */
void order_see(u32 outer, uintptr_t outer_site, u32 inner, uintptr_t inner_site,
	       struct finding *finding);
/* The class is taken like that at `site`. */
void order_see_use(u32 class, enum lock_use use, uintptr_t site, struct finding *finding);
/* Two of one class at once: true for the first time. */
bool order_first_pair(u32 class);
void order_count(u32 class);
void order_count_wait(u32 class, u64 ticks);
void order_count_hold(u32 class, u64 ticks);
/* One line each for the steps of a finding. */
void order_log_steps(const struct finding *finding);

#endif
