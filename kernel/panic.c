/*
 * The end of the kernel, with everything that may tell why.
 *
 * Printed are, in order of what is most likely to survive: the message, the registers, the
 * backtrace, where each other CPU was, and the zones' free pages; then a last line that says that
 * this was all, and QEMU is left with a code of its own. Nothing here waits for anybody without a
 * limit: interrupts are off, the console's lock is ignored, zones are read without theirs. The
 * figures may therefore be torn, which a reader of a panic forgives and a hang does not.
 *
 * One CPU owns the panic: the first. It stops the others by NMI before it says a word. Another that
 * panics meanwhile keeps its message, which the report names, and waits to be stopped.
 *
 * There is one way in, panic_at(), and one kind of witness, a trap frame. An exception leaves one;
 * for a call (panic(), os_panic(), a failed assertion) panic_entry.asm makes one before C has used
 * any register.
 *
 * A panic in the middle of this (a bad pointer among the arguments, a zone that is no more) must
 * not hide the first, which is the one to look for. Its message is formatted straight into a
 * buffer that the second finds; of a message that could not be finished, what there is. The
 * second prints both and leaves. A third has struck in that, and leaves without a word.
 *
 *	depth 0   message, registers, backtrace, memory      and leave
 *	      1   both messages, where both were             and leave
 *	      2                                                  leave
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/atomic.h>
#include <base/format.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <mm/inspect.h>
#include <x86/backtrace.h>
#include <x86/machine.h>
#include <x86/regs.h>
#include <x86/smp.h>
#include <x86/trap.h>

#define MESSAGE_BYTES 480
#define SYMBOL_BYTES  128
#define BACKTRACE_MAX 32

void panic_entered(const struct trap_frame *frame, va_list args); /* from panic_entry.asm */

#define NO_CPU (~(u32)0)

/* What the CPU that owns the panic may take until it has stopped the others, and more. */
#define STOPPED_WITHIN_NS    60000000000ull
#define STOPPED_WITHIN_TURNS 1000000

static u32 owner = NO_CPU;      /* the CPU whose panic this is; set once */
static u32 about = NO_CPU;      /* the CPU whose state is reported: the owner, or one that hangs */
static u32 depth;               /* its panics that have begun and not ended */
static char also[MAX_CPUS][96]; /* what others wanted to say; each CPU writes its own */
static bool memory_ready;
static const char *test_suite, *test_name; /* of the test that runs; NULL: none */

/* The first panic, for the second. Zeros end its message wherever it breaks off. */
static struct {
	char message[MESSAGE_BYTES];
	bool message_is_whole;
	struct trap_frame frame; /* a copy: an exception may start on the same stack again */
} first;

void panic_memory_ready(void)
{
	memory_ready = true;
}

void panic_set_test(const char *suite, const char *name)
{
	test_suite = suite;
	test_name = name;
}

/* A call's rip is where it returns to, an exception's the instruction that was interrupted. */
static void format_place(const struct trap_frame *frame, char *buf, size_t size)
{
	if (frame->vector == TRAP_NO_VECTOR)
		symbol_format_return(frame->rip, buf, size);
	else
		symbol_format(frame->rip, buf, size);
}

