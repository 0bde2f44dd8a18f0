/*
 * Random sequences over caches, CPUs and nodes beside a naive model: a list of what is out, and what stands in it.
 *
 * The model knows nothing of slabs. An object that is handed out twice, or overlaps another, loses its content; one that
 * is lost is missing when all caches are destroyed, which succeeds only if every object is home, and when all pages
 * are counted. After every step the invariants are executed.
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/vmstat.h>

#include "mm/slab.h"

#define NR_CPUS   4
#define NR_NODES  3
#define NR_CACHES 8
#define MAX_OUT   600
#define MAX_BULK  80
#define NR_SEEDS  4
#define NR_STEPS  2500
#define CTOR_WORD 0x636f6e7374727563ull

/* Node 2 has no CPU, CPU 3's node 3 has no memory. */
static const struct host_machine machine = {
	.ram = {{0, MiB(24), 0}, {GiB(4), MiB(24), 0}, {GiB(5), MiB(24), 1}, {GiB(6), MiB(24), 2}},
	.nr_nodes = 4,
	.nr_cpus = NR_CPUS,
	.cpu_nid = {0, 1, 0, 3},
};

static const struct {
	const char *name;
	u32 size, align, flags;
	bool has_ctor;
} kinds[NR_CACHES] = {
	{"eight", 8, 0, 0, false},
	{"odd", 19, 0, 0, false},
	{"off-slab", 56, 0, SLAB_OFF_SLAB, false},
	{"constructed", 72, 0, 0, true},
	{"aligned", 100, 256, 0, false},
	{"lines", 700, 0, SLAB_HWCACHE_ALIGN, false},
	{"page", 4096, 4096, 0, false},
	{"large", 20000, 0, 0, false},
};

struct out {
	char *object;
	u32 cache;
	u8 seed;
};

/* One step, as the CPU that does it sees it. */
struct step {
	struct ktest *t;
	u32 what, cache;
};

static struct kmem_cache *caches[NR_CACHES];
static struct out out[MAX_OUT];
static u32 nr_out;
static struct random_state rnd;

static void construct(void *object)
{
	*(u64 *)object = CTOR_WORD;
}

static u32 below(u32 n)
{
	return random_below(&rnd, n);
}

/* --- Content ------------------------------------------------------------------------------------------ */

static void fill(const struct out *o)
{
	memset(o->object, o->seed, kinds[o->cache].size);
}

static bool is_filled(const struct out *o)
{
	for (u32 i = 0; i < kinds[o->cache].size; i++) {
		if ((u8)o->object[i] != o->seed)
			return false;
	}
	return true;
}

static void add(struct ktest *t, u32 cache, void *object)
{
	u32 align = kinds[cache].align ? kinds[cache].align : 8;

	EXPECT(t, IS_ALIGNED((uintptr_t)object, align));
	if (kinds[cache].has_ctor)
		EXPECT_EQ(t, *(u64 *)object, CTOR_WORD);
	out[nr_out] = (struct out){object, cache, (u8)random_next(&rnd)};
	fill(&out[nr_out++]);
}

/* Off the list, as it was when it came. */
static void *take_out(struct ktest *t, u32 i)
{
	struct out o = out[i];

	EXPECT(t, is_filled(&o));
	if (kinds[o.cache].has_ctor)
		construct(o.object);
	out[i] = out[--nr_out];
	return o.object;
}

/* --- Steps -------------------------------------------------------------------------------------------- */

static void step_alloc(struct ktest *t, u32 cache)
{
	int nid = (int)below(NR_NODES + 2) - 1;
	bool bound = nid >= 0 && below(2);
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | (bound ? __GFP_THISNODE : 0);
	void *object;

	if (nr_out == MAX_OUT)
		return;
	object = kmem_cache_alloc_node(caches[cache], gfp, nid);
	if (nid == 3 && bound) {
		EXPECT(t, !object); /* it has no memory */
		return;
	}
	if (!EXPECT(t, object != NULL))
		return;
	if (bound)
		EXPECT_EQ(t, virt_to_page(object)->nid, nid);
	add(t, cache, object);
}

static void step_free(struct ktest *t)
{
	u32 i, cache;

	if (nr_out == 0)
		return;
	i = below(nr_out);
	cache = out[i].cache;
	kmem_cache_free(caches[cache], take_out(t, i));
}

