/*
 * The address space is as <asm/layout.h> says. The rights are read from the tables that the CPU
 * uses, by a walk of this file's own: what paging.c believes is not asked.
 */
#include <arch/page.h>
#include <kernel/test.h>
#include <mm/page.h>
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
	EXPECT_EQ(t, paging_check_wx(), 0);
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

static const struct ktest_case cases[] = {
	KTEST(image_is_w_xor_x),   KTEST(alias_is_read_only), KTEST(nothing_is_mapped_low),
	KTEST(stacks_have_guards), KTEST(vmemmap_is_data),
};
KTEST_SUITE(paging, cases);
