/*
 * The experiment `reclaim`: what does being short of memory cost, and whom?
 *
 *	[ held                                        | the experiment's memory: M pages | marks ]
 *
 * Most of a large machine is taken away first (kernel/hoard.c), so that ten times what is left passes in
 * seconds. Then three phases:
 *
 *	hot_set      a hot set of M/2 is read at random beside a scan of 10 M: how many of its reads hit,
 *	             how much was looked at for each page freed, and by whom
 *	keeping_up   memory is full of clean cached pages. Requests come in small batches with a tick between
 *	             them: kswapd has the time to work ahead
 *	burst        requests come in batches of twice all high marks and nobody waits for kswapd
 *
 * In the last two each request is timed, its class being drawn from four, so that all four find the same
 * state: GFP_KERNEL may reclaim itself, GFP_NOWAIT may not, GFP_ATOMIC goes to half of min and below, the
 * entitled to the last page. (In turn would not do: CPUs' lists are filled by so many pages, and the price of
 * that would be the same class's each time.) A request that fails is timed, too, and counted. After a
 * batch all is given back, and the cache fills what is free to the brim: the next batch finds memory as
 * full as this one did.
 *
 * A tick of the time stamp counter is an instruction under QEMU's -icount, and some part of a nanosecond
 * elsewhere. Time in which another thread or an interrupt ran is part of what the request took: it is how
 * long who asked has waited. The ticks of the two readings of the counter are not taken off.
 *
 * Limits: shares and ratios are of the whole machine, by the difference of the counters before and after a
 * phase. The experiment wants a machine on which nothing else runs.
 */
#include <kernel/experiment.h>

#include <arch/cpu.h>
#include <base/errno.h>
#include <base/string.h>
#include <kernel/hoard.h>
#include <kernel/monitor.h>
#include <kernel/thread.h>
#include <kernel/workload.h>
#include <mm/inspect.h>
#include <mm/kmalloc.h>
#include <mm/reclaim.h>
#include <mm/vmstat.h>

#include "commands.h"

#define NAME          "reclaim"
#define MEMORY_PAGES  (MiB(32) >> PAGE_SHIFT)
#define SCAN_TIMES    10
#define SCANNERS      2    /* on CPUs far from each other; kswapds have the rest */
#define FILE_TIMES    2    /* a scan goes round in it: longer than anything that is remembered */
#define SAMPLES       4096 /* of a class; more requests: every second is kept, every third, ... */
#define GENTLE_BATCH  32
#define GENTLE_ROUNDS 128
#define BURST_ROUNDS  8
#define TICK_NS       10000000ull
#define DROP_LIMIT_NS 10000000000ull
#define ULL(x)        ((unsigned long long)(x))

enum class { KERNEL, NOWAIT, ATOMIC, ENTITLED, NR_CLASSES };

static const struct {
	const char *name;
	gfp_t gfp;
} classes[NR_CLASSES] = {
	[KERNEL] = {"GFP_KERNEL", GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN},
	[NOWAIT] = {"GFP_NOWAIT", GFP_NOWAIT | __GFP_NOWARN},
	[ATOMIC] = {"GFP_ATOMIC", GFP_ATOMIC | __GFP_NOWARN},
	[ENTITLED] = {"entitled", GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN},
};

enum phase { HOT_SET, KEEPING_UP, BURST, NR_PHASES };
static const char *const phase_names[NR_PHASES] = {"hot_set", "keeping_up", "burst"};

/* What reclaim has done, of all nodes: by a moment, or in a phase. */
struct figures {
	u64 scanned[NR_RECLAIMERS], reclaimed[NR_RECLAIMERS];
	u64 wakes, balanced, gave_up, throttled, stalls, refaults;
};

struct latency {
	u64 requests, failed, median, p99, max; /* the last three in ticks */
};

struct experiment_run {
	struct random_state random; /* draws classes */
	u64 seed, pages;            /* M */
	u64 high_pages;             /* all high marks */
	struct hoard held;
	struct cache_file *file, *hot;
	u64 *samples[NR_CLASSES];
	u64 requests[NR_CLASSES], failed[NR_CLASSES], max[NR_CLASSES];
	struct workload_result hot_result;
	struct figures figures[NR_PHASES];
	struct latency latency[NR_PHASES][NR_CLASSES];
};

/* --- Figures ------------------------------------------------------------------------------------ */

