/*
 * The ledger of a file: for each of its pages the version that was written last and the one that the store
 * has acknowledged, 12 bytes in all with the shadow.
 *
 * A read must see `written`, and what is not in the cache comes from the store as `stored`. So they may
 * differ only while the page is dirty or being written:
 *
 *	cache_write()               written = 5              page: version 5, dirty
 *	write begins, of 5                                   page: 5, writeback
 *	cache_write() meanwhile     written = 6              page: 6, dirty, writeback (of 5)
 *	acknowledged                stored = 5               page: 6, dirty
 *	... written, acknowledged   stored = 6               page: 6, clean: may be dropped
 *
 * A page that is dropped too early comes back as `stored`, which is not what was written: lost. The
 * ledger is the one witness, so it is never in the cache itself: memory of its own, all taken when the file
 * is made, so that neither reading nor writing needs memory for it.
 *
 *	root: 512 pointers --> 512 pointers --> 341 entries, a page each
 *
 * That is a large file's. Each piece has as many as the file needs there, from kmalloc(): a file of one page costs three
 * small pieces. None is larger than a page, so a ledger needs no larger block however long the file is.
 *
 * Limits: 512 x 512 x 341 pages, 341 GiB a file. Versions are 32 bits and do not wrap in a machine's life.
 */
#include "ledger.h"

#include <arch/page.h>
#include <base/errno.h>
#include <mm/kmalloc.h>

#define LEAF_ENTRIES (PAGE_SIZE / sizeof(struct ledger_entry))
#define FANOUT       (PAGE_SIZE / sizeof(void *))
#define MAX_ENTRIES  (FANOUT * FANOUT * LEAF_ENTRIES)

/* n of a size each, all 0. */
static void *take(u64 n, u64 size_bytes)
{
	return kcalloc(n, size_bytes, GFP_KERNEL | __GFP_NOWARN);
}

static u64 nr_leaves(const struct ledger *ledger)
{
	return DIV_ROUND_UP(ledger->nr_entries, LEAF_ENTRIES);
}

static u64 nr_middles(const struct ledger *ledger)
{
	return DIV_ROUND_UP(nr_leaves(ledger), FANOUT);
}

/* Of the middle piece that it is in: its pointers. */
static u64 middle_size(const struct ledger *ledger, u64 leaf)
{
	return MIN(nr_leaves(ledger) - ALIGN_DOWN(leaf, (u64)FANOUT), (u64)FANOUT);
}

static bool add_leaf(struct ledger *ledger, u64 leaf)
{
	u64 entries = MIN(ledger->nr_entries - leaf * LEAF_ENTRIES, (u64)LEAF_ENTRIES);
	void **middle = ledger->root[leaf / FANOUT];

	if (!middle)
		middle = ledger->root[leaf / FANOUT] =
			take(middle_size(ledger, leaf), sizeof(void *));
	if (middle)
		middle[leaf % FANOUT] = take(entries, sizeof(struct ledger_entry));
	return middle && middle[leaf % FANOUT];
}

int ledger_create(struct ledger *ledger, u64 nr_entries)
{
	if (nr_entries > MAX_ENTRIES)
		return -EINVAL;
	ledger->nr_entries = nr_entries;
	ledger->root = take(nr_middles(ledger), sizeof(void *));
	if (!ledger->root)
		return -ENOMEM;
	for (u64 leaf = 0; leaf < nr_leaves(ledger); leaf++) {
		if (!add_leaf(ledger, leaf)) {
			ledger_destroy(ledger);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Of one that was not made whole, what is missing is NULL. */
void ledger_destroy(struct ledger *ledger)
{
	for (u64 i = 0; i < nr_middles(ledger) && ledger->root[i]; i++) {
		void **middle = ledger->root[i];

		for (u64 j = 0; j < middle_size(ledger, i * FANOUT); j++)
			kfree(middle[j]);
		kfree(middle);
	}
	kfree(ledger->root);
	ledger->root = NULL;
}

struct ledger_entry *ledger_entry(const struct ledger *ledger, u64 index)
{
	u64 leaf = index / LEAF_ENTRIES;
	void **middle = ledger->root[leaf / FANOUT];
	struct ledger_entry *entries = middle[leaf % FANOUT];

	return &entries[index % LEAF_ENTRIES];
}
