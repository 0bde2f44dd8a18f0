/*
 * Loads on the page cache.
 *
 *	workload_run()              thread on CPU 0     thread on CPU 1    ...
 *	   |  starts  ------------>  op op op op op      op op op op op
 *	   |                          |    |              (each reads or writes one page of the file;
 *	   |  each tick: is the time  |    +-> counters    cache_read() verifies what it reads)
 *	   |  over, was it stopped?   v
 *	   |  then `halt` <------- `halt`? after each operation
 *	   +- joins, sums up
 *
 * An operation is one page. The kinds differ in which page comes next:
 *
 *	fill    in order, each thread its own stretch of the file
 *	read, write, mixed
 *	        drawn at random from the whole file
 *	hot     a hot set, read twice to begin with; then a scan of the other file in order, round and
 *	        round, and after each of its pages one of the hot set drawn at random. A list by the time of
 *	        the last use alone keeps both equally; what is kept shows in the hits of the hot set. The scan
 *	        is one: each thread takes the next page of it. With a stretch for each they would follow
 *	        each other at some distance, and pages of the scan be used twice.
 *
 * The seed fixes what each thread draws, as long as there are as many threads; how they interleave it does not.
 *
 * A page that cannot be had is counted, and the load goes on with the next after a tick: memory that is
 * short is nothing to insist on. A page of wrong content is counted, and said by the cache.
 *
 * With one thread the caller does the work, and asks itself. So a background thread may run a workload
 * without having threads of its own. Threads that cannot be started are left out; if none can, the caller works.
 *
 * Words that several threads use: `halt` and each worker's `done`, single words of which nothing else
 * hangs: relaxed. The counters are a worker's own until it is joined.
 */
#include <kernel/workload.h>

#include <base/errno.h>
#include <base/format.h>
#include <kernel/thread.h>
#include <mm/inspect.h>
#include <mm/kmalloc.h>
#include <mm/numa.h>
#include <mm/vmstat.h>
#include <x86/smp.h>
#include <x86/time.h>

#define TICK_NS        10000000ull
#define LOOK_EVERY_OPS 32 /* by a worker that is the caller: at the clock, at who may stop it */
#define GOLDEN         0x9e3779b97f4a7c15ull

struct run;

struct worker {
	struct run *run;
	struct thread *thread;
	struct random_state random;
	u64 from, end;  /* its part of the operations */
	u64 until_look; /* operations before it looks at the clock */
	struct workload_result counted;
	bool done; /* atomic */
};

struct run {
	const struct workload *w;
	u64 began_ns;
	u64 nr_ops;
	u64 scanned; /* atomic: HOT, where the scan is */
	u32 nr_workers;
	bool looks; /* the only worker is the caller */
	bool warm;  /* HOT: the hot set has been read */
	bool halt;  /* atomic */
	bool stopped, timed_out;
	struct worker worker[MAX_CPUS];
};

const char *workload_name(enum workload_kind kind)
{
	static const char *const names[NR_WORKLOADS] = {"fill", "read", "write", "mixed", "hot"};

	return names[kind];
}

struct random_state workload_seed(u64 seed, u32 stream)
{
	struct random_state r = {(seed + 1) * GOLDEN ^ (u64)(stream + 1) << 32};

	if (r.state == 0)
		r.state = GOLDEN;
	for (u32 i = 0; i < 8; i++)
		random_next(&r);
	return r;
}

u64 workload_cache_pages(void)
{
	struct vm_totals totals;
	struct lru_snapshot lru;
	struct zone_snapshot zone;
	u64 pages, high = 0;
	int nid;

	vm_totals(&totals);
	pages = totals.free_pages + totals.pcp_pages;
	for_each_node(nid) {
		if (lru_snapshot(nid, &lru))
			pages += lru.pages[LRU_INACTIVE] + lru.pages[LRU_ACTIVE];
		for (u32 type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone))
				high += zone.watermark[WMARK_HIGH];
	}
	return pages > high ? pages - high : 0;
}

