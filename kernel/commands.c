/*
 * The table of the monitor's commands, and those of them that are about the kernel itself.
 *
 * A command is a row: name, arguments, sentence, function. `help` prints the rows, so a command
 * cannot be there without its help. Reports of memory and of the machine are in report_*.c, the
 * commands that change memory in commands_memory.c.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/crash.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/test.h>
#include <mm/fault_inject.h>
#include <mm/mempolicy.h>
#include <mm/policy.h>
#include <x86/machine.h>

#include "commands.h"

/* What `rows` takes for a terminal's height. */
#define MIN_ROWS 4
#define MAX_ROWS 999

static int command_help(int argc, char **argv)
{
	const struct monitor_command *command;

	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (argc == 1) {
		for (u32 i = 0; i < nr_monitor_commands; i++) {
			if (monitor_commands[i].group)
				kprintf("%s\n", monitor_commands[i].group);
			kprintf("  %-10s %s\n", monitor_commands[i].name,
				monitor_commands[i].sentence);
		}
		kprintf("`help COMMAND` shows its arguments, `help options` the command line. Tab\n"
			"completes, Up recalls, Ctrl-C interrupts.\n");
		return 0;
	}
	/* `options` is a command, too; its help is the table it prints the values of. */
	if (strcmp(argv[1], "options") == 0) {
		options_help(kprintf);
		return 0;
	}
	command = monitor_find(argv[1]);
	if (!command)
		return command_bad(argv[1], "no command '%.32s': `help` lists all", argv[1]);
	kprintf("%s%s%s\n  %s\n", command->name, command->arguments[0] ? " " : "",
		command->arguments, command->sentence);
	return 0;
}

static int command_options(int argc, char **argv)
{
	struct option_description option;
	static char value[OPTION_TEXT_BYTES];

	if (argc != 1)
		return command_usage(argc, argv, 1);
	for (u32 i = 0; option_describe(i, &option); i++) {
		option_value(i, &options, value, sizeof(value));
		kprintf("%-16s %s\n", option.name, value[0] ? value : option.default_text);
	}
	return 0;
}

static int command_policy(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argc, argv, 1);
	for (int i = 0; i < NR_MM_MECHANISMS; i++) {
		enum mm_mechanism mechanism = (enum mm_mechanism)i;
		enum mm_behaviour behaviour = mm_policy_chosen(mechanism);

		kprintf("mm.%-11s %-8s %s\n%15s%s\n", mm_mechanism_name(mechanism),
			mm_behaviour_name(behaviour),
			mm_policy_installed(mechanism)
				? "in use"
				: "chosen; this kernel has no such mechanism yet",
			"", mm_policy_sentence(mechanism, behaviour));
	}
	return 0;
}

/*
 * Tests are written for a task that may have everything. What the user has limited his to is lifted, and
 * back afterwards. A rule of his would fail theirs, and its counts would be theirs.
 */
static int command_test(int argc, char **argv)
{
	nodemask_t nodes = os_current()->mems_allowed;
	struct mempolicy policy = os_current()->mempolicy;
	struct ktest_summary summary;
	struct fault_rule_state rule;

	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (fault_rule_describe(0, &rule))
		return command_bad(argv[0], "requests are made to fail: `fault off` first");
	if (!command_memory_is_quiet(argv[0]))
		return -EINVAL;
	task_set_mems_allowed(os_current(), ~(nodemask_t)0);
	task_set_mempolicy(NULL);
	summary = ktest_run(argc == 2 ? argv[1] : NULL, options.seed);
	task_set_mems_allowed(os_current(), nodes);
	task_set_mempolicy(policy.mode == MPOL_LOCAL ? NULL : &policy);
	return summary.failed ? -EINVAL : 0;
}

