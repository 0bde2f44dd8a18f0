/*
 * A network block device that is not there: what a write costs in memory, and when it is over.
 *
 * A write over a network needs memory to free memory, three times: for the packet, a header and a page of payload, held
 * until the other side has said that it has it; for the acknowledgement, in the interrupt that brings it; and,
 * if none comes, for the packet that is sent again. Where there is none, the acknowledgement is
 * dropped as if the wire had lost it. So a machine can be full of pages that are being written, with
 * nothing left to learn that they are. That is what reclaim must get through. What it comes to in bytes: packet.c.
 *
 *	netblk_submit()                     wire                 netblk_interrupt()
 *	packet, by the caller's gfp
 *	  |-- sent, arrives ------------------------------> due: acknowledgement, GFP_ATOMIC
 *	  |                                                   |-- had it:  packet freed, done(0)
 *	  |                                                   |-- none:    dropped --.
 *	  |                              lost on its way back: ----------------------|
 *	  |-- lost ------------------------------------------------------------------|
 *	                                                                             v
 *	     sent again <---- another packet, GFP_ATOMIC; the first freed <-- resend_after
 *	                      (none: again after resend_after)
 *
 * On the other side is a store that can make any content from its version (kernel/cache/page_cache.c); it
 * sums up the payload that arrives. A sum over what the packet says of itself, and the comparison with the write, say
 * that what arrives is what was sent; one that somebody has written into counts as lost, and is built anew.
 *
 * What is lost, and each delay, is drawn from the seed, the write's serial number and how often it was sent, so
 * it does not depend on what else is under way. The clock is that of the last interrupt: nothing can
 * happen between two of them, and a test drives time by hand.
 *
 * The queue is a timing wheel (wheel.c).
 *
 * Bounded: an interrupt handles NETBLK_INTERRUPT_EVENTS writes and leaves the rest to the next; the queue has
 * max_in_flight, and a quarter of the pages that the min marks keep. That also bounds the packets, so that
 * acknowledgements find a page. 0 takes the bounds away, and shows what they were good for.
 *
 * Locks: `netblk` guards options, wheel and counts of what is held; interrupts off; nothing is taken under it.
 * No memory is asked for or freed, and done() is not called, while it is held.
 */
#include <kernel/netblk.h>

#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/format.h>
#include <mm/mm.h>
#include <mm/os.h>
#include <mm/os_task.h>

#include "content.h"
#include "packet.h"
#include "wheel.h"

#define DEFAULT_OPTIONS                                                      \
	{                                                                    \
		.seed = 1, .min_delay_ns = 1000000, .max_delay_ns = 3000000, \
		.resend_after_ns = 50000000, .max_in_flight = 128            \
	}

static struct {
	struct spinlock lock;
	/* Guarded by lock. */
	struct netblk_options options;
	struct wheel wheel;
	u64 serial;
	u64 in_flight, packet_pages;
	struct netblk_write *handled; /* by the interrupt, so in no slot */

	u64 now_ns;     /* atomic: of the last interrupt */
	bool unplugged; /* atomic */
	/* Atomic, relaxed: figures. */
	struct netblk_snapshot count;
} device = {
	.lock = SPINLOCK_INIT("netblk"),
	.options = DEFAULT_OPTIONS,
};

/* Relaxed: figures. */
static void count(u64 *figure)
{
	__atomic_fetch_add(figure, 1, __ATOMIC_RELAXED);
}

void netblk_init(void)
{
	packets_init();
}

/* --- Options ------------------------------------------------------------------------------------- */

void netblk_options_default(struct netblk_options *out)
{
	*out = (struct netblk_options)DEFAULT_OPTIONS;
}

int netblk_configure(const struct netblk_options *options)
{
	unsigned long flags;
	int err = 0;

	if (options->min_delay_ns > options->max_delay_ns || options->resend_after_ns == 0 ||
	    options->lost_permille > 1000)
		return -EINVAL;
	/* Its writes would never end, and while one is under way nothing can be changed. */
	if (options->lost_permille == 1000 && options->max_resends == 0)
		return -EINVAL;
	flags = spin_lock_irqsave(&device.lock);
	if (device.in_flight > 0) {
		err = -EBUSY;
	} else {
		device.options = *options;
		device.serial = 0;
	}
	spin_unlock_irqrestore(&device.lock, flags);
	return err;
}

void netblk_options_now(struct netblk_options *out)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);

	*out = device.options;
	spin_unlock_irqrestore(&device.lock, flags);
}

/* --- Sending ------------------------------------------------------------------------------------- */

/* A number below n; `what` tells draws for the same packet apart. */
enum draw { DRAW_LOST, DRAW_DELAY, DRAW_ACK_LOST };

static u64 draw(const struct netblk_write *write, enum draw what, u64 n)
{
	u64 from = content_mix(device.options.seed) ^ write->serial;

	return content_mix(content_mix(from) ^ ((u64)write->nr_sent << 8 | what)) % n;
}

