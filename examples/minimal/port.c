/*
 * The port: all that mm/ asks of this kernel, but for the inline functions in include/asm/ and
 * load_or_fault(), which is about page tables: paging.c.
 *
 * Together with those this is the file to rewrite for a kernel of your own. string.c and format.c
 * of kernel/lib/, which this example links, are the other thing mm/ needs: a few functions of the C
 * library, which your kernel has already.
 */
#include "minimal.h"

#include <arch/page.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/format.h>
#include <mm/gfp.h>
#include <mm/os.h>
#include <mm/os_task.h>

/* --- Seam 1: include/arch ------------------------------------------------------------------ */

int arch_map_vmemmap(uintptr_t virt, phys_addr_t phys, u64 size_bytes)
{
	return map_pages(virt, phys, size_bytes);
}

/* --- Seam 2: include/mm/os.h --------------------------------------------------------------- */

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	if (level > OS_LOG_INFO)
		return;
	va_start(args, fmt);
	vsay(subsystem, fmt, args);
	va_end(args);
}

/* This kernel has no table of its symbols: `addr2line -e build/minimal.elf` has. */
void os_describe_caller(uintptr_t call_site, char *buf, size_t size)
{
	snprintf(buf, size, "0x%lx", (unsigned long)call_site);
}

/* All of it that mm/ may be shown is in the direct map. */
void os_describe_address(const void *address, char *buf, size_t size)
{
	(void)address;
	snprintf(buf, size, "not in the direct map");
}

/* So it cannot tell callers apart by their names. */
bool os_caller_matches(uintptr_t call_site, const char *glob)
{
	(void)call_site;
	(void)glob;
	return false;
}

/* Nor follow calls. */
void os_backtrace(enum os_log_level level, const char *subsystem)
{
	(void)level;
	(void)subsystem;
}

_Noreturn void os_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay("panic", fmt, args);
	va_end(args);
	machine_exit(EXIT_PANIC);
}

/* --- Seam 2, second part: include/mm/os_task.h --------------------------------------------- */

/* One task, which may have everything and can never sleep: what may block is asked and does not. */
struct os_task *os_current(void)
{
	static struct os_task only = {.mems_allowed = ~(nodemask_t)0};

	return &only;
}

const char *os_current_name(void)
{
	return "minimal";
}

bool os_in_interrupt(void)
{
	return false;
}

bool os_may_sleep(void)
{
	return false;
}

/* So it has no limits, and what is left to look at is the flags. */
bool this_task_may_hit(u32 flags)
{
	return flags < GFP_HIT_END;
}

void os_limits_changed(struct os_task *task)
{
	(void)task;
}

/* Nobody sleeps, so a queue has no waiters, and a wait is one look. */
void os_wait_queue_init(struct os_wait_queue *queue, const char *name)
{
	spin_lock_init(&queue->lock, name);
	list_init(&queue->waiters);
}

bool os_wait(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 timeout_ns)
{
	(void)queue;
	(void)timeout_ns;
	return ready(arg);
}

u32 os_wake_all(struct os_wait_queue *queue)
{
	(void)queue;
	return 0;
}

u32 os_wake_one(struct os_wait_queue *queue)
{
	(void)queue;
	return 0;
}

/* There are no threads: without a kswapd, and nothing that could wait for one. */
struct os_thread *os_thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	(void)name;
	(void)cpu;
	(void)fn;
	(void)arg;
	return NULL;
}

void os_thread_join(struct os_thread *thread)
{
	(void)thread;
}

int os_run_on_cpu(u32 cpu, void (*fn)(void *arg), void *arg)
{
	if (cpu != 0)
		return -ENODEV;
	fn(arg);
	return 0;
}

/* --- And include/base/assert.h ------------------------------------------------------------- */

_Noreturn void assert_failed(const char *file, int line, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	os_panic("%s:%d: %s", file, line, text);
}
