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
#include <kernel/test.h>
#include <mm/policy.h>
#include <x86/machine.h>

#include "commands.h"

static int command_help(int argc, char **argv)
{
	const struct monitor_command *command;

	if (argc > 2)
		return command_usage(argv[0]);
	if (argc == 1) {
		for (u32 i = 0; i < nr_monitor_commands; i++)
			kprintf("  %-10s %s\n", monitor_commands[i].name,
				monitor_commands[i].sentence);
		kprintf("`help COMMAND` shows its arguments, `help options` the command line.\n");
		return 0;
	}
	/* `options` is a command, too; its help is the table it prints the values of. */
	if (strcmp(argv[1], "options") == 0) {
		options_help(kprintf);
		return 0;
	}
	command = monitor_find(argv[1]);
	if (!command) {
		kprintf("no command '%.32s': `help` lists all\n", argv[1]);
		return -EINVAL;
	}
	kprintf("%s%s%s\n  %s\n", command->name, command->arguments[0] ? " " : "",
		command->arguments, command->sentence);
	return 0;
}

static int command_options(int argc, char **argv)
{
	struct option_description option;
	static char value[OPTION_TEXT_BYTES];

	if (argc != 1)
		return command_usage(argv[0]);
	for (u32 i = 0; option_describe(i, &option); i++) {
		option_value(i, &options, value, sizeof(value));
		kprintf("%-16s %s\n", option.name, value[0] ? value : option.default_text);
	}
	return 0;
}

static int command_policy(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argv[0]);
	for (int i = 0; i < NR_MM_MECHANISMS; i++) {
		enum mm_mechanism mechanism = (enum mm_mechanism)i;
		enum mm_behaviour behaviour = mm_policy_chosen(mechanism);

		kprintf("mm.%-11s %-8s %s%s\n", mm_mechanism_name(mechanism),
			mm_behaviour_name(behaviour), mm_policy_sentence(mechanism, behaviour),
			mm_policy_installed(mechanism) ? "" : " (chosen; nobody has asked yet)");
	}
	return 0;
}

static int command_test(int argc, char **argv)
{
	struct ktest_summary summary;

	if (argc > 2)
		return command_usage(argv[0]);
	summary = ktest_run(argc == 2 ? argv[1] : NULL, options.seed);
	return summary.failed ? -EINVAL : 0;
}

static int command_crash(int argc, char **argv)
{
	const char *name, *sentence;

	if (argc == 2 && crash(argv[1]))
		return 0; /* hardly ever */
	if (argc == 2)
		kprintf("no way to crash is called '%.32s'; there are:\n", argv[1]);
	for (u32 i = 0; crash_describe(i, &name, &sentence); i++)
		kprintf("  %-14s %s\n", name, sentence);
	return argc == 1 ? 0 : -EINVAL;
}

static int command_poweroff(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argv[0]);
	machine_exit(monitor_has_failed() ? EXIT_FAILURE_CODE : EXIT_SUCCESS_CODE);
}

static int command_reboot(int argc, char **argv)
{
	if (argc != 1)
		return command_usage(argv[0]);
	machine_reboot();
}

const struct monitor_command monitor_commands[] = {
	{"help", "[COMMAND|options]", "this list, a command's arguments, or the options",
	 command_help},
	{"numa", "", "nodes as `numactl --hardware` prints them, then ranges, CPUs and oddities",
	 command_numa},
	{"meminfo", "", "memory in kB, in all and by node, as in Linux's /proc/meminfo",
	 command_meminfo},
	{"buddyinfo", "", "free blocks by zone and order, as in Linux's /proc/buddyinfo",
	 command_buddyinfo},
	{"zoneinfo", "", "zones with marks and counters, as in Linux's /proc/zoneinfo",
	 command_zoneinfo},
	{"cpus", "", "CPUs: number, APIC id, node, state, heartbeat, running thread", command_cpus},
	{"irqs", "", "interrupts by CPU and kind", command_irqs},
	{"memblock", "", "what was taken at boot and by whom, and where each page went",
	 command_memblock},
	{"alloc", "[ORDER] [node=N] [gfp=NAME|NAME]", "allocate 2^ORDER pages and keep them",
	 command_alloc},
	{"free", "ID|all", "give back what `alloc` took", command_free},
	{"check", "[list]", "run every invariant, or list them", command_check},
	{"policy", "", "what was chosen at boot for each mechanism", command_policy},
	{"options", "", "the kernel command line's options and their values", command_options},
	{"test", "[GLOB[,GLOB]]", "run the in-kernel test suites", command_test},
	{"crash", "[KIND]", "end the kernel in one of many ways, or list them", command_crash},
	{"reboot", "", "reset the machine", command_reboot},
	{"poweroff", "", "leave QEMU: success, unless a command before it on the line failed",
	 command_poweroff},
};
const u32 nr_monitor_commands = ARRAY_SIZE(monitor_commands);

int command_usage(const char *name)
{
	const struct monitor_command *command = monitor_find(name);

	kprintf("usage: %s%s%s\n", command->name, command->arguments[0] ? " " : "",
		command->arguments);
	return -EINVAL;
}
