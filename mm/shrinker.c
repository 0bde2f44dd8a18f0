/*
 * Caches that can give back, pressed as hard as the page lists are.
 *
 * When reclaim has looked at a share of a node's pages, it asks every cache to give up as large a share of its
 * objects, so that no cache grows at the cost of pages, nor pages at the cost of a cache. An object
 * that costs more to have again is pressed less:
 *
 *	               4 * freeable     scanned
 *	   pressure = -------------- * ---------      objects; seeks 2, as Linux's default: twice the share
 *	                   seeks       total + 1
 *
 * A cache is asked in batches, as each call costs. What is less than a batch is not lost but deferred, by
 * node, and added the next time; so is what the cache could not do because it was busy (SHRINK_STOP).
 * Many small passes so come to as much as one large one:
 *
 *	pass        pressure    asked for     deferred       (batch 128)
 *	  1            50           0            50
 *	  2            50           0           100
 *	  3            50         128            22
 *
 * When all that is freeable is less than a batch, or less than what is due, it is asked for at once. More than
 * twice what is freeable is never due: a cache that was busy for long is not emptied in one go
 * because of it.
 *
 * The functions run without the lock, as they may take long and take locks of their own. A walker keeps up to
 * WALK_BATCH shrinkers at a time by a count in each; leaving the list waits for that to be 0:
 *
 *	walker                                       unregister
 *	lock: nr_running++ of each in the batch      lock: nr_running |= LEAVING: no walker keeps it any more
 *	count(), scan() of each, nr_running--        waits until nobody is left in nr_running
 *	lock: the next batch, after the last         lock: off the list
 *
 * The last of a batch is kept until the next one is found, so its link is good.
 *
 * Many CPUs press at once when memory is short, each for each node and priority. They must not queue up: who
 * finds the list's lock taken at the start leaves the caches to who has it. Nothing that was freed is no sign then that
 * there is nothing, and the same is true of a cache that cannot now: who has passed one by is told so, and
 * does not give up for that.
 *
 * Lock: `shrinkers`, a spinlock of threads, over the list; nothing is taken under it.
 *
 * Source: Linux mm/shrinker.c (do_shrink_slab()), for the proportion, the deferred work and their words.
 */
#include "shrinker.h"

#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <mm/os.h>
#include <mm/os_task.h>

#include "vmstat.h"

#define DEFAULT_BATCH 128
#define WALK_BATCH    16
#define LEAVING       0x80000000u /* in nr_running */
/* Above that figures are guesses anyway; below it no product of two overflows. */
#define MAX_FREEABLE ((u64)1 << 48)
#define MAX_TOTAL    ((u64)1 << 30)
/* For who is inside a function, which must not sleep: so often as long, with a complaint each. */
#define LEAVE_WAIT_NS     1000000000ull
#define LEAVE_WAIT_ROUNDS 10

struct shrinker_list shrinker_list = {
	.lock = SPINLOCK_INIT("shrinkers"),
	.shrinkers = {&shrinker_list.shrinkers, &shrinker_list.shrinkers},
};
/* Woken when the last one has left one that is leaving. */
static struct os_wait_queue left = {
	.lock = SPINLOCK_INIT("shrinker left"),
	.waiters = {&left.waiters, &left.waiters},
};

/* --- Coming and going --------------------------------------------------------------------------- */

void shrinker_register(struct shrinker *shrinker)
{
	ASSERT_MSG(shrinker->name && shrinker->count && shrinker->scan && shrinker->seeks,
		   "a shrinker without name, functions or seeks");
	shrinker->nr_running = 0;
	for (u32 nid = 0; nid < MAX_NUMNODES; nid++)
		shrinker->deferred[nid] = 0;
	shrinker->nr_scanned = shrinker->nr_freed = 0;
	spin_lock(&shrinker_list.lock);
	list_add_tail(&shrinker->link, &shrinker_list.shrinkers);
	spin_unlock(&shrinker_list.lock);
}

/* Nobody can go inside any more: once true it stays so. Acquire: what was done inside is done. */
static bool is_empty(void *shrinker)
{
	return load_acquire(&((struct shrinker *)shrinker)->nr_running) == LEAVING;
}

void shrinker_unregister(struct shrinker *shrinker)
{
	u32 rounds = 0;

	spin_lock(&shrinker_list.lock);
	/* Relaxed: who keeps shrinkers looks under the lock. */
	__atomic_fetch_or(&shrinker->nr_running, LEAVING, __ATOMIC_RELAXED);
	spin_unlock(&shrinker_list.lock);
	while (!os_wait(&left, is_empty, shrinker, LEAVE_WAIT_NS)) {
		os_log(OS_LOG_ERR, "shrinker", "%s cannot go: somebody is inside", shrinker->name);
		if (++rounds == LEAVE_WAIT_ROUNDS)
			os_panic("shrinker: somebody has been inside %s for %u s", shrinker->name,
				 LEAVE_WAIT_ROUNDS);
	}
	spin_lock(&shrinker_list.lock);
	list_del(&shrinker->link);
	spin_unlock(&shrinker_list.lock);
}

