/*
 * The kernel's table of contents: kmain() is the story of the boot, a step a line.
 *
 * boot/entry.asm has brought the CPU to long mode in the higher half, on a small stack, with the
 * first 4 GiB mapped, everything writable. What follows is ordered by what needs what:
 *
 *	 1  console, exceptions, clock   first, so that every later step can say what goes wrong
 *	 2  the loader's information     where the memory map, the command line and the RSDP are
 *	 3  options                      GRUB's line, then the run's (fw_cfg), which wins
 *	 4  RAM to memblock              the firmware's map, cut by mem=
 *	 5  what is taken already        reserved before anything is handed out: the kernel would
 *	                                 else allocate over itself, its modules, its tables
 *	 6  the machine                  ACPI tables give the topology; they are reserved as well;
 *	                                 numa_init() tells memblock whose memory is whose
 *	 7  page tables                  the final ones: W^X, no low half. First allocations
 *	 8  this CPU's area and stacks   on its own node, with guards below them; the boot stack is
 *	                                 left behind
 *	 9  the memory manager           zones, struct page, buddy; memblock closes; object caches
 *	10  interrupts and threads       serial line, local APIC, tick; what runs becomes a thread
 *	11  the other CPUs               all of them; each becomes its own idle thread
 *	12  accounting                   each page of the firmware's map has an owner, or the boot
 *	                                 ends here: a page that is lost, or had twice
 *	13  kswapd                       one for each node: makes room before requests have to; all
 *	                                 CPUs get their stacks of objects
 *	14  what the options ask for     tests, benchmark, commands, or the monitor
 *
 * Steps 1 to 9 run with interrupts off, and 1 to 10 on one CPU.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <boot/boot_info.h>
#include <kernel/acpi.h>
#include <kernel/bench.h>
#include <kernel/crash.h>
#include <kernel/lockcheck.h>
#include <kernel/memory_map.h>
#include <kernel/monitor.h>
#include <kernel/netblk.h>
#include <kernel/options.h>
#include <kernel/page_cache.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/numa.h>
#include <mm/oom.h>
#include <mm/page_alloc.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/fwcfg.h>
#include <x86/image.h>
#include <x86/machine.h>
#include <x86/paging.h>
#include <x86/serial.h>
#include <x86/smp.h>
#include <x86/time.h>
#include <x86/trap.h>

#include "commands.h"
#include "cpus.h"

#define FWCFG_CMDLINE    "opt/highwater/cmdline"
#define MAX_INFO_BYTES   MiB(16)
#define BOOT_MAPPED_END  GiB(4)
#define TRAMPOLINE_LIMIT MiB(1)

void kmain(u32 magic, phys_addr_t info_phys);

static struct boot_info boot_info;
static u32 info_bytes; /* of the loader's information, where it stands */

static void read_boot_info(u32 magic, phys_addr_t info_phys)
{
	const u8 *bytes = phys_to_virt(info_phys);

	if (magic != MULTIBOOT2_BOOTLOADER_MAGIC)
		panic("not started by a multiboot2 loader: magic 0x%x", magic);
	/* The information starts with its own length. */
	info_bytes = *(const u32 *)(const void *)bytes;
	if (info_bytes > MAX_INFO_BYTES || info_phys + info_bytes > BOOT_MAPPED_END)
		panic("the loader's information at 0x%llx has %u byte%s",
		      (unsigned long long)info_phys, info_bytes, plural(info_bytes));
	if (multiboot2_parse(bytes, info_bytes, &boot_info) != 0)
		klog(LOG_ERR, "boot", "the loader's information is malformed");
	klog(LOG_INFO, "boot", "the loader's information: 0x%llx + 0x%x, %u module%s",
	     (unsigned long long)info_phys, info_bytes, boot_info.nr_modules,
	     plural(boot_info.nr_modules));
	if (boot_info.nr_dropped)
		klog(LOG_WARN, "boot", "left out of the loader's information: %u of its entries",
		     boot_info.nr_dropped);
	if (boot_info.nr_modules_joined)
		klog(LOG_WARN, "boot", "%u module%s more than %d: kept together with others",
		     boot_info.nr_modules_joined, plural(boot_info.nr_modules_joined),
		     BOOT_MAX_MODULES);
}

