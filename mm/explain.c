/*
 * What would become of a request: the rehearsal's side of it.
 *
 * A rehearsal is a request whose context has a recorder. It goes through alloc_walk() and alloc_slowly()
 * like any other, and where those would take a page, count, or drain, they come here or nowhere.
 * So what is printed cannot differ from what is done but in four ways, each handled here:
 *
 *	hit path      it asks no zone, so its questions are asked in front of the walk, the same ones
 *	own list      a list of this CPU may have a block where the zone has none: then it is taken
 *	reclaim       what owners give back is known when they are asked: how much they have is said
 *	drain         what other CPUs keep is counted as free from there on; if a large block is
 *	              wanted, whether the pages lie together can only be found out by doing it
 *
 * No lock. Figures are read one by one: exact while nobody else allocates.
 */
#include <mm/explain.h>

#include <mm/os.h>

#include "alloc_context.h"
#include "pcp.h"
#include "watermark.h"

static const struct {
	const char *name, *meaning;
} steps[NR_ALLOC_STEPS] = {
	[STEP_HIT] = {"hit", "this CPU's own list, without a question"},
	[STEP_FAST] = {"fast", "every zone against its low mark"},
	[STEP_WAKE_KSWAPD] = {"wake_kswapd", "somebody else shall make room meanwhile"},
	[STEP_MIN] = {"min", "every zone against its min mark, less what the request may use"},
	[STEP_NO_MARKS] = {"no_marks", "entitled: every page there is"},
	[STEP_RECLAIM] = {"reclaim", "free something oneself, and look again"},
	[STEP_AFTER_RECLAIM] = {"after_reclaim", "the min mark again"},
	[STEP_DRAIN] = {"drain", "what CPUs keep for themselves goes back"},
	[STEP_AFTER_DRAIN] = {"after_drain", "the min mark again, with those pages"},
	[STEP_OOM] = {"oom", "somebody must end; there is nobody yet"},
	[STEP_GIVE_UP] = {"give_up", "NULL for the caller"},
};

const char *alloc_step_name(enum alloc_step step)
{
	return (u32)step < NR_ALLOC_STEPS ? steps[step].name : "unknown";
}

const char *alloc_step_meaning(enum alloc_step step)
{
	return (u32)step < NR_ALLOC_STEPS ? steps[step].meaning : "unknown";
}

/* --- What the walk tells ------------------------------------------------------------------------ */

static u64 pages_on_lists(const struct zone *zone)
{
	struct pcp_snapshot pcp;
	u64 pages = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (pcp_snapshot(zone->nid, zone->type, cpu, &pcp))
			pages += pcp.pages;
	}
	return pages;
}

void rehearse_drain(struct alloc_recorder *recorder)
{
	recorder->drained = true;
}

/* The sum is there: what does it come to? */
static enum zone_verdict weigh_up(const struct alloc_context *ac, const struct zone *zone,
				  const struct explained_zone *z, u64 on_lists)
{
	const struct watermark_check *check = &z->check;

	if (z->marks && !check->pages_ok)
		return VERDICT_MARK;
	if (ac->order == 0 ? check->free > 0 : check->block_ok)
		return VERDICT_TAKE;
	if (!z->marks && pcp_has_block(zone, ac->order, ac->block_type) && !ac->permit.by_policy)
		return VERDICT_TAKE;
	return on_lists ? VERDICT_MAYBE : VERDICT_BLOCK;
}

enum zone_verdict rehearse_zone(const struct alloc_context *ac, const struct zone *zone,
				enum zone_watermark mark, u32 alloc_flags,
				enum zone_verdict verdict)
{
	struct alloc_recorder *recorder = ac->recorder;
	struct explained_zone z = {
		.nid = zone->nid,
		.type = zone->type,
		.verdict = verdict,
		.marks = !(alloc_flags & ALLOC_NO_WATERMARKS),
	};

	if (verdict != VERDICT_CLASS && verdict != VERDICT_POLICY) {
		u64 on_lists = recorder->drained ? pages_on_lists(zone) : 0;

		/* Relaxed: as in the walk. */
		zone_watermark_check(zone, ac->order, load_relaxed(&zone->watermark[mark]),
				     ac->request_class, alloc_flags, on_lists, &z.check);
		z.verdict = weigh_up(ac, zone, &z, on_lists);
	}
	/* The first that may do stays: whether it does, only doing it says. */
	if (z.verdict >= VERDICT_MAYBE && recorder->out->zone.verdict != VERDICT_MAYBE)
		recorder->out->zone = z;
	if (recorder->zone)
		recorder->zone(recorder, &z);
	return z.verdict;
}

void rehearse_step(struct alloc_recorder *recorder, enum alloc_step step)
{
	recorder->out->step = step;
	if (recorder->step)
		recorder->step(recorder, step);
}

/* --- The whole request -------------------------------------------------------------------------- */

/* Before the walk. True: that was all. */
static bool rehearse_hit(int nid, gfp_t gfp, unsigned int order, struct alloc_recorder *recorder,
			 struct explanation *out)
{
	struct explained_zone z = {.verdict = VERDICT_TAKE};
	struct zone *zone = NULL;

	if (nid == NUMA_NO_NODE)
		nid = cpu_to_node(smp_processor_id());
	out->hit = alloc_hit_verdict(nid, gfp, order, &zone);
	if (recorder->begin)
		recorder->begin(recorder, out);
	rehearse_step(recorder, STEP_HIT);
	if (out->hit != HIT_TAKE)
		return false;
	z.nid = zone->nid;
	z.type = zone->type;
	out->zone = z;
	out->end = EXPLAIN_TAKES;
	return true;
}

static void rehearse_walks(struct alloc_context *ac, struct explanation *out)
{
	bool takes;

	rehearse_step(ac->recorder, STEP_FAST);
	takes = alloc_walk(ac, WMARK_LOW, 0) || alloc_slowly(ac, 0);
	if (out->zone.verdict == VERDICT_MAYBE) {
		out->end = EXPLAIN_MAYBE;
		out->step = STEP_AFTER_DRAIN;
	} else if (out->reclaimable_pages) {
		out->end = EXPLAIN_RECLAIMS;
	} else if (takes) {
		out->end = EXPLAIN_TAKES;
	} else if (ac->gfp & __GFP_NOFAIL) {
		out->end = EXPLAIN_WAITS;
	} else {
		out->end = EXPLAIN_FAILS;
		rehearse_step(ac->recorder, STEP_GIVE_UP);
	}
}

void explain_request(int nid, gfp_t gfp, unsigned int order, struct alloc_recorder *recorder,
		     struct explanation *out)
{
	struct os_task *task = os_current();
	u32 turn = task->interleave_from; /* a rehearsal is nobody's turn */
	struct alloc_context ac;

	*out = (struct explanation){.refused = alloc_request_fault(nid, gfp, order, NULL)};
	recorder->out = out;
	recorder->drained = false;
	if (out->refused) {
		out->end = EXPLAIN_REFUSED;
		if (recorder->begin)
			recorder->begin(recorder, out);
		return;
	}
	alloc_context_build(&ac, nid, gfp, order, NULL);
	task->interleave_from = turn;
	ac.recorder = recorder;
	out->permit = ac.permit;
	out->request_class = ac.request_class;
	out->may_block = ac.may_block;
	if (!rehearse_hit(nid, gfp, order, recorder, out))
		rehearse_walks(&ac, out);
}
