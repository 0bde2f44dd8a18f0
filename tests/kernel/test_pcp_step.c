/*
 * The page allocator interrupted at every instruction.
 *
 * A request is stepped (<x86/single_step.h>), and before each of its instructions somebody else is
 * at the same lists of the same CPU: takes and gives blocks of the same order and zone, drains, looks,
 * or holds the list over some instructions, as a drainer on another CPU does:
 *
 *	alloc_pages_node    incl gs:12   lock or busy   mov hot   mov state   busy = 0   decl gs:12
 *	                 ^             ^              ^         ^           ^          ^
 *	                 +-------------+--------------+---------+-----------+----------+---- here
 *
 * Whoever interrupts finds the list owned (busy is 1) and goes to the zone, or not owned and may change
 * all of it. Afterwards each page is back and every invariant holds; meanwhile no block is handed
 * out twice: a word in its struct page says that somebody has it, and words in the block that its
 * content is left alone.
 *
 * With interrupts off in the stepped code no interrupt would come, but this exception does. It then
 * does only what an NMI might: the zone's lock, or one of the lock checker's words, may be in the midst
 * of changing, and its owner is who was interrupted, so nothing that could wait for it: the lists, if
 * they are free and have what is wanted, and else nothing. Each is counted. A zone's lock that is held
 * with interrupts on is a failure: an interrupt would wait for it for ever.
 *
 * Which instructions were reached is printed; tests/qemu/test_single_step.py compares them with the
 * disassembly of the hit paths.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/panic.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/page_alloc.h>
#include <x86/single_step.h>
#include <x86/trap.h>

#include "../../mm/pcp.h"

#define GFP       (GFP_ATOMIC | __GFP_NOWARN)
#define MAX_POOL  16
#define MAX_STACK 64 /* as in mm/pcp.c */
#define TAG       0x7a6b5c4d3e2f1a0bull
#define TAG_WORD  6  /* of struct page: free blocks use the first three */
#define PERIOD    16 /* HOLD: held for half of so many instructions */

/* What comes between the instructions. */
enum plan {
	TAKE_AND_GIVE,  /* a block, and back with it */
	TAKE_THEN_GIVE, /* one at each instruction until MAX_POOL are held, then all back at once */
	GIVE_THEN_TAKE, /* one back at each until none is held, then MAX_POOL at once */
	DRAIN,          /* all lists of all CPUs back to their zones */
	LOOK,           /* own, walk and count; nothing is changed */
	AT_RANDOM,      /* any of the above */
	HOLD,           /* owned for PERIOD / 2 instructions, less a block meanwhile */
	NR_PLANS
};

struct figures {
	u64 steps;
	u64 acted;       /* with interrupts on: free to do what any interrupt may */
	u64 owned;       /* of them while the stepped code owned the list */
	u64 irqs_off;    /* with interrupts off */
	u64 zone_locked; /* of them under the zone's lock */
	u64 hit_only;    /* of them when the list was free, and used */
	u64 held;        /* HOLD: times that the list was owned across instructions */
	u64 refused;     /* times that the stepped code found it so, and went to the zone */
};

static struct stage {
	int nid;
	unsigned int order;  /* of the stepped request */
	unsigned int beside; /* of those that come between: the same, or 0 if no list has it */
	struct zone *zone;
	struct pcp_list *list; /* of order `beside` */
	enum plan plan;
	u32 phase;
	u64 random;

	struct page *page; /* what the stepped code asks for, or gives */
	struct page *pool[MAX_POOL];
	u32 nr_pool;

	struct page *out;     /* HOLD: the block taken off the list */
	struct pcp_list kept; /* and the list as it must stay */
	bool holds;

	u64 step, all_pages; /* of the zone, free or held */
	struct figures f;
	char bad[160]; /* the first thing that was wrong */
} stage;

/* By function, whether the instruction at an offset was reached. */
#define MAX_FN_BYTES 768
static struct {
	const char *name;
	u64 start;
	u8 seen[MAX_FN_BYTES];
} visited[] = {
	{"alloc_pages_node", (u64)alloc_pages_node, {0}},
	{"alloc_pages", (u64)alloc_pages, {0}},
	{"get_free_pages", (u64)get_free_pages, {0}},
	{"__free_pages", (u64)__free_pages, {0}},
	{"free_pages", (u64)free_pages, {0}},
};

