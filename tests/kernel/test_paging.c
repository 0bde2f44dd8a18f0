/*
 * The address space is as <asm/layout.h> says. The rights are read from the tables that the CPU
 * uses, by a walk of this file's own: what paging.c believes is not asked.
 */
#include <arch/page.h>
#include <base/string.h>
#include <kernel/check.h>
#include <kernel/test.h>
#include <mm/inspect.h>
#include <mm/numa.h>
#include <mm/page.h>
#include <x86/cpu_features.h>
#include <x86/image.h>
#include <x86/paging.h>
#include <x86/regs.h>
#include <x86/trap.h>

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE   (1ull << 1)
#define ENTRY_USER    (1ull << 2)
#define ENTRY_LARGE   (1ull << 7)
#define ENTRY_NX      (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

struct mapping {
	bool present, writable, executable, user;
	phys_addr_t phys;
};

/* Intel SDM volume 3A, section 4.5: a right holds if every level grants it. */
static struct mapping walk(uintptr_t virt)
{
	struct mapping m = {.writable = true, .executable = true, .user = true};
	phys_addr_t table = read_cr3() & ENTRY_ADDRESS;

	for (int shift = 39; shift >= PAGE_SHIFT; shift -= 9) {
		const u64 *entries = phys_to_virt(table);
		u64 entry = entries[(virt >> shift) & 511];

		if (!(entry & ENTRY_PRESENT))
			return (struct mapping){.present = false};
		m.writable &= (entry & ENTRY_WRITE) != 0;
		m.executable &= !(entry & ENTRY_NX);
		m.user &= (entry & ENTRY_USER) != 0;
		table = entry & ENTRY_ADDRESS;
		if (shift == PAGE_SHIFT || (entry & ENTRY_LARGE)) {
			u64 offset = virt & ((1ull << shift) - 1);

			m.present = true;
			m.phys = (table & ~((1ull << shift) - 1)) + offset;
			break;
		}
	}
	return m;
}

/* Every page of [start, end) has these rights and stands at phys; returns how many are wrong. */
static u32 count_wrong(const char *start, const char *end, phys_addr_t phys, bool writable,
		       bool executable)
{
	u32 wrong = 0;

	for (u64 i = 0; i < (u64)(end - start); i += PAGE_SIZE) {
		struct mapping m = walk((uintptr_t)start + i);

		wrong += !m.present || m.writable != writable || m.executable != executable ||
			 m.user || m.phys != phys + i;
	}
	return wrong;
}

static void image_is_w_xor_x(struct ktest *t)
{
	EXPECT_EQ(t,
		  count_wrong(__text_start, __text_end, image_to_phys(__text_start), false, true),
		  0);
	EXPECT_EQ(t,
		  count_wrong(__rodata_start, __rodata_end, image_to_phys(__rodata_start), false,
			      false),
		  0);
	EXPECT_EQ(t,
		  count_wrong(__data_start, __data_end, image_to_phys(__data_start), true, false),
		  0);
}

static void alias_is_read_only(struct ktest *t)
{
	phys_addr_t text = image_to_phys(__text_start), rodata = image_to_phys(__rodata_start);
	phys_addr_t data = image_to_phys(__data_start);
	const char *direct = phys_to_virt(0);

	EXPECT_EQ(
		t,
		count_wrong(direct + text, direct + image_to_phys(__text_end), text, false, false),
		0);
	EXPECT_EQ(t,
		  count_wrong(direct + rodata, direct + image_to_phys(__rodata_end), rodata, false,
			      false),
		  0);
	EXPECT_EQ(t,
		  count_wrong(direct + data, direct + image_to_phys(__data_end), data, true, false),
		  0);
}

/* The whole lower half is empty: a null pointer plus anything faults. */
static void nothing_is_mapped_low(struct ktest *t)
{
	const u64 *root = phys_to_virt(read_cr3() & ENTRY_ADDRESS);
	u32 present = 0;

	for (u32 i = 0; i < 256; i++)
		present += (root[i] & ENTRY_PRESENT) != 0;
	EXPECT_EQ(t, present, 0);
	EXPECT(t, !walk(0).present);
	EXPECT(t, !walk(MiB(1)).present);
	/* The boot section was for the entry only. */
	EXPECT(t, !walk((uintptr_t)__image_start).present);
}

static void stacks_have_guards(struct ktest *t)
{
	for (u32 slot = 0; slot < NR_IST; slot++) {
		uintptr_t base = STACK_WINDOW_BASE + slot * STACK_SLOT_BYTES;
		uintptr_t low = base + STACK_SLOT_BYTES - STACK_BYTES;
		u32 mapped = 0, guarded = 0, found;

		for (uintptr_t at = base; at < low; at += PAGE_SIZE)
			guarded += !walk(at).present;
		for (uintptr_t at = low; at < base + STACK_SLOT_BYTES; at += PAGE_SIZE)
			mapped += walk(at).present && walk(at).writable && !walk(at).executable;
		EXPECT_EQ(t, guarded, (STACK_SLOT_BYTES - STACK_BYTES) / PAGE_SIZE);
		EXPECT_EQ(t, mapped, STACK_BYTES / PAGE_SIZE);
		EXPECT(t, paging_is_stack_guard(low - 1, &found) && found == slot);
		EXPECT(t, !paging_is_stack_guard(low, &found));
	}
	EXPECT(t, !walk(STACK_WINDOW_BASE + NR_IST * STACK_SLOT_BYTES).present);
}

