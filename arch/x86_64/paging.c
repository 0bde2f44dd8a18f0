/*
 * The kernel's address space. <asm/layout.h> has the picture.
 *
 * Two sets of tables. The entry's, in large pages, all rights, serve until the parsers have found
 * out what memory there is. paging_init() then builds the final ones from pages that its caller
 * provides and switches over; the low half is gone with the old ones.
 *
 * Rights (PAGING-1 to PAGING-4 of <x86/paging.h>, which kernel/check.c executes):
 *
 *	image     text RX, rodata and symbols R, data RW, 4 KiB pages; the boot section nowhere
 *	direct    RAM RW, with the largest pages the CPU has. The alias of what is read-only in the
 *	          image is read-only here, too, else a stray pointer into the direct map could
 *	          change code. Firmware tables asked for later, which are no RAM: R
 *	devices   RW, uncached, at their place in the direct map: the local APIC
 *	stacks    RW, in slots with a hole below each
 *	vmemmap   RW, 2 MiB pages where aligned
 *
 * All but text is NX, and all is global: there is one address space.
 *
 * The direct map covers exactly the ranges it is given, rounded outward to 4 KiB, never more: what
 * is next to RAM may be a device, and a large page over both would let the CPU read ahead into it.
 * Mapping fills only what is not mapped yet, so the order of the steps decides which rights win:
 * first the read-only alias, then RAM, then firmware ranges.
 *
 * Firmware tables asked for before paging_init() are reached through the entry's tables, which
 * cover 4 GiB, and above that through a window behind them that shows one at a time. Nothing of it
 * lasts: the addresses are the firmware's word, may be a device's, and whoever reads tables copies
 * what it needs.
 *
 * A mapping that goes, a stack's, is taken out of the tables first and then out of every CPU's
 * TLB; only then are its pages the caller's again.
 *
 * Locking: one lock over whoever changes the final tables. Walks take none: tables are never given
 * back. The lock stands above those of the zones, since tables are allocated under it.
 *
 * Source: Intel SDM volume 3A, chapter "Paging".
 */
#include <x86/cpu_features.h>
#include <x86/image.h>
#include <x86/paging.h>
#include <x86/regs.h>
#include <x86/smp.h>

#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/errno.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

#include "pagetable.h"

#define BOOT_MAPPED_BYTES GiB(4)

/* The longest table that is read, and a page, since it may begin inside one. */
#define WINDOW_BYTES   (MiB(16) + PAGE_SIZE)
#define NR_BOOT_TABLES (1 + DIV_ROUND_UP(WINDOW_BYTES, LARGE_PAGE_SIZE))

/* The final tables; root is 0 until paging_init(). Changed under tables_lock. */
static struct page_tables kernel_tables;
static struct spinlock tables_lock = SPINLOCK_INIT("page tables");
static enum page_level direct_map_largest;

/* The entry's tables of the window, and how much of it is mapped. */
static u8 boot_tables[NR_BOOT_TABLES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u32 nr_boot_tables_used;
static u64 window_bytes;

static uintptr_t direct(phys_addr_t phys)
{
	return (uintptr_t)phys_to_virt(phys);
}

static int map(uintptr_t virt, phys_addr_t phys, u64 size_bytes, u64 rights,
	       enum page_level largest)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);
	int error = pagetable_map(&kernel_tables, virt, phys, size_bytes, rights, largest);

	spin_unlock_irqrestore(&tables_lock, flags);
	return error;
}

static void must_map(uintptr_t virt, phys_addr_t phys, u64 size_bytes, u64 rights,
		     enum page_level largest)
{
	if (map(virt, phys, size_bytes, rights, largest))
		panic("paging: no memory for page tables while mapping 0x%lx", virt);
}

static void map_image_part(const char *start, const char *end, u64 rights)
{
	must_map((uintptr_t)start, image_to_phys(start), (u64)(end - start), rights, LEVEL_4K);
}

static void map_read_only_alias(const char *start, const char *end)
{
	phys_addr_t phys = image_to_phys(start);

	must_map(direct(phys), phys, (u64)(end - start), RIGHTS_READ, direct_map_largest);
}

static void map_image(void)
{
	map_image_part(__text_start, __text_end, RIGHTS_EXECUTE);
	map_image_part(__rodata_start, __rodata_end, RIGHTS_READ);
	map_image_part(__data_start, __data_end, RIGHTS_WRITE);
	map_image_part(__ksyms_start, __ksyms_end, RIGHTS_READ);
	map_read_only_alias(__image_start, __rodata_end);
	map_read_only_alias(__ksyms_start, __ksyms_end);
}