static int command_crash(int argc, char **argv)
{
	const char *name, *sentence;

	if (argc == 2 && crash(argv[1]))
		return crash_is_to_come()
			       ? 0
			       : command_bad(argv[1],
					     "it takes another CPU, or its guard is broken");
	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (argc == 2)
		command_bad(argv[1], "no way to crash is called '%.32s'; there are:", argv[1]);
	for (u32 i = 0; crash_describe(i, &name, &sentence); i++)
		kprintf("  %-14s %s\n", name, sentence);
	return argc == 1 ? 0 : -EINVAL;
}

static int command_history(int argc, char **argv)
{
	const struct line_history *history = &monitor_editor.history;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	for (u32 back = MIN(history->nr, (u32)LINE_HISTORY); back > 0; back--)
		kprintf("%4u  %s\n", history->nr - back + 1, line_history_at(history, back));
	return 0;
}

static int command_rows(int argc, char **argv)
{
	u64 rows;

	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (argc == 2) {
		if (!parse_u64(argv[1], &rows) || rows > MAX_ROWS || (rows > 0 && rows < MIN_ROWS))
			return command_bad(argv[1], "'%.32s': allowed is 0, %d..%d", argv[1],
					   MIN_ROWS, MAX_ROWS);
		monitor_editor.rows = (u32)rows;
	}
	if (monitor_editor.rows)
		kprintf("output stops after %u rows\n", monitor_editor.rows);
	else
		kprintf("output does not stop\n");
	return 0;
}

static int command_poweroff(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argc, argv, 1);
	machine_exit(monitor_has_failed() ? EXIT_FAILURE_CODE : EXIT_SUCCESS_CODE);
}

static int command_reboot(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf("reboot: the machine is reset\n"); /* what the launcher knows it by */
	machine_reboot();
}

/* --- What Tab offers ----------------------------------------------------------------------- */

static const char *complete_help(u32 word, u32 i)
{
	return word == 1 && i < nr_monitor_commands ? monitor_commands[i].name : NULL;
}

static const char *complete_test(u32 word, u32 i)
{
	return word == 1 ? ktest_suite_name(i) : NULL;
}

static const char *complete_crash(u32 word, u32 i)
{
	const char *name, *sentence;

	return word == 1 && crash_describe(i, &name, &sentence) ? name : NULL;
}

/* --- The table ----------------------------------------------------------------------------- */