static void print_registers(const struct trap_frame *frame)
{
	kprintf("RAX %016llx  RBX %016llx  RCX %016llx\n", (unsigned long long)frame->rax,
		(unsigned long long)frame->rbx, (unsigned long long)frame->rcx);
	kprintf("RDX %016llx  RSI %016llx  RDI %016llx\n", (unsigned long long)frame->rdx,
		(unsigned long long)frame->rsi, (unsigned long long)frame->rdi);
	kprintf("R8  %016llx  R9  %016llx  R10 %016llx\n", (unsigned long long)frame->r8,
		(unsigned long long)frame->r9, (unsigned long long)frame->r10);
	kprintf("R11 %016llx  R12 %016llx  R13 %016llx\n", (unsigned long long)frame->r11,
		(unsigned long long)frame->r12, (unsigned long long)frame->r13);
	kprintf("R14 %016llx  R15 %016llx  RFLAGS %08llx\n", (unsigned long long)frame->r14,
		(unsigned long long)frame->r15, (unsigned long long)frame->rflags);
	if (frame->vector == TRAP_NO_VECTOR)
		kprintf("no exception, CS %04llx, SS %04llx\n", (unsigned long long)frame->cs,
			(unsigned long long)frame->ss);
	else
		kprintf("vector %llu, error code 0x%llx, CS %04llx, SS %04llx\n",
			(unsigned long long)frame->vector, (unsigned long long)frame->error_code,
			(unsigned long long)frame->cs, (unsigned long long)frame->ss);
	kprintf("RIP %016llx  RSP %016llx  RBP %016llx\n", (unsigned long long)frame->rip,
		(unsigned long long)frame->rsp, (unsigned long long)frame->rbp);
	kprintf("CR2 %016llx  CR3 %016llx  CR4 %08llx  CPU %u\n", (unsigned long long)read_cr2(),
		(unsigned long long)read_cr3(), (unsigned long long)read_cr4(), smp_processor_id());
}

/* Where it was, and the callers of that function, outward. */
static void print_frames(const struct trap_frame *frame)
{
	uintptr_t address[BACKTRACE_MAX];
	char symbol[SYMBOL_BYTES];
	u32 nr = backtrace_walk(frame->rbp, address, BACKTRACE_MAX);

	format_place(frame, symbol, sizeof(symbol));
	kprintf("  [%016llx] %s\n", (unsigned long long)frame->rip, symbol);
	for (u32 i = 0; i < nr; i++) {
		symbol_format_return(address[i], symbol, sizeof(symbol));
		kprintf("  [%016llx] %s\n", (unsigned long long)address[i], symbol);
	}
	if (nr == BACKTRACE_MAX)
		kprintf("  and further out\n");
}

static void print_memory(void)
{
	struct zone_snapshot zone;

	if (!memory_ready) {
		kprintf("memory: the memory manager was not up yet\n");
		return;
	}
	kprintf("memory, in pages:\n");
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		for (int type = 0; type < MAX_NR_ZONES; type++) {
			if (!zone_snapshot_unlocked(nid, (enum zone_type)type, &zone) ||
			    zone.managed_pages == 0)
				continue;
			kprintf("  Node %d, zone %8s free %llu min %llu low %llu managed %llu\n",
				nid, zone.name, (unsigned long long)zone.free_pages,
				(unsigned long long)zone.watermark[WMARK_MIN],
				(unsigned long long)zone.watermark[WMARK_LOW],
				(unsigned long long)zone.managed_pages);
		}
	}
}

/* Where the other CPUs were; `reported` is the one that has been shown already. */
static void print_other_cpus(u32 reported)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		const struct trap_frame *frame = smp_stopped_frame(cpu);

		if (cpu == reported || cpu == smp_processor_id())
			continue;
		if (!frame) {
			kprintf("CPU %u: did not answer\n", cpu);
		} else {
			const char *thread = thread_name_on_cpu(cpu);

			kprintf("CPU %u: RSP %016llx  RFLAGS %08llx  thread '%s'\n", cpu,
				(unsigned long long)frame->rsp, (unsigned long long)frame->rflags,
				thread ? thread : "none");
			print_frames(frame);
		}
		if (also[cpu][0])
			kprintf("CPU %u: in a panic of its own: %s\n", cpu, also[cpu]);
	}
}

/*
 * Another CPU is at it. It stops this one, by NMI or, as this may be one, by asking; should it be unable
 * to, the end comes from here. Without a frame, by NMI only.
 */
static _Noreturn void wait_to_be_stopped(const struct trap_frame *frame)
{
	u64 start = arch_timestamp();

	for (u32 turns = 0;; turns++) {
		if (turns >= STOPPED_WITHIN_TURNS &&
		    arch_timestamp_to_ns(arch_timestamp() - start) >= STOPPED_WITHIN_NS)
			machine_exit(EXIT_PANIC_CODE);
		if (frame)
			smp_stop_if_asked(frame);
		cpu_relax();
	}
}