static void map_direct_range(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t start = ALIGN_DOWN(base, PAGE_SIZE);
	phys_addr_t end = ALIGN_UP(base + size_bytes, PAGE_SIZE);

	ASSERT_MSG(start < end && end <= 1ull << PHYS_ADDR_BITS_MAX,
		   "direct map: bad range 0x%lx + 0x%lx", base, size_bytes);
	must_map(direct(start), start, end - start, RIGHTS_WRITE, direct_map_largest);
}

/* --- Firmware tables, before paging_init() ------------------------------------------------- */

static phys_addr_t take_boot_table(void)
{
	if (nr_boot_tables_used == NR_BOOT_TABLES)
		return 0;
	return image_to_phys(boot_tables[nr_boot_tables_used++]);
}

static void close_window(void)
{
	struct page_tables boot = {.root = read_cr3() & PTE_ADDRESS};
	uintptr_t virt = direct(BOOT_MAPPED_BYTES);

	pagetable_unmap(&boot, virt, window_bytes);
	for (u64 done = 0; done < window_bytes; done += PAGE_SIZE)
		invlpg(virt + done);
	window_bytes = 0;
}

/* The window's tables stay, so the pool is used up once, by the longest of all. */
static const void *open_window(phys_addr_t base, u64 size_bytes)
{
	struct page_tables boot = {.root = read_cr3() & PTE_ADDRESS,
				   .alloc_table = take_boot_table};
	phys_addr_t start = ALIGN_DOWN(base, PAGE_SIZE);
	u64 bytes = ALIGN_UP(base + size_bytes, PAGE_SIZE) - start;
	uintptr_t virt = direct(BOOT_MAPPED_BYTES);

	close_window();
	if (bytes > WINDOW_BYTES)
		return NULL;
	if (pagetable_map(&boot, virt, start, bytes, RIGHTS_READ, LEVEL_4K))
		panic("paging: no tables for a window of 0x%llx bytes", (unsigned long long)bytes);
	window_bytes = bytes;
	return (const void *)(virt + (base - start));
}

/* --- The final tables ---------------------------------------------------------------------- */

void paging_init(const struct paging_source *source)
{
	struct cpu_features cpu = cpu_features();

	direct_map_largest = cpu.pages_1g ? LEVEL_1G : LEVEL_2M;
	kernel_tables.alloc_table = source->alloc_table;
	kernel_tables.root = pagetable_new(&kernel_tables);
	if (!kernel_tables.root)
		panic("paging: no memory for the top page table");
	map_image();
	source->for_each_range(map_direct_range);
	close_window();
	write_cr3(kernel_tables.root);
	cpu_enable_features();
	klog(LOG_INFO, "paging", "direct map in pages of up to %s, %lu tables%s%s%s",
	     cpu.pages_1g ? "1 GiB" : "2 MiB", kernel_tables.nr_tables, cpu.smep ? ", SMEP" : "",
	     cpu.smap ? ", SMAP" : "", cpu.umip ? ", UMIP" : "");
}

const void *paging_map_firmware(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t limit = 1ull << MIN(cpu_features().phys_bits, (u32)PHYS_ADDR_BITS_MAX);
	phys_addr_t start, end;

	if (!size_bytes || base >= limit || size_bytes > limit - base)
		return NULL;
	if (!kernel_tables.root)
		return base + size_bytes <= BOOT_MAPPED_BYTES ? phys_to_virt(base)
							      : open_window(base, size_bytes);
	start = ALIGN_DOWN(base, PAGE_SIZE);
	end = ALIGN_UP(base + size_bytes, PAGE_SIZE);
	return map(direct(start), start, end - start, RIGHTS_READ, LEVEL_4K) ? NULL
									     : phys_to_virt(base);
}

int arch_map_vmemmap(uintptr_t virt, phys_addr_t phys, u64 size_bytes)
{
	ASSERT(kernel_tables.root);
	ASSERT_MSG(IS_ALIGNED(virt | phys | size_bytes, PAGE_SIZE) && virt >= VMEMMAP_BASE &&
			   virt - VMEMMAP_BASE <= VMEMMAP_BYTES &&
			   size_bytes <= VMEMMAP_BYTES - (virt - VMEMMAP_BASE),
		   "vmemmap: cannot map 0x%lx + 0x%lx to 0x%lx", virt, size_bytes, phys);
	if (!pagetable_is_free(&kernel_tables, virt, size_bytes))
		return -EEXIST;
	return map(virt, phys, size_bytes, RIGHTS_WRITE, LEVEL_2M);
}

