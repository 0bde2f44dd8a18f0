/* Seam 1, the lock checker: <arch/lockcheck.h> has the contract. There is none. */
#ifndef ASM_LOCKCHECK_H
#define ASM_LOCKCHECK_H

#define HAVE_LOCKCHECK 0

#endif
