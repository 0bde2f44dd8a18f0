/*
 * Slabs by rows: objects that lie one behind the other come and go by one look at their slab's map.
 */
#include "host.h"

#include <arch/irq.h>
#include <base/random.h>
#include <base/string.h>
#include <mm/check.h>

#include "mm/slab.h"

static const struct host_machine machine = {
	.ram = {{MiB(1), MiB(64), 0}}, .nr_nodes = 1, .nr_cpus = 1};

#define MAX_OUT 200u
static void *out[MAX_OUT];
static struct kmem_cache *cache;
static struct kmem_cache_node *home;

/* No stacks: the test alone has the lists. */
static void boot(u32 size, u32 flags)
{
	host_machine_boot(&machine);
	cache = kmem_cache_create("rows", size, 0, flags, NULL);
	(void)kmem_cache_tune(cache, 0, 0, 0);
	home = cache->node[0];
	home->free_limit = 10000; /* nothing is given back */
}

static u32 take(u32 want, u32 most)
{
	unsigned long flags = spin_lock_irqsave(&home->lock);
	u32 got = slab_node_take_locked(home, out, want, most);

	spin_unlock_irqrestore(&home->lock, flags);
	return got;
}

static struct slab_bad put(u32 nr)
{
	struct list_head surplus = {&surplus, &surplus};
	struct slab_bad bad = {0};
	unsigned long flags = spin_lock_irqsave(&home->lock);

	slab_node_put_locked(home, out, nr, false, &surplus, &bad);
	spin_unlock_irqrestore(&home->lock, flags);
	slab_give_back(cache, &surplus);
	return bad;
}

/* So many slabs, all free. */
static void grow(struct ktest *t, u32 slabs)
{
	static void *first[8];

	for (u32 i = 0; i < slabs; i++) {
		struct page *slab = slab_grow(cache, 0, GFP_KERNEL);
		unsigned long flags;

		ASSERT_TRUE(t, slab != NULL && slabs <= ARRAY_SIZE(first));
		flags = spin_lock_irqsave(&home->lock);
		slab_node_add_locked(home, slab, NULL, 0);
		spin_unlock_irqrestore(&home->lock, flags);
	}
}

static void reverse(u32 from, u32 to)
{
	for (; from + 1 < to; from++, to--) {
		void *kept = out[from];

		out[from] = out[to - 1];
		out[to - 1] = kept;
	}
}

static void shuffle(struct random_state *state, u32 nr)
{
	for (u32 i = nr - 1; i > 0; i--) {
		u32 j = (u32)random_below(state, i + 1);
		void *kept = out[i];

		out[i] = out[j];
		out[j] = kept;
	}
}

static void expect_all_home(struct ktest *t, u64 objects)
{
	EXPECT_EQ(t, home->nr_free_objects, objects);
	EXPECT_EQ(t, home->nr_free_slabs, home->nr_slabs);
	expect_check_clean(t);
}

