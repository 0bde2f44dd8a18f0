/*
 * `pressure`: what memory suffers, and a load that makes it suffer.
 *
 *	pressure on mixed seed=7     on each CPU a thread reads and writes a file of twice the size of memory,
 *	                             without end; one more takes blocks of orders 0 to 3 and gives them back
 *	pressure                     what it does to reclaim
 *	pressure off                 ends the threads, drops the file
 *
 * Each thread is one that runs a workload (kernel/workload_cache.c) with itself as the only worker; so that
 * file has the theory. The blocks that the allocator of the load has at a time are at most a 16th of memory:
 * the cache is the greater part always, and nothing dies of the load.
 *
 * Words that the threads use: `ending` is written by the monitor and read by them, nothing else hangs of it:
 * relaxed. Their results are read when they have been joined.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/hoard.h>
#include <kernel/monitor.h>
#include <kernel/netblk.h>
#include <kernel/parse.h>
#include <kernel/thread.h>
#include <kernel/workload.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "commands.h"

#define FILE_TIMES_MEMORY 2
#define HOARD_PART        16 /* of memory */
#define HOARD_ORDERS      4
#define TICK_NS           10000000ull
#define DROP_LIMIT_NS     10000000000ull
#define FOREVER_NS        UINT64_MAX
#define ULL(x)            ((unsigned long long)(x))

struct loader {
	struct thread *thread;
	struct workload workload;
	struct workload_result result;
};

/* The monitor's, but for `ending`, and each loader's own. */
static struct {
	bool on;
	bool ending; /* atomic */
	enum workload_kind kind;
	u64 seed;
	struct cache_file *file;
	u32 nr_loaders;
	struct loader loader[MAX_CPUS];
	struct thread *taker;
	u64 taken, refused; /* the taker's: blocks */
} load;

bool pressure_is_on(void)
{
	return load.on;
}

bool command_memory_is_quiet(const char *word)
{
	if (load.on)
		command_bad(word, "memory is under pressure: `pressure off` first");
	else if (fill_is_on())
		command_bad(word, "memory is filled: `fill off` first");
	return !load.on && !fill_is_on();
}

/* --- The load ----------------------------------------------------------------------------------- */

static bool is_ending(void *arg)
{
	(void)arg;
	return load_relaxed(&load.ending); /* see above */
}

static void load_cache(void *arg)
{
	struct loader *loader = arg;

	workload_run(&loader->workload, &loader->result);
}

/* Takes blocks of random orders, gives them back when it has many, and so on. */
static void take_and_give(void *arg)
{
	struct hoard hoard = {0};
	struct vm_totals totals;
	struct random_state random = workload_seed(load.seed, MAX_CPUS);
	u64 most;

	(void)arg;
	vm_totals(&totals);
	most = totals.managed_pages / HOARD_PART;
	while (!is_ending(NULL)) {
		unsigned int order = random_below(&random, HOARD_ORDERS);
		struct page *page =
			alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL, order);

		if (page)
			hoard_add(&hoard, page, order);
		load.taken += page != NULL;
		load.refused += page == NULL;
		if (!page)
			thread_sleep_ns(TICK_NS);
		if (!page || hoard.pages > most)
			for (u64 n = hoard.blocks / 2 + 1; n > 0; n--)
				hoard_drop(&hoard);
	}
	hoard_release(&hoard);
}

static void join_all(void)
{
	store_relaxed(&load.ending, true); /* see above */
	for (u32 i = 0; i < load.nr_loaders; i++)
		thread_join(load.loader[i].thread);
	if (load.taker)
		thread_join(load.taker);
	load.nr_loaders = 0;
	load.taker = NULL;
}

static int drop_file(void)
{
	if (load.file && cache_file_destroy(load.file, DROP_LIMIT_NS) != 0) {
		kprintf("pressure: writes do not end: `pressure off` again drops the file\n");
		return -EINVAL;
	}
	load.file = NULL;
	load.on = false;
	return 0;
}

