/* Reclaim's part, by hand: one page, or what is oldest. */
#ifndef TESTS_CACHE_EVICT_H
#define TESTS_CACHE_EVICT_H

#include <kernel/page_cache.h>

/* The page of that index; NR_LRU_OUTCOMES: it is not there, or not to be isolated. */
enum lru_outcome evict_index(struct cache_file *file, u64 index, bool may_write);
/* Up to nr pages from the tails of every node's inactive and active list; returns how many were freed. */
u32 evict_oldest(u32 nr, bool may_write);
/* All of the file's that can be, writing them first. Pages that are left. */
u64 evict_file(struct cache_file *file);

#endif
