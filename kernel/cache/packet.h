/* What goes over the wire, and the memory that it takes: private to kernel/cache/. Theory in packet.c. */
#ifndef KERNEL_CACHE_PACKET_H
#define KERNEL_CACHE_PACKET_H

#include <kernel/netblk.h>

/* What packet and acknowledgement say of their write. */
struct packet_words {
	u64 magic, block, version, checksum, serial, nr_sent, payload_bytes;
	u64 sum; /* of the words above */
};

struct packet {
	struct packet_words words;
	void *payload; /* a page of its own */
};

/* Boot, once there are caches. Says what is missing; then packets are not to be had. */
void packets_init(void);

/* A packet with a copy of the payload, or of what there is instead if it is NULL. NULL: no memory by this gfp. Any context. */
struct packet *packet_make(const void *payload, gfp_t gfp);
void packet_free(struct packet *packet);
/* What it says is as of now. */
void packet_fill(struct packet *packet, const struct netblk_write *write);
/* Does it say so, and has nobody written into what it says? The payload is not looked at. */
bool packet_is_of(const struct packet *packet, const struct netblk_write *write);
/* What the other side finds of the payload; of one without what the packet says. */
u64 packet_arrived_checksum(const struct packet *packet);

/*
 * The other side says that it has the packet: the buffer in which that arrives is asked for, read, given back.
 * False: there is none. In the interrupt.
 */
bool packet_acknowledge(const struct packet *packet, const struct netblk_write *write) __must_check;

#endif