static void take_figures(struct figures *f)
{
	struct reclaim_snapshot r;
	struct cache_snapshot cache;
	int nid;

	*f = (struct figures){0};
	for_each_node(nid) {
		if (!reclaim_snapshot(nid, &r))
			continue;
		for (u32 who = 0; who < NR_RECLAIMERS; who++) {
			f->scanned[who] += r.scanned[who];
			f->reclaimed[who] += r.reclaimed[who];
		}
		f->wakes += r.wakes;
		f->balanced += r.balanced;
		f->gave_up += r.gave_up;
		f->throttled += r.throttled;
	}
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		f->stalls += vmstat_read(vmstat_allocstall((enum zone_type)type));
	cache_snapshot(NULL, &cache);
	f->refaults = cache.refaults;
}

static void figures_since(struct figures *f, const struct figures *before)
{
	for (u32 who = 0; who < NR_RECLAIMERS; who++) {
		f->scanned[who] -= before->scanned[who];
		f->reclaimed[who] -= before->reclaimed[who];
	}
	f->wakes -= before->wakes;
	f->balanced -= before->balanced;
	f->gave_up -= before->gave_up;
	f->throttled -= before->throttled;
	f->stalls -= before->stalls;
	f->refaults -= before->refaults;
}

static u64 permille(u64 part, u64 whole)
{
	return whole ? part * 1000 / whole : 0;
}

static u64 all(const u64 figure[NR_RECLAIMERS])
{
	return figure[RECLAIM_KSWAPD] + figure[RECLAIM_DIRECT];
}

static void say_figures(const struct experiment_run *run, enum phase phase)
{
	const struct figures *f = &run->figures[phase];

	experiment_line(NAME,
			"phase=%s kswapd_scanned=%llu kswapd_reclaimed=%llu direct_scanned=%llu "
			"direct_reclaimed=%llu steal_permille=%llu kswapd_permille=%llu",
			phase_names[phase], ULL(f->scanned[RECLAIM_KSWAPD]),
			ULL(f->reclaimed[RECLAIM_KSWAPD]), ULL(f->scanned[RECLAIM_DIRECT]),
			ULL(f->reclaimed[RECLAIM_DIRECT]),
			ULL(permille(all(f->reclaimed), all(f->scanned))),
			ULL(permille(f->reclaimed[RECLAIM_KSWAPD], all(f->reclaimed))));
	experiment_line(NAME,
			"phase=%s kswapd_wakes=%llu kswapd_balanced=%llu kswapd_gave_up=%llu "
			"allocstall=%llu throttled=%llu refaults=%llu",
			phase_names[phase], ULL(f->wakes), ULL(f->balanced), ULL(f->gave_up),
			ULL(f->stalls), ULL(f->throttled), ULL(f->refaults));
}

/* --- Latency ------------------------------------------------------------------------------------ */

/* Heapsort: in place, and n log n whatever the order. */
static void sift(u64 *v, u32 root, u32 nr)
{
	for (u32 child; (child = 2 * root + 1) < nr; root = child) {
		u64 kept = v[root];

		child += child + 1 < nr && v[child] < v[child + 1];
		if (v[child] <= kept)
			return;
		v[root] = v[child];
		v[child] = kept;
	}
}

static void sort(u64 *v, u32 nr)
{
	for (u32 i = nr / 2; i-- > 0;)
		sift(v, i, nr);
	for (u32 end = nr; end-- > 1;) {
		u64 largest = v[0];

		v[0] = v[end];
		v[end] = largest;
		sift(v, 0, end);
	}
}

/* One request; `stride`: of how many of a class one is kept. */
static void time_request(struct experiment_run *run, struct hoard *batch, u64 stride)
{
	u32 class = random_below(&run->random, NR_CLASSES);
	u64 nr = run->requests[class]++, start = arch_timestamp(), ticks;
	struct page *page = alloc_pages(classes[class].gfp, 0);

	ticks = arch_timestamp() - start;
	if (page)
		hoard_add(batch, page, 0);
	run->failed[class] += page == NULL;
	run->max[class] = MAX(run->max[class], ticks);
	if (nr % stride == 0 && nr / stride < SAMPLES)
		run->samples[class][nr / stride] = ticks;
}