/* Onto the wire: it arrives and is due to be acknowledged, or is lost and due to be sent again. */
static void send_locked(struct netblk_write *write, u64 now_ns)
{
	const struct netblk_options *options = &device.options;

	count(&device.count.sent);
	write->arrived = draw(write, DRAW_LOST, 1000) >= options->lost_permille;
	if (!write->arrived) {
		count(&device.count.lost);
		write->due_ns = now_ns + options->resend_after_ns;
	} else {
		u64 spread_ns = options->max_delay_ns - options->min_delay_ns;

		write->due_ns =
			now_ns + options->min_delay_ns + draw(write, DRAW_DELAY, spread_ns + 1);
	}
}

/* A bound is never above a quarter of what the min marks keep: small machines have little of it. */
static bool is_full_locked(void)
{
	u64 reserve = mm_min_free_kbytes() * 1024 / PAGE_SIZE;
	u64 bound = MIN((u64)device.options.max_in_flight, MAX(reserve / 4, (u64)1));

	return device.options.max_in_flight && device.in_flight >= bound;
}

bool netblk_has_room(void)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);
	bool full = is_full_locked();

	spin_unlock_irqrestore(&device.lock, flags);
	if (full)
		count(&device.count.refused);
	return !full;
}

int netblk_submit(struct netblk_write *write, gfp_t gfp)
{
	struct packet *packet;
	unsigned long flags;
	bool full;

	/* Before there is a packet: what is refused anyway should not cost some of the reserve. */
	if (!netblk_has_room())
		return -EBUSY;
	packet = packet_make(write->payload, gfp);
	if (!packet) {
		count(&device.count.refused);
		return -ENOMEM;
	}
	flags = spin_lock_irqsave(&device.lock);
	full = is_full_locked();
	if (!full) {
		write->serial = device.serial++;
		write->nr_sent = 1;
		write->packet = packet;
		packet_fill(packet, write);
		device.in_flight++;
		device.packet_pages++;
		count(&device.count.submitted);
		/* Relaxed: a clock; who reads an old one is early by a tick. */
		send_locked(write, load_relaxed(&device.now_ns));
		wheel_add(&device.wheel, write);
	}
	spin_unlock_irqrestore(&device.lock, flags);
	if (full) {
		count(&device.count.refused);
		packet_free(packet);
		return -EBUSY;
	}
	return 0;
}

/* --- The interrupt ------------------------------------------------------------------------------- */

/* Back into the queue, until then. */
static void wait_until(struct netblk_write *write, u64 due_ns)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);

	write->due_ns = due_ns;
	wheel_add(&device.wheel, write);
	device.handled = NULL;
	spin_unlock_irqrestore(&device.lock, flags);
}

static void complete_write(struct netblk_write *write, int err)
{
	struct packet *packet = write->packet;
	unsigned long flags = spin_lock_irqsave(&device.lock);

	write->packet = NULL;
	device.handled = NULL;
	device.in_flight--;
	device.packet_pages--;
	count(err ? &device.count.failed : &device.count.completed);
	spin_unlock_irqrestore(&device.lock, flags);
	packet_free(packet);
	write->done(write, err);
}

/* It has not arrived, or its acknowledgement has not: the sender cannot tell. */
static void not_acknowledged(struct netblk_write *write, u64 now_ns)
{
	write->arrived = false;
	wait_until(write, now_ns + device.options.resend_after_ns);
}

/* The other side has it, and says so. */
static void acknowledge(struct netblk_write *write, u64 now_ns)
{
	if (!packet_is_of(write->packet, write)) {
		count(&device.count.corrupt);
		os_log(OS_LOG_ERR, "netblk", "the packet of block 0x%llx is not what was sent",
		       (unsigned long long)write->block);
		not_acknowledged(write, now_ns);
		return;
	}
	if (draw(write, DRAW_ACK_LOST, 1000) < device.options.lost_permille) {
		count(&device.count.lost);
		not_acknowledged(write, now_ns);
		return;
	}
	if (!packet_acknowledge(write->packet, write)) {
		count(&device.count.acks_dropped);
		not_acknowledged(write, now_ns);
		return;
	}
	write->checksum = packet_arrived_checksum(write->packet);
	complete_write(write, 0);
}

static void resend(struct netblk_write *write, u64 now_ns)
{
	u32 max = device.options.max_resends;
	unsigned long flags;
	struct packet *packet, *old = write->packet;

	if (max && write->nr_sent > max) {
		complete_write(write, -EIO);
		return;
	}
	/* The page itself may be another version by now. */
	packet = packet_make(write->payload ? old->payload : NULL, GFP_ATOMIC | __GFP_NOWARN);
	if (!packet) {
		count(&device.count.resends_without_memory);
		not_acknowledged(write, now_ns);
		return;
	}
	count(&device.count.resent);
	write->packet = packet;
	write->nr_sent++;
	packet_fill(packet, write);
	flags = spin_lock_irqsave(&device.lock);
	send_locked(write, now_ns);
	wheel_add(&device.wheel, write);
	device.handled = NULL;
	spin_unlock_irqrestore(&device.lock, flags);
	packet_free(old);
}

