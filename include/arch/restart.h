/*
 * Seam 1, part 7: this CPU's stacks of pointers.
 *
 * A stack of pointers for each CPU, from which the CPU takes and to which it gives without a lock, an
 * atomic operation, or interrupts disabled. On a machine these are restartable sections: a few
 * instructions that end in one store, which are begun anew if an interrupt came in their midst. Where no
 * interrupt can come in between, they are plain C.
 *
 * <asm/restart.h> gives, inline:
 *
 *   void *cpu_stack_pop(struct cpu_stack *const stacks[])
 *                      takes the top of this CPU's stack of `stacks` (by CPU number, none of them
 *                      NULL, nor is an entry); NULL: it is empty
 *   bool cpu_stack_push(struct cpu_stack *const stacks[], void *entry)
 *                      puts it on top. False: full, closed, or it is on top already (freed
 *                      twice), and nothing is changed
 *   __restart_text     every function that one of the two is inlined into has this attribute
 *
 * Both in any context but an NMI, with preemption enabled or not. Nothing is said about which CPU it
 * was, unless preemption is off. And, inline or not:
 *
 *   bool load_or_fault(const u64 *addr, u64 *value)
 *                      *addr into *value; false, and *value as it was, if nothing is mapped there or
 *                      no address can be so. For words that are found by way of a pointer that may
 *                      be anything. A multiple of 8. Where NULL points to, the first page, counts
 *                      as not mapped
 *   bool reads_as(const u64 *addr, u64 value)
 *                      is *addr the value? False also where load_or_fault() is
 */
#ifndef ARCH_RESTART_H
#define ARCH_RESTART_H

#include <base/types.h>

/*
 * Its own CPU alone writes it, by the functions above or with interrupts off; so a stack that
 * another CPU wants something of is asked by an interrupt. Others may read its figures, relaxed.
 */
struct cpu_stack {
	u32 nr;    /* entries on it */
	u32 limit; /* push refuses from here on; at most `capacity`; 0: closed */

	/* The rest is the owner's: neither function looks at it. */
	u32 capacity;            /* entries there is room for */
	u32 batch;               /* how many come and go at once */
	u32 moves;               /* refills and flushes; wraps */
	u32 seen_moves, seen_nr; /* as they were when reaping looked last */
	u32 spare;

	u64 never_an_entry; /* 0: what push finds below the first entry, and takes for the top */
	void *entry[];      /* entry[nr - 1] is the top; those from nr on mean nothing */
};

_Static_assert(__builtin_offsetof(struct cpu_stack, entry) ==
		       __builtin_offsetof(struct cpu_stack, never_an_entry) + sizeof(void *),
	       "entry[-1] is never_an_entry");

#include <asm/restart.h>

#endif