volatile void *paging_map_device(phys_addr_t base, u64 size_bytes)
{
	ASSERT(kernel_tables.root);
	ASSERT_MSG(IS_ALIGNED(base | size_bytes, PAGE_SIZE), "device at 0x%lx + 0x%lx", base,
		   size_bytes);
	if (!pagetable_is_free(&kernel_tables, direct(base), size_bytes) ||
	    map(direct(base), base, size_bytes, RIGHTS_DEVICE, LEVEL_4K))
		return NULL;
	return phys_to_virt(base);
}

static uintptr_t slot_base(u32 slot)
{
	return STACK_WINDOW_BASE + slot * STACK_SLOT_BYTES;
}

uintptr_t paging_map_stack(u32 slot, phys_addr_t phys)
{
	uintptr_t top = slot_base(slot) + STACK_SLOT_BYTES;
	uintptr_t low = top - STACK_BYTES;

	ASSERT(kernel_tables.root);
	ASSERT_MSG(slot < STACK_WINDOW_BYTES / STACK_SLOT_BYTES && IS_ALIGNED(phys, PAGE_SIZE),
		   "stack slot %u, memory at 0x%lx", slot, phys);
	ASSERT_MSG(pagetable_is_free(&kernel_tables, low, STACK_BYTES), "stack slot %u is taken",
		   slot);
	/* Its pages are in one table: there is one, or nothing is mapped. */
	return map(low, phys, STACK_BYTES, RIGHTS_WRITE, LEVEL_4K) ? 0 : top;
}

static uintptr_t slot_low(u32 slot)
{
	return slot_base(slot) + STACK_SLOT_BYTES - STACK_BYTES;
}

void paging_unmap_stacks(const u32 *slots, u32 nr)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);

	for (u32 i = 0; i < nr; i++) {
		u64 span;

		ASSERT_MSG(pagetable_lookup(&kernel_tables, slot_low(slots[i]), &span),
			   "stack slot %u is empty", slots[i]);
		pagetable_unmap(&kernel_tables, slot_low(slots[i]), STACK_BYTES);
	}
	spin_unlock_irqrestore(&tables_lock, flags);
	/* More than one are too far from each other to be flushed page by page. */
	tlb_shootdown(slot_low(slots[0]), nr == 1 ? STACK_BYTES : STACK_WINDOW_BYTES);
}

phys_addr_t paging_unmap_stack(u32 slot)
{
	phys_addr_t phys;

	paging_translate(slot_low(slot), &phys);
	paging_unmap_stacks(&slot, 1);
	return phys;
}

/* Is addr in a slot of the stack window that has a stack? */
static bool used_slot(uintptr_t addr, u32 *slot)
{
	u64 offset = addr - STACK_WINDOW_BASE, span;

	if (!kernel_tables.root || offset >= STACK_WINDOW_BYTES)
		return false;
	*slot = (u32)(offset / STACK_SLOT_BYTES);
	return pagetable_lookup(&kernel_tables, slot_base(*slot + 1) - PAGE_SIZE, &span);
}

bool paging_stack_bounds(uintptr_t addr, uintptr_t *low, uintptr_t *top)
{
	u32 slot;

	if (!used_slot(addr, &slot))
		return false;
	*top = slot_base(slot + 1);
	*low = *top - STACK_BYTES;
	return addr >= *low;
}

bool paging_is_stack_guard(uintptr_t addr, u32 *slot)
{
	return used_slot(addr, slot) && addr < slot_base(*slot + 1) - STACK_BYTES;
}

bool paging_translate(uintptr_t virt, phys_addr_t *phys)
{
	u64 span, entry = pagetable_lookup(&kernel_tables, virt, &span);

	*phys = ALIGN_DOWN(entry & PTE_ADDRESS, span) + virt % span;
	return entry;
}

void paging_for_each_leaf(void (*fn)(const struct paging_leaf *leaf, void *arg), void *arg)
{
	pagetable_for_each_leaf(&kernel_tables, fn, arg);
}

u64 paging_table_pages(void)
{
	return kernel_tables.nr_tables;
}