/* Returns on the CPU that owns the panic, and on no other. */
static void vpanic_own(const struct trap_frame *frame, const char *fmt, va_list args)
{
	u32 me = smp_processor_id(), expected = NO_CPU;

	/* Relaxed: who owns it is all that is decided. What he prints is his own. */
	if (__atomic_compare_exchange_n(&owner, &expected, me, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED) ||
	    expected == me)
		return;
	if (!also[me][0])
		vsnprintf(also[me], sizeof(also[me]), fmt, args);
	wait_to_be_stopped(frame);
}

void panic_own(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vpanic_own(NULL, fmt, args);
	va_end(args);
}

static void first_panic(const struct trap_frame *frame, const char *prefix, const char *fmt,
			va_list args) __printf_like(3, 0);

static void first_panic(const struct trap_frame *frame, const char *prefix, const char *fmt,
			va_list args)
{
	size_t len;

	first.frame = *frame;
	len = (size_t)snprintf(first.message, sizeof(first.message), "%s", prefix);
	len = MIN(len, sizeof(first.message) - 1);
	vsnprintf(first.message + len, sizeof(first.message) - len, fmt, args);
	first.message_is_whole = true;
	klog(LOG_EMERG, "panic", "%s", first.message);
	if (test_suite)
		kprintf("while test %s.%s was running\n", test_suite, test_name);
	print_registers(frame);
	if (thread_name_on_cpu(about))
		kprintf("thread '%s'\n", thread_name_on_cpu(about));
	if (about != smp_processor_id())
		kprintf("CPU %u, noticed by CPU %u\n", about, smp_processor_id());
	kprintf("backtrace:\n");
	print_frames(frame);
	print_other_cpus(about);
	print_memory();
}

static void print_where(const char *which, const struct trap_frame *frame)
{
	char symbol[SYMBOL_BYTES];

	format_place(frame, symbol, sizeof(symbol));
	kprintf("%s at [%016llx] %s\n", which, (unsigned long long)frame->rip, symbol);
}

/* The first's message comes first, before anything new is looked at. */
static void nested_panic(const struct trap_frame *frame, const char *prefix, const char *fmt,
			 va_list args) __printf_like(3, 0);

static void nested_panic(const struct trap_frame *frame, const char *prefix, const char *fmt,
			 va_list args)
{
	char message[MESSAGE_BYTES];

	klog(LOG_EMERG, "panic", "panic inside a panic; the first%s: %s",
	     first.message_is_whole ? "" : ", of which no more is known", first.message);
	vsnprintf(message, sizeof(message), fmt, args);
	klog(LOG_EMERG, "panic", "the second: %s%s", prefix, message);
	if (test_suite)
		kprintf("while test %s.%s was running\n", test_suite, test_name);
	print_where("the second", frame);
	print_where("the first ", &first.frame);
}

_Noreturn void panic_at(const struct trap_frame *frame, const char *prefix, const char *fmt,
			va_list args)
{
	va_list copy;
	u32 before;

	irq_save();
	va_copy(copy, args);
	vpanic_own(frame, fmt, copy);
	va_end(copy);
	before = depth++;
	if (before == 0) {
		about = about == NO_CPU ? smp_processor_id() : about;
		smp_stop_others();
	}
	printk_panic_mode();
	if (before == 0)
		first_panic(frame, prefix, fmt, args);
	else if (before == 1)
		nested_panic(frame, prefix, fmt, args);
	if (before < 2)
		kprintf("---[ end of panic ]---\n");
	machine_exit(EXIT_PANIC_CODE);
}

void panic_entered(const struct trap_frame *frame, va_list args)
{
	const char *fmt = va_arg(args, const char *);

	panic_at(frame, "", fmt, args);
}

_Noreturn void panic_trap_of(u32 cpu, const struct trap_frame *frame, const char *fmt, ...)
{
	va_list args;

	/* The caller owns the panic: panic_own(). */
	about = cpu;
	va_start(args, fmt);
	panic_at(frame, "", fmt, args);
	/* cppcheck-suppress va_end_missing ; there is no way back */
}

_Noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_at(frame, "", fmt, args);
	/* cppcheck-suppress va_end_missing ; there is no way back */
}