/* A batch after `last`, or the first; how many. */
static u32 keep_batch_locked(const struct shrinker *last, struct shrinker *kept[WALK_BATCH])
{
	struct list_head *at = last ? last->link.next : shrinker_list.shrinkers.next;
	u32 nr = 0;

	for (; at != &shrinker_list.shrinkers && nr < WALK_BATCH; at = at->next) {
		struct shrinker *shrinker = list_entry(at, struct shrinker, link);

		/* Relaxed: it leaves under the lock. */
		if (load_relaxed(&shrinker->nr_running) & LEAVING)
			continue;
		__atomic_fetch_add(&shrinker->nr_running, 1, __ATOMIC_RELAXED);
		kept[nr++] = shrinker;
	}
	return nr;
}

/* Release: what was done inside is done before it may go. It may be gone at once. */
static void let_go(struct shrinker *shrinker)
{
	if (__atomic_sub_fetch(&shrinker->nr_running, 1, __ATOMIC_RELEASE) == LEAVING)
		os_wake_all(&left);
}

/* --- Pressing ------------------------------------------------------------------------------------- */

/* Objects. With `scanned` at most `total`. */
static u64 pressure(const struct shrinker *shrinker, u64 freeable, u64 scanned, u64 total)
{
	for (; total > MAX_TOTAL; total >>= 1)
		scanned >>= 1;
	/* In two parts, so that nothing overflows: whole multiples of total + 1, and the rest. */
	return (freeable / (total + 1) * scanned * 4 +
		freeable % (total + 1) * scanned * 4 / (total + 1)) /
	       shrinker->seeks;
}

/* What pressing the caches has come to. */
struct pressed {
	u64 freed;
	bool passed_by;
};

/* Asks for batches of what is due; what is left of it. */
static u64 ask(struct shrinker *shrinker, int nid, u64 freeable, u64 due, struct pressed *pressed)
{
	u64 batch = shrinker->batch ? shrinker->batch : DEFAULT_BATCH;

	while (due > 0 && (due >= batch || due >= freeable)) {
		u64 nr = MIN(due, batch), got = shrinker->scan(shrinker, nid, nr);

		if (got == SHRINK_STOP) {
			pressed->passed_by = true;
			break;
		}
		/* Relaxed: a figure. Release: who sees what was freed sees what was asked for. */
		__atomic_fetch_add(&shrinker->nr_scanned, nr, __ATOMIC_RELAXED);
		__atomic_fetch_add(&shrinker->nr_freed, got, __ATOMIC_RELEASE);
		vmstat_count_many(VMSTAT_SLABS_SCANNED, nr);
		pressed->freed += got;
		due -= nr;
	}
	return due;
}

static void press(struct shrinker *shrinker, int nid, u64 scanned, u64 total,
		  struct pressed *pressed)
{
	u64 freeable = MIN(shrinker->count(shrinker, nid), MAX_FREEABLE), due;

	if (freeable == 0)
		return;
	/*
	 * Relaxed: a figure. Taken whole, so that two CPUs that press the same node do not both exert what was
	 * deferred.
	 */
	due = __atomic_exchange_n(&shrinker->deferred[nid], 0, __ATOMIC_RELAXED);
	due = MIN(due + pressure(shrinker, freeable, scanned, total), 2 * freeable);
	due = ask(shrinker, nid, freeable, due, pressed);
	__atomic_fetch_add(&shrinker->deferred[nid], due, __ATOMIC_RELAXED);
}

/* Under the list's lock, which it gives up. */
static void press_all_locked(int nid, u64 scanned, u64 total, struct pressed *pressed)
{
	struct shrinker *kept[WALK_BATCH], *last = NULL;
	u32 nr;

	for (;;) {
		nr = keep_batch_locked(last, kept);
		spin_unlock(&shrinker_list.lock);
		if (last)
			let_go(last);
		last = nr == WALK_BATCH ? kept[nr - 1] : NULL;
		for (u32 i = 0; i < nr; i++) {
			press(kept[i], nid, scanned, total, pressed);
			if (kept[i] != last)
				let_go(kept[i]);
		}
		if (!last)
			return;
		spin_lock(&shrinker_list.lock);
	}
}

u64 shrink_caches(int nid, u64 scanned, u64 total, bool *passed_by)
{
	struct pressed pressed = {0};

	if (spin_trylock(&shrinker_list.lock))
		press_all_locked(nid, MIN(scanned, total), total, &pressed);
	else
		pressed.passed_by = true;
	*passed_by |= pressed.passed_by;
	return pressed.freed;
}

/* --- Looking -------------------------------------------------------------------------------------- */

bool shrinker_snapshot(u32 i, struct shrinker_snapshot *out)
{
	struct shrinker *shrinker;
	bool found = false;

	spin_lock(&shrinker_list.lock);
	list_for_each_entry(shrinker, &shrinker_list.shrinkers, link) {
		if (i-- > 0)
			continue;
		/* Relaxed: figures. */
		*out = (struct shrinker_snapshot){
			.name = shrinker->name,
			.scanned = load_relaxed(&shrinker->nr_scanned),
			.freed = load_relaxed(&shrinker->nr_freed),
		};
		for (u32 nid = 0; nid < MAX_NUMNODES; nid++)
			out->deferred += load_relaxed(&shrinker->deferred[nid]);
		found = true;
		break;
	}
	spin_unlock(&shrinker_list.lock);
	return found;
}