static void read_options(void)
{
	static char from_run[BOOT_CMDLINE_BYTES];
	int len;

	options_defaults(&options);
	options_parse_line(&options, "GRUB's", boot_info.cmdline, sizeof(boot_info.cmdline),
			   boot_info.cmdline_bytes);
	len = fwcfg_read_file(FWCFG_CMDLINE, from_run, sizeof(from_run));
	if (len >= 0)
		options_parse_line(&options, "the run's", from_run, sizeof(from_run), (size_t)len);
	klog_set_level((enum log_level)options.loglevel);
	if (options.lockcheck == 1 || (options.lockcheck < 0 && options.test.asked))
		lockcheck_start();
	slab_debug_choose((u32)options.slab_debug);
	slab_order_choose(options.slab_random == 1, options.seed);
	for (int i = 0; i < NR_MM_MECHANISMS; i++) {
		int behaviour = options.behaviour[i];

		mm_policy_choose((enum mm_mechanism)i,
				 (enum mm_behaviour)(behaviour >= 0 ? behaviour : options.profile));
	}
}

static void add_memory(void)
{
	struct memory_map_range range;
	phys_addr_t cursor = 0;

	memory_map_init(&machine_memory_map, &boot_info, options.mem_bytes);
	while (memory_map_next_kept(&machine_memory_map, &cursor, &range))
		if (memblock_add(range.base, range.end - range.base) != 0)
			klog(LOG_ERR, "memory", "no room for the range at 0x%llx",
			     (unsigned long long)range.base);
}

static void reserve(phys_addr_t base, u64 size_bytes, enum memblock_owner owner)
{
	if (size_bytes > 0 && memblock_reserve(base, size_bytes, owner) != 0)
		panic("no room to reserve 0x%llx + 0x%llx for %s", (unsigned long long)base,
		      (unsigned long long)size_bytes, memblock_owner_name(owner));
}

static void reserve_table(phys_addr_t base, u64 size_bytes, const char *signature)
{
	(void)signature;
	reserve(base, size_bytes, MEMBLOCK_ACPI);
}

static void reserve_what_is_taken(phys_addr_t info_phys)
{
	reserve(0, PAGE_SIZE, MEMBLOCK_FIRST_PAGE);
	reserve(image_to_phys(__image_start), (u64)(__image_end - __image_start),
		MEMBLOCK_KERNEL_IMAGE);
	reserve(info_phys, info_bytes, MEMBLOCK_BOOT_INFO);
	for (u32 i = 0; i < boot_info.nr_modules; i++)
		reserve(boot_info.modules[i].start,
			boot_info.modules[i].end - boot_info.modules[i].start, MEMBLOCK_BOOT_INFO);
}

static void learn_machine(void)
{
	acpi_init(&boot_info, options.numa);
	acpi_for_each_table(reserve_table);
	numa_init(acpi_topology());
}

static phys_addr_t take_early(u64 size_bytes, phys_addr_t limit, enum memblock_owner owner)
{
	struct memblock_request request = {
		.size_bytes = size_bytes,
		.align_bytes = PAGE_SIZE,
		.limit = limit,
		.nid = NUMA_NO_NODE,
		.owner = owner,
	};

	return memblock_alloc(&request);
}

/* Where page tables come from: early memory, and once that is closed the allocator. */
static bool allocator_ready;

/* Under the lock of the tables, so nobody may be woken: this request does not call for kswapd. */
static phys_addr_t take_table(void)
{
	if (allocator_ready) {
		struct page *page = alloc_pages(__GFP_HIGH, 0);

		return page ? page_to_phys(page) : 0;
	}
	return take_early(PAGE_SIZE, BOOT_MAPPED_END, MEMBLOCK_PAGE_TABLES);
}

/* What the direct map holds: all RAM. Firmware tables are mapped where they are read, read-only. */
static void for_each_mapped_range(void (*map)(phys_addr_t base, u64 size_bytes))
{
	struct memory_map_range range;
	phys_addr_t cursor = 0;

	while (memory_map_next(&machine_memory_map, &cursor, &range))
		map(range.base, range.end - range.base);
}

static void build_address_space(void)
{
	static const struct paging_source source = {
		.alloc_table = take_table,
		.for_each_range = for_each_mapped_range,
	};

	/* Kept for starting the other CPUs, which begin in real mode. */
	smp_keep_trampoline(take_early(PAGE_SIZE, TRAMPOLINE_LIMIT, MEMBLOCK_TRAMPOLINE));
	paging_init(&source);
}

static _Noreturn void continue_on_stack(uintptr_t top, void (*next)(void))
{
	/* rbp of 0 ends a backtrace. */
	__asm__ volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call *%1; ud2"
			 :
			 : "r"(top), "r"(next)
			 : "memory");
	__builtin_unreachable();
}

