/* Segments, the task state segment, and the stacks it names. */
#ifndef ARCH_X86_64_GDT_H
#define ARCH_X86_64_GDT_H

#include <base/types.h>

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

struct cpu_area;

/* The boot CPU's IST slots get small stacks of the image. */
void gdt_set_emergency_stacks(struct cpu_area *area);
/* Writes the area's descriptors, and puts them into use on this CPU. */
void gdt_load(struct cpu_area *area);

/* Is addr inside one of the stacks that the IST slots start with? Its bounds then. */
bool gdt_emergency_stack(uintptr_t addr, uintptr_t *low, uintptr_t *top);

#endif
