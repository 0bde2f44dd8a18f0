/*
 * Everybody at a small cache at once (lru_stress_cache.c), with a reclaimer in each thread.
 *
 *	thread      use, or fill       touches, pins, dirties, writes; keeps the reference on for a while
 *	            reclaim            isolates some from a list's tail, or one by its struct page; evicts or returns them
 *	            drop, end a write
 *	interrupt   use, drop, end a write
 *
 * In the end every slot is emptied, and each page must be back.
 */
#include "lru_stress.h"

#include <arch/cpu.h>
#include <base/random.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/lru.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "../../mm/lru.h"
#include "lru_stress_cache.h"
#include "pages_back.h"

#define MAX_WORKERS  (2 * MAX_CPUS)
#define RECLAIM_MOST 16u

static const char *const count_names[NR_COUNTS] = {
	"fills",   "reads",   "bad pages",  "drops",     "pins",
	"unpins",  "writes",  "write ends", "isolated",  "alone",
	"evicted", "refused", "interrupts", "irq drops", "irq write ends"};

static struct worker workers[MAX_WORKERS];
static struct worker irq_worker[MAX_CPUS]; /* an interrupt's: they do not nest */
static bool running;                       /* atomic: interrupts take part */
static u32 irqs_did;                       /* atomic: DID_* */

#define DID_DROP        1u
#define DID_END_WRITE   2u
#define DID_ALL         (DID_DROP | DID_END_WRITE)
#define MORE_OPERATIONS 100000u /* at most, until interrupts have done all they do */

/* ---- What threads do --------------------------------------------------------------------------- */

static void use(struct worker *w, u32 n)
{
	struct page *page = lsc_look_up(n), **kept = &w->kept[random_below(&w->random, MAX_KEPT)];

	if (!page) {
		lsc_fill(w, n);
		return;
	}
	lsc_read(w, page);
	mark_page_accessed(page);
	switch (random_below(&w->random, 8)) {
	case 0:
		w->count[PINS] += lru_pin_page(page);
		break;
	case 1:
	case 2:
		w->count[UNPINS] += lru_unpin_page(page);
		break;
	case 3:
		set_page_dirty(page);
		break;
	case 4:
		lsc_begin_write(w, page);
		break;
	case 5:
		if (*kept) {
			lsc_read(w, *kept);
			put_page(*kept);
		}
		*kept = page;
		return;
	default:
		break;
	}
	put_page(page);
}

/* An isolated page to where it belongs then. */
static void evict_or_return(struct worker *w, struct page *page)
{
	enum lru_outcome outcome = LRU_KEPT;

	/* In the kernel others have pages there as well. */
	if (lsc_is_mine(page))
		outcome = lru_test_clear_referenced(page) ? LRU_ACTIVATED : lsc_evict(w, page);
	switch (outcome) {
	case LRU_FREED:
		lru_free_frozen(page);
		break;
	case LRU_WRITING:
		lru_reclaim_when_written(page);
		lru_putback(page, LRU_INACTIVE, false);
		break;
	default:
		lru_putback(page, outcome == LRU_ACTIVATED ? LRU_ACTIVE : LRU_INACTIVE, false);
		break;
	}
}

static void reclaim(struct worker *w, int nid)
{
	u32 nr = 1 + random_below(&w->random, RECLAIM_MOST), scanned;
	bool age = lru_inactive_is_low(nid) || random_below(&w->random, 4) == 0;
	struct list_head pages;

	list_init(&pages);
	w->count[ISOLATED] += lru_isolate_tail(nid, age ? LRU_ACTIVE : LRU_INACTIVE, ZONE_NORMAL,
					       nr, &pages, &scanned);
	while (!list_empty(&pages)) {
		struct page *page = list_first_entry(&pages, struct page, lru_link);

		list_del(&page->lru_link);
		if (age)
			lru_putback(page,
				    lru_test_clear_referenced(page) ? LRU_ACTIVE : LRU_INACTIVE,
				    false);
		else
			evict_or_return(w, page);
	}
}

/* As targeted reclaim: what was there a moment ago may be nobody's page now, or another's. */
static void reclaim_one(struct worker *w, u32 n)
{
	struct page *page = lsc_glimpse(n);

	if (page && lru_isolate_page(page)) {
		w->count[ISOLATED_ALONE]++;
		evict_or_return(w, page);
	}
}

