/* The hook of the tick, for tests of what interrupts do. */
#ifndef TESTS_TICK_HOOK_H
#define TESTS_TICK_HOOK_H

/* Takes away what tick_set_hook() has set, and returns when no CPU is at it any more. A thread, interrupts on. */
void tick_hook_end(void);

#endif
