/*
 * The experiment `fallback`: the node that a request prefers has nothing. What do its requests get, and at what price?
 *
 *	[ held                              | the experiment's memory, shared out among the nodes | marks ]
 *
 * Most of a large machine is taken away first (kernel/hoard.c). Then four phases, each about one of the things that
 * mm/slab_fallback.c is judged by. P is the node that this CPU prefers:
 *
 *	full_cache    every node is full of clean cached pages, and objects are asked for until half of that memory is
 *	              theirs: all of it could be had by reclaim (F1)
 *	remote_free   P has no page. Elsewhere there are slabs of which every second object is free: few on the
 *	              nearest node, many on the others. As many requests as there are free objects: no slab is
 *	              needed for them (F2, F3)
 *	cpuset        P has no page at all. The task may have memory of P only, but is entitled, and so may leave it.
 *	              Its objects fit into a few slabs (F4)
 *	overflow      kmalloc_node(196, P), half again as much as P has. What the slabs have, and what of it is in
 *	              use (F9)
 *
 * The last three need a further node with memory. A machine without says so, in a line of its own.
 *
 * Limits: figures are of the whole machine. The experiment wants one on which nothing else runs. kswapd runs
 * beside it, so pages scanned and reclaimed depend on how fast that is.
 */
#include <kernel/experiment.h>

#include <base/errno.h>
#include <base/string.h>
#include <kernel/hoard.h>
#include <kernel/monitor.h>
#include <kernel/workload.h>
#include <kernel/workload_objects.h>
#include <mm/kmalloc.h>
#include <mm/mempolicy.h>
#include <mm/slab_inspect.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "commands.h"

#define NAME         "fallback"
#define MEMORY_PAGES (MiB(32) >> PAGE_SHIFT)
#define LARGE_SIZE   2048u /* full_cache: a page for every second object */
#define SIZE         256u
/* remote_free: so many objects on the nearest node, which its CPUs share; on each other more than they share. */
#define FEW_OBJECTS    32u
#define MANY_OBJECTS   2048u
#define CPUSET_OBJECTS 512u
#define OVERFLOW_SIZE  196u
#define DROP_LIMIT_NS  10000000000ull
#define GFP_REQUEST    (GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define ULL(x)         ((unsigned long long)(x))

enum phase { FULL_CACHE, REMOTE_FREE, CPUSET, OVERFLOW, NR_PHASES };
static const char *const phase_names[NR_PHASES] = {"full_cache", "remote_free", "cpuset",
						   "overflow"};

struct experiment_run {
	u64 seed, pages;
	int nid;                      /* P */
	struct hoard held, exhausted; /* to the end; of P, to the end of the phase */
	struct cache_file *file;      /* of full_cache */
	struct object_load load;      /* the phase's */
	struct object_figures figures[NR_PHASES];
	bool skipped[NR_PHASES];
};

#define RUN_ORDER 1
_Static_assert(sizeof(struct experiment_run) <= PAGE_SIZE << RUN_ORDER,
	       "what it is allocated with");

/* --- Setting the stage -------------------------------------------------------------------------- */

/* All of P that a request for it alone can get. */
static void exhaust(struct experiment_run *run, gfp_t gfp)
{
	drain_all_pages();
	for (unsigned int order = NR_ORDERS; order-- > 0;) {
		struct page *page;

		while ((page = alloc_pages_node(run->nid, gfp | __GFP_THISNODE | __GFP_NOWARN,
						order)))
			hoard_add(&run->exhausted, page, order);
	}
}

static int nearest_other(const struct experiment_run *run)
{
	enum zone_type type;
	int nid;

	for (u32 i = 0; zonelist_entry(run->nid, false, i, &nid, &type); i++)
		if (nid != run->nid)
			return nid;
	return NUMA_NO_NODE;
}

static u64 room_of(const struct experiment_run *run, int nid)
{
	struct node_snapshot node;
	struct vm_totals totals;

	vm_totals(&totals);
	return node_snapshot(nid, &node) ? run->pages * node.managed_pages / totals.managed_pages
					 : 0;
}

/* Reads until nothing is free above the high marks. */
static bool fill_with_cache(struct experiment_run *run)
{
	return experiment_read(run->file, 8 * run->pages, experiment_high_pages(), run->seed);
}

/* --- Phases ------------------------------------------------------------------------------------- */

