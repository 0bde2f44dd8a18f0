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
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/panic.h>
#include <x86/trap.h>

#include "pcp_step.h"

#define TAG      0x7a6b5c4d3e2f1a0bull
#define TAG_WORD 6 /* of struct page: free blocks use the first two */

struct stage stage;

/* By function, whether the instruction at an offset was reached. */
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

void stage_bad(const char *fmt, ...)
{
	va_list args;

	if (stage.bad[0])
		return;
	va_start(args, fmt);
	vsnprintf(stage.bad, sizeof(stage.bad), fmt, args);
	va_end(args);
}

const char *stage_visited(u32 i, const u8 **seen)
{
	if (i >= ARRAY_SIZE(visited))
		return NULL;
	*seen = visited[i].seen;
	return visited[i].name;
}

/* --- Blocks that somebody has ----------------------------------------------------------------- */

static u64 *edge_word(struct page *page, unsigned int order, bool last)
{
	u64 words = (PAGE_SIZE << order) / sizeof(u64);

	return (u64 *)page_address(page) + (last ? words - 1 : 0);
}

struct page *stage_mark(struct page *page, unsigned int order)
{
	if (!page)
		return NULL;
	if (page->arm_words[TAG_WORD] == TAG)
		stage_bad("pfn 0x%llx was handed out twice", (unsigned long long)page_to_pfn(page));
	page->arm_words[TAG_WORD] = TAG;
	*edge_word(page, order, false) = page_to_pfn(page);
	*edge_word(page, order, true) = ~page_to_pfn(page);
	return page;
}

struct page *stage_unmark(struct page *page, unsigned int order)
{
	if (page->arm_words[TAG_WORD] != TAG ||
	    *edge_word(page, order, false) != page_to_pfn(page) ||
	    *edge_word(page, order, true) != ~page_to_pfn(page))
		stage_bad("pfn 0x%llx has changed while it was held",
			  (unsigned long long)page_to_pfn(page));
	page->arm_words[TAG_WORD] = 0;
	return page;
}

struct page *stage_take(void)
{
	return stage_mark(alloc_pages_node(stage.nid, GFP, stage.beside), stage.beside);
}

void stage_give(struct page *page)
{
	if (page)
		__free_pages(stage_unmark(page, stage.beside), stage.beside);
}

void stage_give_pool(void)
{
	while (stage.nr_pool > 0)
		stage_give(stage.pool[--stage.nr_pool]);
}

void stage_fill_pool(void)
{
	struct page *page;

	while (stage.nr_pool < MAX_POOL && (page = stage_take()) != NULL)
		stage.pool[stage.nr_pool++] = page;
}

/* --- Looking ------------------------------------------------------------------------------------ */

u64 stage_event(enum zone_event what)
{
	return load_relaxed(&stage.zone->events[what]);
}

u64 stage_zone_pages(void)
{
	struct zone_snapshot z;

	zone_snapshot(stage.zone->nid, stage.zone->type, &z);
	return z.free_pages + z.pcp_pages;
}

static u32 walk_hot(const struct pcp_list *list)
{
	const struct page *page = list->hot;
	u32 nr = 0;

	for (; page && nr <= list->capacity; page = page->pcp_next, nr++) {
		if (page->head != list->head)
			stage_bad("pfn 0x%llx on the list has head 0x%x",
				  (unsigned long long)page_to_pfn(page), page->head);
	}
	return nr;
}

static void look(void)
{
	u64 block = (u64)1 << stage.order, gone = stage.all_pages;

	if (!pcp_own(stage.list))
		return; /* what it has now is the owner's to know */
	if (walk_hot(stage.list) != stage.list->nr_hot)
		stage_bad("the list is not as long as it says");
	pcp_disown(stage.list);
	/* At most one block is on its way between the stepped code and the lists. */
	gone -= stage_zone_pages();
	for (u32 i = 0; i < stage.nr_pool; i++)
		gone -= page_zone(stage.pool[i]) == stage.zone ? (u64)1 << stage.beside : 0;
	if (gone != 0 && gone != block)
		stage_bad("%llu pages are nowhere", (unsigned long long)gone);
}

/* --- Holding ------------------------------------------------------------------------------------ */

static void begin_hold(void)
{
	if (!pcp_own(stage.list))
		return;
	stage.f.held++;
	stage.holds = true;
	stage.out = stage.list->hot ? stage_mark(pcp_pop(stage.list), stage.beside) : NULL;
	stage.kept = *stage.list;
}

static void still_holds(void)
{
	if (stage.list->busy != 1)
		stage_bad("the list was disowned by who did not own it");
	else if (memcmp(stage.list, &stage.kept, sizeof(stage.kept)) != 0)
		stage_bad("the list was changed by who did not own it");
}

void stage_end_hold(void)
{
	if (!stage.holds)
		return;
	still_holds();
	if (stage.out)
		pcp_push(stage.list, stage_unmark(stage.out, stage.beside));
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
		stage_end_hold();
}

/* --- Between two instructions ------------------------------------------------------------------- */

static void act(enum plan plan)
{
	switch (plan) {
	case TAKE_AND_GIVE:
		stage_give(stage_take());
		break;
	case TAKE_THEN_GIVE:
		if (stage.nr_pool == MAX_POOL)
			stage_give_pool();
		else if ((stage.pool[stage.nr_pool] = stage_take()) != NULL)
			stage.nr_pool++;
		break;
	case GIVE_THEN_TAKE:
		if (stage.nr_pool == 0)
			stage_fill_pool();
		else
			stage_give(stage.pool[--stage.nr_pool]);
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
		stage_give(stage.pool[--stage.nr_pool]);
	if (stage.nr_pool < MAX_POOL && list->hot && above)
		stage.pool[stage.nr_pool++] = stage_take();
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

bool stage_between(const struct trap_frame *frame, void *arg)
{
	bool irqs_on = frame->rflags & RFLAGS_IF, locked = spin_is_held(&stage.zone->lock);
	bool quiet = stage.bad[0] == '\0';
	char where[64];

	(void)arg;
	note_visit(frame->rip);
	stage.step++;
	if (irqs_on && locked)
		stage_bad("the zone's lock is held with interrupts on");
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
