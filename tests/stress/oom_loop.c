/*
 * Out of memory over and over.
 *
 *	thread of CPU 0          thread of CPU 1          thread of CPU 2
 *	registers as a victim    registers                registers
 *	page, page, page ...     page, page ...           page, page ...
 *	   : no more: out_of_memory() ---- told to end ----> gives all its pages back
 *	   :   <------------------------------------------- unregisters
 *	page, page ...           page ...                 registers anew
 *
 * Each round of a thread ends when it is told to, or when a request of its own fails, and then the next begins.
 * Who is told is the one with most pages, which may be the one that asks.
 */
#include "oom_loop.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/check.h>
#include <mm/oom.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "gate.h"
#include "pages_back.h"

#define ULL(x) ((unsigned long long)(x))

struct loop {
	u32 wanted;
	u32 kills; /* atomic */
	struct gate gate;
};

/* A thread. Its own, but for what is said to be atomic. */
struct member {
	struct loop *loop;
	struct os_thread *thread;
	struct oom_victim victim;
	struct page *pages; /* chained by the first word of their arms */
	u64 nr;             /* atomic: how many */
	bool told;          /* atomic */
	u64 rounds, got, failed;
	u64 failed_chosen; /* of them: as it was to end itself */
};

static struct member members[MAX_CPUS];

static u64 badness(struct oom_victim *victim, nodemask_t nodes)
{
	(void)nodes;
	/* Relaxed: a figure. */
	return load_relaxed(&container_of(victim, struct member, victim)->nr);
}

static void tell(struct oom_victim *victim)
{
	struct member *m = container_of(victim, struct member, victim);

	/* Relaxed: a figure. Release: with what the killer has done before. */
	__atomic_fetch_add(&m->loop->kills, 1, __ATOMIC_RELAXED);
	store_release(&m->told, true);
}

static bool is_over(const struct loop *loop)
{
	return load_relaxed(&loop->kills) >= loop->wanted; /* relaxed: soon is enough */
}

static void take(struct member *m)
{
	while (!load_acquire(&m->told) && !is_over(m->loop)) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0);

		if (!page) {
			m->failed++;
			/* Relaxed: its own mark. */
			m->failed_chosen += load_relaxed(&os_current()->oom_victim);
			return;
		}
		page->arm_words[0] = (u64)(uintptr_t)m->pages;
		m->pages = page;
		store_relaxed(&m->nr, m->nr + 1);
		m->got++;
	}
}

static void give_back(struct member *m)
{
	while (m->pages) {
		struct page *page = m->pages;

		m->pages = (struct page *)(uintptr_t)page->arm_words[0];
		__free_pages(page, 0);
	}
	store_relaxed(&m->nr, 0);
}

static void live(void *arg)
{
	struct member *m = arg;

	if (!gate_pass(&m->loop->gate))
		return;
	m->victim.task = os_current();
	while (!is_over(m->loop)) {
		store_relaxed(&m->told, false);
		oom_victim_register(&m->victim);
		take(m);
		give_back(m);
		oom_victim_unregister(&m->victim);
		m->rounds++;
	}
}

static void run(struct ktest *t, struct loop *loop, u64 cpus)
{
	u64 got = 0, failed = 0, chosen = 0, rounds = 0;
	u32 nr = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		members[cpu] = (struct member){
			.loop = loop,
			.victim = {.name = "oom loop", .badness = badness, .kill = tell},
		};
		if (!(cpu < 64 && cpus >> cpu & 1))
			continue;
		members[cpu].thread = os_thread_start("oom loop", cpu, live, &members[cpu]);
		nr += EXPECT(t, members[cpu].thread != NULL);
	}
	EXPECT(t, gate_await(&loop->gate, nr));
	gate_open(&loop->gate);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!members[cpu].thread)
			continue;
		os_thread_join(members[cpu].thread);
		got += members[cpu].got;
		failed += members[cpu].failed;
		chosen += members[cpu].failed_chosen;
		rounds += members[cpu].rounds;
	}
	EXPECT_EQ(t, gate_nr_late(&loop->gate), 0);
	ktest_note(t, "%u threads, %llu rounds, %u told to end, %llu pages", nr, ULL(rounds),
		   loop->kills, ULL(got));
	ktest_note(t, "%llu requests failed, %llu of them of who was to end", ULL(failed),
		   ULL(chosen));
}

void oom_loop_case(struct ktest *t, const struct oom_loop_plan *plan, void (*settle)(void))
{
	struct loop loop = {.wanted = plan->kills};
	u64 killed = vmstat_read(VMSTAT_OOM_KILL), late = vmstat_read(VMSTAT_OOM_PASSED_OVER);
	struct check_report report;

	gate_init(&loop.gate);
	if (settle)
		settle();
	pages_before();
	run(t, &loop, plan->cpus);
	if (settle)
		settle();
	pages_after();
	EXPECT(t, loop.kills >= plan->kills);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL) - killed, loop.kills);
	ktest_note(t, "%llu did not end within their second",
		   ULL(vmstat_read(VMSTAT_OOM_PASSED_OVER) - late));
	expect_counts_as_before(t);
	expect_blocks_as_before(t);
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}