static void print_summary(void)
{
	const struct numa_topology *topology = numa_topology();
	u32 nr_online = nr_cpus_online();
	char in_use[24];

	if (nr_online == topology->nr_cpus)
		snprintf(in_use, sizeof(in_use), "%s", nr_online == 1 ? "in use" : "all in use");
	else
		snprintf(in_use, sizeof(in_use), "%u in use", nr_online);
	klog(LOG_INFO, "machine", "%u node%s, %u CPU%s, %s, %llu MiB of RAM, %s, by %s",
	     topology->nr_nodes, plural(topology->nr_nodes), topology->nr_cpus,
	     plural(topology->nr_cpus), in_use,
	     (unsigned long long)(memblock_ram_pages() << PAGE_SHIFT) >> 20,
	     boot_info.efi ? "UEFI" : "BIOS", boot_info.loader);
}

static _Noreturn void leave(bool success)
{
	crash_before_exit();
	machine_exit(success ? EXIT_SUCCESS_CODE : EXIT_FAILURE_CODE);
}

static _Noreturn void do_what_was_asked(void)
{
	if (options.refused_request[0]) {
		klog(LOG_EMERG, "options",
		     "test, bench or run= was not understood (%s): nothing is run",
		     options.refused_request);
		if (!options.monitor)
			leave(false);
		monitor();
	}
	if (options.bench.asked && (options.test.asked || options.run[0])) {
		/* Figures taken after something else has run would be other figures. */
		klog(LOG_EMERG, "options",
		     "bench is given together with test or run=: nothing is run");
		leave(false);
	}
	if (options.test.asked && options.run[0])
		klog(LOG_WARN, "options", "test and run= are both given: only the tests are run");
	if (options.test.asked)
		leave(ktest_run(options.test.globs, options.seed).failed == 0);
	if (options.bench.asked)
		leave(bench_run(options.bench.globs));
	if (options.run[0]) {
		u32 failed = monitor_run_at_boot(options.run);

		if (!options.monitor)
			leave(failed == 0);
	}
	monitor();
}

/* The network block device is no hardware: its interrupt is the tick. */
static void network_interrupt(void)
{
	netblk_interrupt(arch_timestamp_to_ns(arch_timestamp()));
}

/* A tick from the local APIC if there is one, from the PIT if not. */
static void start_interrupts(void)
{
	legacy_irqs_init();
	if (apic_init_boot()) {
		legacy_tick_stop();
		apic_start_timer();
	}
	threads_init();
	irq_restore(RFLAGS_IF);
	threads_start_idle();
	tick_set_device(network_interrupt);
	monitor_input_init();
}

/* Steps 9 to 14: on the final stack, in the final address space. */
static void run_kernel(void)
{
	struct mm_options mm = {.min_free_kbytes = options.min_free_kbytes,
				.one_block_type = !options.block_types};
	u64 start_ns = time_since_entry_ns(), mm_ns;

	mm_init(&mm);
	slab_init();
	mm_ns = time_since_entry_ns() - start_ns;
	allocator_ready = true;
	cpus_memory_ready();
	panic_memory_ready();
	page_cache_init();
	start_interrupts();
	smp_start_all(numa_topology()->nr_cpus, (u32)options.maxcpus);
	oom_set_last_resort((enum oom_last_resort)options.oom);
	check_accounting();
	/* Says itself what is missing; requests then make room themselves. */
	(void)kswapd_start();
	slab_start();
	print_summary();
	klog(LOG_INFO, "highwater", "memory manager up in %llu us: %llu us a GiB",
	     (unsigned long long)mm_ns / 1000,
	     (unsigned long long)(mm_ns / 1000 * (GiB(1) >> PAGE_SHIFT) / memblock_ram_pages()));
	klog(LOG_NOTICE, "highwater", "%llu ms from entry to prompt",
	     (unsigned long long)time_since_entry_ns() / 1000000);
	do_what_was_asked();
}

/* Steps 1 to 8. Called by boot/entry.asm. */
void kmain(u32 magic, phys_addr_t info_phys)
{
	cpu_area_init_boot();
	serial_init();
	traps_init();
	time_init();
	klog(LOG_NOTICE, "highwater", "a kernel that manages the memory of a NUMA machine");
	read_boot_info(magic, info_phys);
	read_options();
	add_memory();
	reserve_what_is_taken(info_phys);
	learn_machine();
	build_address_space();
	continue_on_stack(cpu_area_move_boot(&cpu_source), run_kernel);
}