static void __printf_like(1, 2) bad(const char *fmt, ...)
{
	va_list args;

	if (stage.bad[0])
		return;
	va_start(args, fmt);
	vsnprintf(stage.bad, sizeof(stage.bad), fmt, args);
	va_end(args);
}

/* --- Blocks that somebody has ----------------------------------------------------------------- */

static u64 *edge_word(struct page *page, unsigned int order, bool last)
{
	u64 words = (PAGE_SIZE << order) / sizeof(u64);

	return (u64 *)page_address(page) + (last ? words - 1 : 0);
}

static struct page *taken(struct page *page, unsigned int order)
{
	if (!page)
		return NULL;
	if (page->arm_words[TAG_WORD] == TAG)
		bad("pfn 0x%llx was handed out twice", (unsigned long long)page_to_pfn(page));
	page->arm_words[TAG_WORD] = TAG;
	*edge_word(page, order, false) = page_to_pfn(page);
	*edge_word(page, order, true) = ~page_to_pfn(page);
	return page;
}

static struct page *to_be_given(struct page *page, unsigned int order)
{
	if (page->arm_words[TAG_WORD] != TAG ||
	    *edge_word(page, order, false) != page_to_pfn(page) ||
	    *edge_word(page, order, true) != ~page_to_pfn(page))
		bad("pfn 0x%llx has changed while it was held",
		    (unsigned long long)page_to_pfn(page));
	page->arm_words[TAG_WORD] = 0;
	return page;
}

static struct page *take(void)
{
	return taken(alloc_pages_node(stage.nid, GFP, stage.beside), stage.beside);
}

static void give(struct page *page)
{
	if (page)
		__free_pages(to_be_given(page, stage.beside), stage.beside);
}

static void give_pool(void)
{
	while (stage.nr_pool > 0)
		give(stage.pool[--stage.nr_pool]);
}

static void fill_pool(void)
{
	struct page *page;

	while (stage.nr_pool < MAX_POOL && (page = take()) != NULL)
		stage.pool[stage.nr_pool++] = page;
}

/* --- Looking ------------------------------------------------------------------------------------ */

static u64 event(enum zone_event what)
{
	return load_relaxed(&stage.zone->events[what]);
}

static u64 zone_pages(void)
{
	struct zone_snapshot z;

	zone_snapshot(stage.zone->nid, stage.zone->type, &z);
	return z.free_pages + z.pcp_pages;
}

static u32 walk(const struct page *page, const struct pcp_list *list, const char *stack)
{
	u32 nr = 0;

	for (; page && nr <= MAX_STACK; page = page->pcp_next, nr++) {
		if (page->head != list->head)
			bad("pfn 0x%llx on the %s stack has head 0x%x",
			    (unsigned long long)page_to_pfn(page), stack, page->head);
	}
	return nr;
}

/* Are the cold stacks as many and as long as the list says? */
static bool cold_is_whole(struct pcp_list *list)
{
	struct list_head *link = list->cold.next;
	u32 nr = 0;

	for (; link != &list->cold && nr <= list->max_cold; link = link->next, nr++) {
		if (walk(list_entry(link, struct page, pcp_stack), list, "cold") != list->capacity)
			return false;
	}
	return nr == list->nr_cold;
}

static void look(void)
{
	u64 block = (u64)1 << stage.order, gone = stage.all_pages;

	if (!pcp_own(stage.list))
		return; /* what it has now is the owner's to know */
	if (walk(stage.list->hot, stage.list, "hot") != stage.list->nr_hot ||
	    !cold_is_whole(stage.list))
		bad("the list is not as long as it says");
	pcp_disown(stage.list);
	/* At most one block is on its way between the stepped code and the lists. */
	gone -= zone_pages();
	for (u32 i = 0; i < stage.nr_pool; i++)
		gone -= page_zone(stage.pool[i]) == stage.zone ? (u64)1 << stage.beside : 0;
	if (gone != 0 && gone != block)
		bad("%llu pages are nowhere", (unsigned long long)gone);
}

/* --- Holding ------------------------------------------------------------------------------------ */

static void begin_hold(void)
{
	if (!pcp_own(stage.list))
		return;
	stage.f.held++;
	stage.holds = true;
	stage.out = stage.list->hot ? taken(pcp_pop(stage.list), stage.beside) : NULL;
	stage.kept = *stage.list;
}