static void sum_up_latency(struct experiment_run *run, enum phase phase, u64 stride)
{
	for (u32 class = 0; class < NR_CLASSES; class ++) {
		struct latency *l = &run->latency[phase][class];
		u32 nr = (u32)MIN(DIV_ROUND_UP(run->requests[class], stride), (u64)SAMPLES);

		*l = (struct latency){.requests = run->requests[class],
				      .failed = run->failed[class],
				      .max = run->max[class]};
		if (nr == 0)
			continue;
		sort(run->samples[class], nr);
		l->median = run->samples[class][nr / 2];
		l->p99 = run->samples[class][(u64)nr * 99 / 100];
		experiment_line(NAME,
				"phase=%s class=%s requests=%llu failed=%llu median_ticks=%llu "
				"p99_ticks=%llu max_ticks=%llu",
				phase_names[phase], classes[class].name, ULL(l->requests),
				ULL(l->failed), ULL(l->median), ULL(l->p99), ULL(l->max));
	}
}

/* --- Phases ------------------------------------------------------------------------------------- */

/* Reads of the file until nothing is free above the high marks; false: interrupted, or out of time. */
static bool fill_to_the_brim(struct experiment_run *run, u64 nr_ops, u64 until_free)
{
	return experiment_read(run->file, nr_ops, until_free, run->seed++);
}

static bool hot_set(struct experiment_run *run)
{
	struct workload_result *r = &run->hot_result;
	int err = workload_run(&(struct workload){.kind = WORKLOAD_HOT,
						  .file = run->file,
						  .hot_file = run->hot,
						  .nr_ops = SCAN_TIMES * run->pages,
						  .seed = run->seed,
						  .nr_threads = SCANNERS,
						  .gfp = GFP_KERNEL,
						  .timeout_ns = EXPERIMENT_PHASE_NS,
						  .stopped = command_interrupted},
			       r);

	if (err == 0)
		experiment_line(NAME,
				"phase=hot_set hot_pages=%llu scan_pages=%llu hot_reads=%llu "
				"hot_hits=%llu hit_permille=%llu no_memory=%llu wrong=%llu",
				ULL(run->pages / 2), ULL(SCAN_TIMES * run->pages),
				ULL(r->hot_reads), ULL(r->hot_hits),
				ULL(permille(r->hot_hits, r->hot_reads)), ULL(r->no_memory),
				ULL(r->wrong));
	return err == 0 && !r->stopped && !r->timed_out && r->wrong == 0;
}

static bool keeping_up(struct experiment_run *run)
{
	for (u32 round = 0; round < GENTLE_ROUNDS; round++) {
		struct hoard batch = {0};

		for (u32 i = 0; i < GENTLE_BATCH; i++)
			time_request(run, &batch, 1);
		hoard_release(&batch);
		if (!fill_to_the_brim(run, GENTLE_BATCH, 0))
			return false;
		thread_sleep_ns(TICK_NS);
	}
	sum_up_latency(run, KEEPING_UP, 1);
	return true;
}

static bool burst(struct experiment_run *run)
{
	u64 size = 2 * run->high_pages;
	u64 stride = DIV_ROUND_UP(BURST_ROUNDS * size, (u64)NR_CLASSES * SAMPLES);

	for (u32 round = 0; round < BURST_ROUNDS; round++) {
		struct hoard batch = {0};

		for (u64 i = 0; i < size; i++)
			time_request(run, &batch, stride);
		hoard_release(&batch);
		if (!fill_to_the_brim(run, 4 * run->pages, run->high_pages))
			return false;
		thread_sleep_ns(TICK_NS);
	}
	sum_up_latency(run, BURST, stride);
	return true;
}

static bool run_phase(struct experiment_run *run, enum phase phase)
{
	static bool (*const phases[NR_PHASES])(struct experiment_run * run) = {hot_set, keeping_up,
									       burst};
	struct figures before;
	bool done;

	memset(run->requests, 0, sizeof(run->requests));
	memset(run->failed, 0, sizeof(run->failed));
	memset(run->max, 0, sizeof(run->max));
	take_figures(&before);
	done = phases[phase](run);
	take_figures(&run->figures[phase]);
	figures_since(&run->figures[phase], &before);
	if (done)
		say_figures(run, phase);
	return done;
}

/* --- The table ---------------------------------------------------------------------------------- */

static void print_row(const struct experiment_run *run, const char *name,
		      u64 (*of)(const struct figures *f))
{
	kprintf("%-28s", name);
	for (u32 phase = 0; phase < NR_PHASES; phase++)
		kprintf(" %12llu", ULL(of(&run->figures[phase])));
	kprintf("\n");
}

