/*
 * What a debugger cannot see otherwise: constants that are macros.
 *
 * tools/gdb takes every type, enum and variable from the debug info, so that it never disagrees
 * with the kernel it looks at. Macros are not in there. They would be with -g3, but that makes the
 * objects two to three times as large, and gdb then knows a macro only while it stands in a file
 * that includes its header: not at the reset vector, and not in a file of assembly.
 *
 * An enumerator is in the debug info by name and value, needs no memory of the target, and so is
 * there before the kernel is. Compilers leave out the types that nothing has: that is what the
 * variable is for. A constant that tools/gdb comes to need is added here.
 */
#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/list.h>
#include <mm/lru.h>
#include <mm/numa.h>

enum debugger_constant {
	DEBUGGER_PAGE_SHIFT = PAGE_SHIFT,
	DEBUGGER_PHYS_ADDR_BITS_MAX = PHYS_ADDR_BITS_MAX,
	DEBUGGER_DIRECT_MAP_BASE = DIRECT_MAP_BASE,
	DEBUGGER_STACK_WINDOW_BASE = STACK_WINDOW_BASE,
	DEBUGGER_STACK_WINDOW_BYTES = STACK_WINDOW_BYTES,
	DEBUGGER_VMEMMAP_BASE = VMEMMAP_BASE,
	DEBUGGER_VMEMMAP_BYTES = VMEMMAP_BYTES,
	DEBUGGER_KERNEL_IMAGE_BASE = KERNEL_IMAGE_BASE,
	DEBUGGER_LIST_POISON_NEXT = (u64)LIST_POISON_NEXT,
	DEBUGGER_LIST_POISON_PREV = (u64)LIST_POISON_PREV,
	DEBUGGER_SPINLOCK_NO_OWNER = SPINLOCK_NO_OWNER,
	DEBUGGER_PAGE_MARK_LRU = PAGE_MARK_LRU,
	DEBUGGER_PAGE_MARK_SLAB = PAGE_MARK_SLAB,
	/* page->lru_flags, by name. */
	DEBUGGER_LRU_REFERENCED = LRU_REFERENCED,
	DEBUGGER_LRU_DIRTY = LRU_DIRTY,
	DEBUGGER_LRU_WRITEBACK = LRU_WRITEBACK,
	DEBUGGER_LRU_RECLAIM = LRU_RECLAIM,
	DEBUGGER_LRU_WORKINGSET = LRU_WORKINGSET,
	DEBUGGER_LRU_UNEVICTABLE = LRU_UNEVICTABLE,
	DEBUGGER_NUMA_NO_NODE = (u32)NUMA_NO_NODE, /* no type holds a negative one beside these */
};

const enum debugger_constant debugger_constant;
