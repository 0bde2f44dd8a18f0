/* Locks are checked: kernel/lockcheck.c. The contract is in <arch/lockcheck.h>. */
#ifndef ASM_LOCKCHECK_H
#define ASM_LOCKCHECK_H

#define HAVE_LOCKCHECK 1

#endif
