/*
 * The last resort: nothing can be reclaimed, so somebody must end.
 *
 * Who holds memory and can let go of it has registered as a victim, with two functions: how many pages its end
 * would give back, and one that tells it to end. The killer, which is the thread of some request that
 * found nothing, asks the one whose end gives back most, and waits for it.
 *
 *	request A                          request B               victim's own thread
 *	   | out_of_memory()                  | out_of_memory()
 *	   | takes the killer's turn          | taken: waits 100 ms
 *	   | a zone above its high mark?      :   at most
 *	   | chooses the worst, reports       :
 *	   | task->oom_victim, kill() --------:----------------------> sees it
 *	   | waits 1 s at most                :                        gives its pages back
 *	   |   <------------------------------:----------------------- oom_victim_unregister()
 *	   | gives the turn back  ----------> | wakes
 *	   v looks again                      v looks again
 *
 * One at a time. Two that killed at once would bring two to their end where one was enough; so who comes
 * second only waits, and looks again. That is also why there is a last look before anybody is told: the
 * killer before may have been successful. It is against the high mark, as a page just above the low one
 * would be gone before it helped.
 *
 * A victim that was told and does not end within a second is passed over: the next time the next one is
 * asked, and never the same again. So a request ends after as many seconds as there are victims, if not
 * one of them does as it was told: what it has only waited for, its own victim's end or another
 * request's turn, does not count against its rounds (MAX_OOM_WAITS of mm/alloc_slow.c bounds that).
 * A victim that ends late gives its pages back all the same.
 *
 * A victim needs memory to end: from the moment it is chosen its task may go below the min mark by half, and
 * leave its cpuset. If its own request is what brought it here, there is nobody to wait for but
 * himself: then the answer is OOM_NOBODY, the request is built anew with what it may now, and fails if that
 * does not help, so that its thread comes to where it ends. With __GFP_NOFAIL it cannot come there without
 * the page: then it does as others do, waits for the turn, and asks the next one. Who waits for it meanwhile
 * passes it over. One task has one victim, as it has one mark.
 *
 * When nobody is left, the request fails, or, with oom=panic, the kernel ends with a report.
 *
 * Lock: `oom victims`, a spinlock of threads, over the list; badness() is called under it, kill() under none.
 * A victim that is being told is kept by `telling`, for which unregistering waits: so it stands for the time of
 * kill() and no longer. The report, which a slow line prints for seconds, comes before, and is of copies; who has
 * ended while it was printed is told nothing. The killer's turn is an atomic word and no lock: it is waited
 * for with a limit.
 *
 * Source: Linux mm/oom_kill.c, out_of_memory() and oom_kill_process(), for what is decided; there the
 * killer does not wait, and a thread of its own (the reaper) takes the memory of who does not end.
 */
#include "oom.h"

#include <base/assert.h>
#include <base/format.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "rate_limit.h"
#include "vmstat.h"
#include "watermark.h"

#define ULL(x) ((unsigned long long)(x))

/* For another request that is at it: so often as long. */
#define TURN_WAIT_ROUNDS 10
#define TURN_WAIT_NS     10000000ull
#define END_WAIT_NS      1000000000ull /* for a victim */
/* For a kill() that is under way, which must not sleep: so often as long, with a complaint each. */
#define TELL_WAIT_ROUNDS 10

struct oom_state oom_state = {
	.lock = SPINLOCK_INIT("oom victims"),
	.victims = {&oom_state.victims, &oom_state.victims},
	.next_id = 1,
};

/* Three that wait: for the killer's turn, for a victim's end, for a kill() to return. */
#define WAIT_QUEUE_INIT(queue, its_name)                                                           \
	{                                                                                          \
		.lock = SPINLOCK_INIT(its_name), .waiters = { &(queue).waiters, &(queue).waiters } \
	}
static struct os_wait_queue turn = WAIT_QUEUE_INIT(turn, "oom turn");
static struct os_wait_queue ends = WAIT_QUEUE_INIT(ends, "oom victim's end");
static struct os_wait_queue told = WAIT_QUEUE_INIT(told, "oom victim told");

/* A full report for a kill: as often as Linux's. For a request that finds nobody: it will come again. */
static struct rate_limit kill_reports = {.burst = 10, .interval_ns = 5000000000ull};
static struct rate_limit vain_reports = {.burst = 1, .interval_ns = 1000000000ull};
static struct rate_limit vain_lines = {.burst = 10, .interval_ns = 5000000000ull};

void oom_set_last_resort(enum oom_last_resort what)
{
	store_relaxed(&oom_state.resort, what); /* relaxed: old or new, for a request in flight */
}

/* --- Victims ------------------------------------------------------------------------------------- */

/* Relaxed: the task asks it of itself, and who chose it takes its end by the lock. */
static void set_task_victim(const struct oom_victim *victim, bool is)
{
	if (victim->task)
		store_relaxed(&victim->task->oom_victim, is);
}

/* Two of one task would share its mark: the first to end would take it from the other. */
static void expect_only_victim(const struct oom_victim *victim)
{
	const struct oom_victim *other;

	list_for_each_entry(other, &oom_state.victims, link) {
		if (victim->task && other->task == victim->task)
			os_panic("oom: %s and %s are victims of one task", other->name,
				 victim->name);
	}
}