static int pressure_off(void)
{
	u64 reads = 0, writes = 0, wrong = 0, no_memory = 0;
	u32 nr = load.nr_loaders;

	if (!load.on)
		return 0;
	join_all();
	for (u32 i = 0; i < nr; i++) {
		reads += load.loader[i].result.reads;
		writes += load.loader[i].result.writes;
		wrong += load.loader[i].result.wrong;
		no_memory += load.loader[i].result.no_memory;
	}
	if (nr > 0)
		kprintf("pressure: %llu pages read and %llu written by %u thread%s, %llu got none, "
			"%llu wrong\n"
			"          %llu blocks taken, %llu refused\n",
			ULL(reads), ULL(writes), nr, plural(nr), ULL(no_memory), ULL(wrong),
			ULL(load.taken), ULL(load.refused));
	return drop_file() != 0 || wrong ? -EINVAL : 0;
}

static bool start_loaders(void)
{
	char name[THREAD_NAME_BYTES];
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct loader *loader = &load.loader[load.nr_loaders];

		*loader = (struct loader){.workload = {.kind = load.kind,
						       .file = load.file,
						       .seed = load.seed + cpu,
						       .nr_threads = 1,
						       .gfp = GFP_KERNEL,
						       .timeout_ns = FOREVER_NS,
						       .stopped = is_ending}};
		snprintf(name, sizeof(name), "pressure/%u", cpu);
		loader->thread = thread_start(name, cpu, load_cache, loader);
		if (!loader->thread)
			return false;
		load.nr_loaders++;
	}
	load.taker = thread_start("pressure/alloc", smp_processor_id(), take_and_give, NULL);
	return load.taker != NULL;
}

static int pressure_on(enum workload_kind kind, u64 seed)
{
	struct vm_totals totals;

	vm_totals(&totals);
	load.kind = kind;
	load.seed = seed;
	load.taken = load.refused = 0;
	load.ending = false;
	load.file = cache_file_create("pressure", FILE_TIMES_MEMORY * totals.managed_pages, seed);
	if (!load.file) {
		kprintf("pressure: no memory for its file\n");
		return -ENOMEM;
	}
	load.on = true;
	if (!start_loaders()) {
		kprintf("pressure: no memory for its threads\n");
		pressure_off();
		return -ENOMEM;
	}
	kprintf("pressure: %s by %u thread%s, seed=%llu\n", workload_name(kind), load.nr_loaders,
		plural(load.nr_loaders), ULL(seed));
	return 0;
}

/* --- The report --------------------------------------------------------------------------------- */

static void print_lists(void)
{
	struct lru_snapshot lru;
	int nid;

	kprintf("%4s %10s %10s %8s %8s %8s %9s\n", "node", "inactive", "active", "pinned",
		"isolated", "dirty", "writeback");
	for_each_node(nid) {
		if (!lru_snapshot(nid, &lru))
			continue;
		kprintf("%4d %10llu %10llu %8llu %8llu %8llu %9llu\n", nid,
			ULL(lru.pages[LRU_INACTIVE]), ULL(lru.pages[LRU_ACTIVE]),
			ULL(lru.pages[LRU_PINNED]), ULL(lru.pages[LRU_ISOLATED]),
			ULL(lru.dirty_pages), ULL(lru.writeback_pages));
	}
}

static void print_kswapds(void)
{
	struct reclaim_snapshot r;
	int nid;

	kprintf("\n%4s %-10s %8s %8s %8s %9s %9s %9s %9s\n", "node", "kswapd", "wakes", "balanced",
		"gave up", "throttled", "written", "activated", "rotated");
	for_each_node(nid) {
		if (!reclaim_snapshot(nid, &r))
			continue;
		kprintf("%4d %-10s %8llu %8llu %8llu %9llu %9llu %9llu %9llu\n", nid,
			kswapd_state_name(r.state), ULL(r.wakes), ULL(r.balanced), ULL(r.gave_up),
			ULL(r.throttled), ULL(r.written), ULL(r.activated), ULL(r.rotated));
	}
}

/* Of a hundred looked at. */
static u64 percent_of(u64 part, u64 whole)
{
	return whole ? part * 100 / whole : 0;
}

static void print_stealing(void)
{
	static const char *const who[NR_RECLAIMERS] = {"kswapd", "direct"};
	struct reclaim_snapshot r;
	int nid;

	kprintf("\n%4s %-10s %12s %12s %7s\n", "node", "by", "scanned", "reclaimed", "steal");
	for_each_node(nid) {
		if (!reclaim_snapshot(nid, &r))
			continue;
		for (u32 i = 0; i < NR_RECLAIMERS; i++)
			kprintf("%4d %-10s %12llu %12llu %5llu %%\n", nid, who[i],
				ULL(r.scanned[i]), ULL(r.reclaimed[i]),
				ULL(percent_of(r.reclaimed[i], r.scanned[i])));
	}
}