static void still_holds(void)
{
	const struct pcp_list *now = stage.list, *kept = &stage.kept;

	if (now->busy != 1)
		bad("the list was disowned by who did not own it");
	if (now->hot != kept->hot || now->cold.next != kept->cold.next ||
	    now->nr_hot != kept->nr_hot || now->nr_cold != kept->nr_cold ||
	    now->nr_frees != kept->nr_frees || now->nr_from_zone != kept->nr_from_zone)
		bad("the list was changed by who did not own it");
}

static void end_hold(void)
{
	if (!stage.holds)
		return;
	still_holds();
	if (stage.out)
		pcp_push(stage.list, to_be_given(stage.out, stage.beside));
	stage.out = NULL;
	stage.holds = false;
	pcp_disown(stage.list);
}

static void hold(void)
{
	u64 at = (stage.step + stage.phase) % PERIOD;

	if (stage.holds)
		still_holds();
	if (at == 0)
		begin_hold();
	else if (at == PERIOD / 2)
		end_hold();
}

/* --- Between two instructions ------------------------------------------------------------------- */

static void act(enum plan plan)
{
	switch (plan) {
	case TAKE_AND_GIVE:
		give(take());
		break;
	case TAKE_THEN_GIVE:
		if (stage.nr_pool == MAX_POOL)
			give_pool();
		else if ((stage.pool[stage.nr_pool] = take()) != NULL)
			stage.nr_pool++;
		break;
	case GIVE_THEN_TAKE:
		if (stage.nr_pool == 0)
			fill_pool();
		else
			give(stage.pool[--stage.nr_pool]);
		break;
	case DRAIN:
		drain_all_pages();
		break;
	case LOOK:
		look();
		break;
	default:
		break;
	}
}

/* Interrupts are off, so only the lists, and only if nobody has them: as an NMI might. */
static void act_without_locks(void)
{
	struct pcp_list *list = stage.list;
	bool above = load_relaxed(&stage.zone->nr_free_pages) > stage.zone->fast_mark;

	if (load_relaxed(&list->busy))
		return;
	stage.f.hit_only++;
	if (stage.nr_pool > 0 && list->nr_hot < list->capacity)
		give(stage.pool[--stage.nr_pool]);
	if (stage.nr_pool < MAX_POOL && list->hot && above)
		stage.pool[stage.nr_pool++] = take();
}

static void note_visit(u64 rip)
{
	for (u32 i = 0; i < ARRAY_SIZE(visited); i++) {
		if (rip - visited[i].start < MAX_FN_BYTES)
			visited[i].seen[rip - visited[i].start] = 1;
	}
}

static enum plan plan_now(void)
{
	if (stage.plan != AT_RANDOM)
		return stage.plan;
	stage.random = stage.random * 6364136223846793005ull + 1442695040888963407ull;
	return (enum plan)((stage.random >> 40) % AT_RANDOM);
}

static bool between(const struct trap_frame *frame, void *arg)
{
	bool irqs_on = frame->rflags & RFLAGS_IF, locked = spin_is_held(&stage.zone->lock);
	bool quiet = stage.bad[0] == '\0';
	char where[64];

	(void)arg;
	note_visit(frame->rip);
	stage.step++;
	if (irqs_on && locked)
		bad("the zone's lock is held with interrupts on");
	if (stage.plan == HOLD) {
		hold();
	} else if (irqs_on) {
		stage.f.acted++;
		stage.f.owned += load_relaxed(&stage.list->busy);
		act(plan_now());
	} else {
		stage.f.irqs_off++;
		stage.f.zone_locked += locked;
		if (stage.plan != LOOK)
			act_without_locks();
	}
	if (quiet && stage.bad[0]) {
		size_t len = strlen(stage.bad);

		symbol_format(frame->rip, where, sizeof(where));
		snprintf(stage.bad + len, sizeof(stage.bad) - len, ", before %s", where);
	}
	/* What is wrong once goes wrong everywhere: the first place is the one to see. */
	return stage.bad[0] == '\0';
}

/* --- What is stepped ---------------------------------------------------------------------------- */

