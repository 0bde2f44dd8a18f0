/*
 * Seam 2 in this kernel: what mm/ asks of its surroundings, and the end of a failed assertion.
 *
 * Nothing is decided here. mm/ says what happened; printk and panic do the rest. os_panic() is not
 * here: like panic() it begins in panic_entry.asm, and comes to the same.
 */
#include <arch/preempt.h>
#include <base/assert.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/glob.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <x86/backtrace.h>
#include <x86/image.h>
#include <x86/smp.h>

#include "sched_internal.h"

#define PLACE_BYTES     96
#define BACKTRACE_LINES 16

_Static_assert((int)OS_LOG_ERR == (int)LOG_ERR && (int)OS_LOG_DEBUG == (int)LOG_DEBUG,
	       "the seam's levels are the log's");

void assert_failed_entered(const struct trap_frame *frame, va_list args); /* panic_entry.asm */

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vklog((enum log_level)level, subsystem, fmt, args);
	va_end(args);
}

void os_describe_caller(uintptr_t call_site, char *buf, size_t size)
{
	symbol_format_return(call_site, buf, size);
}

void os_describe_address(const void *address, char *buf, size_t size)
{
	const char *at = address;
	uintptr_t in_stacks = (uintptr_t)address - STACK_WINDOW_BASE;

	if (at >= __text_start && at < __text_end)
		snprintf(buf, size, "the kernel's text");
	else if (at >= __data_start && at < __data_end)
		snprintf(buf, size, "the kernel's data");
	else if (at >= __image_start && at < __image_end)
		snprintf(buf, size, "the kernel's image");
	else if (in_stacks < STACK_WINDOW_BYTES)
		snprintf(buf, size, "a stack, of slot %u", (u32)(in_stacks / STACK_SLOT_BYTES));
	else if ((uintptr_t)address - VMEMMAP_BASE < VMEMMAP_BYTES)
		snprintf(buf, size, "the memory map");
	else
		snprintf(buf, size, "nothing that the kernel knows");
}

bool os_caller_matches(uintptr_t call_site, const char *glob)
{
	const char *name = symbol_name_return(call_site);

	return name && glob_match(glob, strlen(glob), name);
}

void os_backtrace(enum os_log_level level, const char *subsystem)
{
	uintptr_t address[BACKTRACE_LINES];
	char symbol[OS_CALLER_BYTES];
	u32 nr = backtrace_walk((u64)__builtin_frame_address(0), address, BACKTRACE_LINES);

	for (u32 i = 0; i < nr; i++) {
		symbol_format_return(address[i], symbol, sizeof(symbol));
		klog((enum log_level)level, subsystem, " %s", symbol);
	}
}

/* assert_failed(file, line, fmt, ...), its arguments still in the list. */
void assert_failed_entered(const struct trap_frame *frame, va_list args)
{
	char place[PLACE_BYTES];
	const char *file = va_arg(args, const char *), *fmt;
	int line = va_arg(args, int);

	fmt = va_arg(args, const char *);
	snprintf(place, sizeof(place), "assertion failed at %s:%d: ", file, line);
	panic_at(frame, place, fmt, args);
}

/* --- Tasks and threads: waiting is in sync.c ------------------------------------------------------ */

/* Before there are threads, what runs is alone, and may have everything. */
struct os_task *os_current(void)
{
	static struct os_task boot = {.mems_allowed = ~(nodemask_t)0};
	struct thread *current = thread_current();

	return current ? &current->task : &boot;
}

const char *os_current_name(void)
{
	struct thread *current = thread_current();

	return current ? thread_name(current) : "boot";
}

/* A task is a thread's, but for the one before there are threads. */
void os_limits_changed(struct os_task *task)
{
	if (thread_current())
		sched_limits_changed(container_of(task, struct thread, task));
}

bool os_in_interrupt(void)
{
	return in_interrupt();
}

bool os_may_sleep(void)
{
	const struct thread *current = thread_current();

	return current && !current->idle && preemptible();
}

/* A thread of mm/ is one like any other. */
struct os_thread *os_thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	return (struct os_thread *)thread_start(name, cpu, fn, arg);
}

void os_thread_join(struct os_thread *thread)
{
	thread_join((struct thread *)thread);
}

int os_run_on_cpu(u32 cpu, void (*fn)(void *arg), void *arg)
{
	return smp_call(cpu, fn, arg);
}
