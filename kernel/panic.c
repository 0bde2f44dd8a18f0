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
 * A panic of the owner in the middle of this (a bad pointer among the arguments, a zone that is no
 * more) prints one line and leaves at once; one in the middle of that leaves without a word.
 *
 * For an exception, registers and backtrace are the interrupted code's. For a plain panic they
 * are the caller's rip, rsp and rbp; the other registers have been used since and would
 * mislead. For a CPU that hangs they are that CPU's.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/atomic.h>
#include <base/format.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/inspect.h>
#include <x86/backtrace.h>
#include <x86/machine.h>
#include <x86/regs.h>
#include <x86/smp.h>
#include <x86/trap.h>

#define MESSAGE_BYTES 320
#define SYMBOL_BYTES  128
#define BACKTRACE_MAX 32

#define NO_CPU        (~(u32)0)

/* What the CPU that owns the panic may take until it has stopped the others, and more. */
#define STOPPED_WITHIN_NS    60000000000ull
#define STOPPED_WITHIN_TURNS 1000000

static u32 owner = NO_CPU;      /* the CPU whose panic this is; set once */
static u32 depth;               /* its panics that have begun and not ended */
static char also[MAX_CPUS][96]; /* what others wanted to say; each CPU writes its own */
static bool memory_ready;

void panic_memory_ready(void)
{
	memory_ready = true;
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
	kprintf("vector %llu, error code 0x%llx, CS %04llx, SS %04llx\n",
		(unsigned long long)frame->vector, (unsigned long long)frame->error_code,
		(unsigned long long)frame->cs, (unsigned long long)frame->ss);
}

/* rip and the callers of its function, outward. */
static void print_frames(u64 rip, bool rip_is_return, u64 rbp)
{
	uintptr_t address[BACKTRACE_MAX];
	char symbol[SYMBOL_BYTES];
	u32 nr = backtrace_walk(rbp, address, BACKTRACE_MAX);

	if (rip_is_return)
		symbol_format_return(rip, symbol, sizeof(symbol));
	else
		symbol_format(rip, symbol, sizeof(symbol));
	kprintf("  [%016llx] %s\n", (unsigned long long)rip, symbol);
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
			kprintf("CPU %u: RSP %016llx  RFLAGS %08llx\n", cpu,
				(unsigned long long)frame->rsp, (unsigned long long)frame->rflags);
			print_frames(frame->rip, false, frame->rbp);
		}
		if (also[cpu][0])
			kprintf("CPU %u: in a panic of its own: %s\n", cpu, also[cpu]);
	}
}

/* Another CPU is at it. It stops this one; should it be unable to, the end comes from here. */
static _Noreturn void wait_to_be_stopped(void)
{
	u64 start = arch_timestamp();

	for (u32 turns = 0;; turns++) {
		if (turns >= STOPPED_WITHIN_TURNS &&
		    arch_timestamp_to_ns(arch_timestamp() - start) >= STOPPED_WITHIN_NS)
			machine_exit(EXIT_PANIC_CODE);
		cpu_relax();
	}
}

/* Returns on the CPU that owns the panic, and on no other. */
static void vpanic_own(const char *fmt, va_list args)
{
	u32 me = smp_processor_id(), expected = NO_CPU;

	/* Relaxed: who owns it is all that is decided. What he prints is his own. */
	if (__atomic_compare_exchange_n(&owner, &expected, me, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED) ||
	    expected == me)
		return;
	if (!also[me][0])
		vsnprintf(also[me], sizeof(also[me]), fmt, args);
	wait_to_be_stopped();
}

void panic_own(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vpanic_own(fmt, args);
	va_end(args);
}

/*
 * Everything between the first instruction of a panic and its message: whoever comes here a second
 * time has nothing more to say than that.
 */
void panic_begin(const char *prefix, const char *fmt, va_list args)
{
	char message[MESSAGE_BYTES];
	va_list copy;
	u32 before;

	irq_save();
	va_copy(copy, args);
	vpanic_own(fmt, copy);
	va_end(copy);
	before = depth++;
	if (before == 0)
		smp_stop_others();
	printk_panic_mode();
	if (before >= 2)
		machine_exit(EXIT_PANIC_CODE);
	vsnprintf(message, sizeof(message), fmt, args);
	klog(LOG_EMERG, "panic", "%s%s%s", before ? "panic inside a panic: " : "", prefix, message);
	if (before)
		machine_exit(EXIT_PANIC_CODE);
}

static _Noreturn void finish(u32 reported)
{
	print_other_cpus(reported);
	print_memory();
	kprintf("---[ end of panic ]---\n");
	machine_exit(EXIT_PANIC_CODE);
}

static void print_place(u64 rip, bool rip_is_return, u64 rsp, u64 rbp)
{
	kprintf("RIP %016llx  RSP %016llx  RBP %016llx\n", (unsigned long long)rip,
		(unsigned long long)rsp, (unsigned long long)rbp);
	kprintf("CR2 %016llx  CR3 %016llx  CR4 %08llx  CPU %u\n", (unsigned long long)read_cr2(),
		(unsigned long long)read_cr3(), (unsigned long long)read_cr4(), smp_processor_id());
	kprintf("backtrace:\n");
	print_frames(rip, rip_is_return, rbp);
}

_Noreturn void panic_end(const void *frame_address)
{
	/* frame[0] is the caller's rbp, frame[1] the return address, and above it is its stack. */
	const u64 *frame = frame_address;

	print_place(frame[1], true, (u64)(frame + 2), frame[0]);
	finish(smp_processor_id());
}

__noinline _Noreturn void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin("", fmt, args);
	va_end(args);
	panic_end(__builtin_frame_address(0));
}

_Noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin("", fmt, args);
	va_end(args);
	print_registers(frame);
	print_place(frame->rip, false, frame->rsp, frame->rbp);
	finish(smp_processor_id());
}

_Noreturn void panic_trap_of(u32 cpu, const struct trap_frame *frame, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin("", fmt, args);
	va_end(args);
	print_registers(frame);
	kprintf("RIP %016llx  RSP %016llx  RBP %016llx\nCPU %u, noticed by CPU %u\nbacktrace:\n",
		(unsigned long long)frame->rip, (unsigned long long)frame->rsp,
		(unsigned long long)frame->rbp, cpu, smp_processor_id());
	print_frames(frame->rip, false, frame->rbp);
	finish(cpu);
}
