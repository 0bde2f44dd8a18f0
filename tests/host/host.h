/*
 * What the host gives to unit tests: fake machines, the log, and panics that are expected.
 */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include <base/random.h>
#include <kernel/test.h>
#include <mm/numa.h>

/* --- A fake machine ---------------------------------------------------------------------- */

#define HOST_MAX_RAM 32

struct host_ram {
	phys_addr_t base;
	u64 size_bytes;
	int nid;
};

struct host_machine {
	struct host_ram ram[HOST_MAX_RAM]; /* up to the first of size 0 */
	u32 nr_nodes;
	u32 nr_cpus;
	int cpu_nid[16];
	u8 distance[8][8]; /* 0: 10 to itself, 20 to others */
	u64 min_free_kbytes;
	bool one_block_type;
	bool no_slab; /* without slab_init(), whose caches take pages: for cases that count every one */
};

/* Maps the RAM and tells memblock; reserves the first page. Once a process: a test case. */
void host_machine_memory(const struct host_machine *machine);
/* The same, then numa_init(), mm_init() and, if the machine wants it, slab_init(). */
void host_machine_boot(const struct host_machine *machine);
/* Its topology, as firmware would have told it. */
void host_machine_topology(const struct host_machine *machine, struct numa_topology *topology);

/* Fails the case with the first broken invariant, if any is. */
void expect_check_clean(struct ktest *t);
/* Succeeds if `check` finds exactly invariant `id` broken (others may follow from it). */
void expect_check_finds(struct ktest *t, const char *id);

/* --- Log and panics ------------------------------------------------------------------------ */

/* Was a line with this text logged in this case? */
bool host_log_contains(const char *text);
void host_log_clear(void);
/* Once, when the next line with this text has been logged, fn(arg), by who logs it. */
void host_log_at(const char *text, void (*fn)(void *arg), void *arg);

/* Runs fn(arg) in a process of its own; it must panic with this text in its message. */
void expect_panic(struct ktest *t, void (*fn)(void *arg), void *arg, const char *text);
/* The whole message, '*' for any text in it. */
void expect_panic_like(struct ktest *t, void (*fn)(void *arg), void *arg, const char *glob);

/* --- CPUs ---------------------------------------------------------------------------------- */

/* Is this thread an interrupt? Tests may say so. */
extern _Thread_local bool host_in_interrupt;

/*
 * Runs fn(arg) as an interrupt of that CPU, and returns when it is done. By any thread, with
 * interrupts on.
 */
void host_interrupt(u32 cpu, void (*fn)(void *arg), void *arg);
/*
 * Calls step(arg) again and again in a thread beside the CPUs, until host_beside_end(). One at a time.
 */
void host_beside_begin(void (*step)(void *arg), void *arg);
void host_beside_end(void);
/* The same, fn as an interrupt of CPU 0 to nr_cpus - 1 in turn, a pause of period_us between two. */
void host_timer_begin(u32 nr_cpus, u32 period_us, void (*fn)(void *arg), void *arg);
/* How often a thread got that CPU. */
u64 host_cpu_switches(u32 cpu);
/* How often any thread went to sleep in os_wait(). */
u64 host_sleeps(void);
/*
 * This thread's next sleep in os_wait() lasts until another one has set *done, besides: what comes meanwhile comes in
 * time, however late the host runs that one, and though the code under test waits a fraction of a second.
 */
void host_sleep_until(const bool *done);

/*
 * Runs fn(arg) once, in this thread, just before the first write into the page of `place`: what
 * another CPU, or an interrupt, does at that very instruction. Under ThreadSanitizer not where the
 * write is atomic: its runtime holds a lock meanwhile.
 */
void host_at_write(void *place, void (*fn)(void *arg), void *arg);
/* Has it not come yet? */
bool host_write_awaited(void);

/* --- Between the parts of the harness ------------------------------------------------------ */

void host_arch_start(void);
void host_arch_add_ram(phys_addr_t base, u64 size_bytes);

#define HOST_EXIT_PANIC 3
/* A thread is about to begin: for what a case is said to have cost. */
void host_count_thread(void);
/* The case has started one. */
bool host_has_threads(void);
/* Where a panicking process leaves its message; shared with its parent. */
struct host_last_words {
	char text[512];
};
extern struct host_last_words *host_last_words;

/* random_below() for 64 bits: addresses, frames. */
static inline u64 host_random_below(struct random_state *r, u64 n)
{
	return random_next(r) % n;
}

#endif
