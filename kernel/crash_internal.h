/* Between the files of the ways to end. */
#ifndef KERNEL_CRASH_INTERNAL_H
#define KERNEL_CRASH_INTERNAL_H

/* crash.c: in an interrupt of the last CPU, which may be the only one. */
void crash_in_interrupt(void (*fn)(void));

/* crash_threads.c */
void crash_sleep_irqs_off(void);
void crash_sleep_no_preempt(void);
void crash_sleep_interrupt(void);
void crash_mutex_twice(void);
void crash_mutex_foreign(void);
void crash_exit_mutex(void);
void crash_join_self(void);
void crash_stack_thread(void);
void crash_canary(void);

/* crash_pages.c */
void crash_double_free(void);
void crash_wrong_order(void);
void crash_free_reserved(void);
void crash_out_of_memory(void);

/* crash_slab.c */
void crash_slab_double_free(void);
void crash_slab_wrong_cache(void);
void crash_slab_inside(void);
void crash_slab_no_object(void);
void crash_slab_overrun(void);
void crash_slab_underrun(void);
void crash_slab_use_after_free(void);

#endif
