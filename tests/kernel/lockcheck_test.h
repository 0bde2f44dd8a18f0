/* What test_lockcheck.c needs and gets in two ways: test_lock.c, tests/host/lockcheck_env.c. */
#ifndef TESTS_LOCKCHECK_TEST_H
#define TESTS_LOCKCHECK_TEST_H

#include <kernel/test.h>

/* Calls fn(arg) in an interrupt on this CPU; interrupts are on. */
void run_in_interrupt(struct ktest *t, void (*fn)(void *arg), void *arg);

#endif
