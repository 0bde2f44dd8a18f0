/*
 * A network block device, simulated: writes go out as packets, are acknowledged late or never, and complete in
 * an interrupt only. Theory in kernel/cache/netblk.c.
 *
 * Invariants (check: NETBLK-*), under the device's lock; a write whose turn it is in the interrupt counts as
 * queued:
 *   NETBLK-1  in_flight is the number of writes in the queue, in the slots of their due times
 *   NETBLK-2  each of them has a packet of its own, packet_pages in all, that says block and version
 *   NETBLK-3  submitted = completed + failed + in_flight
 */
#ifndef KERNEL_NETBLK_H
#define KERNEL_NETBLK_H

#include <base/types.h>
#include <mm/gfp.h>

/*
 * Loss in packets of a thousand, drawn from the seed, for what is sent and for what comes back. The device's
 * clock is that of its last interrupt, so a delay may end a tick earlier than it says, or later.
 */
struct netblk_options {
	u64 seed;
	u64 min_delay_ns, max_delay_ns; /* from sending to the acknowledgement */
	u64 resend_after_ns;            /* without an acknowledgement */
	u32 lost_permille;              /* at most 1000; that many only with max_resends */
	u32 max_resends;                /* then the write fails; 0: never */
	u32 max_in_flight; /* writes, or min_free / 4; more are refused. 0: as memory allows */
};
/* While no write is under way: -EBUSY otherwise. -EINVAL: values that contradict each other. */
int netblk_configure(const struct netblk_options *options);
void netblk_options_now(struct netblk_options *out);
void netblk_options_default(struct netblk_options *out);

/* done: in interrupt context, no lock held. Called once; err 0, or -EIO. */
struct netblk_write {
	void (*done)(struct netblk_write *write, int err);
	u64 block, version; /* where, and what the block is then */
	u64 checksum; /* of its content, by who sends it; done() finds the one that has arrived */
	const void *
		payload; /* a page of content, copied when it is sent; NULL: none that is compared */
	/* kernel/cache/netblk.c's. */
	struct netblk_write *next;
	struct packet *packet;
	u64 due_ns, serial;
	u32 nr_sent;
	bool arrived;
};
/*
 * Would it take a write now? A hint, for who has work before he submits: another may be first. False counts as a
 * write refused. Threads.
 */
bool netblk_has_room(void);

/* Boot, once there are object caches: its packets are such. What is missing it says. */
void netblk_init(void);

/*
 * Sends it. Takes memory for the packet, a page and some more, by gfp, which is the device's until the acknowledgement
 * has come. 0; -ENOMEM: there is none; -EBUSY: max_in_flight are under way; then nothing is sent. Threads.
 */
int netblk_submit(struct netblk_write *write, gfp_t gfp) __must_check;

/*
 * The device's interrupt, as often as the clock ticks: acknowledgements, re-sends, NETBLK_INTERRUPT_EVENTS of
 * them at most. Interrupt context, one CPU. now_ns: of any clock that does not go back.
 */
#define NETBLK_INTERRUPT_EVENTS 256
void netblk_interrupt(u64 now_ns);
/* The cable is out: from now on nothing is acknowledged, sent again or given up, until it is in. Any context. */
void netblk_unplug(bool out);

struct netblk_snapshot {
	u64 submitted, refused; /* refused: -EBUSY, -ENOMEM */
	u64 completed, failed, in_flight;
	u64 sent, lost, resent, acks_dropped; /* dropped: no memory for the acknowledgement */
	u64 resends_without_memory;           /* a packet for the re-send could not be had: later */
	u64 corrupt;                          /* packets that were not what was sent: as if lost */
	u64 packet_pages;                     /* held now, one for each packet */
};
void netblk_snapshot(struct netblk_snapshot *out);

/* Executes NETBLK-(i + 1): broken() for each finding; returns how many writes were looked at. */
#define NR_NETBLK_INVARIANTS 3
u64 netblk_check(u32 i, void (*broken)(void *arg, const char *text), void *arg);

#endif
