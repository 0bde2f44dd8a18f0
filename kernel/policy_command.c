/*
 * `mempolicy` and `cpuset`: where the monitor's task, and what it starts, may take memory from; and the
 * cpuset of any other thread.
 *
 *	mempolicy bind:0,2     the task's own policy; `mempolicy local` is none
 *	cpuset 1               the nodes that it may use at all; `cpuset all`
 *	cpuset 7 0-1           those of thread 7
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/node_list.h>
#include <kernel/parse.h>
#include <kernel/thread.h>
#include <mm/mempolicy.h>

#include "commands.h"

#define LIST_BYTES 64

void mempolicy_format(const struct mempolicy *policy, char *buf, size_t size)
{
	char nodes[LIST_BYTES];

	if (policy->mode == MPOL_LOCAL) {
		snprintf(buf, size, "local");
		return;
	}
	node_list_format(policy->nodes, nodes, sizeof(nodes));
	snprintf(buf, size, "%s:%s", mempolicy_mode_name(policy->mode), nodes);
}

/* A list of nodes that there are, of which one at least has memory. */
static int parse_nodes(const char *text, nodemask_t *nodes)
{
	const char *bad;
	int nid;

	if (node_list_parse(text, nodes, &bad) != 0)
		return command_bad(bad, "'%.32s': nodes are given as in 0-2,5", text);
	for_each_node_mask(nid, *nodes) {
		if ((u32)nid >= numa_topology()->nr_nodes)
			return command_bad(text, "there is no node %d: `numa` shows them", nid);
	}
	if (!(*nodes & node_memory_mask()))
		return command_bad(text, "no node of '%.32s' has memory", text);
	return 0;
}

/* --- mempolicy ---------------------------------------------------------------------------------- */

/* Which mode the word begins with, the colon included; NR_MEMPOLICY_MODES: none. */
static enum mempolicy_mode find_mode(const char *word)
{
	u32 mode = MPOL_PREFERRED;

	for (; mode < NR_MEMPOLICY_MODES; mode++) {
		const char *name = mempolicy_mode_name((enum mempolicy_mode)mode);

		if (strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == ':')
			break;
	}
	return (enum mempolicy_mode)mode;
}

static int set_policy(const char *word)
{
	struct mempolicy policy = {.mode = find_mode(word)};
	const char *nodes;

	if (strcmp(word, "local") == 0)
		return task_set_mempolicy(NULL);
	if (policy.mode == NR_MEMPOLICY_MODES)
		return command_bad(word,
				   "'%.32s': allowed is local, preferred:N, bind:LIST, "
				   "interleave:LIST",
				   word);
	nodes = strchr(word, ':') + 1;
	if (parse_nodes(nodes, &policy.nodes) != 0)
		return -EINVAL;
	if (policy.mode == MPOL_PREFERRED && (policy.nodes & (policy.nodes - 1)))
		return command_bad(nodes, "'%.32s': one node is preferred", nodes);
	return task_set_mempolicy(&policy);
}

int command_mempolicy(int argc, char **argv)
{
	char text[LIST_BYTES];

	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (argc == 2 && set_policy(argv[1]) != 0)
		return -EINVAL;
	mempolicy_format(&os_current()->mempolicy, text, sizeof(text));
	kprintf("policy of this task: %s\n", text);
	return 0;
}

const char *complete_mempolicy(u32 word, u32 i)
{
	static const char *const words[] = {"local", "preferred:", "bind:", "interleave:"};

	return word == 1 && i < ARRAY_SIZE(words) ? words[i] : NULL;
}

/* --- cpuset ------------------------------------------------------------------------------------- */

static int set_cpuset_of(char *thread_word, nodemask_t nodes)
{
	u64 id;

	if (!parse_u64(thread_word, &id) || id > UINT32_MAX ||
	    thread_set_mems_allowed((u32)id, nodes) != 0)
		return command_bad(thread_word, "'%.32s': no such thread: `threads` shows them",
				   thread_word);
	return 0;
}

int command_cpuset(int argc, char **argv)
{
	char text[LIST_BYTES];
	nodemask_t nodes = 0;

	if (argc > 3)
		return command_usage(argc, argv, 3);
	if (argc > 1 && strcmp(argv[argc - 1], "all") == 0)
		nodes = ~(nodemask_t)0;
	else if (argc > 1 && parse_nodes(argv[argc - 1], &nodes) != 0)
		return -EINVAL;
	if (argc == 3)
		return set_cpuset_of(argv[1], nodes);
	if (argc == 2)
		task_set_mems_allowed(os_current(), nodes);
	node_list_format(os_current()->mems_allowed & node_memory_mask(), text, sizeof(text));
	kprintf("cpuset of this task: node%s %s, changed %u time%s\n",
		strchr(text, ',') || strchr(text, '-') ? "s" : "", text,
		os_current()->mems_generation, plural(os_current()->mems_generation));
	return 0;
}

const char *complete_cpuset(u32 word, u32 i)
{
	return word <= 2 && i == 0 ? "all" : NULL;
}