/* --- When it ends ------------------------------------------------------------------------------- */

static bool free_enough(const struct workload *w)
{
	struct vm_totals totals;

	if (w->until_free_pages == 0)
		return false;
	vm_totals(&totals);
	return totals.free_pages <= w->until_free_pages;
}

/* The caller's: is there a reason to end? */
static void look(struct run *run)
{
	const struct workload *w = run->w;
	bool end = free_enough(w);

	if (w->stopped && w->stopped(w->arg))
		end = run->stopped = true;
	else if (time_since_entry_ns() - run->began_ns > w->timeout_ns)
		end = run->timed_out = true;
	if (end)
		store_relaxed(&run->halt, true); /* see above */
}

static bool goes_on(struct worker *worker)
{
	struct run *run = worker->run;

	if (run->looks && worker->until_look-- == 0) {
		worker->until_look = LOOK_EVERY_OPS;
		look(run);
	}
	return !load_relaxed(&run->halt); /* see above */
}

/* --- Operations --------------------------------------------------------------------------------- */

static void do_page(struct worker *worker, struct cache_file *file, u64 index, bool write)
{
	gfp_t gfp = worker->run->w->gfp;
	int err = write ? cache_write(file, index, gfp) : cache_read(file, index, gfp);

	if (err == 0 && write)
		worker->counted.writes++;
	else if (err == 0)
		worker->counted.reads++;
	else if (err == -EILSEQ)
		worker->counted.wrong++;
	else
		worker->counted.no_memory++;
	if (err == -ENOMEM)
		thread_sleep_ns(TICK_NS);
}

static void work_in_order(struct worker *worker)
{
	const struct workload *w = worker->run->w;
	u64 pages = cache_file_pages(w->file);

	for (u64 i = worker->from; i < worker->end && goes_on(worker); i++)
		do_page(worker, w->file, i % pages, w->dirty);
}

static void work_at_random(struct worker *worker)
{
	const struct workload *w = worker->run->w;
	u64 pages = cache_file_pages(w->file);

	for (u64 i = worker->from; i < worker->end && goes_on(worker); i++) {
		u64 draw = random_next(&worker->random) >> 24; /* 40 bits */
		bool write =
			w->kind == WORKLOAD_WRITE || (w->kind == WORKLOAD_MIXED && draw >> 38 == 0);

		do_page(worker, w->file, draw % pages, write);
	}
}

/* Relaxed: it only has to be another one each time. */
static u64 next_of_scan(struct run *run)
{
	return __atomic_fetch_add(&run->scanned, 1, __ATOMIC_RELAXED);
}

/* The hot set's hits are counted by its file: nobody else reads it. */
static void work_hot(struct worker *worker)
{
	const struct workload *w = worker->run->w;
	u64 pages = cache_file_pages(w->file), hot = cache_file_pages(w->hot_file), i;

	while (goes_on(worker) && (i = next_of_scan(worker->run)) < worker->run->nr_ops) {
		do_page(worker, w->file, i % pages, false);
		do_page(worker, w->hot_file, (random_next(&worker->random) >> 24) % hot, false);
	}
}

/* Twice, so that each of its pages has been used again. Each worker its part. */
static void warm_up(struct worker *worker)
{
	const struct workload *w = worker->run->w;
	u64 pages = cache_file_pages(w->hot_file);

	for (u32 round = 0; round < 2; round++)
		for (u64 i = worker->from; i < MIN(worker->end, pages) && goes_on(worker); i++)
			do_page(worker, w->hot_file, i, false);
}

static void work(void *arg)
{
	struct worker *worker = arg;
	enum workload_kind kind = worker->run->w->kind;

	if (kind == WORKLOAD_FILL)
		work_in_order(worker);
	else if (kind != WORKLOAD_HOT)
		work_at_random(worker);
	else if (worker->run->warm)
		work_hot(worker);
	else
		warm_up(worker);
	store_relaxed(&worker->done, true); /* see above */
}

