/*
 * Single-stepping: code that is interrupted between any two of its instructions, on purpose.
 *
 * What an interrupt may find half done is a window of some instructions, and a test that waits
 * for a timer to hit it waits long. The CPU's trap flag (TF) makes a debug exception after each
 * instruction, so a test that is called from there has been everywhere after one run:
 *
 *	popfq            TF is set: from the next instruction on
 *	call fn          ---> #DB ---> handler(frame)    before fn's first instruction
 *	  push rbp       ---> #DB ---> handler(frame)
 *	  ...                          TF off, interrupts off, a stack of its own
 *	  ret            <--- iret     TF on again, as it was
 *	popfq            TF is cleared
 *
 * Where TF goes. The CPU clears it on the way into every exception and interrupt, and iret puts it back
 * with the rest of RFLAGS. So handlers are not stepped, be it ours or an interrupt's between two
 * steps. cli and sti do not touch it; code that puts back RFLAGS as it found them does no harm,
 * since it found it set. After sti nothing comes for the length of an instruction, no interrupt, and
 * under TCG not this exception either. A switch of threads would carry it into another thread, whose steps are
 * nobody's: preemption is off while something is stepped. (preempt_enable() in the stepped code then
 * never finds a zero, so its way to the scheduler is the one that is not seen.)
 *
 * Nested exceptions. The handler runs on the debug exception's own stack (IST). A second one inside it
 * would begin at the top of that stack again and destroy the first one's frame; with TF off none comes,
 * and a handler that steps something itself is refused. An NMI has another stack.
 *
 * Restartable sections (restart.c). A trap inside one sends it back to its beginning, and a step is a
 * trap: the first one would send it back for ever. So a step with more to come restarts nothing, as if
 * it had not been; only the last one, of a handler that wants no more, is an interruption like any other. A
 * handler that does what an interrupt might, inside a section, must end the stepping there: a test
 * begins the section anew for each of its instructions k, acts at the k-th and returns false.
 *
 * The exceptions after `call` and up to the last popfq are single_step_call()'s own, and not handed on.
 *
 * Each CPU has its own state, which only it touches, so there is nothing to lock.
 *
 * Source: Intel SDM volume 3B, "Single-Step Exception Condition"; volume 3A on IST.
 */
#include <x86/single_step.h>

#include <arch/preempt.h>
#include <base/assert.h>
#include <x86/cpu_area.h>
#include <x86/regs.h>

#include "single_step_internal.h"

#define RFLAGS_TF 0x100UL

struct stepping {
	bool (*handler)(const struct trap_frame *frame, void *arg); /* NULL: nothing is stepped */
	void *arg;
	bool ended; /* the handler wants no more */
	u64 steps;
};
static struct stepping stepping[MAX_CPUS];

static bool is_our_own(u64 rip)
{
	return rip >= (u64)single_step_call && rip < (u64)single_step_call_end;
}

bool single_step_trap(struct trap_frame *frame)
{
	struct cpu_area *area = this_cpu();
	struct stepping *s = &stepping[area->cpu];

	if (!s->handler || !(read_dr6() & DR6_STEP))
		return false;
	write_dr6(DR6_CLEAR);
	if (is_our_own(frame->rip))
		return true;
	if (!s->ended) {
		s->steps++;
		area->irq_depth++;
		s->ended = !s->handler(frame, s->arg);
		area->irq_depth--;
	}
	/* Once more, if the stepped code puts back RFLAGS that it had saved before. */
	if (s->ended)
		frame->rflags &= ~RFLAGS_TF;
	return true;
}

bool single_step_goes_on(const struct trap_frame *frame)
{
	return frame->vector == VECTOR_DEBUG && (frame->rflags & RFLAGS_TF);
}

u64 single_step(void (*fn)(void *arg), void *arg,
		bool (*handler)(const struct trap_frame *frame, void *arg), void *handler_arg)
{
	struct stepping *s;

	ASSERT_MSG(!in_interrupt(), "single_step() in an interrupt, or in its own handler");
	preempt_disable();
	s = &stepping[smp_processor_id()];
	ASSERT_MSG(!s->handler, "CPU %u steps something already", smp_processor_id());
	*s = (struct stepping){.handler = handler, .arg = handler_arg};
	single_step_call(fn, arg);
	s->handler = NULL;
	preempt_enable();
	return s->steps;
}
