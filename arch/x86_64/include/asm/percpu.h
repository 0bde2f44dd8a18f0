/*
 * The first words of each CPU's area, which stands at its GS base.
 *
 * They are here, as offsets, because inline functions reach them in one instruction; the whole is
 * struct cpu_area in <x86/cpu_area.h>, which asserts that the offsets are right. A GS-relative
 * instruction names this CPU's word whatever happens before or after it: a thread that could be
 * moved would need no more. (Threads are bound to their CPU.)
 */
#ifndef ASM_PERCPU_H
#define ASM_PERCPU_H

#define CPU_AREA_SELF      0  /* the area's own address */
#define CPU_AREA_CPU       8  /* u32: CPU number */
#define CPU_AREA_PREEMPT   12 /* u32: see asm/preempt.h */
#define CPU_AREA_CURRENT   16 /* struct thread *: who runs */
#define CPU_AREA_IRQ_DEPTH 24 /* u32: interrupts being handled, one in the other */
#define CPU_AREA_HIT_BOUND 28 /* u32: gfp flags below it may take a hit path */

/* `op` with this CPU's word: "incl %%gs:%c0". */
#define this_cpu_load_u32(offset)                                                   \
	({                                                                          \
		unsigned int value_;                                                \
		__asm__ volatile("movl %%gs:%c1, %0" : "=r"(value_) : "i"(offset)); \
		value_;                                                             \
	})
/* Is the word above the value? One comparison, whose flags the compiler branches on. */
#define this_cpu_is_above_u32(offset, value)                       \
	({                                                         \
		bool above_;                                       \
		__asm__ volatile("cmpl %2, %%gs:%c1"               \
				 : "=@cca"(above_)                 \
				 : "i"(offset), "re"((u32)(value)) \
				 : "cc");                          \
		above_;                                            \
	})
#define this_cpu_load_ptr(offset)                                                   \
	({                                                                          \
		void *value_;                                                       \
		__asm__ volatile("movq %%gs:%c1, %0" : "=r"(value_) : "i"(offset)); \
		value_;                                                             \
	})

#endif
