/*
 * What becomes of each interrupt, and the way back from it.
 *
 *	vector 32 .. 47    the legacy interrupt controllers (legacy_irq.c)
 *	       0xf0        this CPU's timer (tick.c)
 *	       0xf1        another CPU wants a thread switch here: nothing but its end
 *	       0xf2 0xf3   another CPU wants a function called (smp.c)
 *	       0xfe 0xff   the APIC's errors: logged; its spurious interrupts: counted
 *	       others      nobody sends them: a line in the log
 *
 * Handlers run with interrupts off, on the stack of what was interrupted, and do not sleep. The
 * APIC is acknowledged first: nothing can come in between anyway, and a handler that does not come
 * back (a panic, a switch of threads at the end) must not leave it waiting. A spurious interrupt is
 * never acknowledged, because the APIC does not hold it for in service.
 *
 * On the way out threads are switched if all of this holds: no other interrupt is below this one
 * (irq_depth), the interrupted code had interrupts on, and preempt_count is zero, which says both
 * that a switch is wanted and that nobody has disabled it. What was interrupted goes on when its
 * thread is switched to again: preempt_schedule_irq() returns then, to the same frame.
 *
 * Source: Intel SDM volume 3A, "Advanced Programmable Interrupt Controller", "Spurious Interrupt".
 */
#include <arch/irq.h>
#include <arch/preempt.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>

#include "apic_internal.h"
#include "irq.h"
#include "legacy_irq.h"
#include "smp_internal.h"
#include "tick.h"

static void unknown(const struct trap_frame *frame)
{
	cpu_count_irq(CPU_IRQ_UNKNOWN);
	if (apic_in_service((u32)frame->vector))
		apic_eoi();
	klog(LOG_WARN, "irq", "interrupt on vector %lu, which nobody uses", frame->vector);
}

static void handle(const struct trap_frame *frame)
{
	switch (frame->vector) {
	case LEGACY_IRQ_VECTOR ... LEGACY_IRQ_VECTOR + NR_LEGACY_IRQS - 1:
		legacy_irq_handle(frame);
		break;
	case VECTOR_TIMER:
		apic_eoi();
		cpu_count_irq(CPU_IRQ_TIMER);
		tick(frame);
		break;
	case VECTOR_RESCHEDULE:
		apic_eoi();
		cpu_count_irq(CPU_IRQ_RESCHEDULE);
		preempt_want();
		break;
	case VECTOR_CALL:
		apic_eoi();
		cpu_count_irq(CPU_IRQ_CALL);
		smp_handle_calls();
		break;
	case VECTOR_SHOOTDOWN:
		apic_eoi();
		cpu_count_irq(CPU_IRQ_SHOOTDOWN);
		smp_handle_calls();
		break;
	case VECTOR_APIC_ERROR:
		apic_eoi();
		cpu_count_irq(CPU_IRQ_ERROR);
		apic_log_error();
		break;
	case VECTOR_SPURIOUS:
		cpu_count_irq(CPU_IRQ_SPURIOUS);
		break;
	default:
		unknown(frame);
		break;
	}
}

void irq_handle(const struct trap_frame *frame)
{
	struct cpu_area *area = this_cpu();

	area->irq_depth++;
	handle(frame);
	area->irq_depth--;
	if (area->irq_depth == 0 && (frame->rflags & RFLAGS_IF) && preempt_is_due())
		preempt_schedule_irq();
}
