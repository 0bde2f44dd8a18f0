/*
 * Loads from addresses that may be anything: arch/x86_64/restart.c.
 */
#include <arch/page.h>
#include <kernel/test.h>
#include <mm/page.h>
#include <x86/image.h>
#include <x86/restart.h>

static u64 thing = 0x1234567890;

static bool faults(u64 addr)
{
	u64 word = 0x1234;
	bool ok = load_or_fault((const u64 *)addr, &word);

	/* Untouched, or read. */
	return !ok && word == 0x1234 && !reads_as((const u64 *)addr, 0);
}

static void loads_may_fault(struct ktest *t)
{
	static const u64 bad[] = {
		0,
		8,
		PAGE_SIZE,
		0x7ffffffffff8, /* the last address of the lower half */
		0x800000000000, /* from here on: none can be so */
		0xdeadbeefdeadbee8,
		0xffff7ffffffffff8,
		0xffff800000000000, /* and here they begin again */
		DIRECT_MAP_BASE - 8,
		STACK_WINDOW_BASE, /* a guard */
		VMEMMAP_BASE - 8,
		VMEMMAP_BASE + VMEMMAP_BYTES - 8,
		0xfffffffffffffff8,
	};
	static const u64 constant = 0xfeedface;
	u64 word = 0, here = 0x5678;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, faults(bad[i]), "a word was read at 0x%llx",
			   (unsigned long long)bad[i]);
	EXPECT(t, load_or_fault(&constant, &word) && word == 0xfeedface);
	EXPECT(t, load_or_fault(&here, &word) && word == 0x5678);
	EXPECT(t, reads_as(&here, 0x5678) && !reads_as(&here, 0x5679));
	EXPECT(t, load_or_fault((const u64 *)VMEMMAP_BASE, &word));
	EXPECT(t, load_or_fault(&thing, &word) && word == thing);
}

/* By way of the stack's registers a bad address is #SS, another exception. (Under TCG it is #GP, too.) */
static bool load_by_rsp(u64 addr)
{
	u64 word;

	__asm__ goto("subq %%rsp, %[addr]\n"
		     "1:\tmovq (%%rsp, %[addr]), %[word]\n\t"
		     ".pushsection fault_fixups, \"a\"\n\t"
		     ".quad 1b, %l[fault]\n\t"
		     ".popsection"
		     : [word] "=&r"(word), [addr] "+&r"(addr)
		     :
		     : "memory", "cc"
		     : fault);
	return word + addr != 0; /* used, so that it is not left out */
fault:
	return false;
}

static void loads_by_the_stack_pointer_may_fault(struct ktest *t)
{
	u64 here = 1;

	EXPECT(t, !load_by_rsp(0x800000000000));
	EXPECT(t, !load_by_rsp(8));
	EXPECT(t, load_by_rsp((u64)&here));
}

/* What is no address of a page leads to no struct page. */
static void struct_pages_of_anything(struct ktest *t)
{
	const u64 none[] = {
		0,
		PAGE_SIZE,
		0x7ffffffff000,
		0xdeadbeefdeadbeef,
		(u64)__text_start,
		(u64)&thing,
		(u64)&none,
		VMEMMAP_BASE,
		VMEMMAP_BASE + VMEMMAP_BYTES - 1,
		DIRECT_MAP_BASE - 1,
		DIRECT_MAP_BASE + DIRECT_MAP_BYTES - 1,
		~0ul,
	};
	u64 word, ram = (u64)phys_to_virt(MiB(1));

	for (u32 i = 0; i < ARRAY_SIZE(none); i++)
		EXPECT_MSG(t, faults(virt_to_vmemmap((const void *)none[i])),
			   "0x%llx has a struct page at 0x%llx", (unsigned long long)none[i],
			   (unsigned long long)virt_to_vmemmap((const void *)none[i]));
	for (u64 inside = 0; inside < PAGE_SIZE; inside += 8) {
		u64 at = virt_to_vmemmap((const void *)(ram + inside));

		EXPECT(t, at == (u64)pfn_to_page(MiB(1) >> PAGE_SHIFT) &&
				  load_or_fault((const u64 *)at, &word));
	}
	EXPECT_EQ(t, vmemmap_to_virt(virt_to_vmemmap((const void *)ram)), ram);
}

static void the_table_is_sound(struct ktest *t)
{
	const struct fault_fixup *f;

	EXPECT(t, __stop_fault_fixups - __start_fault_fixups >= 2);
	for (f = __start_fault_fixups; f < __stop_fault_fixups; f++)
		EXPECT(t, f->load >= (u64)__text_start && f->load < (u64)__text_end &&
				  f->instead >= (u64)__text_start && f->instead < (u64)__text_end);
}

static const struct ktest_case cases[] = {
	KTEST(the_table_is_sound),
	KTEST(loads_may_fault),
	KTEST(loads_by_the_stack_pointer_may_fault),
	KTEST(struct_pages_of_anything),
};
KTEST_SUITE(load_fault, cases);
