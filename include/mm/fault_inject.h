/*
 * Fault injection: requests for pages that fail because a test, or a person, wants them to.
 *
 * A rule says which requests; each of its conditions that is given must hold. Linux's words where they
 * are Linux's (Documentation/fault-injection): probability, interval, times, task, min-order, the n-th of
 * a task (fail-nth). See mm/fault_inject.c and docs/fault-injection.md.
 */
#ifndef MM_FAULT_INJECT_H
#define MM_FAULT_INJECT_H

#include <mm/os.h>
#include <mm/os_task.h>

#define MAX_FAULT_RULES 8

/* Zero is "any" and "no limit" everywhere. */
struct fault_rule {
	/* Which requests it looks at. */
	char site[OS_CALLER_BYTES]; /* glob of the name of the function that asked */
	uintptr_t from, end;        /* call sites from <= site < end */
	bool of_tasks;              /* of tasks with its mark, and not of interrupts on them */
	u32 min_order;
	/* Which of those fail; they are counted from 1. */
	u64 nth;         /* this one, and no other */
	u32 interval;    /* each interval-th */
	u32 probability; /* so many of a hundred of what is left */
	u64 seed;        /* of the draw */
	u64 times;       /* after so many failures it lets all pass */
	bool quiet;      /* without a line in the log for each */
};

/*
 * From now on. Its id, above zero and never given again; -EINVAL: a value out of range (see
 * fault_rule_wrong()); -ENOSPC: there are MAX_FAULT_RULES.
 * Thread, interrupts on, as trace_switch(): the hit paths of all CPUs close with the first rule.
 */
int fault_rule_add(const struct fault_rule *rule);
/* The task has the mark of this rule, and of no other, until another rule's. While the task exists. */
void fault_rule_mark(struct os_task *task, u32 id);
/* What is wrong with it, for people, or NULL. */
const char *fault_rule_wrong(const struct fault_rule *rule);
/* False: there is none (any more). The same contexts. */
bool fault_rule_remove(u32 id);
void fault_rules_remove_all(void);

struct fault_rule_state {
	u32 id;
	struct fault_rule rule;
	u64 seen;   /* requests that it looked at */
	u64 failed; /* of them made to fail */
};
/* By id; and the i-th, in the order in which they were added: false past the last. Any context. */
bool fault_rule_state(u32 id, struct fault_rule_state *out);
bool fault_rule_describe(u32 i, struct fault_rule_state *out);

#endif