static void step_alloc_node(void *arg)
{
	(void)arg;
	stage.page = alloc_pages_node(stage.nid, GFP, stage.order);
}

static void step_alloc(void *arg)
{
	(void)arg;
	stage.page = alloc_pages(GFP, stage.order);
}

static void step_get(void *arg)
{
	void *addr = get_free_pages(GFP, stage.order);

	(void)arg;
	stage.page = addr ? virt_to_page(addr) : NULL;
}

static void step_free(void *arg)
{
	(void)arg;
	__free_pages(stage.page, stage.order);
}

static void step_free_addr(void *arg)
{
	(void)arg;
	free_pages(page_address(stage.page), stage.order);
}

/* --- What the lists are like before ------------------------------------------------------------- */

/* Nothing on them. */
static void lists_empty(void)
{
	drain_all_pages();
}

/* Some, and room for more. */
static void lists_half_full(void)
{
	drain_all_pages();
	give(take());
}

/*
 * A list of two stacks, to the brim. It may have more, but filling those each time takes long; so it is
 * made that short, until lists_as_they_were().
 */
static void lists_full(void)
{
	static struct page *block[2 * MAX_STACK];
	u32 nr = 0, want = 2u * stage.list->capacity;

	drain_all_pages();
	preempt_disable();
	if (pcp_own(stage.list)) {
		stage.list->max_cold = MIN(stage.list->max_cold, (u16)1);
		pcp_disown(stage.list);
	}
	preempt_enable();
	while (nr < want && (block[nr] = take()) != NULL)
		nr++;
	drain_all_pages();
	while (nr > 0)
		give(block[--nr]);
}

/* Closing empties them, opening gives them the room that the zone's size says. */
static void lists_as_they_were(void)
{
	pcp_close();
	pcp_open();
}

/* Are there lists, and is there memory enough for them to be used and filled? */
static bool lists_are_used(void)
{
	u64 room = (u64)NR_PCP_ORDERS * 4 * MAX_STACK << PCP_MAX_ORDER;

	return stage.list->capacity > 0 &&
	       stage.zone->nr_free_pages > stage.zone->fast_mark + room &&
	       stage.zone->nr_free_pages > stage.zone->watermark[WMARK_HIGH] + room;
}

/* --- A run -------------------------------------------------------------------------------------- */

struct request {
	void (*prepare)(void);
	void (*run)(void *arg);
	bool gives;
	u32 refills, flushes; /* that it makes when nobody disturbs it */
};

static void add_figures(struct figures *sum, const struct figures *f)
{
	sum->steps += f->steps;
	sum->acted += f->acted;
	sum->owned += f->owned;
	sum->irqs_off += f->irqs_off;
	sum->zone_locked += f->zone_locked;
	sum->hit_only += f->hit_only;
	sum->held += f->held;
	sum->refused += f->refused;
}

static void run_once(struct ktest *t, const struct request *request, struct figures *sum)
{
	u64 refills, flushes, pages = zone_pages();
	bool used = lists_are_used();

	stage.step = 0;
	stage.f = (struct figures){0};
	stage.bad[0] = '\0';
	stage.page = request->gives ? alloc_pages_node(stage.nid, GFP, stage.order) : NULL;
	request->prepare();
	if (stage.plan == GIVE_THEN_TAKE)
		fill_pool();
	stage.all_pages = pages;
	refills = event(PCP_REFILL);
	flushes = event(PCP_FLUSH);
	stage.f.refused = event(PCP_BUSY);

	if (!request->gives || stage.page) {
		stage.f.steps = single_step(request->run, NULL, between, NULL);
		end_hold();
		if (!request->gives && taken(stage.page, stage.order))
			__free_pages(to_be_given(stage.page, stage.order), stage.order);
	}
	stage.f.refused = event(PCP_BUSY) - stage.f.refused;
	if (stage.plan == LOOK && used) {
		/* Nothing was changed in between: the request is the one it was meant to be. */
		EXPECT_EQ(t, event(PCP_REFILL) - refills, request->refills);
		EXPECT_EQ(t, event(PCP_FLUSH) - flushes, request->flushes);
	}
	stage.page = NULL;
	give_pool();
	EXPECT_MSG(t, !stage.bad[0], "order %u, plan %u.%u: %s", stage.order, stage.plan,
		   stage.phase, stage.bad);
	EXPECT_EQ(t, zone_pages(), pages);
	add_figures(sum, &stage.f);
}

