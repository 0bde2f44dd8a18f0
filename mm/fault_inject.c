/*
 * Fault injection: rules, and whether one of them wants this request to fail.
 *
 *	request that the hit path has not served
 *	    |   is there a rule?  one look at fault_rules_exist
 *	    v
 *	for each rule     is it one of its requests?  site, address, task, order      seen++
 *	                  is it one that fails?       times, nth, interval, draw      failed++
 *	    |  any
 *	    v
 *	NULL to the caller, at once: no mark is looked at, nothing is drained, no failure is reported.
 *	A line in the log, a trace record and VMSTAT_FAULT_INJECTED say what it was.
 *
 * Every rule sees each of its requests, also one that a rule before it makes fail: what one rule counts
 * does not depend on the others.
 *
 * The hit paths have no room for the question. They are closed while there is a rule, as while
 * tracing (hit_paths_close() in mm/pcp_zone.c), so that every request comes here, and with no rule none pays.
 *
 * A task is known by a mark that it carries, not by its address, which the next task may get: the rule's
 * id, in os_task.fault_rule. Ids are not given twice, so that a mark that outlives its rule means nothing.
 *
 * A request with __GFP_NOFAIL is not even looked at: its caller has no code for NULL.
 *
 * Lock: fault_lock, over the table; the last to be taken, nothing is called under it that takes another.
 * Interrupts off, since interrupts ask too. Requests therefore come one by one, and a draw's sequence
 * belongs to its seed; which request gets which draw depends on the CPUs' order.
 *
 * Source: Linux lib/fault-inject.c and mm/fail_page_alloc, for what is worth asking for.
 */
#include "fault_inject.h"

#include <arch/spinlock.h>
#include <base/errno.h>
#include <base/random.h>
#include <base/string.h>
#include <mm/page.h>
#include <mm/trace.h>

#include "pcp.h"
#include "vmstat.h"

bool fault_rules_exist;

struct active_rule {
	struct fault_rule_state state; /* id 0: free */
	struct random_state draw;
};

static struct spinlock fault_lock = SPINLOCK_INIT("fault rules");
static struct active_rule rules[MAX_FAULT_RULES]; /* by id, without holes: guarded by fault_lock */
static u32 nr_rules, last_id;                     /* guarded by fault_lock */

/* --- The question ------------------------------------------------------------------------------ */

static bool is_for(const struct fault_rule_state *state, unsigned int order, uintptr_t call_site)
{
	const struct fault_rule *rule = &state->rule;

	if (order < rule->min_order)
		return false;
	if (rule->end && (call_site < rule->from || call_site >= rule->end))
		return false;
	/* Relaxed: a mark that comes a moment later is one for the next request. */
	if (rule->of_tasks &&
	    (os_in_interrupt() || load_relaxed(&os_current()->fault_rule) != state->id))
		return false;
	return rule->site[0] == '\0' || os_caller_matches(call_site, rule->site);
}

/* One of its requests, which is counted already. */
static bool wants_failure(struct active_rule *active)
{
	const struct fault_rule_state *state = &active->state;
	const struct fault_rule *rule = &state->rule;

	if (rule->times && state->failed >= rule->times)
		return false;
	if (rule->nth && state->seen != rule->nth)
		return false;
	if (rule->interval && state->seen % rule->interval != 0)
		return false;
	return !rule->probability || random_below(&active->draw, 100) < rule->probability;
}

static void report_injected(const struct fault_rule_state *by, gfp_t gfp, unsigned int order,
			    uintptr_t call_site)
{
	char gfp_text[GFP_TEXT_BYTES], caller[OS_CALLER_BYTES];

	vmstat_count(VMSTAT_FAULT_INJECTED);
	trace(TRACE_FAULT_INJECTED, .id = by->id, .call_site = call_site, .gfp = gfp,
	      .order = (u8)order, .arg = by->seen);
	if (by->rule.quiet)
		return;
	gfp_format(gfp, gfp_text, sizeof(gfp_text));
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_INFO, "fault", "rule %u fails its request %llu: order %u, %s, by %s", by->id,
	       (unsigned long long)by->seen, order, gfp_text, caller);
}

bool fault_hits_request(gfp_t gfp, unsigned int order, uintptr_t call_site)
{
	struct fault_rule_state by = {0}; /* the first that wants it */
	unsigned long flags;

	if (gfp & __GFP_NOFAIL)
		return false;
	flags = spin_lock_irqsave(&fault_lock);
	for (u32 i = 0; i < nr_rules; i++) {
		struct fault_rule_state *state = &rules[i].state;

		if (!is_for(state, order, call_site))
			continue;
		state->seen++;
		if (!wants_failure(&rules[i]))
			continue;
		state->failed++;
		if (by.id == 0)
			by = *state;
	}
	spin_unlock_irqrestore(&fault_lock, flags);
	if (by.id)
		report_injected(&by, gfp, order, call_site);
	return by.id != 0;
}

/* --- The rules --------------------------------------------------------------------------------- */

const char *fault_rule_wrong(const struct fault_rule *rule)
{
	if (rule->probability > 100)
		return "a probability above 100 percent";
	if (rule->min_order > MAX_ORDER)
		return "no block has that order";
	if (rule->end && rule->from >= rule->end)
		return "no address is in that range";
	if (rule->site[sizeof(rule->site) - 1] != '\0')
		return "the call site's name does not end";
	return NULL;
}

/* Released after the rule: who sees that there is one sees it under the lock, too. */
static void set_exist_locked(void)
{
	store_release(&fault_rules_exist, nr_rules > 0);
}

int fault_rule_add(const struct fault_rule *rule)
{
	int id = -ENOSPC;
	unsigned long flags;

	if (fault_rule_wrong(rule))
		return -EINVAL;
	/* Before the rule, so that from its first moment on no request goes by unseen. */
	hit_paths_close();
	flags = spin_lock_irqsave(&fault_lock);
	if (nr_rules < MAX_FAULT_RULES) {
		struct active_rule *active = &rules[nr_rules++];

		id = (int)++last_id;
		*active = (struct active_rule){
			.state = {.id = (u32)id, .rule = *rule},
			.draw = {rule->seed ? rule->seed : 1},
		};
		set_exist_locked();
	}
	spin_unlock_irqrestore(&fault_lock, flags);
	if (id < 0)
		hit_paths_open();
	return id;
}

void fault_rule_mark(struct os_task *task, u32 id)
{
	store_relaxed(&task->fault_rule, id); /* as it is read */
}

bool fault_rule_remove(u32 id)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);
	bool found = false;

	for (u32 i = 0; i < nr_rules; i++) {
		if (found)
			rules[i - 1] = rules[i];
		else
			found = rules[i].state.id == id;
	}
	if (found) {
		nr_rules--;
		set_exist_locked();
	}
	spin_unlock_irqrestore(&fault_lock, flags);
	/* Each rule has closed them once. */
	if (found)
		hit_paths_open();
	return found;
}

void fault_rules_remove_all(void)
{
	struct fault_rule_state state;

	while (fault_rule_describe(0, &state))
		fault_rule_remove(state.id);
}

bool fault_rule_describe(u32 i, struct fault_rule_state *out)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);
	bool found = i < nr_rules;

	if (found)
		*out = rules[i].state;
	spin_unlock_irqrestore(&fault_lock, flags);
	return found;
}

bool fault_rule_state(u32 id, struct fault_rule_state *out)
{
	for (u32 i = 0; fault_rule_describe(i, out); i++)
		if (out->id == id)
			return true;
	return false;
}
