/*
 * `explain`: what would become of a request, step by step, as mm/explain.c rehearses it.
 *
 * A line for each step, under it one for each zone that is looked at, with the sum that decides:
 *
 *	free - rest of the block > mark (of which mark) + what is kept from the request's class
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/node_list.h>
#include <mm/explain.h>
#include <mm/fault_inject.h>
#include <mm/page_alloc.h>

#include "commands.h"

#define LIST_BYTES 96

static const char *const hit_answers[] = {
	[HIT_TAKE] = "yes",
	[HIT_NOT_ASKED] = "no: not for this order, or these flags",
	[HIT_LIMITED] = "no: this task has limits, so each zone is asked for its node",
	[HIT_MARK] = "no: the zone is near its low mark, or the hit paths are closed",
	[HIT_EMPTY] = "no: the list is empty; it is filled on the way",
};

static const char *const verdicts[NR_ZONE_VERDICTS] = {
	[VERDICT_CLASS] = "above its class",      [VERDICT_POLICY] = "not permitted",
	[VERDICT_MARK] = "no: too few",           [VERDICT_BLOCK] = "no: none so large",
	[VERDICT_MAYBE] = "if they lie together", [VERDICT_TAKE] = "takes",
};

static void say_begin(struct alloc_recorder *recorder, const struct explanation *so_far)
{
	char nodes[LIST_BYTES];

	(void)recorder;
	if (so_far->refused)
		return;
	node_list_format(so_far->permit.nodes & node_memory_mask(), nodes, sizeof(nodes));
	kprintf("class %s, from node %d, may use %s%s; %s; %s\n",
		zone_type_name(so_far->request_class), so_far->permit.preferred_nid,
		nodes[0] == '\0'                           ? "no node"
		: strchr(nodes, ',') || strchr(nodes, '-') ? "nodes "
							   : "node ",
		nodes, so_far->permit.entitled ? "entitled" : "not entitled",
		so_far->may_block ? "may sleep" : "never sleeps");
}

static void say_step(struct alloc_recorder *recorder, enum alloc_step step)
{
	kprintf("%s: %s\n", alloc_step_name(step), alloc_step_meaning(step));
	if (step == STEP_HIT)
		kprintf("   %s\n", hit_answers[recorder->out->hit]);
	if (step == STEP_RECLAIM)
		kprintf("   of %llu reclaimable pages\n",
			(unsigned long long)recorder->out->reclaimable_pages);
	if (step == STEP_FAST)
		kprintf("   (free - rest of the block > mark + kept from its class)\n");
}

static void say_zone(struct alloc_recorder *recorder, const struct explained_zone *zone)
{
	const struct watermark_check *sum = &zone->check;
	char of[32] = "";

	(void)recorder;
	kprintf("   node %2d %-6s ", zone->nid, zone_type_name(zone->type));
	if (zone->verdict == VERDICT_CLASS || zone->verdict == VERDICT_POLICY) {
		kprintf("%s\n", verdicts[zone->verdict]);
		return;
	}
	if (!zone->marks) {
		kprintf("%7llu free: %s\n", (unsigned long long)sum->free, verdicts[zone->verdict]);
		return;
	}
	if (sum->lowered != sum->mark)
		snprintf(of, sizeof(of), " of %llu", (unsigned long long)sum->mark);
	kprintf("%7llu - %4llu %s %llu%s + %llu: %s\n", (unsigned long long)sum->free,
		(unsigned long long)sum->others,
		sum->pages_ok ? "> " : "<=", (unsigned long long)sum->lowered, of,
		(unsigned long long)sum->reserve, verdicts[zone->verdict]);
}

static void say_end(const struct explanation *end)
{
	const char *zone = zone_type_name(end->zone.type);

	switch (end->end) {
	case EXPLAIN_REFUSED:
		kprintf("refused: %s\n", end->refused);
		break;
	case EXPLAIN_TAKES:
		kprintf("=> node %d %s, at step %s%s\n", end->zone.nid, zone,
			alloc_step_name(end->step),
			end->step == STEP_NO_MARKS ? "; a page of the reserve, marked" : "");
		break;
	case EXPLAIN_MAYBE:
		kprintf("=> node %d %s, if what the CPUs keep lies together\n", end->zone.nid,
			zone);
		break;
	case EXPLAIN_RECLAIMS:
		kprintf("=> if reclaim frees enough\n");
		break;
	case EXPLAIN_WAITS:
		kprintf("=> again from step min, for a while; then a panic\n");
		break;
	case EXPLAIN_FAILS:
		kprintf("=> it fails\n");
		break;
	}
}

int command_explain(int argc, char **argv)
{
	struct alloc_recorder recorder = {.begin = say_begin, .step = say_step, .zone = say_zone};
	char gfp_text[GFP_TEXT_BYTES];
	struct fault_rule_state rule;
	struct explanation end;
	gfp_t gfp = GFP_KERNEL;
	int nid = NUMA_NO_NODE;
	u64 order;
	int err;

	if (argc < 3 || argc > 4)
		return command_usage(argc, argv, MIN(argc, 4));
	err = strcmp(argv[1], "any") == 0 ? 0 : command_parse_node(argv[1], &nid);
	if (!err)
		err = command_parse_order(argv[2], &order);
	if (!err && argc == 4)
		err = command_parse_gfp(argv[3], &gfp);
	if (err)
		return err;
	gfp_format(gfp, gfp_text, sizeof(gfp_text));
	kprintf("order %llu: %llu page%s; %s\n", (unsigned long long)order, 1ull << order,
		plural(1ull << order), gfp_text);
	/* A rehearsal is no request that a rule could count. */
	if (fault_rule_describe(0, &rule))
		kprintf("but for the rules that make requests fail: `fault` shows them\n");
	explain_request(nid, gfp, (unsigned int)order, &recorder, &end);
	say_end(&end);
	return end.end == EXPLAIN_REFUSED ? -EINVAL : 0;
}

/* A node, an order, flags. */
const char *complete_explain(u32 word, u32 i)
{
	static char text[16];
	const char *node;

	if (word == 1) {
		if (i-- == 0)
			return "any";
		node = complete_node(i);
		return node ? strchr(node, '=') + 1 : NULL;
	}
	if (word == 2) {
		snprintf(text, sizeof(text), "%u", i);
		return i <= MAX_ORDER ? text : NULL;
	}
	return word == 3 && i < nr_gfp_names ? gfp_names[i].name : NULL;
}
