/*
 * The invariants of those who can be pressed: caches that give back, and victims.
 */
#include <base/atomic.h>

#include "check_internal.h"
#include "oom.h"
#include "shrinker.h"

#define ULL(x) ((unsigned long long)(x))

/*
 * A list's entries, as far as its links agree: NULL at its end, or where they do not. Who asks for their
 * soundness is told so by `broken`.
 */
static struct list_head *next_entry(struct list_head *head, struct list_head *at, bool *broken)
{
	struct list_head *next = at->next;

	*broken = !next || next->prev != at;
	return *broken || next == head ? NULL : next;
}

static void shrinkers_sound(struct check *c)
{
	struct list_head *head = &shrinker_list.shrinkers, *at = head;
	bool broken;

	spin_lock(&shrinker_list.lock);
	while ((at = next_entry(head, at, &broken))) {
		const struct shrinker *s = list_entry(at, struct shrinker, link);

		c->report->items++;
		if (!s->name || !s->count || !s->scan || !s->seeks)
			check_fail(c, "shrinker %s: seeks %u, or no functions",
				   s->name ? s->name : "without a name", s->seeks);
	}
	if (broken)
		check_fail(c, "the links of the list of shrinkers do not agree");
	spin_unlock(&shrinker_list.lock);
}

static void shrinkers_counts(struct check *c)
{
	struct list_head *head = &shrinker_list.shrinkers, *at = head;
	bool broken;

	spin_lock(&shrinker_list.lock);
	while ((at = next_entry(head, at, &broken))) {
		const struct shrinker *s = list_entry(at, struct shrinker, link);
		/* Acquire: counted last, read first; what was asked for is then as new. */
		u64 freed = load_acquire(&s->nr_freed), scanned = load_relaxed(&s->nr_scanned);

		c->report->items++;
		if (freed > scanned)
			check_fail(c, "shrinker %s: asked for %llu objects, freed %llu", s->name,
				   ULL(scanned), ULL(freed));
	}
	spin_unlock(&shrinker_list.lock);
}

static void victims_sound(struct check *c)
{
	struct list_head *head = &oom_state.victims, *at = head;
	u32 before = 0;
	bool broken;

	spin_lock(&oom_state.lock);
	while ((at = next_entry(head, at, &broken))) {
		const struct oom_victim *v = list_entry(at, struct oom_victim, link);

		c->report->items++;
		/* They come in the order of their numbers. */
		if (!v->name || !v->badness || !v->kill || v->id <= before ||
		    v->id >= oom_state.next_id)
			check_fail(c, "victim %s: id %u after %u, next %u, or no functions",
				   v->name ? v->name : "without a name", v->id, before,
				   oom_state.next_id);
		before = v->id;
	}
	if (broken)
		check_fail(c, "the links of the list of victims do not agree");
	spin_unlock(&oom_state.lock);
}

static void victims_tasks(struct check *c)
{
	struct list_head *head = &oom_state.victims, *at = head;
	bool broken;

	spin_lock(&oom_state.lock);
	while ((at = next_entry(head, at, &broken))) {
		const struct oom_victim *v = list_entry(at, struct oom_victim, link);

		c->report->items++;
		if (v->task && task_is_oom_victim(v->task) != v->chosen)
			check_fail(c, "victim %s: chosen %u, its task says %u", v->name, v->chosen,
				   task_is_oom_victim(v->task));
	}
	spin_unlock(&oom_state.lock);
}

static bool is_chosen_locked(const struct oom_victim *which)
{
	struct list_head *head = &oom_state.victims, *at = head;
	bool broken;

	while ((at = next_entry(head, at, &broken))) {
		if (list_entry(at, struct oom_victim, link) == which)
			return which->chosen;
	}
	return false;
}

static void killer(struct check *c)
{
	const struct oom_victim *awaited, *telling;
	u32 at_it;

	spin_lock(&oom_state.lock);
	/* Acquire: no killer, so what the last one has cleared is clear; and a new one needs the lock. */
	at_it = load_acquire(&oom_state.killer);
	awaited = oom_state.awaited;
	/* Relaxed: cleared without the lock. */
	telling = load_relaxed(&oom_state.telling);
	c->report->items++;
	if ((awaited || telling) && !at_it)
		check_fail(c, "nobody is at it, and a victim is awaited or being told");
	if (awaited && !is_chosen_locked(awaited))
		check_fail(c, "who is awaited is on no list, or was not chosen");
	spin_unlock(&oom_state.lock);
}

const struct invariant pressure_invariants[] = {
	{"SHRINK-1", "shrinkers' links agree, and each is whole", .run = shrinkers_sound},
	{"SHRINK-2", "a shrinker has freed no more than it was asked for", .run = shrinkers_counts},
	{"OOM-1", "victims' links agree, and each is whole and has a number", .run = victims_sound},
	{"OOM-2", "a victim's task says so if and only if it is chosen", .run = victims_tasks},
	{"OOM-3", "who is awaited or told is chosen, by a killer at it", .run = killer},
};
const u32 nr_pressure_invariants = ARRAY_SIZE(pressure_invariants);