void oom_victim_register(struct oom_victim *victim)
{
	ASSERT_MSG(victim->name && victim->badness && victim->kill,
		   "an OOM victim without name or functions");
	victim->chosen = false;
	victim->chosen_badness = 0;
	spin_lock(&oom_state.lock);
	expect_only_victim(victim);
	victim->id = oom_state.next_id++;
	list_add_tail(&victim->link, &oom_state.victims);
	spin_unlock(&oom_state.lock);
}

/* Acquire: what kill() has done comes before what is done with the victim after. */
static bool is_not_being_told(void *victim)
{
	return load_acquire(&oom_state.telling) != victim;
}

void oom_victim_unregister(struct oom_victim *victim)
{
	u32 rounds = 0;

	spin_lock(&oom_state.lock);
	list_del(&victim->link);
	set_task_victim(victim, false);
	if (oom_state.awaited == victim)
		store_release(&oom_state.awaited, NULL); /* its pages are back before it is gone */
	spin_unlock(&oom_state.lock);
	os_wake_all(&ends);
	while (!os_wait(&told, is_not_being_told, victim, END_WAIT_NS)) {
		os_log(OS_LOG_ERR, "oom", "%s cannot go: its kill() does not return", victim->name);
		if (++rounds == TELL_WAIT_ROUNDS)
			os_panic("oom: kill() of %s has not returned for %u s", victim->name,
				 TELL_WAIT_ROUNDS);
	}
}

/* Under the lock. */
static void take_snapshot(struct oom_victim *victim, nodemask_t nodes,
			  struct oom_victim_snapshot *out)
{
	*out = (struct oom_victim_snapshot){
		.id = victim->id,
		.badness = victim->chosen ? victim->chosen_badness : victim->badness(victim, nodes),
		.chosen = victim->chosen,
		.task = victim->task,
	};
	snprintf(out->name, sizeof(out->name), "%s", victim->name);
}

bool oom_victim_snapshot(u32 i, nodemask_t nodes, struct oom_victim_snapshot *out)
{
	struct oom_victim *victim;
	bool found = false;

	spin_lock(&oom_state.lock);
	list_for_each_entry(victim, &oom_state.victims, link) {
		if (i-- > 0)
			continue;
		take_snapshot(victim, nodes, out);
		found = true;
		break;
	}
	spin_unlock(&oom_state.lock);
	return found;
}

/* The worst that nobody has asked yet; false: there is none. From then on it may be gone at any moment. */
static bool choose(nodemask_t nodes, struct oom_victim_snapshot *chosen)
{
	struct oom_victim *victim, *worst = NULL;
	u64 most = 0;

	spin_lock(&oom_state.lock);
	list_for_each_entry(victim, &oom_state.victims, link) {
		u64 badness = victim->chosen ? 0 : victim->badness(victim, nodes);

		if (badness > most) {
			most = badness;
			worst = victim;
		}
	}
	if (worst) {
		worst->chosen = true;
		worst->chosen_badness = most;
		set_task_victim(worst, true);
		store_relaxed(&oom_state.awaited, worst); /* relaxed: by who asks for it later */
		take_snapshot(worst, nodes, chosen);
	}
	spin_unlock(&oom_state.lock);
	return worst;
}

/* The chosen one stays until it was told; NULL: it has ended meanwhile. */
static struct oom_victim *begin_telling(u32 id)
{
	struct oom_victim *victim, *found = NULL;

	spin_lock(&oom_state.lock);
	list_for_each_entry(victim, &oom_state.victims, link) {
		if (victim->id == id)
			found = victim;
	}
	/* Relaxed: read outside the lock by who was on the list, and it takes the lock first. */
	store_relaxed(&oom_state.telling, found);
	spin_unlock(&oom_state.lock);
	return found;
}

/* --- The killer's turn ----------------------------------------------------------------------------- */

/* Acquire: what the killer before has seen and done comes before what this one looks at. */
static bool take_turn(void)
{
	return !__atomic_exchange_n(&oom_state.killer, 1, __ATOMIC_ACQUIRE);
}

static void give_turn(void)
{
	store_release(&oom_state.killer, 0);
	os_wake_one(&turn);
}

/* A victim asks nobody else to end, and does not wait for it: but who must have the page cannot end before. */
static bool shall_end(const struct alloc_context *ac)
{
	return task_is_oom_victim(os_current()) && !(ac->gfp & __GFP_NOFAIL);
}

/* Or who waits is told to end meanwhile. */
static bool turn_is_over(void *arg)
{
	return !load_acquire(&oom_state.killer) || shall_end(*(const struct alloc_context **)arg);
}

/*
 * Who is told to end meanwhile sees it within a round: to wake all for it would have sixty CPUs at one lock
 * for one of them. Each that wakes wakes the next, for the same reason.
 */