/* Forward, backward, in pieces of both, and in no order: the lists are the same afterwards. */
static void in_any_order(struct ktest *t, u32 size)
{
	struct random_state state = {7};
	u64 objects;
	u32 nr;

	boot(size, 0);
	grow(t, 3);
	objects = home->nr_free_objects;
	for (u32 round = 0; round < 60; round++) {
		nr = take(1 + (u32)random_below(&state, MIN(MAX_OUT, (u32)objects)), MAX_OUT);
		EXPECT_EQ(t, home->nr_free_objects, objects - nr);
		if (round % 4 == 1)
			reverse(0, nr);
		else if (round % 4 == 2)
			reverse(nr / 3, nr);
		else if (round % 4 == 3)
			shuffle(&state, nr);
		EXPECT(t, !put(nr).object);
		expect_all_home(t, objects);
	}
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void a_word_has_them_all(struct ktest *t)
{
	in_any_order(t, 256);
}

static void a_whole_word(struct ktest *t)
{
	in_any_order(t, 64);
}

static void rows_end_with_a_word(struct ktest *t)
{
	in_any_order(t, 24);
}

static void places_that_are_no_power(struct ktest *t)
{
	in_any_order(t, 1360);
}

/* --- What is wrong in the midst of a row ------------------------------------------------------------------ */

static void expect_bad(struct ktest *t, u32 nr, u32 which, const char *what)
{
	u64 free_before = home->nr_free_objects;
	void *wrong = out[which];
	struct slab_bad bad = put(nr);

	EXPECT(t, bad.object == wrong);
	EXPECT_STREQ(t, bad.what, what);
	EXPECT(t, home->nr_free_objects >= free_before);
}

/* Two of a row of 16 are home already; the first that comes is named. */
static void twice(struct ktest *t, bool backward)
{
	void *early[2];

	boot(256, 0);
	grow(t, 1);
	ASSERT_EQ(t, take(16, 16), 16);
	early[0] = out[5];
	early[1] = out[9];
	out[0] = early[0];
	out[1] = early[1];
	EXPECT(t, !put(2).object);
	for (u32 i = 0; i < 16; i++)
		out[i] = (char *)early[0] + ((s64)i - 5) * 256;
	if (backward)
		reverse(0, 16);
	expect_bad(t, 16, backward ? 6 : 5, "is free already");
	/* Nothing of the row is in the map: what came before it in the same call is. */
	EXPECT_EQ(t, home->nr_free_objects, 2);
}

static void twice_forward(struct ktest *t)
{
	twice(t, false);
}

static void twice_backward(struct ktest *t)
{
	twice(t, true);
}

/* The second of two equal ones begins a row of its own. */
static void twice_in_succession(struct ktest *t)
{
	boot(256, 0);
	grow(t, 1);
	ASSERT_EQ(t, take(3, 3), 3);
	out[2] = out[1];
	expect_bad(t, 3, 2, "is free already");
}

static void no_object_ends_a_row(struct ktest *t)
{
	boot(256, 0);
	grow(t, 1);
	ASSERT_EQ(t, take(4, 4), 4);
	out[2] = (char *)out[2] + 8;
	expect_bad(t, 4, 2, "is no object");
	EXPECT_EQ(t, home->nr_free_objects, 12 + 2);
}

/* --- Ends of batches ------------------------------------------------------------------------------------ */

static void a_batch_ends_with_a_slab(struct ktest *t)
{
	boot(256, 0); /* 16 a slab */
	grow(t, 4);
	EXPECT_EQ(t, take(60, 75), 64);
	EXPECT(t, list_empty(&home->partial) && list_empty(&home->free));
	EXPECT(t, !put(64).object);
	EXPECT_EQ(t, take(60, 63), 60);
	EXPECT_EQ(t, take(1, 3), 1); /* four are left */
	EXPECT_EQ(t, take(1, 3), 3);
}

static void a_flush_ends_with_a_slab(struct ktest *t)
{
	static u64 words[sizeof(struct cpu_stack) / sizeof(u64) + 64];
	struct cpu_stack *full = (struct cpu_stack *)words;

	boot(256, 0);
	grow(t, 4);
	ASSERT_EQ(t, take(64, 64), 64);
	*full = (struct cpu_stack){.nr = 64, .limit = 64, .capacity = 64, .batch = 30};
	for (u32 i = 0; i < 64; i++)
		full->entry[i] = out[i];
	EXPECT_EQ(t, slab_stack_flush_batch(cache, full), 32);
	full->batch = 17; /* the slab's end is too far */
	EXPECT_EQ(t, slab_stack_flush_batch(cache, full), 21);
	full->batch = 16;
	EXPECT_EQ(t, slab_stack_flush_batch(cache, full), 16);
	full->batch = 100;
	EXPECT_EQ(t, slab_stack_flush_batch(cache, full), 64);
	EXPECT(t, !put(64).object);
}

static const struct ktest_case cases[] = {
	KTEST(a_word_has_them_all),
	KTEST(a_whole_word),
	KTEST(rows_end_with_a_word),
	KTEST(places_that_are_no_power),
	KTEST(twice_forward),
	KTEST(twice_backward),
	KTEST(twice_in_succession),
	KTEST(no_object_ends_a_row),
	KTEST(a_batch_ends_with_a_slab),
	KTEST(a_flush_ends_with_a_slab),
};
KTEST_SUITE(slab_rows, cases);
