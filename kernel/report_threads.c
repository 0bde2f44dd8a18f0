/*
 * Threads: who there is, where, and what he waits for.
 */
#include <base/format.h>
#include <base/string.h>
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

/* "all", "0-1", "all bind:0": its nodes, and its policy if it has one. */
static void format_memory(const struct thread_info *thread, char *buf, size_t size)
{
	nodemask_t memory = node_memory_mask(), nodes = thread->mems_allowed & memory;
	char policy[32];
	size_t at;

	if (nodes == memory)
		snprintf(buf, size, "all");
	else
		node_list_format(nodes, buf, size);
	at = strlen(buf);
	if (!thread->mempolicy)
		return;
	mempolicy_format(thread->mempolicy, policy, sizeof(policy));
	snprintf(buf + at, size - at, " %s", policy);
}

int command_threads(int argc, char **argv)
{
	struct thread_info thread;
	char wait[96], memory[48];

	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf("  id  cpu  state           runs     ran ms  name              memory        waits "
		"in\n");
	for (u32 i = 0; thread_describe(i, &thread); i++) {
		format_wait(&thread, wait, sizeof(wait));
		format_memory(&thread, memory, sizeof(memory));
		kprintf("%4u  %3u  %-8s  %10llu  %9llu  %-16.16s  %-12s  %s\n", thread.id,
			thread.cpu, thread.idle ? "idle" : thread_state_name(thread.state),
			(unsigned long long)thread.runs,
			(unsigned long long)(thread.ran_ns / NS_PER_MS), thread.name, memory, wait);
	}
	kprintf("%u spare stack%s\n", threads_nr_spares(), plural(threads_nr_spares()));
	return 0;
}
