/*
 * Ending the kernel on purpose.
 *
 * Each kind is a defect that something else must notice: the panic path, a guard of the page
 * tables, an assertion of the memory manager, the watchdog, or, where the kernel is past saying
 * anything, the launcher on the host. The suites crash_* of tests/kernel/test_crash.c and the
 * monitor's `crash KIND` reach the same functions.
 *
 * The compiler may assume that none of this happens, so addresses and counters are volatile.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/string.h>
#include <kernel/crash.h>
#include <kernel/lockcheck.h>
#include <kernel/memory_map.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/inspect.h>
#include <mm/os.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/image.h>
#include <x86/machine.h>
#include <x86/serial.h>
#include <x86/smp.h>
#include <x86/time.h>
#include <x86/trap.h>

#include "commands.h"
#include "crash_internal.h"

#define RFLAGS_TF     (1 << 8)       /* an exception after the next instruction */
#define DR7_EXECUTE_0 0x2ul          /* the breakpoint of DR0: at any instruction fetched there */
#define TICK_WAIT_NS  10000000000ull /* for a tick of a CPU that the host may not run */

#define NMI_WAIT_NS   200000000ull /* for all of them to be in it */

static bool triple_fault_armed;

static void crash_panic(void)
{
	panic("asked for by 'crash panic'");
}

/* The nested panic comes from inside the first one's message. */
static void crash_nested_panic(void)
{
	const char *volatile nowhere = (const char *)LIST_POISON_NEXT;

	panic("a message at a bad address: %s", nowhere);
}

/* A debug exception has a stack of its own: what is printed is printed there. */
static void crash_debug(void)
{
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; nop" : : "i"(RFLAGS_TF) : "memory", "cc");
}

/* Who comes there takes a debug exception. */
static void break_at(uintptr_t address)
{
	__asm__ volatile("movq %0, %%dr0; movq %1, %%dr7" : : "r"(address), "r"(DR7_EXECUTE_0));
}

/* The second exception starts on the stack that the first one's report is being printed from. */
static void crash_summary(void)
{
	break_at((uintptr_t)zone_snapshot_unlocked);
	crash_debug();
}

/* On the way to the serial port: to say that it happened, it happens again. */
static void crash_mute(void)
{
	break_at((uintptr_t)serial_write);
	panic("nobody will see this");
}

/* An exception without a table of handlers is a double fault without one: the CPU resets. */
static void crash_triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed no_idt = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
}

static void crash_hang(void)
{
	irq_save();
	for (;;)
		cpu_relax();
}

static void crash_watchdog(void)
{
	irq_restore(RFLAGS_IF);
	for (;;)
		cpu_relax();
}

static void crash_short_plan(void)
{
	machine_exit(EXIT_SUCCESS_CODE);
}

static void crash_after_plan(void)
{
	triple_fault_armed = true;
}

/* A frame of some size, so that the guard is hit and not jumped over. */
static __noinline u32 recurse(volatile u32 *depth)
{
	volatile u32 here[64];

	here[0] = ++*depth;
	/* Never false: it is for the compiler, which knows endless recursion when it sees it. */
	return here[0] ? recurse(depth) + here[0] : 0;
}

static void crash_stack(void)
{
	volatile u32 depth = 0;

	recurse(&depth);
}

static void crash_wx(void)
{
	volatile u8 *text = (volatile u8 *)(uintptr_t)crash_panic;

	*text = 0xcc;
}

/* The same byte through the direct map, which must not be a way round. */
static void crash_wx_alias(void)
{
	volatile u8 *alias = phys_to_virt(image_to_phys((const void *)(uintptr_t)crash_panic));

	*alias = 0xcc;
}

static void crash_null(void)
{
	volatile u32 *volatile null = NULL;

	*null = 1;
}

static void crash_exec(void)
{
	static u8 ret_instruction[] = {0xc3};
	void (*volatile jump)(void) = (void (*)(void))(uintptr_t)ret_instruction;

	jump();
}

static void crash_assert_lock(void)
{
	struct spinlock lock;

	spin_lock_init(&lock, "taken twice");
	spin_lock(&lock);
	spin_lock(&lock);
}

static struct spinlock first_lock = SPINLOCK_INIT("first");
static struct spinlock second_lock = SPINLOCK_INIT("second");

static struct spinlock third_lock = SPINLOCK_INIT("third");

static __noinline void first_then_second(void)
{
	spin_lock(&first_lock);
	spin_lock(&second_lock);
	spin_unlock(&second_lock);
	spin_unlock(&first_lock);
}