static void step_alloc_bulk(struct ktest *t, u32 cache)
{
	u32 nr = 1 + below(MAX_BULK);
	void *objects[MAX_BULK];

	if (nr_out + nr > MAX_OUT)
		return;
	if (!EXPECT_EQ(t, kmem_cache_alloc_bulk(caches[cache], GFP_NOWAIT, nr, objects), nr))
		return;
	for (u32 i = 0; i < nr; i++)
		add(t, cache, objects[i]);
}

static void step_free_bulk(struct ktest *t, u32 cache)
{
	u32 want = 1 + below(MAX_BULK), nr = 0;
	void *objects[MAX_BULK];

	for (u32 i = nr_out; i-- > 0 && nr < want;) {
		if (out[i].cache == cache)
			objects[nr++] = take_out(t, i);
	}
	kmem_cache_free_bulk(caches[cache], nr, objects);
}

/* On the CPU that was drawn, as an interrupt there. */
static void do_step(void *arg)
{
	const struct step *step = arg;

	switch (step->what) {
	case 0 ... 39:
		step_alloc(step->t, step->cache);
		break;
	case 40 ... 79:
		step_free(step->t);
		break;
	case 80 ... 87:
		step_alloc_bulk(step->t, step->cache);
		break;
	default:
		step_free_bulk(step->t, step->cache);
		break;
	}
}

static void step_tune(struct ktest *t, u32 cache)
{
	u32 limit = below(40), batch = limit ? 1 + below(limit) : 0;

	EXPECT_EQ(t, kmem_cache_tune(caches[cache], limit, batch, limit ? below(4) : 0), 0);
}

/* What a thread does that may sleep. */
static void step_of_thread(const struct step *step)
{
	switch (step->what % 3) {
	case 0:
		kmem_cache_shrink(caches[step->cache]);
		break;
	case 1:
		step_tune(step->t, step->cache);
		break;
	default:
		slab_reap();
		break;
	}
}

/* --- The whole ---------------------------------------------------------------------------------------- */

static u64 free_pages_now(void)
{
	struct vm_totals totals;

	drain_all_pages();
	vm_totals(&totals);
	return totals.free_pages;
}

static void make_caches(struct ktest *t)
{
	for (u32 i = 0; i < NR_CACHES; i++) {
		caches[i] = kmem_cache_create(kinds[i].name, kinds[i].size, kinds[i].align,
					      kinds[i].flags, kinds[i].has_ctor ? construct : NULL);
		ASSERT_TRUE(t, caches[i] != NULL);
	}
}

static void destroy_caches(struct ktest *t)
{
	while (nr_out > 0)
		step_free(t);
	for (u32 i = 0; i < NR_CACHES; i++)
		EXPECT_EQ(t, kmem_cache_destroy(caches[i]), 0);
}

/* Those that are made of kmalloc memory and the like may keep free slabs. */
static void shrink_all(void)
{
	struct kmem_cache *cache = NULL;

	for (u32 round = 0; round < 2; round++) {
		while ((cache = slab_cache_next(cache)) != NULL)
			kmem_cache_shrink(cache);
	}
}

static void run(struct ktest *t, u64 seed)
{
	u64 pages;

	shrink_all();
	pages = free_pages_now();
	rnd.state = seed;
	make_caches(t);
	for (u32 i = 0; i < NR_STEPS && t->failures == 0; i++) {
		struct step step = {t, below(97), below(NR_CACHES)};

		if (below(50) == 0)
			step_of_thread(&step);
		else
			host_interrupt(below(NR_CPUS), do_step, &step);
		if (i % 16 == 0)
			expect_check_clean(t);
	}
	destroy_caches(t);
	shrink_all();
	EXPECT_EQ(t, free_pages_now(), pages);
	expect_check_clean(t);
}

static void random_sequences(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u64 seed = t->seed; seed < t->seed + NR_SEEDS && t->failures == 0; seed++) {
		ktest_note(t, "seed %llu", (unsigned long long)seed);
		run(t, seed * 0x9e3779b97f4a7c15ull | 1);
	}
	EXPECT(t, vmstat_read(VMSTAT_SLAB_REFILL) > 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_FLUSH) > 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_ALIEN_FLUSH) > 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GROW) > 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GIVE_BACK) > 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_REAPED) > 0);
}

/* The same in an order that is drawn. */
static void random_sequences_in_random_order(struct ktest *t)
{
	slab_order_choose(true, t->seed);
	host_machine_boot(&machine);
	run(t, t->seed | 1);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(random_sequences, 120),
	KTEST(random_sequences_in_random_order),
};
KTEST_SUITE(slab_model, cases);
