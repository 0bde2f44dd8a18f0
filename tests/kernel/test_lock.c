/*
 * Spinlocks and sequence counters between CPUs, and the lock checker over the kernel itself.
 *
 * Other CPUs are called (in interrupt context, interrupts off) and work while this one waits for them;
 * what this one does meanwhile it does in its tick. On one CPU the same is done one after the other.
 */
#include <arch/irq.h>
#include <arch/preempt.h>
#include <arch/seqcount.h>
#include <base/string.h>
#include <kernel/lockcheck.h>
#include <kernel/test.h>
#include <mm/page_alloc.h>
#include <x86/machine.h>
#include <x86/paging.h>
#include <x86/smp.h>
#include <x86/trap.h>

#include "lockcheck_test.h"

#define LIMIT_NS 20000000000ull

static bool in_time(u64 start)
{
	return arch_timestamp_to_ns(arch_timestamp() - start) < LIMIT_NS;
}

/* One that is not this one; this one if it is alone. */
static u32 other_cpu(void)
{
	u32 cpu, other = smp_processor_id();

	for_each_online_cpu(cpu)
		if (cpu != smp_processor_id())
			other = cpu;
	return other;
}

/*
 * Of many CPUs not all take part in what takes turns: 64 virtual ones that wait with interrupts off
 * on two of the host's keep each other from being run for seconds, and 8 show as much.
 */
#define MAX_PARTIES 8

static bool takes_part(void)
{
	return smp_processor_id() < MAX_PARTIES;
}

static u32 nr_parties(void)
{
	return MIN(nr_cpus_online(), (u32)MAX_PARTIES);
}

/* ---- In this CPU's tick ---------------------------------------------------------------------- */

static struct {
	void (*fn)(void *arg);
	void *arg;
	u32 times;
} in_tick; /* relaxed: the tick is this CPU's own */

static void on_tick(const struct trap_frame *frame)
{
	(void)frame;
	in_tick.fn(in_tick.arg);
	store_relaxed(&in_tick.times, in_tick.times + 1);
}

static void tick_calls(void (*fn)(void *arg), void *arg)
{
	in_tick.fn = fn;
	in_tick.arg = arg;
	store_relaxed(&in_tick.times, 0);
	tick_set_handler(fn ? on_tick : NULL);
}

struct call {
	void (*fn)(void *arg);
	void *arg;
};

static void run_once(void *arg)
{
	const struct call *call = arg;

	tick_set_handler(NULL);
	call->fn(call->arg);
}

/* The watchdog over the case is this tick, too; from here on the launcher's limit stands in. */
void run_in_interrupt(struct ktest *t, void (*fn)(void *arg), void *arg)
{
	struct call call = {fn, arg};
	u64 start = arch_timestamp();

	tick_calls(run_once, &call);
	while (load_relaxed(&in_tick.times) == 0 && in_time(start))
		cpu_relax();
	EXPECT_EQ(t, load_relaxed(&in_tick.times), 1);
}

/* ---- Spinlocks ------------------------------------------------------------------------------- */

static struct spinlock lock = SPINLOCK_INIT("lt.lock");

static struct lock_class_info figures(const char *name)
{
	struct lock_class_info info;

	for (u32 i = 0; lockcheck_class(i, &info); i++)
		if (strcmp(info.name, name) == 0)
			return info;
	return (struct lock_class_info){0};
}

static void a_holder_keeps_its_cpu(struct ktest *t)
{
	unsigned long flags;
	u32 depth = preempt_depth();

	spin_lock(&lock);
	EXPECT_EQ(t, preempt_depth(), depth + 1);
	EXPECT(t, spin_is_held(&lock) && !preemptible());
	EXPECT(t, !spin_trylock(&lock));
	EXPECT_EQ(t, preempt_depth(), depth + 1);
	spin_unlock(&lock);
	EXPECT_EQ(t, preempt_depth(), depth);
	EXPECT(t, spin_trylock(&lock));
	EXPECT_EQ(t, preempt_depth(), depth + 1);
	spin_unlock(&lock);
	flags = spin_lock_irqsave(&lock);
	EXPECT_EQ(t, preempt_depth(), depth + 1);
	EXPECT(t, irqs_disabled());
	spin_unlock_irqrestore(&lock, flags);
	EXPECT_EQ(t, preempt_depth(), depth);
	EXPECT(t, preemptible() && !spin_is_held(&lock));
}

/* By the square of the CPUs: a lock is handed over in turn, and of 64 of them the host runs two. */
#define ROUNDS 4000

struct shared_count {
	struct spinlock lock;
	u64 count;    /* guarded by lock: not atomic */
	u64 expected; /* atomic */
	u32 rounds;
};

