/*
 * `experiment`: the table of experiments, and what they have in common.
 *
 *	experiment reclaim seed=3
 *	experiment: reclaim: phase=machine nodes=2 cpus=4 managed_pages=257536 seed=3 profile=...
 *	experiment: reclaim: phase=hot_set ...          one line for each phase, keys in fixed order
 *	...                                             then the table
 *
 * An experiment is a row: name, sentence, function. It takes what it needs and gives all of it back, asks
 * monitor_interrupted() as it goes, and bounds each phase in time. Two runs are compared by their lines: a
 * figure has the same key in each, and no value holds a blank.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/experiment.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <mm/numa.h>
#include <mm/policy.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "commands.h"

static const struct experiment experiments[] = {
	{"reclaim", "a hot set beside a scan, and what a page costs while memory is short",
	 experiment_reclaim},
	{"fallback",
	 "object caches when the preferred node has nothing: what fails, what is wasted",
	 experiment_fallback},
};

void experiment_line(const char *name, const char *fmt, ...)
{
	va_list args;

	kprintf("experiment: %s: ", name);
	va_start(args, fmt);
	vkprintf(fmt, args);
	va_end(args);
	kprintf("\n");
}

void experiment_begin(const char *name, u64 seed)
{
	struct vm_totals totals;

	vm_totals(&totals);
	experiment_line(name, "phase=machine nodes=%u cpus=%u managed_pages=%llu seed=%llu",
			numa_topology()->nr_nodes, nr_cpus_online(),
			(unsigned long long)totals.managed_pages, (unsigned long long)seed);
	kprintf("experiment: %s: phase=policies", name);
	for (int i = 0; i < NR_MM_MECHANISMS; i++)
		kprintf(" mm.%s=%s", mm_mechanism_name((enum mm_mechanism)i),
			mm_behaviour_name(mm_policy_chosen((enum mm_mechanism)i)));
	kprintf("\n");
}

u64 experiment_high_pages(void)
{
	struct zone_snapshot zone;
	u64 high = 0;
	int nid;

	for_each_node(nid)
		for (u32 type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone))
				high += zone.watermark[WMARK_HIGH];
	return high;
}

bool experiment_read(struct cache_file *file, u64 nr_ops, u64 until_free_pages, u64 seed)
{
	struct workload_result result;
	int err = workload_run(&(struct workload){.kind = WORKLOAD_READ,
						  .file = file,
						  .nr_ops = nr_ops,
						  .until_free_pages = until_free_pages,
						  .seed = seed,
						  .nr_threads = 1,
						  .gfp = GFP_KERNEL,
						  .timeout_ns = EXPERIMENT_PHASE_NS,
						  .stopped = command_interrupted},
			       &result);

	return err == 0 && !result.stopped && !result.timed_out && result.wrong == 0;
}

static int list(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(experiments); i++)
		kprintf("  %-10s %s\n", experiments[i].name, experiments[i].sentence);
	return 0;
}

int command_experiment(int argc, char **argv)
{
	u64 seed = 1;
	u32 i = 0;

	if (argc == 1)
		return list();
	while (i < ARRAY_SIZE(experiments) && strcmp(argv[1], experiments[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(experiments))
		return command_bad(argv[1], "no experiment '%.32s': `experiment` lists them",
				   argv[1]);
	if (argc > 3)
		return command_usage(argc, argv, 3);
	if (argc == 3 && (strncmp(argv[2], "seed=", 5) != 0 || !parse_u64(argv[2] + 5, &seed)))
		return command_bad(argv[2], "'%.32s': allowed is seed=N", argv[2]);
	if (!command_memory_is_quiet(argv[0]))
		return -EINVAL;
	return experiments[i].run(seed);
}

const char *complete_experiment(u32 word, u32 i)
{
	if (word == 1)
		return i < ARRAY_SIZE(experiments) ? experiments[i].name : NULL;
	return word == 2 && i == 0 ? "seed=" : NULL;
}
