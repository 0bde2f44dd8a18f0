/*
 * kswapd: a thread for each node that makes room before requests must do it themselves.
 *
 *	free pages of a zone
 *	     |  ~~~~~~~~~~~~ high    stops: there is room for a while
 *	     |      ^
 *	     |      | kswapd         between low and high nothing happens: that keeps it from being woken
 *	     |      |                for every page
 *	     |  ~~~~~~~~~~~~ low     a request that finds all its zones below enters the slow path, wakes it,
 *	     |                       and goes on with what is above min
 *	     |  ~~~~~~~~~~~~ min     requests reclaim themselves
 *	     |  ~~~~~~~~~~~~ min/2   and wait for kswapd before: what is left is for who frees memory
 *
 *	                 wanted: woken                      a zone above high
 *	  NONE -> ASLEEP ---------------> BALANCING --------------------------> ASLEEP
 *	            ^                        | 16 rounds over everything, no page freed
 *	            |                        v
 *	            +--------------------- HOPELESS   it is not woken any more
 *	              there are more free pages, the LRU grew, writes have ended, a request freed something, or
 *	              one of a larger class asks, for which there are other zones
 *
 * What it is for is said by class: a request for DMA that finds no page there is not served by room in NORMAL.
 * So each class has a byte in `wanted`: an order plus 1, or 0. Balanced for a class is a node that has one zone of
 * it above its high mark, less what the zone keeps from that class, with a block of the order. One is
 * enough: requests take from whichever has room. (Demanding all of them would have it go through all
 * of the node's pages for the few that lie in DMA.)
 *
 * A block: pages freed by age make one only by chance. Two blocks' worth of pages are freed for it, or four rounds
 * have brought nothing; then single pages will do. Costly orders ask for none here: mm/target.c.
 *
 * A round is one descent from priority 12 to 0. Rounds that bring no pages are a moment apart, since
 * what is busy now may not be then.
 *
 * Lock: none but the queues' own. `state` and `wanted` are words; a wake sets `wanted` first.
 *
 * Source: Linux mm/vmscan.c, balance_pgdat(), for the rules.
 */
#include "reclaim.h"

#include <arch/cpu.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/format.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "lru.h"
#include "vmstat.h"
#include "watermark.h"

#define FRUITLESS_GAP_NS 10000000ull
/* After so many rounds for a block that brought nothing single pages will do. */
#define MAX_BLOCK_ROUNDS (MAX_FRUITLESS_ROUNDS / 4)
/* So many free pages more are a reason to try again. */
#define HOPEFUL_PAGES RECLAIM_BATCH_PAGES

_Static_assert(MAX_NR_ZONES <= sizeof(u32), "a byte of `wanted` for each class");

const char *kswapd_state_name(enum kswapd_state state)
{
	static const char *const names[NR_KSWAPD_STATES] = {"none", "asleep", "balancing",
							    "hopeless"};

	return (u32)state < NR_KSWAPD_STATES ? names[state] : "?";
}

static struct reclaim_node *reclaim_of(int nid)
{
	return &NODE_DATA(nid)->reclaim;
}

/* Acquire: what was done before it was said. */
static enum kswapd_state state_of(const struct reclaim_node *reclaim)
{
	return (enum kswapd_state)load_acquire(&reclaim->state);
}

/* --- What is wanted ------------------------------------------------------------------------------- */

/* Has one zone of the class so much above the mark? A node without any has nothing to balance. */
static bool node_is_above(int nid, enum zone_watermark mark, unsigned int order,
			  enum zone_type request_class)
{
	bool any = false;

	for (u32 type = 0; type <= (u32)request_class; type++) {
		const struct zone *zone = &NODE_DATA(nid)->zones[type];

		if (zone->managed_pages == 0)
			continue;
		any = true;
		/* Relaxed: old or new, either will do. */
		if (zone_watermark_ok(zone, order, load_relaxed(&zone->watermark[mark]),
				      request_class, 0))
			return true;
	}
	return !any;
}