static void begin_walk(u64 now_ns)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);

	wheel_begin(&device.wheel, now_ns);
	spin_unlock_irqrestore(&device.lock, flags);
}

static struct netblk_write *next_due(u64 now_ns, u32 *budget)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);
	struct netblk_write *due = wheel_next(&device.wheel, now_ns, budget);

	device.handled = due;
	spin_unlock_irqrestore(&device.lock, flags);
	return due;
}

void netblk_unplug(bool out)
{
	store_relaxed(&device.unplugged, out); /* relaxed: as of some interrupt */
}

void netblk_interrupt(u64 now_ns)
{
	u32 budget = NETBLK_INTERRUPT_EVENTS;
	struct netblk_write *write;

	ASSERT_MSG(os_in_interrupt() || irqs_disabled(), "netblk_interrupt() in a thread");
	/* Relaxed: this CPU alone writes it, and who reads it wants a clock. */
	store_relaxed(&device.now_ns, now_ns);
	if (load_relaxed(&device.unplugged))
		return;
	begin_walk(now_ns);
	while ((write = next_due(now_ns, &budget))) {
		if (write->arrived)
			acknowledge(write, now_ns);
		else
			resend(write, now_ns);
	}
}

/* --- Looking ------------------------------------------------------------------------------------- */

void netblk_snapshot(struct netblk_snapshot *out)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);
	const struct netblk_snapshot *count = &device.count;

	/* Relaxed: figures, by the time they are looked at. */
	*out = (struct netblk_snapshot){
		.submitted = load_relaxed(&count->submitted),
		.refused = load_relaxed(&count->refused),
		.completed = load_relaxed(&count->completed),
		.failed = load_relaxed(&count->failed),
		.in_flight = device.in_flight,
		.sent = load_relaxed(&count->sent),
		.lost = load_relaxed(&count->lost),
		.resent = load_relaxed(&count->resent),
		.acks_dropped = load_relaxed(&count->acks_dropped),
		.resends_without_memory = load_relaxed(&count->resends_without_memory),
		.corrupt = load_relaxed(&count->corrupt),
		.packet_pages = device.packet_pages,
	};
	spin_unlock_irqrestore(&device.lock, flags);
}

/* What is looked for, and what has been found. */
struct inspection {
	u64 queued;
	char finding[96];
};

static void look_at(struct inspection *seen, const struct netblk_write *write)
{
	seen->queued++;
	if (!write->packet || !packet_is_of(write->packet, write))
		snprintf(seen->finding, sizeof(seen->finding),
			 "block 0x%llx version %llu: no packet that says so",
			 (unsigned long long)write->block, (unsigned long long)write->version);
}

static void look_at_all_locked(struct inspection *seen)
{
	for (u32 i = 0; i < WHEEL_SLOTS; i++) {
		const struct wheel_slot *slot = &device.wheel.slots[i];
		u32 nr = 0;

		for (const struct netblk_write *at = slot->first; at; at = at->next) {
			look_at(seen, at);
			nr++;
		}
		if (nr != slot->nr)
			snprintf(seen->finding, sizeof(seen->finding), "slot %u has %u, counts %u",
				 i, nr, slot->nr);
	}
}

u64 netblk_check(u32 i, void (*broken)(void *arg, const char *text), void *arg)
{
	struct inspection seen = {0};
	unsigned long flags = spin_lock_irqsave(&device.lock);
	u64 begun = load_relaxed(&device.count.submitted);
	u64 ended = load_relaxed(&device.count.completed) + load_relaxed(&device.count.failed);
	u64 in_flight = device.in_flight, held = device.packet_pages;
	bool handled = device.handled != NULL;

	look_at_all_locked(&seen);
	spin_unlock_irqrestore(&device.lock, flags);
	if (i == 0 && seen.queued + handled != in_flight)
		snprintf(seen.finding, sizeof(seen.finding), "%llu queued, %llu in flight",
			 (unsigned long long)seen.queued + handled, (unsigned long long)in_flight);
	if (i == 1 && held != in_flight)
		snprintf(seen.finding, sizeof(seen.finding), "%llu packets, %llu in flight",
			 (unsigned long long)held, (unsigned long long)in_flight);
	if (i == 2 && begun != ended + in_flight)
		snprintf(seen.finding, sizeof(seen.finding), "%llu begun, %llu ended, %llu between",
			 (unsigned long long)begun, (unsigned long long)ended,
			 (unsigned long long)in_flight);
	if (seen.finding[0])
		broken(arg, seen.finding);
	return seen.queued;
}
