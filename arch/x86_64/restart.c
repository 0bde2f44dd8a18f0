/*
 * The way out of a trap: sections of code that begin anew, and loads that may fault.
 *
 * A restartable section reads and writes words of its own CPU and ends in one store, the only thing
 * about it that anybody sees. Nothing on this CPU can come in between but by a trap: an interrupt, an
 * exception, and so perhaps another thread, for a long time. They all leave through trap_dispatch():
 *
 *	begin:  mov  %gs:8, ...          <-----------------+
 *	        mov  ...                                   |
 *	        mov  ...    --- interrupt ---> handler --> rip is inside: rip = begin
 *	        mov  nr, (stack)               (other threads)
 *	end:                --- interrupt ---> handler --> rip is outside: goes on here
 *
 * So the section as a whole is carried out with nothing in between, once. What it had read before is
 * read again; what it had written (scratch registers, the slot above the top of a stack) is written
 * again. At `begin` itself nothing has happened, and rip stays. The instruction with the store is still inside:
 * a trap leaves it either not begun or done, and then rip is `end`.
 *
 * rip is changed on the way out and not on the way in: in between a backtrace shows where the CPU was.
 *
 * Cost. Every trap pays one comparison: the functions with sections in them stand together, in
 * .text.restart. Only there the table is looked through, which has some tens of entries.
 *
 * Not progress for ever: a section of ten instructions that is interrupted every time would need
 * an interrupt every ten instructions. Single-stepping is that, and single_step.c says what it does.
 *
 * Loads that may fault are the other table: an instruction, and where to go on. The fault is #PF where
 * nothing is mapped, #GP at an address that cannot be one (bits 63 to 47 not all the same), #SS in its place
 * if the address stood in rbp or rsp. Neither is handled otherwise, so both tables are constant and
 * there is nothing to lock.
 *
 * Sources: Bershad, Redell and Ellis, "Fast Mutual Exclusion for Uniprocessors", ASPLOS 1992 (restart
 * by the kernel, of user code); Desnoyers' and Turner's rseq, Linux 4.18; for the second table, the
 * exception table of Linux 2.1.
 */
#include <x86/restart.h>

#include <base/atomic.h>
#include <x86/cpu_area.h>
#include <x86/trap.h>

/* Out of line: hardly any trap comes here. */
static __noinline void begin_anew(struct trap_frame *frame)
{
	struct cpu_area *area = this_cpu();

	for (const struct restart_section *s = __start_restart_sections;
	     s < __stop_restart_sections; s++) {
		if (frame->rip <= s->begin || frame->rip >= s->end)
			continue;
		frame->rip = s->begin;
		/* Relaxed: a figure. Nothing that interrupts this is in a section. */
		store_relaxed(&area->restarts, area->restarts + 1);
		return;
	}
}

void restart_interrupted(struct trap_frame *frame)
{
	u64 size = (u64)__restart_text_end - (u64)__restart_text_start;

	if (unlikely(frame->rip - (u64)__restart_text_start < size))
		begin_anew(frame);
}

bool restart_after_fault(struct trap_frame *frame)
{
	for (const struct fault_fixup *f = __start_fault_fixups; f < __stop_fault_fixups; f++) {
		if (frame->rip == f->load) {
			frame->rip = f->instead;
			return true;
		}
	}
	return false;
}

u64 restarts(u32 cpu)
{
	const struct cpu_area *area = cpu_area(cpu);

	return area ? load_relaxed(&area->restarts) : 0;
}
