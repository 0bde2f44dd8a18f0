/*
 * A gate: threads wait before it until all are there, and begin together. The same in the kernel and on the host. Theory
 * in gate.c.
 */
#ifndef TESTS_GATE_H
#define TESTS_GATE_H

#include <mm/os_task.h>

struct gate {
	struct os_wait_queue threads; /* wait for `open` */
	struct os_wait_queue opener;  /* waits for `nr_here` */
	u32 nr_awaited;               /* the opener's */
	u32 nr_here, nr_late;         /* atomic */
	bool open;                    /* atomic */
};

void gate_init(struct gate *gate);

/* Who starts the threads: until so many are before the gate. False: not within GATE_NS (gate.c). May sleep. */
bool gate_await(struct gate *gate, u32 nr_threads);
/* With all that was done before. It stays open. */
void gate_open(struct gate *gate);
/* A thread: waits until it is open. False: it was not within GATE_NS, and the thread ends. May sleep. */
bool gate_pass(struct gate *gate);
/* For how many it came too late: when the threads have ended. */
u32 gate_nr_late(const struct gate *gate);

#endif
