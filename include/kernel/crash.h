/*
 * Ending the kernel on purpose, in every way it can end: for the tests of the panic, of the
 * launcher, and of the guards that should stop a defect. See kernel/crash.c.
 */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

#include <base/types.h>

/* Does not return, except for the kind that only arms crash_before_exit() - and where the guard
 * that it is about is broken. False: there is no such kind. */
bool crash(const char *kind);
/* The i-th kind; false past the end. */
bool crash_describe(u32 i, const char **name, const char **sentence);

/* Has the kind been asked for that ends the kernel later, on its way out? */
bool crash_is_to_come(void);
/* Called right before the kernel leaves QEMU after its tests. */
void crash_before_exit(void);

#endif
