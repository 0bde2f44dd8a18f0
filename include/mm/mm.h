/*
 * Bringing the memory manager up.
 *
 *   memblock_add(), memblock_reserve()   the kernel: what RAM there is, what is taken
 *   numa_init()                          whose it is
 *   mm_init()                            zones, memory map, zonelists, marks, buddy
 *
 * After mm_init() memblock only answers questions; memory comes from alloc_pages().
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <base/types.h>

struct mm_options {
	u64 min_free_kbytes; /* 0: sqrt(16 x lowmem kB), within 128 .. 262144 */
	bool one_block_type; /* movable and other pages share pageblocks: mm/block_type.c */
};

/* Boot CPU only, once. Panics with a clear line if there is no memory to manage. */
void mm_init(const struct mm_options *options);

/* Sets all zones' marks anew; at run time too. */
void mm_set_min_free_kbytes(u64 kbytes);
u64 mm_min_free_kbytes(void);

#endif
