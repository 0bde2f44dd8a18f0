/*
 * The mechanics of four-level page tables.
 *
 * Tables are pages of 512 entries, reached through the direct map. Entries above the leaves grant
 * everything, so that the rights of a page are those of its leaf. Mapping only ever adds: an entry
 * goes from not present to present, which no CPU caches, so nothing here flushes. Unmapping leaves
 * that to its caller, who knows whether anybody can still use the page. Tables are never given
 * back, so a walk without a lock may meet an entry that comes or goes, but no table that does.
 *
 * A walk starts at the root for each page it maps. That is three loads more than a walk that keeps
 * its place, and large pages keep their number small.
 *
 * Source: Intel SDM volume 3A, "4-Level Paging and 5-Level Paging".
 */
#include "pagetable.h"

#include <base/assert.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <base/string.h>

#define ENTRIES    512
#define LEVEL_ROOT 4

static u64 *table_at(phys_addr_t phys)
{
	return phys_to_virt(phys);
}

static u64 level_span(u32 level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static u32 level_index(uintptr_t virt, u32 level)
{
	return (virt / level_span(level)) % ENTRIES;
}

static bool is_leaf(u64 entry, u32 level)
{
	return level == LEVEL_4K || (entry & PTE_LARGE);
}

phys_addr_t pagetable_new(struct page_tables *tables)
{
	phys_addr_t phys = tables->alloc_table();

	if (!phys)
		return 0;
	memset(table_at(phys), 0, PAGE_SIZE);
	tables->nr_tables++;
	return phys;
}

/* Handles the page or the existing mapping at virt; returns how far that reaches, 0: no memory. */
static u64 map_step(struct page_tables *tables, uintptr_t virt, phys_addr_t phys, u64 left,
		    u64 rights, enum page_level largest)
{
	u64 *table = table_at(tables->root);

	for (u32 level = LEVEL_ROOT;; level--) {
		u64 *entry = &table[level_index(virt, level)];
		u64 span = level_span(level);

		if ((*entry & PTE_PRESENT) && is_leaf(*entry, level))
			return span - virt % span;
		if (!(*entry & PTE_PRESENT)) {
			phys_addr_t next;

			if (level <= largest && IS_ALIGNED(virt | phys, span) && left >= span) {
				/* Relaxed: what the page holds is nobody's before we return. */
				store_relaxed(entry,
					      phys | rights | (level > LEVEL_4K ? PTE_LARGE : 0));
				return span;
			}
			next = pagetable_new(tables);
			if (!next)
				return 0;
			/* Release: whoever walks without a lock meets a cleared table. */
			store_release(entry, next | PTE_WRITABLE | PTE_PRESENT);
		}
		table = table_at(*entry & PTE_ADDRESS);
	}
}

int pagetable_map(struct page_tables *tables, uintptr_t virt, phys_addr_t phys, u64 size_bytes,
		  u64 rights, enum page_level largest)
{
	u64 done = 0;

	while (done < size_bytes) {
		u64 step = map_step(tables, virt + done, phys + done, size_bytes - done, rights,
				    largest);

		if (!step)
			return -ENOMEM;
		done += step;
	}
	return 0;
}

void pagetable_unmap(struct page_tables *tables, uintptr_t virt, u64 size_bytes)
{
	for (u64 done = 0; done < size_bytes; done += PAGE_SIZE) {
		u64 *table = table_at(tables->root);

		for (u32 level = LEVEL_ROOT; level > LEVEL_4K; level--) {
			u64 entry = table[level_index(virt + done, level)];

			ASSERT_MSG((entry & PTE_PRESENT) && !is_leaf(entry, level),
				   "no 4 KiB page at 0x%lx", virt + done);
			table = table_at(entry & PTE_ADDRESS);
		}
		/* Relaxed: who may still look at the page is the caller's to know. */
		store_relaxed(&table[level_index(virt + done, LEVEL_4K)], 0);
	}
}

u64 pagetable_lookup(const struct page_tables *tables, uintptr_t virt, u64 *span_bytes)
{
	const u64 *table = table_at(tables->root);

	for (u32 level = LEVEL_ROOT;; level--) {
		/*
		 * Another CPU may write it now; the answer is the one before or after. Acquire: pairs
		 * with map_step()'s release, so a table that has just come is met cleared.
		 */
		u64 entry = load_acquire(&table[level_index(virt, level)]);

		*span_bytes = level_span(level);
		if (!(entry & PTE_PRESENT))
			return 0;
		if (is_leaf(entry, level))
			return entry;
		table = table_at(entry & PTE_ADDRESS);
	}
}

bool pagetable_is_free(const struct page_tables *tables, uintptr_t virt, u64 size_bytes)
{
	u64 done = 0;

	while (done < size_bytes) {
		u64 span;

		if (pagetable_lookup(tables, virt + done, &span))
			return false;
		done += span - (virt + done) % span;
	}
	return true;
}

/* Bit 47 decides all above it: addresses are sign-extended. */
static uintptr_t canonical(uintptr_t virt)
{
	return (uintptr_t)((s64)(virt << 16) >> 16);
}

/* A right holds if every level grants it. Depth at most LEVEL_ROOT. */
static void visit(phys_addr_t phys, u32 level, const struct paging_leaf *above,
		  void (*fn)(const struct paging_leaf *leaf, void *arg), void *arg)
{
	const u64 *table = table_at(phys);

	for (u32 i = 0; i < ENTRIES; i++) {
		/* Acquire: as in pagetable_lookup(). */
		u64 entry = load_acquire(&table[i]), span = level_span(level);
		struct paging_leaf here = {
			.virt = canonical(above->virt + i * span),
			.phys = entry & PTE_ADDRESS & ~(span - 1),
			.size_bytes = span,
			.writable = above->writable && (entry & PTE_WRITABLE),
			.executable = above->executable && !(entry & PTE_NX),
		};

		if (!(entry & PTE_PRESENT))
			continue;
		if (is_leaf(entry, level))
			fn(&here, arg);
		else
			visit(entry & PTE_ADDRESS, level - 1, &here, fn, arg);
	}
}

void pagetable_for_each_leaf(const struct page_tables *tables,
			     void (*fn)(const struct paging_leaf *leaf, void *arg), void *arg)
{
	static const struct paging_leaf everything = {.writable = true, .executable = true};

	visit(tables->root, LEVEL_ROOT, &everything, fn, arg);
}