static bool full_cache(struct experiment_run *run, struct object_figures *f)
{
	return fill_with_cache(run) &&
	       object_load_run(&run->load, run->pages / 2 * PAGE_SIZE / LARGE_SIZE, NUMA_NO_NODE,
			       GFP_REQUEST, f);
}

static bool remote_free(struct experiment_run *run, struct object_figures *f)
{
	int nearest = nearest_other(run), nid;
	bool done = true;

	for_each_node_mask(nid, node_memory_mask()) {
		u64 most = room_of(run, nid) * PAGE_SIZE / SIZE / 2;
		u64 nr = nid == nearest ? FEW_OBJECTS : MIN((u64)MANY_OBJECTS, most);

		if (nid != run->nid)
			done &= object_load_run(&run->load, nr, nid, GFP_REQUEST | __GFP_THISNODE,
						f) &&
				f->failed == 0;
	}
	if (!done)
		return false;
	object_load_halve(&run->load, run->seed);
	exhaust(run, 0);
	return object_load_run(&run->load, object_load_free_elsewhere(&run->load), NUMA_NO_NODE,
			       GFP_REQUEST, f);
}

static bool bound_and_entitled(struct experiment_run *run, struct object_figures *f)
{
	nodemask_t before = os_current()->mems_allowed;
	u32 saved;
	bool done;

	exhaust(run, __GFP_MEMALLOC);
	if (task_set_mems_allowed(os_current(), NODE_BIT(run->nid)) != 0)
		return false;
	saved = memalloc_noreclaim_save();
	done = object_load_run(&run->load, CPUSET_OBJECTS, NUMA_NO_NODE, GFP_REQUEST, f);
	memalloc_noreclaim_restore(saved);
	return task_set_mems_allowed(os_current(), before) == 0 && done;
}

static bool overflow(struct experiment_run *run, struct object_figures *f)
{
	u64 pages = room_of(run, run->nid);

	return object_load_run(&run->load, (pages + pages / 2) * PAGE_SIZE / OVERFLOW_SIZE,
			       run->nid, GFP_REQUEST, f);
}

static const struct {
	bool (*run)(struct experiment_run *run, struct object_figures *f);
	u32 size;          /* of the objects of a cache that is made for it */
	u32 kmalloc;       /* or of what kmalloc() is asked for */
	bool needs_others; /* nodes with memory, beside P */
} phases[NR_PHASES] = {
	[FULL_CACHE] = {.run = full_cache, .size = LARGE_SIZE},
	[REMOTE_FREE] = {.run = remote_free, .size = SIZE, .needs_others = true},
	[CPUSET] = {.run = bound_and_entitled, .size = SIZE, .needs_others = true},
	[OVERFLOW] = {.run = overflow, .kmalloc = OVERFLOW_SIZE, .needs_others = true},
};

/* The cache that kmalloc() serves such a request from; kept from going, as nobody can take it away. */
static struct kmem_cache *kmalloc_class(u32 size)
{
	void *object = kmalloc(size, GFP_REQUEST);
	char name[SLAB_NAME_BYTES];
	struct slab_snapshot slab;
	bool found = object && slab_of_page(page_to_pfn(virt_to_page(object)), &slab, name);

	kfree(object);
	return found ? slab_cache_get(name) : NULL;
}

static bool run_phase(struct experiment_run *run, enum phase phase)
{
	u32 size = phases[phase].size, bytes = phases[phase].kmalloc;
	struct kmem_cache *cache =
		bytes ? kmalloc_class(bytes) : kmem_cache_create("experiment", size, 0, 0, NULL);
	bool done;

	if (!cache)
		return false;
	run->load = (struct object_load){.cache = cache,
					 .nid = run->nid,
					 .kmalloc = bytes,
					 .timeout_ns = EXPERIMENT_PHASE_NS};
	object_load_begin(&run->load);
	done = phases[phase].run(run, &run->figures[phase]);
	object_load_release(&run->load);
	hoard_release(&run->exhausted);
	if (!bytes)
		return kmem_cache_destroy(cache) == 0 && done;
	slab_cache_put(cache);
	return done;
}

/* --- What came of it ---------------------------------------------------------------------------- */