static void operate(struct worker *w)
{
	u32 n = random_below(&w->random, NR_SLOTS);
	int nid = (int)random_below(&w->random, numa_topology()->nr_nodes);
	struct lru_snapshot snapshot;

	switch (random_below(&w->random, 16)) {
	case 0:
		reclaim(w, nid);
		break;
	case 1:
		reclaim_one(w, n);
		break;
	case 2:
		w->count[DROPS] += lsc_drop(n);
		break;
	case 3:
		lsc_end_write(w, WRITE_ENDS);
		break;
	case 4:
		lru_snapshot(nid, &snapshot);
		break;
	default:
		use(w, n);
		break;
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (u32 i = 0; i < w->operations; i++)
		operate(w);
	/* One CPU may be through within a tick. Relaxed: soon is enough. */
	for (u32 i = 0; w->operations && i < MORE_OPERATIONS && load_relaxed(&irqs_did) != DID_ALL;
	     i++)
		operate(w);
	for (u32 i = 0; i < MAX_KEPT; i++) {
		if (w->kept[i])
			put_page(w->kept[i]);
	}
}

/* Interrupts allocate nothing here: only what may be there can be used, dropped or written. */
void lru_stress_interrupt(void)
{
	struct worker *w = &irq_worker[smp_processor_id()];
	struct page *page;
	bool dropped, ended;

	/* Acquire: with the workers' seeds. */
	if (!load_acquire(&running))
		return;
	w->count[IRQS]++;
	dropped = lsc_drop(random_below(&w->random, NR_SLOTS));
	ended = lsc_end_write(w, IRQ_WRITE_ENDS);
	w->count[IRQ_DROPS] += dropped;
	/* Relaxed: see work(). */
	__atomic_fetch_or(&irqs_did, (dropped ? DID_DROP : 0) | (ended ? DID_END_WRITE : 0),
			  __ATOMIC_RELAXED);
	page = lsc_look_up(random_below(&w->random, NR_SLOTS));
	if (!page)
		return;
	lsc_read(w, page);
	mark_page_accessed(page);
	put_page(page);
}

/* ---- The case ---------------------------------------------------------------------------------- */

static void set_up(const struct lru_stress_plan *plan, u32 operations)
{
	memset(workers, 0, sizeof(workers));
	memset(irq_worker, 0, sizeof(irq_worker));
	store_relaxed(&irqs_did, 0); /* relaxed: nobody is running */
	lsc_init();
	for (u32 i = 0; i < MAX_WORKERS; i++)
		workers[i] = (struct worker){.random = {plan->seed * MAX_WORKERS + i + 1},
					     .operations = operations};
	for (u32 i = 0; i < MAX_CPUS; i++)
		irq_worker[i].random.state = ~(plan->seed * MAX_CPUS + i);
}

static bool run_threads(const struct lru_stress_plan *plan)
{
	static struct os_thread *thread[MAX_WORKERS];
	u32 nr = 0;
	bool all = true;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (u32 i = 0; (plan->cpus >> cpu & 1) && i < plan->threads_per_cpu; i++) {
			thread[nr] = os_thread_start("lru stress", cpu, work, &workers[nr]);
			all = all && thread[nr];
			nr++;
		}
	}
	for (u32 i = 0; i < nr; i++) {
		if (thread[i])
			os_thread_join(thread[i]);
	}
	return all;
}

static bool run(const struct lru_stress_plan *plan, u32 operations)
{
	bool all;

	set_up(plan, operations);
	/* Release: pairs with an interrupt's look. */
	store_release(&running, true);
	plan->begin();
	all = run_threads(plan);
	store_release(&running, false);
	plan->end();
	while (lsc_end_write(&workers[0], WRITE_ENDS))
		;
	for (u32 n = 0; n < NR_SLOTS; n++)
		lsc_drop(n);
	if (plan->settle)
		plan->settle();
	return all;
}

static u64 counted(enum count which)
{
	u64 sum = 0;

	for (u32 i = 0; i < MAX_WORKERS; i++)
		sum += workers[i].count[which];
	for (u32 i = 0; i < MAX_CPUS; i++)
		sum += irq_worker[i].count[which];
	return sum;
}

static u64 pages_on_lrus(void)
{
	struct lru_snapshot s;
	u64 pages = 0;

	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		for (u32 list = 0; lru_snapshot(nid, &s) && list < NR_LRU_LISTS; list++)
			pages += s.pages[list];
	}
	return pages;
}

static void expect_that_it_happened(struct ktest *t, const u64 *events)
{
	for (u32 i = 0; i < NR_COUNTS; i++) {
		/* Two at one page at the same time is luck. */
		if (i != BAD && i != REFUSED)
			EXPECT_MSG(t, counted((enum count)i) > 0, "no %s", count_names[i]);
	}
	for (u32 i = VMSTAT_PGACTIVATE; i <= VMSTAT_WORKINGSET_REFAULT; i++)
		EXPECT_MSG(t, vmstat_read((enum vmstat_item)i) > events[i], "no %s",
			   vmstat_name((enum vmstat_item)i));
	EXPECT_EQ(t, counted(WRITES), counted(WRITE_ENDS) + counted(IRQ_WRITE_ENDS));
	EXPECT_EQ(t, counted(BAD), 0);
}

void lru_stress_case(struct ktest *t, const struct lru_stress_plan *plan)
{
	u64 events[NR_VMSTAT_ITEMS], pages;
	struct check_report report;

	/* Once without operations: what a kernel keeps of threads that have ended is kept by then. */
	ASSERT_TRUE(t, run(plan, 0));
	pages = pages_on_lrus();
	pages_before();
	for (u32 i = 0; i < NR_VMSTAT_ITEMS; i++)
		events[i] = vmstat_read((enum vmstat_item)i);
	EXPECT(t, run(plan, plan->operations));
	pages_after();
	ktest_note(t,
		   "seed %llu: %llu fills, %llu reads, %llu isolated, %llu alone, %llu evicted, "
		   "%llu refused, %llu writes, %llu interrupts",
		   (unsigned long long)plan->seed, (unsigned long long)counted(FILLS),
		   (unsigned long long)counted(READS), (unsigned long long)counted(ISOLATED),
		   (unsigned long long)counted(ISOLATED_ALONE),
		   (unsigned long long)counted(EVICTED), (unsigned long long)counted(REFUSED),
		   (unsigned long long)counted(WRITES), (unsigned long long)counted(IRQS));
	expect_that_it_happened(t, events);
	EXPECT_EQ(t, pages_on_lrus(), pages);
	expect_counts_as_before(t);
	pages_settle();
	EXPECT_MSG(t, mm_check(&report) && report.run > 0, "%s", report.first);
}