static void set_stage(struct ktest *t, unsigned int order)
{
	memset(&stage, 0, sizeof(stage));
	stage.nid = cpu_to_node(smp_processor_id());
	stage.zone = first_zone[stage.nid];
	stage.order = order;
	stage.beside = order <= PCP_MAX_ORDER ? order : 0;
	stage.random = t->seed + order;
	preempt_disable();
	stage.list = pcp_this_cpu(stage.zone, stage.beside);
	preempt_enable();
}

static void expect_clean(struct ktest *t)
{
	struct check_report report;

	drain_all_pages();
	if (memblock_ram_pages() <= GiB(8) >> PAGE_SHIFT)
		EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

/* All plans but HOLD, with blocks of the orders; then the figures. */
static void run_all(struct ktest *t, const struct request *request, unsigned int first_order,
		    unsigned int last_order, struct figures *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int order = first_order; order <= last_order; order++) {
		set_stage(t, order);
		for (u32 plan = 0; plan < HOLD; plan++) {
			stage.plan = (enum plan)plan;
			run_once(t, request, sum);
		}
	}
	ktest_note(t,
		   "%llu instructions; interrupts on at %llu, list owned at %llu of them; off at "
		   "%llu, zone locked at %llu of them, list used at %llu",
		   (unsigned long long)sum->steps, (unsigned long long)sum->acted,
		   (unsigned long long)sum->owned, (unsigned long long)sum->irqs_off,
		   (unsigned long long)sum->zone_locked, (unsigned long long)sum->hit_only);
	expect_clean(t);
	EXPECT_EQ(t, sum->acted + sum->irqs_off, sum->steps);
}

/* --- Cases -------------------------------------------------------------------------------------- */

static const struct request hit_alloc = {lists_half_full, step_alloc_node, false, 0, 0};
static const struct request hit_plain = {lists_half_full, step_alloc, false, 0, 0};
static const struct request hit_get = {lists_half_full, step_get, false, 0, 0};
static const struct request hit_free = {lists_half_full, step_free, true, 0, 0};
static const struct request hit_put = {lists_half_full, step_free_addr, true, 0, 0};
static const struct request refill_alloc = {lists_empty, step_alloc_node, false, 1, 0};
static const struct request refill_plain = {lists_empty, step_alloc, false, 1, 0};
static const struct request refill_get = {lists_empty, step_get, false, 1, 0};
static const struct request flush_free = {lists_full, step_free, true, 0, 1};
static const struct request flush_put = {lists_full, step_free_addr, true, 0, 1};
static const struct request zone_alloc = {lists_empty, step_alloc_node, false, 0, 0};
static const struct request zone_free = {lists_empty, step_free, true, 0, 0};

/* A hit: some dozens of instructions, interrupts on at each, some of them while it owns the list. */
static void run_hit(struct ktest *t, const struct request *request)
{
	struct figures sum;

	run_all(t, request, 0, PCP_MAX_ORDER, &sum);
	EXPECT(t, sum.steps > (u64)NR_PCP_ORDERS * HOLD * 10);
	EXPECT(t, sum.owned > (u64)NR_PCP_ORDERS * HOLD);
}

/* What goes to the zone: also interrupts off, and the lock held. */
static void run_miss(struct ktest *t, const struct request *request)
{
	struct figures sum;

	run_all(t, request, 0, PCP_MAX_ORDER, &sum);
	EXPECT(t, sum.owned > (u64)NR_PCP_ORDERS * HOLD * 10);
	if (lists_are_used()) {
		EXPECT(t, sum.irqs_off > (u64)NR_PCP_ORDERS * HOLD * 10);
		EXPECT(t, sum.zone_locked > (u64)NR_PCP_ORDERS * HOLD * 10);
	}
}

static void an_allocation_from_the_list(struct ktest *t)
{
	run_hit(t, &hit_alloc);
}

static void a_free_to_the_list(struct ktest *t)
{
	run_hit(t, &hit_free);
}

static void by_address(struct ktest *t)
{
	run_hit(t, &hit_get);
	run_hit(t, &hit_put);
}

static bool refused;

