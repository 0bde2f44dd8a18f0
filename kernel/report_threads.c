/*
 * Threads: who there is, where, and what he waits for.
 */
#include <base/format.h>
#include <kernel/node_list.h>
#include <kernel/thread.h>
#include <mm/os.h>
#include <x86/time.h>

#include "commands.h"

#define NS_PER_MS 1000000ull

/* Where it waits, and for how long still if it will not for ever. */
static void format_wait(const struct thread_info *thread, char *buf, size_t size)
{
	char caller[OS_CALLER_BYTES];
	u64 now_ns = time_since_entry_ns();

	buf[0] = '\0';
	if (thread->state != THREAD_SLEEPING)
		return;
	os_describe_caller(thread->wait_site, caller, sizeof(caller));
	if (!thread->deadline_ns)
		snprintf(buf, size, "%s", caller);
	else
		snprintf(buf, size, "%s, %llu ms", caller,
			 (unsigned long long)(thread->deadline_ns > now_ns
						      ? (thread->deadline_ns - now_ns) / NS_PER_MS
						      : 0));
}

/* " [nodes 0-1, bind:0]" of who has limits: its nodes, and its policy if it has one. */
static void format_limits(const struct thread_info *thread, char *buf, size_t size)
{
	nodemask_t memory = node_memory_mask(), nodes = thread->mems_allowed & memory;
	char list[32], policy[32];

	buf[0] = '\0';
	if (nodes == memory && thread->mempolicy.mode == MPOL_LOCAL)
		return;
	node_list_format(nodes, list, sizeof(list));
	mempolicy_format(&thread->mempolicy, policy, sizeof(policy));
	snprintf(buf, size, " [nodes %s, %s]", list, policy);
}

int command_threads(int argc, char **argv)
{
	struct thread_info thread;
	char wait[96], limits[80];

	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf("  id  cpu  state           runs     ran ms  name              waits in\n");
	for (u32 i = 0; thread_describe(i, &thread); i++) {
		format_wait(&thread, wait, sizeof(wait));
		format_limits(&thread, limits, sizeof(limits));
		kprintf("%4u  %3u  %-8s  %10llu  %9llu  %-16.16s  %s%s\n", thread.id, thread.cpu,
			thread.idle ? "idle" : thread_state_name(thread.state),
			(unsigned long long)thread.runs,
			(unsigned long long)(thread.ran_ns / NS_PER_MS), thread.name, wait, limits);
	}
	kprintf("%u spare stack%s\n", threads_nr_spares(), plural(threads_nr_spares()));
	return 0;
}
