/*
 * Spinlocks and sequence counters between threads of the host, each of which plays a CPU.
 */
#include "host.h"

#include <arch/seqcount.h>
#include <base/string.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>
#include <pthread.h>

#include "tests/kernel/lockcheck_test.h"

#define NR_THREADS 4
#define LIMIT_NS   20000000000ull

void run_in_interrupt(struct ktest *t, void (*fn)(void *arg), void *arg)
{
	unsigned long flags = irq_save();

	EXPECT(t, !host_in_interrupt);
	host_in_interrupt = true;
	fn(arg);
	host_in_interrupt = false;
	irq_restore(flags);
}

struct player {
	pthread_t thread;
	u32 cpu;
	void (*fn)(u32 cpu);
};

static void *play(void *arg)
{
	const struct player *player = arg;

	host_cpu = player->cpu;
	player->fn(player->cpu);
	return NULL;
}

/* This thread stays CPU 0. */
static void start_players(struct player *player, u32 nr, void (*fn)(u32 cpu))
{
	for (u32 i = 0; i < nr; i++) {
		player[i].cpu = i + 1;
		player[i].fn = fn;
		host_count_thread(); /* so that who spins lets others run */
		if (pthread_create(&player[i].thread, NULL, play, &player[i]) != 0)
			os_panic("no thread");
	}
}

static void join_players(struct player *player, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		pthread_join(player[i].thread, NULL);
}

/* ---- Spinlocks ------------------------------------------------------------------------------- */

#define ROUNDS 5000

static struct spinlock lock = SPINLOCK_INIT("ht.lock");
static u64 count; /* guarded by lock, and not atomic: ThreadSanitizer sees a lock that is none */

static void count_up(u32 cpu)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		if (cpu % 2)
			spin_lock(&lock);
		else
			while (!spin_trylock(&lock))
				cpu_relax();
		count++;
		spin_unlock(&lock);
	}
}

static void one_at_a_time(struct ktest *t)
{
	struct player player[NR_THREADS];

	count = 0;
	start_players(player, NR_THREADS, count_up);
	join_players(player, NR_THREADS);
	EXPECT_EQ(t, count, NR_THREADS * ROUNDS);
	EXPECT_EQ(t, lock.next, lock.serving);
	EXPECT(t, !spin_is_held(&lock));
}

static u32 order[NR_THREADS], nr_served;

static void take_and_note(u32 cpu)
{
	/* Draws when all before it have: then the queue is known. */
	while (load_relaxed(&lock.next) != load_relaxed(&lock.serving) + cpu)
		cpu_relax();
	spin_lock(&lock);
	order[nr_served++] = cpu;
	spin_unlock(&lock);
}

static void first_come_first_served(struct ktest *t)
{
	struct player player[NR_THREADS];
	u64 start = arch_timestamp();
	struct lock_class_info info = {0};

	spin_lock(&lock);
	start_players(player, NR_THREADS, take_and_note);
	while (load_relaxed(&lock.next) != lock.serving + 1 + NR_THREADS &&
	       arch_timestamp() - start < LIMIT_NS)
		cpu_relax();
	EXPECT_EQ(t, nr_served, 0);
	spin_unlock(&lock);
	join_players(player, NR_THREADS);
	EXPECT_EQ(t, nr_served, NR_THREADS);
	for (u32 i = 0; i < nr_served; i++)
		EXPECT_EQ(t, order[i], i + 1);
	/* All but the first had to wait. */
	for (u32 i = 0; lockcheck_class(i, &info) && strcmp(info.name, "ht.lock") != 0; i++)
		;
	EXPECT_EQ(t, info.acquired, NR_THREADS + 1);
	EXPECT_EQ(t, info.contended, NR_THREADS);
}

static void release_of_another(void *arg)
{
	spin_lock(arg);
	host_cpu = 1;
	raw_spin_unlock(arg);
}

static void misuse_panics(struct ktest *t)
{
	expect_panic(t, release_of_another, &lock,
		     "lock 'ht.lock' released by CPU 1, which does not hold it");
}

static void take_twice(void *arg)
{
	spin_lock(arg);
	spin_lock(arg);
}

static void findings_panic(struct ktest *t)
{
	expect_panic(t, take_twice, &lock, "lockcheck: lock 'ht.lock' taken twice: at caller 0x");
}

/* ---- Sequence counters ----------------------------------------------------------------------- */

#define WRITES 20000

static struct spinlock pair_lock = SPINLOCK_INIT("ht.pair");
static struct seqcount seq = SEQCOUNT_INIT(&pair_lock);
static u64 first, second; /* always the same */
static u64 reads, torn;   /* atomic */
static bool written;      /* atomic */

static void write_pairs(void)
{
	for (u32 i = 0; i < WRITES; i++) {
		spin_lock(&pair_lock);
		seq_write_begin(&seq);
		seq_store(&first, first + 1);
		seq_store(&second, second + 1);
		seq_write_end(&seq);
		spin_unlock(&pair_lock);
	}
}

static void read_pairs(u32 cpu)
{
	u64 a, b, before = 0;
	u32 start;

	(void)cpu;
	/* Relaxed: only when to end. */
	while (!load_relaxed(&written)) {
		do {
			start = seq_read_begin(&seq);
			a = seq_load(&first);
			b = seq_load(&second);
		} while (seq_read_retry(&seq, start));
		if (a != b || a < before)
			__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
		before = a;
		__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
	}
}

static void readers_see_no_mixture(struct ktest *t)
{
	struct player player[NR_THREADS];

	start_players(player, NR_THREADS, read_pairs);
	write_pairs();
	while (load_relaxed(&reads) < NR_THREADS)
		cpu_relax();
	store_relaxed(&written, true);
	join_players(player, NR_THREADS);
	EXPECT(t, reads >= NR_THREADS);
	EXPECT_EQ(t, torn, 0);
	EXPECT_EQ(t, first, WRITES);
	EXPECT_EQ(t, seq.number, 2 * WRITES);
}

static void write_without_lock(void *arg)
{
	seq_write_begin(arg);
}

static void read_under_write(void *arg)
{
	spin_lock(&pair_lock);
	seq_write_begin(arg);
	seq_read_begin(arg);
}

static void seqcount_misuse_panics(struct ktest *t)
{
	expect_panic(t, write_without_lock, &seq, "what 'ht.pair' guards: lock not held");
	expect_panic(t, read_under_write, &seq, "CPU 0 reads what it writes, under 'ht.pair'");
}

static const struct ktest_case cases[] = {
	KTEST(one_at_a_time),  KTEST(first_come_first_served), KTEST(misuse_panics),
	KTEST(findings_panic), KTEST(readers_see_no_mixture),  KTEST(seqcount_misuse_panics),
};
KTEST_SUITE(lock, cases);
