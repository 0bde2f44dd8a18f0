/* Versions of a file's pages, and shadows: private to kernel/cache/. Theory in ledger.c. */
#ifndef KERNEL_CACHE_LEDGER_H
#define KERNEL_CACHE_LEDGER_H

#include <base/types.h>

/* All zero: as the store was made, and nothing known. */
struct ledger_entry {
	u32 written; /* what a read must see. Written under the page's lock */
	u32 stored;  /* atomic: what was last acknowledged. Written by the end of a write */
	u32 shadow;  /* atomic: workingset_eviction()'s. Written by who drops the page */
};

struct ledger {
	u64 nr_entries;
	void **root; /* NULL: none */
};

/* 0, -ENOMEM, -EINVAL: too many entries. May sleep. */
int ledger_create(struct ledger *ledger, u64 nr_entries);
void ledger_destroy(struct ledger *ledger);
struct ledger_entry *ledger_entry(const struct ledger *ledger, u64 index);

#endif