static void count_up(void *arg)
{
	struct shared_count *shared = arg;

	if (!takes_part())
		return;
	for (u32 i = 0; i < shared->rounds; i++) {
		unsigned long flags = spin_lock_irqsave(&shared->lock);
		u64 seen = load_relaxed(&shared->count);

		if (i % 16 == 0)
			cpu_relax(); /* an invitation to come in between */
		store_relaxed(&shared->count, seen + 1);
		spin_unlock_irqrestore(&shared->lock, flags);
	}
	__atomic_fetch_add(&shared->expected, shared->rounds, __ATOMIC_RELAXED);
}

static void one_at_a_time(struct ktest *t)
{
	struct shared_count shared = {
		.lock = SPINLOCK_INIT("lt.count"),
		.rounds = ROUNDS / nr_parties() / nr_parties(),
	};

	tick_calls(count_up, &shared);
	smp_call_others(count_up, &shared);
	tick_set_handler(NULL);
	count_up(&shared);
	EXPECT_EQ(t, shared.count, shared.expected);
	EXPECT(t, shared.expected >= (u64)shared.rounds * nr_parties());
	EXPECT(t, !spin_is_held(&shared.lock));
	EXPECT_EQ(t, shared.lock.next, shared.lock.serving);
}

struct queue {
	struct spinlock lock;
	u32 seen; /* guarded by lock; read without it as a hint */
	bool in_vain;
};