/* The memory map: struct page of the kernel's own text is writable data at its place. */
static void vmemmap_is_data(struct ktest *t)
{
	const struct page *page = pfn_to_page(pfn_down(image_to_phys(__text_start)));
	struct mapping m = walk((uintptr_t)page);

	EXPECT(t, m.present && m.writable && !m.executable && !m.user);
	EXPECT_EQ(t, page->state, PAGE_RESERVED);
}

/* How many tables a page here still lacks. */
static u32 tables_missing(uintptr_t virt)
{
	phys_addr_t table = read_cr3() & ENTRY_ADDRESS;

	for (int shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		const u64 *entries = phys_to_virt(table);
		u64 entry = entries[(virt >> shift) & 511];

		if (!(entry & ENTRY_PRESENT))
			return (u32)(shift - PAGE_SHIFT) / 9;
		table = entry & ENTRY_ADDRESS;
	}
	return 0;
}

static u64 free_pages(void)
{
	struct node_snapshot node;
	u64 free = 0;
	int nid;

	for_each_node(nid)
		if (node_snapshot(nid, &node))
			free += node.free_pages;
	return free;
}

/*
 * Firmware far above all RAM, at 700 GiB where the CPU has 40 address bits: early memory is closed,
 * so the tables for it come from the allocator. They stay: a second run of this needs none.
 */
static void tables_come_from_the_allocator(struct ktest *t)
{
	u32 bits = MIN(cpu_features().phys_bits, (u32)PHYS_ADDR_BITS_MAX);
	phys_addr_t phys = ((phys_addr_t)1 << bits) - GiB(324);
	uintptr_t virt = (uintptr_t)phys_to_virt(phys);
	u64 tables = paging_table_pages(), free = free_pages();
	u32 missing = tables_missing(virt);
	struct mapping m;

	/* Some of them may be there by other tests: of the neighbours. */
	EXPECT(t, missing > 0 || walk(virt).present);
	EXPECT(t, paging_map_firmware(phys, 2 * PAGE_SIZE) == (const void *)virt);
	EXPECT_EQ(t, paging_table_pages(), tables + missing);
	EXPECT_EQ(t, free_pages(), free - missing);
	m = walk(virt + PAGE_SIZE);
	EXPECT(t, m.present && !m.writable && !m.executable && m.phys == phys + PAGE_SIZE);
	EXPECT(t, !walk(virt + 2 * PAGE_SIZE).present);
	EXPECT(t, paging_map_firmware(phys, PAGE_SIZE) == (const void *)virt);
	EXPECT_EQ(t, paging_table_pages(), tables + missing);
}

/* ---- `check` finds what is broken ------------------------------------------------------------ */

/* The entry that maps virt. The tables are ordinary memory: the test can write them. */
static u64 *leaf_of(uintptr_t virt)
{
	phys_addr_t table = read_cr3() & ENTRY_ADDRESS;

	for (int shift = 39;; shift -= 9) {
		u64 *entry = (u64 *)phys_to_virt(table) + ((virt >> shift) & 511);

		if (!(*entry & ENTRY_PRESENT))
			return NULL;
		if (shift == PAGE_SHIFT || (*entry & ENTRY_LARGE))
			return entry;
		table = *entry & ENTRY_ADDRESS;
	}
}

/* Puts `value` there, checks, and puts back what was: nothing uses the page meanwhile. */
static void expect_found(struct ktest *t, u64 *entry, u64 value, u32 nr_broken, const char *id)
{
	struct check_report report = {0};
	u64 before;

	ASSERT_TRUE(t, entry);
	before = *entry;
	*entry = value;
	EXPECT(t, !kernel_check(&report));
	*entry = before;
	EXPECT_EQ(t, report.failed, nr_broken);
	EXPECT_MSG(t, strncmp(report.first, id, strlen(id)) == 0, "found \"%s\", expected %s",
		   report.first, id);
}

static void check_finds_wrong_rights(struct ktest *t)
{
	struct check_report report = {0};
	u64 *root = phys_to_virt(read_cr3() & ENTRY_ADDRESS);
	u64 *text = leaf_of((uintptr_t)__text_start), *rodata = leaf_of((uintptr_t)__rodata_start);
	u64 *symbols = leaf_of((uintptr_t)__ksyms_start);
	u64 *data = leaf_of((uintptr_t)__data_start);
	u64 *alias = leaf_of((uintptr_t)phys_to_virt(image_to_phys(__text_start)));

	EXPECT(t, kernel_check(&report));
	EXPECT(t, report.run >= 4 && report.items > report.run);
	EXPECT_EQ(t, report.failed, 0);

	expect_found(t, text, *text | ENTRY_WRITE, 2, "PAGING-1");
	expect_found(t, alias, *alias | ENTRY_WRITE, 1, "PAGING-2");
	expect_found(t, rodata, *rodata | ENTRY_WRITE, 1, "PAGING-2");
	expect_found(t, symbols, *symbols | ENTRY_WRITE, 1, "PAGING-2");
	expect_found(t, rodata, *rodata & ~ENTRY_NX, 1, "PAGING-3");
	expect_found(t, data, *data & ~ENTRY_NX, 2, "PAGING-1");
	/* The stack window, once more and low. */
	expect_found(t, root, root[(STACK_WINDOW_BASE >> 39) & 511], 1, "PAGING-4");
	EXPECT(t, kernel_check(&report));
}

static const struct ktest_case cases[] = {
	KTEST(image_is_w_xor_x),         KTEST(alias_is_read_only),
	KTEST(nothing_is_mapped_low),    KTEST(stacks_have_guards),
	KTEST(vmemmap_is_data),          KTEST(tables_come_from_the_allocator),
	KTEST(check_finds_wrong_rights),
};
KTEST_SUITE(paging, cases);