static u64 steal(const struct figures *f)
{
	return permille(all(f->reclaimed), all(f->scanned)) / 10;
}

static u64 kswapds_share(const struct figures *f)
{
	return permille(f->reclaimed[RECLAIM_KSWAPD], all(f->reclaimed)) / 10;
}

static u64 reclaimed(const struct figures *f)
{
	return all(f->reclaimed);
}

static u64 scanned(const struct figures *f)
{
	return all(f->scanned);
}

static u64 stalls(const struct figures *f)
{
	return f->stalls;
}

static u64 refaults(const struct figures *f)
{
	return f->refaults;
}

static void print_table(const struct experiment_run *run)
{
	u64 hits = permille(run->hot_result.hot_hits, run->hot_result.hot_reads);

	kprintf("\n%llu pages; hot set of half of them beside a scan of %d times as many: "
		"%llu.%llu %% hits\n\n",
		ULL(run->pages), SCAN_TIMES, ULL(hits / 10), ULL(hits % 10));
	kprintf("%-28s %12s %12s %12s\n", "", phase_names[HOT_SET], phase_names[KEEPING_UP],
		phase_names[BURST]);
	print_row(run, "pages scanned", scanned);
	print_row(run, "pages reclaimed", reclaimed);
	print_row(run, "reclaimed of scanned, %", steal);
	print_row(run, "kswapd's share of them, %", kswapds_share);
	print_row(run, "rounds of direct reclaim", stalls);
	print_row(run, "refaults", refaults);
	for (u32 phase = KEEPING_UP; phase < NR_PHASES; phase++) {
		kprintf("\n%-12s %8s %8s %10s %10s %10s ticks\n", phase_names[phase], "requests",
			"failed", "median", "99th", "max");
		for (u32 class = 0; class < NR_CLASSES; class ++) {
			const struct latency *l = &run->latency[phase][class];

			kprintf("  %-10s %8llu %8llu %10llu %10llu %10llu\n", classes[class].name,
				ULL(l->requests), ULL(l->failed), ULL(l->median), ULL(l->p99),
				ULL(l->max));
		}
	}
}

/* --- The experiment ----------------------------------------------------------------------------- */

/* What it needs for itself comes first, then memory is taken away. */
static bool begin(struct experiment_run *run)
{
	u64 pages = MIN(workload_cache_pages(), MAX(MEMORY_PAGES, 4 * run->high_pages));

	for (u32 class = 0; class < NR_CLASSES; class ++) {
		run->samples[class] = kmalloc_array(SAMPLES, sizeof(u64), GFP_KERNEL);
		if (!run->samples[class])
			return false;
	}
	run->file = cache_file_create("scan", FILE_TIMES * pages, run->seed);
	run->hot = cache_file_create("hot", pages / 2, run->seed + 1);
	if (!run->file || !run->hot)
		return false;
	hoard_all_but(&run->held, pages);
	run->pages = MIN(pages, workload_cache_pages());
	return true;
}

static bool end(struct experiment_run *run)
{
	bool dropped = true;

	if (run->file)
		dropped &= cache_file_destroy(run->file, DROP_LIMIT_NS) == 0;
	if (run->hot)
		dropped &= cache_file_destroy(run->hot, DROP_LIMIT_NS) == 0;
	for (u32 class = 0; class < NR_CLASSES; class ++)
		kfree(run->samples[class]);
	hoard_release(&run->held);
	return dropped;
}

int experiment_reclaim(u64 seed)
{
	struct experiment_run *run = kzalloc(sizeof(*run), GFP_KERNEL);
	bool done;

	if (!run) {
		kprintf("experiment: no memory to begin with\n");
		return -ENOMEM;
	}
	run->seed = seed;
	run->random = workload_seed(seed, 0);
	run->high_pages = experiment_high_pages();
	experiment_begin(NAME, seed);
	done = begin(run);
	if (!done)
		kprintf("experiment: no memory to begin with\n");
	for (u32 phase = 0; done && phase < NR_PHASES; phase++) {
		done = run_phase(run, (enum phase)phase);
		if (!done)
			kprintf("experiment: %s came to no end\n", phase_names[phase]);
	}
	if (done)
		print_table(run);
	if (!end(run)) {
		kprintf("experiment: writes do not end: its files stay\n");
		done = false;
	}
	kfree(run);
	return done ? 0 : -EINVAL;
}