const struct monitor_command monitor_commands[] = {
	{"numa", "", "nodes as `numactl --hardware` has them, ranges, CPUs, oddities", command_numa,
	 NULL, "The machine"},
	{"memblock", "", "what was taken at boot and by whom, and where each page went",
	 command_memblock, NULL, NULL},
	{"cpus", "", "CPUs: number, APIC id, node, state, heartbeat, running thread", command_cpus,
	 NULL, NULL},
	{"irqs", "", "interrupts by CPU and kind", command_irqs, NULL, NULL},
	{"threads", "", "threads: CPU, state, times run, time, and what they wait in",
	 command_threads, NULL, NULL},
	{"locks", "", "locks by name: taken, waited for, and in which order", command_locks, NULL,
	 NULL},
	{"meminfo", "", "memory in kB, in all and by node, as in Linux's /proc/meminfo",
	 command_meminfo, NULL, "Memory"},
	{"buddyinfo", "", "free blocks by zone and order, as in Linux's /proc/buddyinfo",
	 command_buddyinfo, NULL, NULL},
	{"pagetypeinfo", "", "free blocks and pageblocks by type, as Linux's /proc has it",
	 command_pagetypeinfo, NULL, NULL},
	{"zoneinfo", "", "zones with marks and counters, as in Linux's /proc/zoneinfo",
	 command_zoneinfo, NULL, NULL},
	{"vmstat", "", "what has been counted, as in Linux's /proc/vmstat", command_vmstat, NULL,
	 NULL},
	{"numastat", "", "who got memory of which node, as the tool `numastat` has it",
	 command_numastat, NULL, NULL},
	{"slabinfo", "", "object caches, as in Linux's /proc/slabinfo", command_slabinfo, NULL,
	 NULL},
	{"slab", "NAME [limit=N] [batch=N] [shared=N] | NAME|all shrink",
	 "one object cache: lists, arrays, a slab; or tune it, or shrink it", command_slab,
	 complete_slab, NULL},
	{"map", "[RANGE] [node=N] [zone=NAME] [by=state|node|zone] [color=on|off]",
	 "physical memory as a map; RANGE is ADDR-ADDR or ADDR+SIZE", command_map, complete_map,
	 NULL},
	{"page", "PFN|0xADDRESS|pfn=N", "what one page frame is: state, block, owner, place",
	 command_page, NULL, NULL},
	{"top", "[every=MS] [count=N] [color=on|off]", "nodes, zones and free blocks, live",
	 command_top, complete_top, NULL},
	{"explain", "NODE|any ORDER [NAME|NAME]",
	 "what would become of a request: zones, marks, steps", command_explain, complete_explain,
	 NULL},
	{"alloc", "[ORDER] [node=N] [gfp=NAME|NAME]", "allocate 2^ORDER pages and keep them",
	 command_alloc, complete_alloc, "Changing memory"},
	{"free", "ID|all", "give back what `alloc` took", command_free, complete_free, NULL},
	{"mempolicy", "[local|preferred:N|bind:LIST|interleave:LIST]",
	 "where this task's requests go first, or only; LIST as in 0-2,5", command_mempolicy,
	 complete_mempolicy, NULL},
	{"cpuset", "[[THREAD] LIST|all]",
	 "the nodes that this task and what it starts, or a thread, may use", command_cpuset,
	 complete_cpuset, NULL},
	{"fault", "[show] | set KEY=VALUE... | off [ID]",
	 "make requests for pages fail: by site, task, order, chance, count", command_fault,
	 complete_fault, NULL},
	{"fill", "[PERCENT] [dirty] | off", "fill memory with cached pages; off drops them",
	 command_fill, complete_fill, NULL},
	{"netblk", "[delay=MS-MS] [loss=PERMILLE] [resend=MS] [resends=N] [max=N] [seed=N]",
	 "the device that takes dirty pages: how slow it is, what it loses", command_netblk,
	 complete_netblk, NULL},
	{"pressure", "[on [read|write|mixed] [seed=N] | off]",
	 "what reclaim does, or a load on all CPUs that keeps it busy", command_pressure,
	 complete_pressure, NULL},
	{"experiment", "[NAME [seed=N]]", "a load under the booted policies, and its figures",
	 command_experiment, complete_experiment, NULL},
	{"check", "[list]", "run every invariant, or list them", command_check, complete_check,
	 "The kernel"},
	{"test", "[GLOB[,GLOB]]", "run the in-kernel test suites", command_test, complete_test,
	 NULL},
	{"trace", "on|off|dump [N]|status",
	 "record what is allocated and switched; `dump N` shows the newest", command_trace,
	 complete_trace, NULL},
	{"policy", "", "what was chosen at boot for each mechanism", command_policy, NULL, NULL},
	{"options", "", "the kernel command line's options and their values", command_options, NULL,
	 NULL},
	{"crash", "[KIND]", "end the kernel in one of many ways, or list them", command_crash,
	 complete_crash, NULL},
	{"reboot", "", "reset the machine", command_reboot, NULL, NULL},
	{"poweroff", "", "leave QEMU: success, unless a command before it failed", command_poweroff,
	 NULL, NULL},
	{"help", "[COMMAND|options]", "this list, a command's arguments, or the options",
	 command_help, complete_help, "The monitor"},
	{"history", "", "the lines typed so far, oldest first", command_history, NULL, NULL},
	{"rows", "[N]", "output stops after N rows, 0: never; a terminal sets it itself",
	 command_rows, NULL, NULL},
};
const u32 nr_monitor_commands = ARRAY_SIZE(monitor_commands);