static __noinline void second_then_third(void)
{
	spin_lock(&second_lock);
	spin_lock(&third_lock);
	spin_unlock(&third_lock);
	spin_unlock(&second_lock);
}

static void crash_lock_inversion(void)
{
	lockcheck_start();
	first_then_second();
	spin_lock(&second_lock);
	spin_lock(&first_lock);
}

/* No two of them were ever taken in both orders. */
static void crash_lock_chain(void)
{
	lockcheck_start();
	first_then_second();
	second_then_third();
	spin_lock(&third_lock);
	spin_lock(&first_lock);
}

static void crash_sleep_atomic(void)
{
	lockcheck_start();
	spin_lock(&first_lock);
	lockcheck_may_sleep(os_call_site());
}

/* mem= that cuts off one page more than the kernel gave up. */
static void crash_accounting(void)
{
	struct memory_map_range range = {0};
	phys_addr_t cursor = 0;

	while (memory_map_next_kept(&machine_memory_map, &cursor, &range))
		;
	machine_memory_map.cutoff = range.end - PAGE_SIZE;
	check_accounting();
}

/* The last CPU that is online; the only one, if so. */
static u32 last_cpu(void)
{
	u32 cpu, last = 0;

	for_each_online_cpu(cpu)
		last = cpu;
	return last;
}

static void call_last_cpu(void (*fn)(void *arg))
{
	irq_restore(RFLAGS_IF);
	smp_call(last_cpu(), fn, &first_lock);
}

/* Called on another CPU, with interrupts off. */
static void panic_here(void *arg)
{
	(void)arg;
	panic("asked for on CPU %u", smp_processor_id());
}

static void hang_here(void *arg)
{
	(void)arg;
	for (;;)
		cpu_relax();
}

/* Its heartbeat goes on, so the watchdog says nothing. */
static void never_answer(void *arg)
{
	(void)arg;
	for (;;) {
		cpu_is_alive();
		cpu_relax();
	}
}

static void overflow_here(void *arg)
{
	volatile u32 depth = 0;

	(void)arg;
	recurse(&depth);
}

static void crash_panic_cpu(void)
{
	call_last_cpu(panic_here);
}

static void crash_panic_cpus(void)
{
	irq_restore(RFLAGS_IF);
	smp_call_others(panic_here, NULL);
}

/*
 * The panic is this CPU's already, so the others wait for it, and in an NMI another one does not reach
 * them.
 */
static void crash_nmi_cpus(void)
{
	u64 start = arch_timestamp();
	u32 cpu;

	panic_own("never seen");
	for_each_online_cpu(cpu)
		if (cpu != smp_processor_id())
			apic_send_nmi(cpu_apic_id(cpu));
	while (arch_timestamp_to_ns(arch_timestamp() - start) < NMI_WAIT_NS)
		cpu_relax();
	panic("all others are in an NMI");
}

static void crash_hang_cpu(void)
{
	call_last_cpu(hang_here);
}

static void crash_hang_call(void)
{
	call_last_cpu(never_answer);
}

static void crash_stack_cpu(void)
{
	call_last_cpu(overflow_here);
}

static void take_here(void *arg)
{
	spin_lock_irqsave(arg);
}

static u32 tick_cpu;
static void (*in_tick)(void); /* atomic: to be called once, in a tick of that CPU */

static void tick_once(void)
{
	void (*fn)(void) = load_acquire(&in_tick);

	if (!fn || smp_processor_id() != tick_cpu)
		return;
	tick_set_hook(NULL);
	fn();
	store_release(&in_tick, NULL);
}

/* A call between CPUs would be no interrupt where there is only one. */
void crash_in_interrupt(void (*fn)(void))
{
	u64 start_ns = time_since_entry_ns();

	tick_cpu = last_cpu();
	store_release(&in_tick, fn); /* with whose tick it is */
	tick_set_hook(tick_once);
	irq_restore(RFLAGS_IF);
	while (load_acquire(&in_tick) && time_since_entry_ns() - start_ns < TICK_WAIT_NS)
		cpu_relax();
}

static void take_and_release_here(void)
{
	spin_lock(&first_lock);
	spin_unlock(&first_lock);
}

static void crash_lock_irq(void)
{
	lockcheck_start();
	crash_in_interrupt(take_and_release_here);
	spin_lock(&first_lock);
}

/* That CPU goes on, and has forgotten that it has the lock. */
static void crash_spin_forever(void)
{
	call_last_cpu(take_here);
	spin_lock_irqsave(&first_lock);
}

