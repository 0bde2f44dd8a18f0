/*
 * Fallback while somebody else is at the same memory: the cpuset is moved, slabs are emptied by others. Under the policy
 * that was booted, as in test_slab_fallback.c.
 */
#include <base/atomic.h>
#include <kernel/thread.h>
#include <mm/kmalloc.h>
#include <mm/mempolicy.h>
#include <x86/smp.h>
#include <x86/time.h>

#include "scarce.h"

/* --- F7: another thread moves the cpuset ----------------------------------------------------------- */

/*
 * No page is free on either node, and of the cache's objects only a few. Over and over:
 *
 *	objects of the other node become free    the cpuset is moved there    those of this node are taken
 *
 * So at any moment the task may have an object. What fails has looked where there are none any more.
 */
struct mover {
	struct os_task *task;
	struct out *taken; /* of the node where the task may not be */
	u64 moves;         /* atomic */
	bool begins, ends; /* atomic */
};

static void take_all_of(struct mover *m, int nid)
{
	struct out *object;

	while ((object = kmem_cache_alloc_node(scarce.cache, __GFP_THISNODE | QUICKLY, nid))) {
		object->next = m->taken;
		m->taken = object;
	}
}

static void move_to(struct mover *m, int to, int from)
{
	give_back_all(&m->taken);
	(void)task_set_mems_allowed(m->task, NODE_BIT(to));
	take_all_of(m, from);
	store_release(&m->moves, m->moves + 1);
}

static void move_to_and_fro(void *arg)
{
	struct mover *m = arg;

	while (!load_acquire(&m->begins))
		thread_yield();
	while (!load_acquire(&m->ends)) {
		move_to(m, scarce.b, scarce.p);
		move_to(m, scarce.p, scarce.b);
		thread_yield();
	}
	give_back_all(&m->taken);
}

/* The cache has a slab on each of both nodes, and few of their objects are free. */
static void leave_two_on_each(struct ktest *t)
{
	int nodes[] = {scarce.p, scarce.b};

	for (u32 n = 0; n < 2; n++) {
		void *object[2] = {NULL, NULL};

		for (u32 i = 0; i < scarce.nr_objects; i++) {
			if (i >= 2)
				scarce_keep(object[i % 2]);
			object[i % 2] = kmem_cache_alloc_node(
				scarce.cache, GFP_KERNEL | __GFP_THISNODE, nodes[n]);
			EXPECT(t, object[i % 2] != NULL);
		}
		kmem_cache_free(scarce.cache, object[0]);
		kmem_cache_free(scarce.cache, object[1]);
	}
}

/* One CPU would have to change threads between two instructions: there nothing is waited for. */
static bool seen_enough(const struct mover *m, u64 failed)
{
	bool seen = scarce_under(MM_AFTER) ? since(VMSTAT_SLAB_MEMS_MOVED) >= 4 : failed > 0;

	return (seen || nr_cpus_online() == 1) && load_acquire(&m->moves) > 100;
}

static u64 ask_while_it_moves(struct mover *m, u64 *asked)
{
	u64 start = time_since_entry_ns(), failed = 0;

	while (!seen_enough(m, failed) && time_since_entry_ns() - start < SCARCE_LIMIT) {
		for (u32 i = 0; i < 64; i++) {
			void *object = kmem_cache_alloc(scarce.cache, QUICKLY);

			++*asked;
			failed += object == NULL;
			kmem_cache_free(scarce.cache, object);
		}
		thread_yield();
	}
	return failed;
}

