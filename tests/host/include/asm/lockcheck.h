/* On the host as in the kernel: kernel/lockcheck.c, always on. */
#ifndef ASM_LOCKCHECK_H
#define ASM_LOCKCHECK_H

#define HAVE_LOCKCHECK 1

#endif
