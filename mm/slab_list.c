/*
 * The list of caches: which there are, who keeps one from going, and whose turn it is to change its stacks.
 *
 *	walker                                   who destroys a cache
 *	lock: the next that is not going,        lock: is_going; nobody begins with it any more
 *	      nr_users++, the last one's --      waits until nr_users is 0
 *	works with it                            looks at what is out; then either it stays, or
 *	...                                      waits until nr_users is 0; lock: off the list
 *
 * Who opens or closes all stacks walks along those that are going as well (slab_handful_next()): a cache of which
 * objects are out is still asked for more and given them back, on its way and afterwards, when it stays. Hence the
 * second wait. Such a walker touches stacks only, on their CPUs, as a drain does, so who destroys need not know of it
 * before.
 *
 * The cache that a walker is at is on the list, so its link is good. Who has to ask each CPU walks by the handful.
 * (mm/shrinker.c does the same with an atomic count; here everything is under the lock.)
 *
 * A turn (is_tuning) is for who replaces a cache's stacks, which takes memory and other CPUs, and for who looks at
 * other CPUs' stacks and does not want them freed meanwhile. It is no lock: its holder may sleep.
 *
 * Lock: "slab caches", a spinlock of threads, over the list, the counts of users, is_going and is_tuning. Nothing is taken
 * under it, and waiters are woken after it is released.
 */
#include "slab_list.h"

#include <base/assert.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/os_task.h>

/* For users and for another's tuning, which may sleep for memory: so often as long, with a complaint each. */
#define WAIT_NS     1000000000ull
#define WAIT_ROUNDS 30

struct slab_cache_list slab_caches = {
	.lock = SPINLOCK_INIT("slab caches"),
	.caches = {&slab_caches.caches, &slab_caches.caches},
};
/* Woken when a cache has lost its last user, and when tuning ends. */
static struct os_wait_queue changed = {
	.lock = SPINLOCK_INIT("slab cache changed"),
	.waiters = {&changed.waiters, &changed.waiters},
};

/* --- The list, and who keeps whom --------------------------------------------------------------------- */

static struct kmem_cache *find_locked(const char *name)
{
	struct kmem_cache *cache;

	ASSERT(spin_is_held(&slab_caches.lock));
	list_for_each_entry(cache, &slab_caches.caches, link) {
		/* With the NUL. */
		if (strncmp(cache->name, name, SLAB_NAME_BYTES) == 0)
			return cache;
	}
	return NULL;
}

/* True: that was the last of one that is going. */
static bool let_go_locked(struct kmem_cache *cache)
{
	ASSERT_MSG(cache->nr_users > 0, "cache %s let go once too often", cache->name);
	return --cache->nr_users == 0 && cache->is_going;
}

struct kmem_cache *slab_cache_get(const char *name)
{
	struct kmem_cache *cache;

	spin_lock(&slab_caches.lock);
	cache = find_locked(name);
	if (cache && cache->is_going)
		cache = NULL;
	if (cache)
		cache->nr_users++;
	spin_unlock(&slab_caches.lock);
	return cache;
}

void slab_cache_put(struct kmem_cache *cache)
{
	bool wanted;

	spin_lock(&slab_caches.lock);
	wanted = let_go_locked(cache);
	spin_unlock(&slab_caches.lock);
	if (wanted)
		os_wake_all(&changed);
}

struct kmem_cache *slab_cache_next_with(struct kmem_cache *last,
					bool (*wants)(const struct kmem_cache *cache, int nid),
					int nid)
{
	struct kmem_cache *next = NULL;
	struct list_head *at;
	bool wanted;

	spin_lock(&slab_caches.lock);
	at = last ? last->link.next : slab_caches.caches.next;
	for (; !next && at != &slab_caches.caches; at = at->next) {
		struct kmem_cache *cache = list_entry(at, struct kmem_cache, link);

		if (!cache->is_going && (!wants || wants(cache, nid)))
			next = cache;
	}
	if (next)
		next->nr_users++;
	wanted = last && let_go_locked(last);
	spin_unlock(&slab_caches.lock);
	if (wanted)
		os_wake_all(&changed);
	return next;
}

struct kmem_cache *slab_cache_next(struct kmem_cache *last)
{
	return slab_cache_next_with(last, NULL, NUMA_NO_NODE);
}