static const struct {
	const char *name, *sentence;
	void (*run)(void);
} kinds[] = {
	{"panic", "a plain panic", crash_panic},
	{"nested_panic", "a panic while a panic prints its message", crash_nested_panic},
	{"debug", "a debug exception, on a stack of its own", crash_debug},
	{"summary", "the same, and another while its memory is printed", crash_summary},
	{"mute", "panics in all that is printed: the third leaves without a word", crash_mute},
	{"triple_fault", "an exception without handlers", crash_triple_fault},
	{"hang", "a loop with interrupts off", crash_hang},
	{"watchdog", "a loop with interrupts on", crash_watchdog},
	{"short_plan", "exit with success in the middle of a test", crash_short_plan},
	{"after_plan", "a triple fault after the last test, before the exit", crash_after_plan},
	{"stack", "recursion into the guard below the stack", crash_stack},
	{"wx", "a write to the kernel's text", crash_wx},
	{"wx_alias", "a write to the text's alias in the direct map", crash_wx_alias},
	{"null", "a write through a null pointer", crash_null},
	{"exec", "a jump into data", crash_exec},
	{"double_free", "a page freed twice", crash_double_free},
	{"wrong_order", "a block of four pages freed as two", crash_wrong_order},
	{"free_reserved", "a page of the kernel image freed", crash_free_reserved},
	{"out_of_memory", "with oom=panic: all memory taken, and one block more",
	 crash_out_of_memory},
	{"assert_lock", "a lock taken twice", crash_assert_lock},
	{"lock_inversion", "two locks taken in both orders", crash_lock_inversion},
	{"lock_chain", "three locks, each taken under the one before", crash_lock_chain},
	{"lock_irq", "a lock taken in an interrupt, and with interrupts on", crash_lock_irq},
	{"sleep_atomic", "sleeping with a spinlock held", crash_sleep_atomic},
	{"sleep_irqs_off", "sleeping with interrupts off", crash_sleep_irqs_off},
	{"sleep_no_preempt", "waiting for a mutex with preemption disabled",
	 crash_sleep_no_preempt},
	{"sleep_interrupt", "sleeping in an interrupt of the last CPU", crash_sleep_interrupt},
	{"mutex_twice", "a mutex taken by the thread that has it", crash_mutex_twice},
	{"mutex_foreign", "a mutex given up by another thread", crash_mutex_foreign},
	{"exit_mutex", "a thread that ends with a mutex", crash_exit_mutex},
	{"join_self", "a thread that waits for its own end", crash_join_self},
	{"stack_thread", "recursion into the guard below a thread's stack", crash_stack_thread},
	{"canary", "a write to the lowest word of a thread's stack", crash_canary},
	{"spin_forever", "a lock that the last CPU never gives back", crash_spin_forever},
	{"panic_cpu", "a panic on the last CPU", crash_panic_cpu},
	{"panic_cpus", "a panic on all CPUs but this, at the same time", crash_panic_cpus},
	{"nmi_cpus", "a panic while all others are in an NMI nobody asked for", crash_nmi_cpus},
	{"hang_cpu", "a loop with interrupts off on the last CPU", crash_hang_cpu},
	{"hang_call", "a function that the last CPU does not get done", crash_hang_call},
	{"stack_cpu", "recursion into the guard below the last CPU's stack", crash_stack_cpu},
	{"slab_double_free", "an object freed twice", crash_slab_double_free},
	{"slab_wrong_cache", "an object freed to another cache", crash_slab_wrong_cache},
	{"slab_inside", "a free of what is inside an object", crash_slab_inside},
	{"slab_no_object", "kfree() of something on the stack", crash_slab_no_object},
	{"slab_overrun", "a byte written behind an object's end", crash_slab_overrun},
	{"slab_underrun", "a byte written before an object", crash_slab_underrun},
	{"slab_use_after_free", "a byte written to an object that was freed",
	 crash_slab_use_after_free},
	{"accounting", "a page of RAM that two have", crash_accounting},
};

bool crash(const char *kind)
{
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		kinds[i].run();
		return true;
	}
	return false;
}

bool crash_describe(u32 i, const char **name, const char **sentence)
{
	if (i >= ARRAY_SIZE(kinds))
		return false;
	*name = kinds[i].name;
	*sentence = kinds[i].sentence;
	return true;
}

bool crash_is_to_come(void)
{
	return triple_fault_armed;
}

void crash_before_exit(void)
{
	if (triple_fault_armed)
		crash_triple_fault();
}