/* No block is that large: the way out with nothing, and a line in the log in between. */
static void step_get_nothing(void *arg)
{
	(void)arg;
	refused = get_free_pages(GFP, MAX_ORDER + 1) == NULL;
}

static void a_request_that_fails(struct ktest *t)
{
	static const struct request request = {lists_half_full, step_get_nothing, false, 0, 0};
	struct figures sum = {0};

	set_stage(t, 0);
	stage.plan = TAKE_AND_GIVE;
	run_once(t, &request, &sum);
	EXPECT(t, refused);
	EXPECT(t, sum.steps > 20);
	expect_clean(t);
}

static void near_this_cpu(struct ktest *t)
{
	run_hit(t, &hit_plain);
	run_miss(t, &refill_plain);
}

static void an_allocation_that_refills(struct ktest *t)
{
	run_miss(t, &refill_alloc);
	run_miss(t, &refill_get);
}

static void a_free_that_flushes(struct ktest *t)
{
	run_miss(t, &flush_free);
	run_miss(t, &flush_put);
	lists_as_they_were();
}

/*
 * Orders that no list has: the zone's lock is held while the lists of small blocks are free, and who
 * comes between with interrupts off uses those.
 */
static void past_the_lists(struct ktest *t)
{
	struct figures sum;

	run_all(t, &zone_alloc, PCP_MAX_ORDER + 1, PCP_MAX_ORDER + 2, &sum);
	EXPECT(t, sum.zone_locked > 2 * HOLD);
	EXPECT(t, sum.hit_only > 2 * HOLD);
	run_all(t, &zone_free, PCP_MAX_ORDER + 1, PCP_MAX_ORDER + 2, &sum);
	EXPECT(t, sum.zone_locked > 2 * HOLD);
	EXPECT(t, sum.hit_only > 2 * HOLD);
}

/*
 * A drainer of another CPU owns the list for some instructions; it begins before each of them once. The
 * stepped code leaves the list alone as long, and finds what it wants in the zone.
 */
static void what_another_owns_is_left_alone(struct ktest *t)
{
	static const struct request *const requests[] = {
		&hit_alloc, &hit_get, &hit_plain, &hit_free, &hit_put, &refill_alloc, &flush_free};
	struct figures sum = {0};

	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		for (unsigned int order = 0; order <= PCP_MAX_ORDER; order += PCP_MAX_ORDER) {
			set_stage(t, order);
			stage.plan = HOLD;
			for (stage.phase = 0; stage.phase < PERIOD; stage.phase++)
				run_once(t, requests[i], &sum);
		}
	}
	lists_as_they_were();
	ktest_note(t, "%llu instructions; list owned by another %llu times, found so %llu times",
		   (unsigned long long)sum.steps, (unsigned long long)sum.held,
		   (unsigned long long)sum.refused);
	expect_clean(t);
	EXPECT(t, sum.held > ARRAY_SIZE(requests) * PERIOD);
	EXPECT(t, sum.refused > ARRAY_SIZE(requests) * 2);
}

/* What the cases above have been to, as offsets, for who knows the disassembly. */
static void say_what_was_reached(struct ktest *t)
{
	for (u32 i = 0; i < ARRAY_SIZE(visited); i++) {
		char line[MAX_FN_BYTES / 2];
		size_t len = 0;
		u32 nr = 0;

		for (u32 at = 0; at < MAX_FN_BYTES; at++) {
			if (!visited[i].seen[at])
				continue;
			nr++;
			len += (size_t)snprintf(line + len, sizeof(line) - len, " %x", at);
			if (len > sizeof(line) - 8 || at == MAX_FN_BYTES - 1) {
				ktest_note(t, "%s:%s", visited[i].name, line);
				len = 0;
			}
		}
		if (len > 0)
			ktest_note(t, "%s:%s", visited[i].name, line);
		EXPECT(t, nr > 10);
	}
}

static const struct ktest_case cases[] = {
	KTEST(an_allocation_from_the_list),
	KTEST(a_free_to_the_list),
	KTEST(by_address),
	KTEST(a_request_that_fails),
	KTEST(near_this_cpu),
	KTEST(an_allocation_that_refills),
	KTEST(a_free_that_flushes),
	KTEST(past_the_lists),
	KTEST(what_another_owns_is_left_alone),
	KTEST(say_what_was_reached),
};
KTEST_SUITE(pcp_step, cases);