static void f7_a_moving_cpuset_fails_nobody(struct ktest *t)
{
	struct mover m = {.task = os_current()};
	struct thread *thread;
	u64 failed, asked = 0;

	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	EXPECT_EQ(t, kmem_cache_tune(scarce.cache, 0, 0, 0), 0);
	leave_two_on_each(t);
	thread = thread_start("mover", nr_cpus_online() - 1, move_to_and_fro, &m);
	scarce_exhaust(scarce.p, 0);
	scarce_exhaust(scarce.b, 0);
	move_to(&m, scarce.p, scarce.b);
	scarce_mark();
	store_release(&m.begins, true);
	failed = thread ? ask_while_it_moves(&m, &asked) : 0;
	store_release(&m.ends, true);
	if (EXPECT(t, thread != NULL))
		thread_join(thread);
	ktest_note(t, "%llu requests, %llu moves, %llu failed, %llu begun anew",
		   (unsigned long long)asked, (unsigned long long)m.moves,
		   (unsigned long long)failed, (unsigned long long)since(VMSTAT_SLAB_MEMS_MOVED));
	EXPECT(t, m.moves > 100);
	EXPECT(t, failed == 0 || !scarce_under(MM_AFTER));
	EXPECT(t, since(VMSTAT_SLAB_MEMS_MOVED) == 0 || scarce_under(MM_AFTER));
	if (nr_cpus_online() > 1)
		EXPECT(t, failed + since(VMSTAT_SLAB_MEMS_MOVED) > 0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), ~(nodemask_t)0), 0);
	scarce_end(t);
}

/* --- F8: the maker of a slab has an object of it --------------------------------------------------- */

#define F8_ROUNDS 400
#define F8_SIZE   1024u

/* Takes all that B's lists have, again and again. */
struct thief {
	struct out *taken;
	u64 nr;    /* atomic */
	bool ends; /* atomic */
};

static void steal(void *arg)
{
	struct thief *thief = arg;
	struct slab_node_snapshot home;

	while (!load_acquire(&thief->ends)) {
		while (slab_node_snapshot(scarce.cache, scarce.b, &home) && home.free_objects > 0) {
			struct out *object = kmem_cache_alloc_node(
				scarce.cache, __GFP_THISNODE | QUICKLY, scarce.b);

			if (!object)
				break;
			object->next = thief->taken;
			thief->taken = object;
			store_relaxed(&thief->nr, thief->nr + 1);
		}
		thread_yield();
	}
}

static void f8_who_makes_a_slab_has_of_it(struct ktest *t)
{
	struct thief thief = {.nr = 0};
	u64 start, rounds = 0;
	struct thread *thread;

	SCARCE_BEGIN_OR_SKIP(t, F8_SIZE);
	EXPECT_EQ(t, kmem_cache_tune(scarce.cache, 0, 0, 0), 0);
	thread = thread_start("thief", nr_cpus_online() - 1, steal, &thief);
	scarce_exhaust(scarce.p, 0);
	scarce_mark();
	start = time_since_entry_ns();
	while (thread && time_since_entry_ns() - start < SCARCE_LIMIT) {
		EXPECT_EQ(t, scarce_keep(kmem_cache_alloc(scarce.cache, QUICKLY)), scarce.b);
		if (rounds % 16 == 0)
			thread_yield();
		if (++rounds >= F8_ROUNDS && load_relaxed(&thief.nr) > 0 &&
		    (!scarce_under(MM_POSTED) || since(VMSTAT_SLAB_FALLBACK_RETRY) > 0))
			break;
	}
	store_release(&thief.ends, true);
	if (EXPECT(t, thread != NULL))
		thread_join(thread);
	ktest_note(t, "%llu requests, %llu stolen, %llu times too late", (unsigned long long)rounds,
		   (unsigned long long)thief.nr,
		   (unsigned long long)since(VMSTAT_SLAB_FALLBACK_RETRY));
	EXPECT(t, thief.nr > 0);
	EXPECT(t, since(VMSTAT_SLAB_GROW) > 0);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_RETRY) > 0, scarce_under(MM_POSTED));
	give_back_all(&thief.taken);
	scarce_end(t);
}

static const struct ktest_case cases[] = {
	KTEST(f7_a_moving_cpuset_fails_nobody),
	KTEST(f8_who_makes_a_slab_has_of_it),
};
KTEST_SUITE(slab_fallback_races, cases);
