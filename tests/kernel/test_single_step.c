/*
 * Single-stepping itself: each instruction once, nothing else, and the flags as they were. What it is
 * used for is tests/kernel/test_pcp_step.c.
 */
#include <arch/irq.h>
#include <arch/preempt.h>
#include <base/atomic.h>
#include <kernel/test.h>
#include <x86/cpu_area.h>
#include <x86/single_step.h>
#include <x86/time.h>
#include <x86/trap.h>

#define MAX_SEEN 32

/* What the handler has seen. */
struct seen {
	u64 rip[MAX_SEEN];
	u32 nr, stop_after;
	u32 not_as_an_interrupt; /* times it found itself in a wrong context */
	u32 irqs_on, irqs_off;   /* of the stepped code */
};

static bool look(const struct trap_frame *frame, void *arg)
{
	struct seen *seen = arg;

	if (seen->nr < MAX_SEEN)
		seen->rip[seen->nr] = frame->rip;
	seen->nr++;
	seen->not_as_an_interrupt += !irqs_disabled() || !in_interrupt() || preemptible();
	if (frame->rflags & RFLAGS_IF)
		seen->irqs_on++;
	else
		seen->irqs_off++;
	return seen->nr != seen->stop_after;
}

/*
 * Ten instructions of a byte each: interrupts off and on, and flags saved and put back.
 *
 *	+0 pushfq  +1 cli  +2 nop  +3 popfq  +4 pushfq  +5 pop rax  +6 cli  +7 sti  +8 nop  +9 ret
 *
 * Nothing comes between sti and what follows it, no interrupt and, under TCG, no debug exception.
 */
#define AFTER_STI 8
void stepped_code(void *arg);
__asm__(".pushsection .text\n"
	"stepped_code:\n\t"
	"pushfq\n\tcli\n\tnop\n\tpopfq\n\tpushfq\n\tpopq %rax\n\tcli\n\tsti\n\tnop\n\tret\n"
	".popsection");

static void each_instruction_once(struct ktest *t)
{
	struct seen seen = {.nr = 0};
	u64 steps = single_step(stepped_code, NULL, look, &seen);

	EXPECT_EQ(t, steps, seen.nr);
	ASSERT_TRUE(t, seen.nr == 10 || seen.nr == 9);
	for (u32 i = 0; i < seen.nr; i++)
		EXPECT_EQ(t, seen.rip[i] - (u64)stepped_code, i + (seen.nr == 9 && i >= AFTER_STI));
	EXPECT_EQ(t, seen.not_as_an_interrupt, 0);
	/* After each cli, up to the popfq and to the sti. */
	EXPECT_EQ(t, seen.irqs_off, 3);
	EXPECT_EQ(t, seen.irqs_on, seen.nr - 3);
}

static void nothing_is_stepped_afterwards(struct ktest *t)
{
	struct seen seen = {.nr = 0};
	unsigned long flags;

	single_step(stepped_code, NULL, look, &seen);
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	EXPECT_EQ(t, flags & 0x100, 0);
	EXPECT(t, !irqs_disabled() && !in_interrupt());
	EXPECT_EQ(t, preempt_depth(), 0);
	EXPECT(t, seen.nr >= 9);
}

/* For good: the popfq that comes later finds the trap flag in what was saved, and sets it again. */
static void the_handler_may_end_it(struct ktest *t)
{
	struct seen seen = {.stop_after = 3};

	EXPECT_EQ(t, single_step(stepped_code, NULL, look, &seen), 3);
	EXPECT_EQ(t, seen.nr, 3);
	EXPECT(t, !irqs_disabled());
	/* And it can begin again. */
	EXPECT(t, single_step(stepped_code, NULL, look, &(struct seen){.nr = 0}) >= 9);
}

struct spin {
	u64 until, turns;
};

/* Until this CPU's timer has come so many times: the interrupts come, and are not stepped. */
static void wait_for_ticks(void *arg)
{
	struct spin *spin = arg;

	while (load_relaxed(&this_cpu()->heartbeat) < spin->until)
		spin->turns++;
}

struct bounds {
	u64 low, high, outside, ends_at_ns;
};

static bool inside(const struct trap_frame *frame, void *arg)
{
	struct bounds *bounds = arg;

	bounds->outside += frame->rip < bounds->low || frame->rip >= bounds->high;
	return time_since_entry_ns() < bounds->ends_at_ns;
}

static void interrupts_come_and_are_not_stepped(struct ktest *t)
{
	u64 begin = this_cpu()->heartbeat;
	struct spin spin = {.until = begin + 10};
	struct bounds bounds = {
		.low = (u64)wait_for_ticks,
		.high = (u64)wait_for_ticks + 128,
		.ends_at_ns = time_since_entry_ns() + 20000000000ull,
	};
	u64 steps = single_step(wait_for_ticks, &spin, inside, &bounds);

	EXPECT(t, this_cpu()->heartbeat >= begin + 10);
	EXPECT_EQ(t, bounds.outside, 0);
	/* Two at least for each turn: stepping went on after every interrupt. */
	EXPECT_MSG(t, steps > 2 * spin.turns && spin.turns > 10, "%llu steps in %llu turns",
		   (unsigned long long)steps, (unsigned long long)spin.turns);
}

static const struct ktest_case cases[] = {
	KTEST(each_instruction_once),
	KTEST(nothing_is_stepped_afterwards),
	KTEST(the_handler_may_end_it),
	KTEST(interrupts_come_and_are_not_stepped),
};
KTEST_SUITE(single_step, cases);
