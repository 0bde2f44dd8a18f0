/* The local APIC, as the interrupt code sees it. */
#ifndef ARCH_X86_64_APIC_INTERNAL_H
#define ARCH_X86_64_APIC_INTERNAL_H

#include <base/types.h>

/* Does this CPU's APIC hold an interrupt on the vector for being handled? */
bool apic_in_service(u32 vector);
/* From the error interrupt: reads what it is about. */
void apic_log_error(void);

#endif