bool slab_handful_next(struct slab_handful *handful, bool going_too)
{
	const struct slab_handful last = *handful;
	struct list_head *at;
	bool wanted = false;
	u64 objects = 0;

	handful->nr = 0;
	spin_lock(&slab_caches.lock);
	at = last.nr ? last.cache[last.nr - 1]->link.next : slab_caches.caches.next;
	for (; handful->nr < SLAB_HANDFUL && at != &slab_caches.caches; at = at->next) {
		struct kmem_cache *cache = list_entry(at, struct kmem_cache, link);

		if (!going_too && cache->is_going)
			continue;
		objects += load_relaxed(&cache->limit); /* relaxed: a hint */
		if (handful->nr > 0 && objects > SLAB_HANDFUL_OBJECTS)
			break;
		cache->nr_users++;
		handful->cache[handful->nr++] = cache;
	}
	for (u32 i = 0; i < last.nr; i++)
		wanted |= let_go_locked(last.cache[i]);
	spin_unlock(&slab_caches.lock);
	if (wanted)
		os_wake_all(&changed);
	return handful->nr > 0;
}

bool slab_list_join(struct kmem_cache *cache)
{
	bool is_new;

	spin_lock(&slab_caches.lock);
	is_new = !find_locked(cache->name);
	if (is_new) {
		list_add_tail(&cache->link, &slab_caches.caches);
		slab_caches.nr++;
	}
	spin_unlock(&slab_caches.lock);
	return is_new;
}

static bool has_no_user(void *arg)
{
	const struct kmem_cache *cache = arg;
	bool none;

	spin_lock(&slab_caches.lock);
	none = cache->nr_users == 0;
	spin_unlock(&slab_caches.lock);
	return none;
}

/* Off the list, if nobody is at it. */
static bool has_left(void *arg)
{
	struct kmem_cache *cache = arg;
	bool leaves;

	spin_lock(&slab_caches.lock);
	leaves = cache->nr_users == 0;
	if (leaves) {
		list_del(&cache->link);
		slab_caches.nr--;
	}
	spin_unlock(&slab_caches.lock);
	return leaves;
}

/* At boot there is nobody to wait for, and no waiting. */
static void wait_for_users(struct kmem_cache *cache, bool (*ready)(void *cache))
{
	if (ready(cache))
		return;
	for (u32 round = 1; !os_wait(&changed, ready, cache, WAIT_NS); round++) {
		os_log(OS_LOG_ERR, "slab", "cache %s cannot go: somebody is at it", cache->name);
		if (round == WAIT_ROUNDS)
			os_panic("slab: somebody has been at cache %s for %u s", cache->name,
				 WAIT_ROUNDS);
	}
}

bool slab_list_begin_to_go(struct kmem_cache *cache)
{
	bool is_first;

	spin_lock(&slab_caches.lock);
	is_first = !cache->is_going;
	cache->is_going = true;
	spin_unlock(&slab_caches.lock);
	if (is_first)
		wait_for_users(cache, has_no_user);
	return is_first;
}

void slab_list_leave(struct kmem_cache *cache)
{
	wait_for_users(cache, has_left);
}

void slab_list_stay(struct kmem_cache *cache)
{
	spin_lock(&slab_caches.lock);
	cache->is_going = false;
	spin_unlock(&slab_caches.lock);
}

/* --- Turns -------------------------------------------------------------------------------------------- */

bool slab_stacks_hold(struct kmem_cache *cache)
{
	bool mine;

	spin_lock(&slab_caches.lock);
	mine = !cache->is_tuning;
	cache->is_tuning = true;
	spin_unlock(&slab_caches.lock);
	return mine;
}

void slab_stacks_release(struct kmem_cache *cache)
{
	spin_lock(&slab_caches.lock);
	cache->is_tuning = false;
	spin_unlock(&slab_caches.lock);
	os_wake_all(&changed);
}

static bool has_turn(void *cache)
{
	return slab_stacks_hold(cache);
}

bool slab_list_take_turn(struct kmem_cache *cache)
{
	/* At boot there is nobody to wait for, and no waiting. */
	return has_turn(cache) || os_wait(&changed, has_turn, cache, WAIT_ROUNDS * WAIT_NS);
}