static void print_rest(void)
{
	struct shrinker_snapshot shrinker;
	struct netblk_snapshot device;
	struct cache_snapshot cache;

	cache_snapshot(NULL, &cache);
	netblk_snapshot(&device);
	kprintf("\ncache: %llu pages, %llu dirty; %llu hits, %llu misses, %llu refaults\n",
		ULL(cache.pages), ULL(cache.dirty_pages), ULL(cache.hits), ULL(cache.misses),
		ULL(cache.refaults));
	kprintf("       %llu evicted, %llu busy; %llu verified, %llu wrong\n", ULL(cache.evicted),
		ULL(cache.evict_busy), ULL(cache.verified), ULL(cache.wrong));
	kprintf("device: %llu writes submitted, %llu completed, %llu failed, %llu under way\n",
		ULL(device.submitted), ULL(device.completed), ULL(device.failed),
		ULL(device.in_flight));
	kprintf("       %llu packets sent again, %llu acknowledgements dropped for want of "
		"memory\n",
		ULL(device.resent), ULL(device.acks_dropped));
	for (u32 i = 0; shrinker_snapshot(i, &shrinker); i++)
		kprintf("shrinker %s: %llu scanned, %llu freed\n", shrinker.name,
			ULL(shrinker.scanned), ULL(shrinker.freed));
	kprintf("out of memory: %llu ended\n", ULL(vmstat_read(VMSTAT_OOM_KILL)));
}

static int report(void)
{
	if (load.on)
		kprintf("pressure: %s by %u thread%s, seed=%llu\n\n", workload_name(load.kind),
			load.nr_loaders, plural(load.nr_loaders), ULL(load.seed));
	else
		kprintf("pressure: off\n\n");
	print_lists();
	print_kswapds();
	print_stealing();
	print_rest();
	return 0;
}

/* --- The command -------------------------------------------------------------------------------- */

/* Those of the file alone: a hot set needs two. */
static bool parse_kind(const char *text, enum workload_kind *kind)
{
	for (u32 i = WORKLOAD_READ; i <= WORKLOAD_MIXED; i++) {
		if (strcmp(text, workload_name((enum workload_kind)i)) != 0)
			continue;
		*kind = (enum workload_kind)i;
		return true;
	}
	return false;
}

static int parse_on(int argc, char **argv)
{
	enum workload_kind kind = WORKLOAD_MIXED;
	bool has_kind = false, has_seed = false;
	u64 seed = 1;

	for (int i = 2; i < argc; i++) {
		bool is_seed = strncmp(argv[i], "seed=", 5) == 0;

		if (is_seed ? has_seed : has_kind)
			return command_bad(argv[i], "'%.32s': %s was given already", argv[i],
					   is_seed ? "a seed" : "a mode");
		if (is_seed && !parse_u64(argv[i] + 5, &seed))
			return command_bad(argv[i] + 5, "'%.32s' is no number", argv[i] + 5);
		if (!is_seed && !parse_kind(argv[i], &kind))
			return command_bad(argv[i], "'%.32s': there is read, write, mixed, seed=N",
					   argv[i]);
		*(is_seed ? &has_seed : &has_kind) = true;
	}
	if (load.on)
		return command_bad(argv[1], "it is on: `pressure off` first");
	return pressure_on(kind, seed);
}

int command_pressure(int argc, char **argv)
{
	if (argc == 1)
		return report();
	if (strcmp(argv[1], "on") == 0)
		return parse_on(argc, argv);
	if (strcmp(argv[1], "off") == 0)
		return argc == 2 ? pressure_off() : command_usage(argc, argv, 2);
	return command_usage(argc, argv, 1);
}

const char *complete_pressure(u32 word, u32 i)
{
	static const char *const first[] = {"on", "off"};
	static const char *const more[] = {"read", "write", "mixed", "seed="};

	if (word == 1)
		return i < ARRAY_SIZE(first) ? first[i] : NULL;
	return i < ARRAY_SIZE(more) ? more[i] : NULL;
}