static void wait_for_turn(const struct alloc_context *ac)
{
	bool over = false;

	vmstat_count(VMSTAT_OOM_TURN_WAIT);
	for (u32 i = 0; i < TURN_WAIT_ROUNDS && !over; i++)
		over = os_wait(&turn, turn_is_over, &ac, TURN_WAIT_NS);
	os_wake_one(&turn);
}

/* --- Killing ------------------------------------------------------------------------------------- */

/* Does a zone that the request may use have as much as kswapd would stop at? */
static bool above_high_mark(const struct alloc_context *ac)
{
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		const struct zone *zone = ac->zonelist->ref[i].zone;

		if (zone->type > ac->request_class || !permit_allows(&ac->permit, zone->nid))
			continue;
		/* Relaxed: old or new, either will do. */
		if (zone_watermark_ok(zone, ac->order, load_relaxed(&zone->watermark[WMARK_HIGH]),
				      ac->request_class, 0))
			return true;
	}
	return false;
}

static void report_kill(const struct alloc_context *ac, uintptr_t call_site)
{
	u64 held_back;

	if (!rate_limit_pass(&kill_reports, &held_back))
		return;
	if (held_back)
		os_log(OS_LOG_WARN, "oom", "%llu reports were held back", ULL(held_back));
	oom_report(ac, call_site);
}

/* False: it has ended already. */
static bool tell(const struct alloc_context *ac, uintptr_t call_site,
		 const struct oom_victim_snapshot *chosen)
{
	struct oom_victim *victim = begin_telling(chosen->id);

	if (!victim)
		return false;
	vmstat_count(VMSTAT_OOM_KILL);
	trace(TRACE_OOM_KILL, .id = chosen->id, .call_site = call_site, .arg = chosen->badness,
	      .gfp = ac->gfp, .nid = (u16)ac->permit.preferred_nid, .order = (u8)ac->order,
	      .zone = (u8)ac->request_class);
	victim->kill(victim);
	/* Release: kill() is over before anybody sees that it is. From here on the victim may be gone. */
	store_release(&oom_state.telling, NULL);
	os_wake_all(&told);
	os_log(OS_LOG_ERR, "oom", "Out of memory: Killed %s (id %u), badness %llu pages (%llukB)",
	       chosen->name, chosen->id, ULL(chosen->badness),
	       ULL(chosen->badness) * (PAGE_SIZE / 1024));
	return true;
}

/* Acquire: with its end its pages are seen. */
static bool has_ended(void *arg)
{
	(void)arg;
	return !load_acquire(&oom_state.awaited);
}

/* Nobody's end is awaited any more. Was it still? */
static bool stop_awaiting(void)
{
	bool was;

	spin_lock(&oom_state.lock);
	was = oom_state.awaited != NULL;
	store_relaxed(&oom_state.awaited, NULL); /* relaxed: nobody but the killer waits for it */
	spin_unlock(&oom_state.lock);
	return was;
}

/* Of a victim that may be gone at any moment. */
static enum oom_outcome wait_for_end(u32 id)
{
	os_wait(&ends, has_ended, NULL, END_WAIT_NS);
	if (!stop_awaiting())
		return OOM_AGAIN;
	vmstat_count(VMSTAT_OOM_PASSED_OVER);
	os_log(OS_LOG_WARN, "oom", "id %u has not ended within a second: it is passed over", id);
	return OOM_WAITED;
}

/* It says by __GFP_NOWARN that this is no news. */
static void nobody_left(const struct alloc_context *ac, uintptr_t call_site)
{
	/* Relaxed: see oom_set_last_resort(). */
	bool panic = load_relaxed(&oom_state.resort) == OOM_PANIC;
	u64 held_back;

	if (panic || (!(ac->gfp & __GFP_NOWARN) && rate_limit_pass(&vain_reports, &held_back)))
		oom_report(ac, call_site);
	if (panic)
		os_panic("out of memory: order %u for %s, and nobody is left to kill", ac->order,
			 os_current_name());
	if (!(ac->gfp & __GFP_NOWARN) && rate_limit_pass(&vain_lines, &held_back))
		os_log(OS_LOG_ERR, "oom",
		       "Out of memory: order %u for %s, and nobody is left to kill", ac->order,
		       os_current_name());
}

/* By who has the turn. */
static enum oom_outcome kill_somebody(const struct alloc_context *ac, uintptr_t call_site)
{
	struct oom_victim_snapshot chosen;

	if (!choose(ac->permit.nodes, &chosen)) {
		nobody_left(ac, call_site);
		return OOM_NOBODY;
	}
	report_kill(ac, call_site);
	if (!tell(ac, call_site, &chosen))
		return OOM_AGAIN;
	if (chosen.task != os_current())
		return wait_for_end(chosen.id);
	stop_awaiting();
	return OOM_NOBODY;
}

enum oom_outcome out_of_memory(const struct alloc_context *ac, uintptr_t call_site)
{
	enum oom_outcome outcome = OOM_AGAIN;

	if (shall_end(ac))
		return OOM_NOBODY;
	if (!take_turn()) {
		wait_for_turn(ac);
		return OOM_WAITED;
	}
	if (!above_high_mark(ac))
		outcome = kill_somebody(ac, call_site);
	give_turn();
	return outcome;
}
