/* Segments, the task state segment, and the stacks it names. */
#ifndef ARCH_X86_64_GDT_H
#define ARCH_X86_64_GDT_H

#include <base/types.h>

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

void gdt_init(void);

/* Is addr inside one of the stacks that the IST slots start with? Its bounds then. */
bool gdt_emergency_stack(uintptr_t addr, uintptr_t *low, uintptr_t *top);

#endif