/* The first one in keeps the lock until another one has drawn a number behind it. */
static void queue_up(void *arg)
{
	struct queue *queue = arg;
	u64 start = arch_timestamp();
	unsigned long flags;
	bool first;

	if (!takes_part())
		return;
	flags = spin_lock_irqsave(&queue->lock);
	first = queue->seen == 0;
	store_relaxed(&queue->seen, queue->seen + 1);
	while (first && !queue->in_vain &&
	       load_relaxed(&queue->lock.next) == queue->lock.serving + 1) {
		queue->in_vain = !in_time(start);
		cpu_is_alive();
		cpu_relax();
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void queue_up_behind(void *arg)
{
	struct queue *queue = arg;

	if (load_relaxed(&queue->seen) > 0)
		queue_up(queue);
}

static void who_waits_is_counted(struct ktest *t)
{
	struct queue queue = {.lock = SPINLOCK_INIT("lt.queue")};
	u64 before = figures("lt.queue").contended;

	if (nr_cpus_online() > 1) {
		tick_calls(queue_up_behind, &queue);
		smp_call_others(queue_up, &queue);
		tick_set_handler(NULL);
		EXPECT(t, figures("lt.queue").contended > before);
		EXPECT(t, figures("lt.queue").longest_wait_ns > 0);
	}
	EXPECT(t, !queue.in_vain);
	before = figures("lt.queue").contended;
	queue.seen = 1;
	queue_up(&queue);
	EXPECT_EQ(t, figures("lt.queue").contended, before);
}

/* ---- Sequence counters ----------------------------------------------------------------------- */

#define WRITES 20000 /* by all CPUs that there are: the host may run two */

static struct {
	struct spinlock lock;
	struct seqcount seq;
	u64 first, second; /* always the same */
	u64 reads, torn, again;
	u32 writer, writes; /* which CPU, and how many */
} pair = {.lock = SPINLOCK_INIT("lt.pair"), .seq = SEQCOUNT_INIT(&pair.lock)};

static void write_pair(void)
{
	unsigned long flags = spin_lock_irqsave(&pair.lock);

	seq_write_begin(&pair.seq);
	seq_store(&pair.first, pair.first + 1);
	seq_store(&pair.second, pair.second + 1);
	seq_write_end(&pair.seq);
	spin_unlock_irqrestore(&pair.lock, flags);
}

static void read_pair(void *arg)
{
	u64 first, second, again = 0;
	u32 start;

	(void)arg;
	for (;;) {
		start = seq_read_begin(&pair.seq);
		first = seq_load(&pair.first);
		second = seq_load(&pair.second);
		if (!seq_read_retry(&pair.seq, start))
			break;
		again++;
	}
	__atomic_fetch_add(&pair.reads, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pair.again, again, __ATOMIC_RELAXED);
	if (first != second)
		__atomic_fetch_add(&pair.torn, 1, __ATOMIC_RELAXED);
}

static void read_many(void *arg)
{
	for (u32 i = 0; i < 100; i++)
		read_pair(arg);
}

/* One CPU writes, the others read until it is done. */
static void write_or_read(void *arg)
{
	u64 start = arch_timestamp();

	if (smp_processor_id() == load_relaxed(&pair.writer))
		for (u32 i = 0; i < pair.writes; i++)
			write_pair();
	else if (takes_part())
		while (load_relaxed(&pair.first) < pair.writes && in_time(start)) {
			read_pair(arg);
			if (irqs_disabled())
				cpu_is_alive();
		}
}

static void readers_see_no_mixture(struct ktest *t)
{
	pair.first = pair.second = pair.reads = pair.torn = pair.again = 0;
	pair.writer = other_cpu();
	pair.writes = WRITES / nr_parties();
	tick_calls(read_many, NULL);
	smp_call_others(write_or_read, NULL);
	write_or_read(NULL);
	run_in_interrupt(t, read_many, NULL);
	EXPECT_EQ(t, pair.first, pair.writes);
	EXPECT_EQ(t, pair.second, pair.writes);
	EXPECT_EQ(t, pair.seq.number % 2, 0);
	EXPECT(t, pair.reads >= 100);
	EXPECT_EQ(t, pair.torn, 0);
	ktest_note(t, "%llu reads, %llu again", (unsigned long long)pair.reads,
		   (unsigned long long)pair.again);
}

/* A write that began in between is seen by who reads around it. */
static void a_write_in_between_is_seen(struct ktest *t)
{
	u32 start = seq_read_begin(&pair.seq);

	EXPECT(t, !seq_read_retry(&pair.seq, start));
	write_pair();
	EXPECT(t, seq_read_retry(&pair.seq, start));
	start = seq_read_begin(&pair.seq);
	EXPECT(t, !seq_read_retry(&pair.seq, start));
}

static const struct ktest_case cases[] = {
	KTEST(a_holder_keeps_its_cpu),     KTEST(one_at_a_time),
	KTEST(who_waits_is_counted),       KTEST(readers_see_no_mixture),
	KTEST(a_write_in_between_is_seen),
};
KTEST_SUITE(lock, cases);

/* ---- The checker over the kernel ------------------------------------------------------------- */

static bool is_ordered(const char *outer, const char *inner)
{
	struct lock_order order;

	for (u32 i = 0; lockcheck_order(i, &order); i++)
		if (order.outer && strcmp(order.outer, outer) == 0 &&
		    strcmp(order.inner, inner) == 0)
			return true;
	return false;
}

/* Mapping a stack may take a page for a table, under the tables' lock. Any report would be a panic. */
static void the_kernel_has_an_order(struct ktest *t)
{
	u32 slot = (u32)(STACK_WINDOW_BYTES / STACK_SLOT_BYTES) - 2;
	void *stack;

	if (!lockcheck_is_on())
		SKIP(t, "asked for lockcheck=0");
	stack = get_free_pages(GFP_KERNEL, 3);
	ASSERT_TRUE(t, stack != NULL);
	paging_map_stack(slot, virt_to_phys(stack));
	EXPECT_EQ(t, paging_unmap_stack(slot), virt_to_phys(stack));
	free_pages(stack, 3);
	/* What no CPU keeps for itself. */
	free_pages(get_free_pages(GFP_KERNEL, 5), 5);
	EXPECT(t, figures("zone").acquired > 0);
	EXPECT(t, figures("page tables").acquired > 0);
	EXPECT(t, figures("console").acquired > 0);
	EXPECT(t, !is_ordered("zone", "console") && !is_ordered("zone", "page tables"));
	ktest_note(t, "%u names, %u orders", lockcheck_stats().classes, lockcheck_stats().orders);
}

static struct {
	u32 reports;
	char text[LOCKCHECK_TEXT_BYTES];
} seen;

static bool record(const struct lockcheck_report *report)
{
	if (strcmp(report->lock, "lt.elsewhere") != 0)
		return false;
	seen.reports++;
	memcpy(seen.text, report->text, sizeof(seen.text));
	return true;
}

static void release_elsewhere(void *arg)
{
	preempt_disable(); /* the release undoes one */
	spin_unlock(arg);
}

/* The report names who has the lock, and whoever has it keeps it. */
static void released_by_another_cpu(struct ktest *t)
{
	struct spinlock elsewhere = SPINLOCK_INIT("lt.elsewhere");

	if (!lockcheck_is_on())
		SKIP(t, "asked for lockcheck=0");
	seen.reports = 0;
	lockcheck_set_handler(record);
	spin_lock(&elsewhere);
	if (nr_cpus_online() > 1) {
		EXPECT_EQ(t, smp_call(other_cpu(), release_elsewhere, &elsewhere), 0);
		EXPECT_EQ(t, seen.reports, 1);
		EXPECT_MSG(t, strncmp(seen.text, "lock 'lt.elsewhere' released at ", 32) == 0, "%s",
			   seen.text);
	}
	EXPECT(t, spin_is_held(&elsewhere));
	spin_unlock(&elsewhere);
	lockcheck_set_handler(NULL);
}

static const struct ktest_case kernel_cases[] = {
	KTEST(the_kernel_has_an_order),
	KTEST(released_by_another_cpu),
};
KTEST_SUITE(lockcheck_kernel, kernel_cases);