static void say_figures(const struct object_figures *f, const char *phase)
{
	experiment_line(NAME,
			"phase=%s requests=%llu failed=%llu pages_taken=%llu slabs_grown=%llu "
			"needless_slabs=%llu remote_objects=%llu active=%llu total=%llu "
			"active_permille=%llu",
			phase, ULL(f->requests), ULL(f->failed), ULL(f->pages), ULL(f->slabs),
			ULL(f->needless), ULL(f->remote), ULL(f->active), ULL(f->total),
			ULL(f->total ? f->active * 1000 / f->total : 1000));
	experiment_line(NAME,
			"phase=%s pgscan=%llu pgsteal=%llu slept_irqs_off=%llu looks=%llu "
			"objects_found=%llu drains=%llu retries=%llu",
			phase, ULL(f->scanned), ULL(f->reclaimed), ULL(f->atomic), ULL(f->looks),
			ULL(f->found), ULL(f->drains), ULL(f->retries));
}

static void print_row(const struct experiment_run *run, const char *name, size_t offset)
{
	kprintf("%-36s", name);
	for (u32 phase = 0; phase < NR_PHASES; phase++) {
		const char *at = (const char *)&run->figures[phase] + offset;

		if (run->skipped[phase])
			kprintf(" %11s", "-");
		else
			kprintf(" %11llu", ULL(*(const u64 *)(const void *)at));
	}
	kprintf("\n");
}

static void print_table(const struct experiment_run *run)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{"requests", offsetof(struct object_figures, requests)},
		{"failed", offsetof(struct object_figures, failed)},
		{"slabs made", offsetof(struct object_figures, slabs)},
		{"  with free objects elsewhere", offsetof(struct object_figures, needless)},
		{"pages taken for them", offsetof(struct object_figures, pages)},
		{"objects of other nodes", offsetof(struct object_figures, remote)},
		{"objects in use at the end", offsetof(struct object_figures, active)},
		{"objects of all slabs then", offsetof(struct object_figures, total)},
		{"pages scanned", offsetof(struct object_figures, scanned)},
		{"pages reclaimed", offsetof(struct object_figures, reclaimed)},
		{"would sleep with interrupts off", offsetof(struct object_figures, atomic)},
	};

	kprintf("\n%llu pages; preferred: node %d\n\n%-36s", ULL(run->pages), run->nid, "");
	for (u32 phase = 0; phase < NR_PHASES; phase++)
		kprintf(" %11s", phase_names[phase]);
	kprintf("\n");
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		print_row(run, rows[i].name, rows[i].offset);
}

/* --- The experiment ----------------------------------------------------------------------------- */

/* What it needs for itself comes first, then memory is taken away. */
static bool begin(struct experiment_run *run)
{
	u64 pages = MIN(workload_cache_pages(), MAX(MEMORY_PAGES, 4 * experiment_high_pages()));
	enum zone_type type;

	if (!zonelist_entry(cpu_to_node(smp_processor_id()), false, 0, &run->nid, &type))
		return false;
	run->file = cache_file_create(NAME, 2 * pages, run->seed);
	if (!run->file)
		return false;
	hoard_all_but(&run->held, pages);
	run->pages = MIN(pages, workload_cache_pages());
	return true;
}

/* After the first phase nobody reads it. */
static bool drop_file(struct experiment_run *run)
{
	if (run->file && cache_file_destroy(run->file, DROP_LIMIT_NS) != 0) {
		kprintf("experiment: writes do not end: its file stays\n");
		return false;
	}
	run->file = NULL;
	return true;
}

static bool do_phase(struct experiment_run *run, enum phase phase)
{
	if (phases[phase].needs_others && nearest_other(run) == NUMA_NO_NODE) {
		run->skipped[phase] = true;
		experiment_line(NAME, "phase=%s skipped=needs_two_nodes_with_memory",
				phase_names[phase]);
		return true;
	}
	if (!run_phase(run, phase)) {
		kprintf("experiment: %s came to no end\n", phase_names[phase]);
		return false;
	}
	say_figures(&run->figures[phase], phase_names[phase]);
	return true;
}

int experiment_fallback(u64 seed)
{
	struct experiment_run *run = get_free_pages(GFP_KERNEL | __GFP_ZERO, RUN_ORDER);
	bool done;

	if (!run) {
		kprintf("experiment: no memory to begin with\n");
		return -ENOMEM;
	}
	run->seed = seed;
	experiment_begin(NAME, seed);
	done = begin(run);
	if (!done)
		kprintf("experiment: no memory to begin with\n");
	for (u32 phase = 0; done && phase < NR_PHASES; phase++) {
		done = do_phase(run, (enum phase)phase);
		done = drop_file(run) && done;
	}
	if (done)
		print_table(run);
	done = drop_file(run) && done;
	hoard_release(&run->held);
	free_pages(run, RUN_ORDER);
	return done ? 0 : -EINVAL;
}