/* Relaxed: a hint. */
static u64 free_pages_of(int nid, enum zone_type request_class)
{
	u64 free = 0;

	for (u32 type = 0; type <= (u32)request_class; type++)
		free += load_relaxed(&NODE_DATA(nid)->zones[type].nr_free_pages);
	return free;
}

static u32 wanted_order(u32 wanted, u32 class)
{
	return wanted >> 8 * class & 0xff;
}

/*
 * The larger of both orders, for this class. False: no more than was wanted already, and who wanted that wakes.
 * Relaxed: the queue's lock orders it, which the waker takes next, and the thread before it looks.
 */
static bool want(struct reclaim_node *reclaim, unsigned int order, enum zone_type request_class)
{
	u32 old = load_relaxed(&reclaim->wanted), value = order + 1;

	/* Ends: each time round another has wanted more. */
	while (wanted_order(old, request_class) < value) {
		u32 others = old & ~(0xffu << 8 * request_class);

		if (__atomic_compare_exchange_n(&reclaim->wanted, &old,
						others | value << 8 * request_class, true,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* --- Hope ------------------------------------------------------------------------------------------- */

/* On all nodes. Relaxed: a hint. */
static u64 writes_ended(void)
{
	u64 ended = 0;
	int nid;

	for_each_node_mask(nid, node_memory_mask())
		ended += load_relaxed(&NODE_DATA(nid)->lru.nr_written);
	return ended;
}

/*
 * Seldom true, and cheap, as every request that wakes somebody asks it, in interrupts, too: some words without a lock.
 * So it is not frees that are counted: who asks for a page and gives it back again and again changes nothing. A write of
 * another node is hope for dirty pages: the device is one, and may have been too full for theirs.
 * Relaxed, all: hints; who misses a change asks again.
 */
static bool has_changed_since(int nid)
{
	const struct reclaim_node *reclaim = reclaim_of(nid);

	return lru_reclaimable_pages(nid, ZONE_NORMAL) > load_relaxed(&reclaim->reclaimable_then) ||
	       load_relaxed(&NODE_DATA(nid)->lru.nr_written) !=
		       load_relaxed(&reclaim->written_then) ||
	       ((s64)load_relaxed(&NODE_DATA(nid)->lru.nr_dirty) > 0 &&
		writes_ended() != load_relaxed(&reclaim->all_written_then)) ||
	       free_pages_of(nid, ZONE_NORMAL) >= load_relaxed(&reclaim->free_then) + HOPEFUL_PAGES;
}

static void remember_how_it_was(int nid)
{
	struct reclaim_node *reclaim = reclaim_of(nid);

	store_relaxed(&reclaim->reclaimable_then, lru_reclaimable_pages(nid, ZONE_NORMAL));
	store_relaxed(&reclaim->written_then, load_relaxed(&NODE_DATA(nid)->lru.nr_written));
	store_relaxed(&reclaim->all_written_then, writes_ended());
	store_relaxed(&reclaim->free_then, free_pages_of(nid, ZONE_NORMAL));
}

/* Acquire and release: of several who bring hope one does it. What was wanted meanwhile is wanted still. */
void kswapd_has_hope(int nid)
{
	struct reclaim_node *reclaim = reclaim_of(nid);
	u32 hopeless = KSWAPD_HOPELESS;

	if (load_relaxed(&reclaim->state) != KSWAPD_HOPELESS ||
	    !__atomic_compare_exchange_n(&reclaim->state, &hopeless, KSWAPD_ASLEEP, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	os_wake_all(&reclaim->kswapd);
}

/* --- Waking ----------------------------------------------------------------------------------------- */

void wake_kswapd(int nid, unsigned int order, enum zone_type request_class)
{
	struct reclaim_node *reclaim = reclaim_of(nid);
	enum kswapd_state state = state_of(reclaim);

	if (state == KSWAPD_NONE)
		return;
	if (state == KSWAPD_HOPELESS) {
		/* Relaxed: the state, acquired, came after it. A larger class may have what this one lacks. */
		if ((u32)request_class < load_relaxed(&reclaim->hopeless_below) &&
		    !has_changed_since(nid))
			return;
		kswapd_has_hope(nid);
	}
	if (want(reclaim, order, request_class))
		os_wake_all(&reclaim->kswapd);
}

void wake_all_kswapds(const struct zonelist *zonelist, const struct node_permit *permit,
		      unsigned int order, enum zone_type request_class)
{
	int done = NUMA_NO_NODE;

	if (order > PAGE_ALLOC_COSTLY_ORDER)
		order = 0;
	for (u32 i = 0; i < zonelist->nr; i++) {
		int nid = zonelist->ref[i].zone->nid;

		/* A node's zones stand together. */
		if (nid == done || !permit_allows(permit, nid))
			continue;
		done = nid;
		if (!node_is_above(nid, WMARK_LOW, order, request_class))
			wake_kswapd(nid, order, request_class);
	}
}

/* Relaxed: a hint. */
bool zone_has_reclaimable(const struct pglist_data *node, u32 type)
{
	return load_relaxed(&node->lru.nr_zone[type][LRU_INACTIVE]) +
		       load_relaxed(&node->lru.nr_zone[type][LRU_ACTIVE]) >
	       0;
}

/* --- The thread ------------------------------------------------------------------------------------- */

/* Pages that bring the zone nearest to its high mark above it: a batch at least. */
static u64 pages_missing(int nid, enum zone_type request_class)
{
	u64 least = ~(u64)0;

	for (u32 type = 0; type <= (u32)request_class; type++) {
		const struct zone *zone = &NODE_DATA(nid)->zones[type];
		/* Relaxed, all: hints. */
		u64 mark = load_relaxed(&zone->watermark[WMARK_HIGH]) +
			   load_relaxed(&zone->lowmem_reserve[request_class]);
		u64 free = load_relaxed(&zone->nr_free_pages);

		if (zone_has_reclaimable(NODE_DATA(nid), type))
			least = MIN(least, mark >= free ? mark - free + 1 : 0);
	}
	return least == ~(u64)0 ? RECLAIM_BATCH_PAGES : MAX(least, (u64)RECLAIM_BATCH_PAGES);
}

static bool shall_stop(const struct reclaim_node *reclaim)
{
	return load_acquire(&reclaim->stop);
}

/* What one class wants of the node, and how far it has come. */
struct balancing {
	int nid;
	enum zone_type request_class;
	unsigned int order;
	u64 reclaimed;
	u64 most_free; /* after a round that brought something */
};

/*
 * Two blocks' worth of pages have not made a block: more would not, either. And where there is nothing to be had for a
 * block, there may be enough single pages: no reason to give up on them. Relaxed: the thread's own.
 */
static bool is_balanced(struct balancing *b)
{
	if (b->order > 0 && (b->reclaimed >= (u64)2 << b->order ||
			     load_relaxed(&reclaim_of(b->nid)->fruitless) >= MAX_BLOCK_ROUNDS))
		b->order = 0;
	return node_is_above(b->nid, WMARK_HIGH, b->order, b->request_class);
}

/*
 * From priority 12 to 0, staying where it gets all it wants. Ends early if the node is balanced. Has it brought
 * pages? Objects that caches have freed are none: a cache may free them for ever, and not a page with
 * them. So where nothing but objects was freed, the free pages must have become more than ever since this
 * class's turn began; that ends, whatever others take and give back meanwhile.
 */
static bool one_round(struct balancing *b)
{
	struct reclaim_node *reclaim = reclaim_of(b->nid);
	u32 priority = RECLAIM_PRIORITY;
	bool may_wait = true; /* for writes: until one wait was in vain */
	u64 before = b->reclaimed, shrunk = 0, free;

	for (;;) {
		struct reclaim_request request = {
			.who = RECLAIM_KSWAPD,
			.request_class = b->request_class,
			.order = b->order,
			.nr_to_reclaim = pages_missing(b->nid, b->request_class),
			.scope = {.may_write = true},
			.may_block = true,
		};
		struct reclaim_progress progress = {0};

		reclaim_node(b->nid, &request, priority, &progress);
		shrunk += progress.shrunk;
		b->reclaimed += progress.reclaimed;
		os_wake_all(&reclaim->throttle);
		if (is_balanced(b) || shall_stop(reclaim))
			break;
		if (progress.reclaimed >= request.nr_to_reclaim)
			continue;
		if (priority-- == 0)
			break;
		if (may_wait && progress.reclaimed + progress.shrunk == 0 && progress.writing > 0)
			may_wait = lru_wait_writeback(b->nid, WRITEBACK_WAIT_NS);
	}
	free = free_pages_of(b->nid, b->request_class);
	if (b->reclaimed == before && (shrunk == 0 || free <= b->most_free))
		return false;
	b->most_free = MAX(b->most_free, free);
	return true;
}

static bool stop_asked(void *arg)
{
	return shall_stop(arg);
}

/* True: the class has what it wants. False: no hope, or it shall stop. */
static bool balance_class(struct balancing *b)
{
	struct reclaim_node *reclaim = reclaim_of(b->nid);

	while (!is_balanced(b)) {
		bool progress;

		/* Relaxed: for people, and for check; the thread's own while it is not hopeless. */
		if (load_relaxed(&reclaim->fruitless) >= MAX_FRUITLESS_ROUNDS ||
		    shall_stop(reclaim))
			return false;
		progress = one_round(b);
		store_relaxed(&reclaim->fruitless, progress ? 0 : reclaim->fruitless + 1);
		if (!progress)
			os_wait(&reclaim->kswapd, stop_asked, reclaim, FRUITLESS_GAP_NS);
	}
	return true;
}

/* Hopeless for classes below that number: 0, for none. */
static void say_asleep(int nid, u32 hopeless, u64 reclaimed)
{
	struct reclaim_node *reclaim = reclaim_of(nid);
	enum kswapd_state state = hopeless ? KSWAPD_HOPELESS : KSWAPD_ASLEEP;

	if (hopeless) {
		remember_how_it_was(nid);
		store_relaxed(&reclaim->hopeless_below, hopeless);
		/* Of the class that it gave up; a smaller one may have had what it wanted after that. */
		store_relaxed(&reclaim->fruitless, MAX_FRUITLESS_ROUNDS);
		/* Release, both: the wake that ends. Written by this thread alone. */
		store_release(&reclaim->gave_up, reclaim->gave_up + 1);
	} else {
		store_release(&reclaim->balanced, reclaim->balanced + 1);
	}
	/* Release: the above. */
	store_release(&reclaim->state, state);
	os_wake_all(&reclaim->throttle);
	trace(TRACE_KSWAPD_SLEEP, .nid = (u16)nid, .id = state, .arg = reclaimed);
}

/*
 * Everything that was wanted when it woke, the largest class first: what that frees is mostly of use to the others,
 * and a scarce zone where nothing can be had keeps nobody else waiting. Each class has all rounds before it.
 */
static void balance(int nid)
{
	struct reclaim_node *reclaim = reclaim_of(nid);
	u32 wanted, hopeless = 0; /* the largest class that is, plus 1 */
	u64 reclaimed = 0;

	store_relaxed(&reclaim->wakes, reclaim->wakes + 1);
	store_release(&reclaim->state, KSWAPD_BALANCING);
	/* Release: who sees that nothing is wanted any more sees that it is at it. Who wants more: as in want(). */
	wanted = __atomic_exchange_n(&reclaim->wanted, 0, __ATOMIC_RELEASE);
	vmstat_count(VMSTAT_PAGEOUTRUN);
	trace(TRACE_KSWAPD_WAKE, .nid = (u16)nid, .arg = wanted);
	for (u32 class = MAX_NR_ZONES; class -- > 0;) {
		struct balancing b = {.nid = nid, .request_class = (enum zone_type) class};

		if (!wanted_order(wanted, class))
			continue;
		b.order = wanted_order(wanted, class) - 1;
		b.most_free = free_pages_of(nid, b.request_class);
		store_relaxed(&reclaim->fruitless, 0);
		if (!balance_class(&b))
			hopeless = MAX(hopeless, class + 1);
		reclaimed += b.reclaimed;
	}
	say_asleep(nid, shall_stop(reclaim) ? 0 : hopeless, reclaimed);
}

static bool has_work(void *arg)
{
	const struct reclaim_node *reclaim = arg;

	/* Relaxed: under the queue's lock since, see want(). */
	return shall_stop(reclaim) ||
	       (load_relaxed(&reclaim->wanted) && state_of(reclaim) != KSWAPD_HOPELESS);
}

static void kswapd(void *arg)
{
	struct pglist_data *node = arg;
	struct reclaim_node *reclaim = &node->reclaim;
	u32 saved = memalloc_noreclaim_save();

	store_relaxed(&os_current()->flags, os_current()->flags | PF_KSWAPD);
	for (;;) {
		os_wait(&reclaim->kswapd, has_work, reclaim, OS_WAIT_FOREVER);
		if (shall_stop(reclaim))
			break;
		balance(node->nid);
	}
	memalloc_noreclaim_restore(saved);
}

/* --- Its life --------------------------------------------------------------------------------------- */

static void nothing(void *arg)
{
	(void)arg;
}

/* The nearest CPU that is there; of equally near ones the first. */
static u32 nearest_cpu(int nid)
{
	const struct numa_topology *topology = numa_topology();
	u32 best = smp_processor_id();

	for (u32 cpu = 0; cpu < MIN(topology->nr_cpus, (u32)MAX_CPUS); cpu++) {
		int distance = numa_distance(nid, cpu_to_node(cpu));

		if (distance < numa_distance(nid, cpu_to_node(best)) &&
		    os_run_on_cpu(cpu, nothing, NULL) == 0)
			best = cpu;
	}
	return best;
}

int kswapd_start(void)
{
	int nid, err = 0;

	for_each_node_mask(nid, node_memory_mask()) {
		struct reclaim_node *reclaim = reclaim_of(nid);

		if (reclaim->thread)
			continue;
		snprintf(reclaim->name, sizeof(reclaim->name), "kswapd/%d", nid);
		store_relaxed(&reclaim->stop, false);
		/* What came too late for the last one. Relaxed: nobody asks before there is a state. */
		store_relaxed(&reclaim->wanted, 0);
		/* Before the thread, which writes it from then on. Release: the queue is there. */
		store_release(&reclaim->state, KSWAPD_ASLEEP);
		reclaim->thread =
			os_thread_start(reclaim->name, nearest_cpu(nid), kswapd, NODE_DATA(nid));
		if (!reclaim->thread) {
			store_release(&reclaim->state, KSWAPD_NONE);
			os_log(OS_LOG_ERR, "mm", "no memory for kswapd of node %d", nid);
			err = -ENOMEM;
		}
	}
	return err;
}

void kswapd_stop(void)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		struct reclaim_node *reclaim = reclaim_of(nid);

		if (!reclaim->thread)
			continue;
		/* Release: pairs with shall_stop(). */
		store_release(&reclaim->stop, true);
		os_wake_all(&reclaim->kswapd);
		os_thread_join(reclaim->thread);
		reclaim->thread = NULL;
		store_relaxed(&reclaim->wanted, 0);
		store_relaxed(&reclaim->fruitless, 0);
		store_release(&reclaim->state, KSWAPD_NONE);
		os_wake_all(&reclaim->throttle);
	}
}