/* --- All of them -------------------------------------------------------------------------------- */

static bool all_done(const struct run *run)
{
	for (u32 i = 0; i < run->nr_workers; i++)
		if (run->worker[i].thread && !load_relaxed(&run->worker[i].done)) /* see above */
			return false;
	return true;
}

/* Waits for the threads of which `nr` have been started, and looks for them meanwhile. */
static void watch(struct run *run)
{
	while (!all_done(run)) {
		look(run);
		thread_sleep_ns(TICK_NS);
	}
	for (u32 i = 0; i < run->nr_workers; i++)
		if (run->worker[i].thread)
			thread_join(run->worker[i].thread);
}

/* Operations 0 to nr_ops, in equal parts; those of a thread that did not start are left to the caller. */
static void work_on_all(struct run *run, u64 nr_ops)
{
	u32 nr = run->nr_workers;
	char name[THREAD_NAME_BYTES];
	u32 cpu, i = 0, seen = 0;

	run->looks = nr == 1;
	for (u32 k = 0; k < nr; k++) {
		struct worker *worker = &run->worker[k];

		worker->from = nr_ops / nr * k;
		worker->end = k == nr - 1 ? nr_ops : nr_ops / nr * (k + 1);
		worker->until_look = 0;
		worker->thread = NULL;
		worker->done = false;
	}
	for_each_online_cpu(cpu) {
		/* The first, and then as far apart as they are few: on all nodes, if the CPUs are. */
		if (nr == 1 || i == nr || seen++ < i * nr_cpus_online() / nr)
			continue;
		snprintf(name, sizeof(name), "load/%u", cpu);
		run->worker[i].thread = thread_start(name, cpu, work, &run->worker[i]);
		i++;
	}
	watch(run);
	run->looks = true; /* by who is alone again */
	for (u32 k = 0; k < nr; k++)
		if (!run->worker[k].thread)
			work(&run->worker[k]);
}

static void run_hot(struct run *run, struct workload_result *result)
{
	const struct workload *w = run->w;
	struct cache_snapshot before, after;

	run->warm = false;
	work_on_all(run, cache_file_pages(w->hot_file));
	run->warm = true;
	cache_snapshot(w->hot_file, &before);
	if (!load_relaxed(&run->halt)) /* nobody else is running */
		work_on_all(run, run->nr_ops);
	cache_snapshot(w->hot_file, &after);
	result->hot_hits = after.hits - before.hits;
	result->hot_reads = result->hot_hits + after.misses - before.misses;
}

static void add_up(struct run *run, struct workload_result *result)
{
	for (u32 i = 0; i < run->nr_workers; i++) {
		const struct workload_result *c = &run->worker[i].counted;

		result->reads += c->reads;
		result->writes += c->writes;
		result->no_memory += c->no_memory;
		result->wrong += c->wrong;
	}
	result->ran_ns = time_since_entry_ns() - run->began_ns;
	result->nr_threads = run->nr_workers;
	result->stopped = run->stopped;
	result->timed_out = run->timed_out;
}

int workload_run(const struct workload *w, struct workload_result *result)
{
	struct run *run = kzalloc(sizeof(*run), GFP_KERNEL);

	*result = (struct workload_result){0};
	if (!run)
		return -ENOMEM;
	run->w = w;
	run->nr_ops = w->nr_ops ? w->nr_ops : UINT64_MAX;
	run->began_ns = time_since_entry_ns();
	run->nr_workers = w->nr_threads ? MIN(w->nr_threads, nr_cpus_online()) : nr_cpus_online();
	for (u32 i = 0; i < run->nr_workers; i++)
		run->worker[i] = (struct worker){.run = run, .random = workload_seed(w->seed, i)};
	if (w->kind == WORKLOAD_HOT)
		run_hot(run, result);
	else
		work_on_all(run, run->nr_ops);
	add_up(run, result);
	kfree(run);
	return 0;
}
