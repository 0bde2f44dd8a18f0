/*
 * The mechanics of four-level page tables, without knowledge of what is mapped where.
 *
 * Levels count from the leaf: 1 maps 4 KiB pages, 2 can map 2 MiB, 3 can map 1 GiB, 4 is the root.
 */
#ifndef ARCH_X86_64_PAGETABLE_H
#define ARCH_X86_64_PAGETABLE_H

#include <arch/page.h>
#include <base/types.h>
#include <x86/paging.h>

#define PTE_PRESENT       (1ull << 0)
#define PTE_WRITABLE      (1ull << 1)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_UNCACHED      (1ull << 4)
#define PTE_ACCESSED      (1ull << 5)
#define PTE_DIRTY         (1ull << 6)
#define PTE_LARGE         (1ull << 7)
#define PTE_GLOBAL        (1ull << 8)
#define PTE_NX            (1ull << 63)
#define PTE_ADDRESS       0x000ffffffffff000ull

/* Accessed and dirty are set beforehand: nobody asks, and the CPU then never writes tables. */
#define RIGHTS_READ    (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NX)
#define RIGHTS_WRITE   (RIGHTS_READ | PTE_WRITABLE | PTE_DIRTY)
#define RIGHTS_EXECUTE (RIGHTS_READ & ~PTE_NX)
#define RIGHTS_DEVICE  (RIGHTS_WRITE | PTE_UNCACHED | PTE_WRITE_THROUGH)

enum page_level { LEVEL_4K = 1, LEVEL_2M = 2, LEVEL_1G = 3 };

struct page_tables {
	phys_addr_t root;                 /* 0: none yet */
	phys_addr_t (*alloc_table)(void); /* a page that the direct map reaches, or 0 */
	u64 nr_tables;                    /* taken from it */
};

/* Takes a page for a table and clears it; 0 if there is none. */
phys_addr_t pagetable_new(struct page_tables *tables);

/*
 * Maps what is not mapped yet of [virt, virt + size) to [phys, phys + size), with the largest pages
 * up to `largest` that alignment and length allow; what is mapped stays as it is. All in multiples
 * of PAGE_SIZE. Returns 0, or -ENOMEM, with a part mapped.
 */
int pagetable_map(struct page_tables *tables, uintptr_t virt, phys_addr_t phys, u64 size_bytes,
		  u64 rights, enum page_level largest);

/*
 * Takes out the 4 KiB pages of [virt, virt + size), all of which are mapped as such. The CPUs may
 * use the old entries until they are told not to. The tables stay.
 */
void pagetable_unmap(struct page_tables *tables, uintptr_t virt, u64 size_bytes);

/* The leaf entry that maps virt, or 0; *span_bytes: how much address space that answer is about,
 * counted from its own alignment. */
u64 pagetable_lookup(const struct page_tables *tables, uintptr_t virt, u64 *span_bytes);

/* Is nothing of [virt, virt + size) mapped? */
bool pagetable_is_free(const struct page_tables *tables, uintptr_t virt, u64 size_bytes);

/* Calls fn for every leaf, in order of address. */
void pagetable_for_each_leaf(const struct page_tables *tables,
			     void (*fn)(const struct paging_leaf *leaf, void *arg), void *arg);

#endif
