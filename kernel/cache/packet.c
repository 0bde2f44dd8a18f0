/*
 * Packets of the network block device: what they say, and what they cost.
 *
 *	netblk_packet                     netblk_payload             netblk_ack
 *	+-------------------+             +------------------+       +-----------------------------+
 *	| block, version,   |   payload   | a copy of the    |       | the same words, and room    |
 *	| checksum, serial, | ----------> | page, as it was  |       | for the largest frame       |
 *	| ..., sum          |             | when it was sent |       | that could have come        |
 *	+-------------------+             +------------------+       +-----------------------------+
 *	 72 bytes, 4096 bytes: until the write is acknowledged        2048 bytes: in the interrupt
 *
 * The payload is copied, since its page may be written into while the packet is under way, and the packet has to be
 * sent again as it was. The receiver sums up what has come, so a payload that somebody has written into is not taken for
 * what the version must be. An acknowledgement is short, but who waits for one must have a buffer for whatever comes.
 *
 * Each is an object cache of its own, so that memory which reclaim has had from the reserve for a write stays with
 * the device when it is free again: the next packet has it, and not whoever asks first. Who is short of memory
 * gets it back by the slab layer's shrinker.
 *
 * A packet needs two objects. The small one is asked for first: it is to be had more often than not, and costs little
 * if the other one is not.
 *
 * No locks: a packet is its maker's.
 */
#include "packet.h"

#include <arch/page.h>
#include <base/assert.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/slab.h>

#include "content.h"

#define PACKET_MAGIC 0x6e6574626c6b2121ull
/* A frame of 1500 bytes with its headers, and what a card wants around it. */
#define ACK_BYTES 2048

/* Constant after boot. NULL: there was no memory for one of them. */
static struct kmem_cache *packet_cache, *payload_cache, *ack_cache;

void packets_init(void)
{
	packet_cache = kmem_cache_create("netblk_packet", sizeof(struct packet), 0, 0, NULL);
	payload_cache = kmem_cache_create("netblk_payload", PAGE_SIZE, 0, 0, NULL);
	ack_cache = kmem_cache_create("netblk_ack", ACK_BYTES, 0, 0, NULL);
	if (!packet_cache || !payload_cache || !ack_cache)
		os_log(OS_LOG_ERR, "netblk", "no memory for packets: nothing can be written");
}

struct packet *packet_make(const void *payload, gfp_t gfp)
{
	struct packet *packet;

	if (!packet_cache || !payload_cache || !ack_cache)
		return NULL;
	packet = kmem_cache_alloc(packet_cache, gfp);
	if (!packet)
		return NULL;
	packet->payload = kmem_cache_alloc(payload_cache, gfp);
	if (!packet->payload) {
		kmem_cache_free(packet_cache, packet);
		return NULL;
	}
	packet->words = (struct packet_words){.payload_bytes = payload ? PAGE_SIZE : 0};
	if (payload)
		memcpy(packet->payload, payload, PAGE_SIZE);
	return packet;
}

void packet_free(struct packet *packet)
{
	kmem_cache_free(payload_cache, packet->payload);
	kmem_cache_free(packet_cache, packet);
}

static u64 words_sum(const struct packet_words *words)
{
	u64 sum = words->magic;

	sum = content_mix(sum ^ words->block);
	sum = content_mix(sum ^ words->version);
	sum = content_mix(sum ^ words->checksum);
	sum = content_mix(sum ^ words->serial);
	sum = content_mix(sum ^ words->payload_bytes);
	return content_mix(sum ^ words->nr_sent);
}

static void words_fill(struct packet_words *words, const struct netblk_write *write,
		       u64 payload_bytes)
{
	*words = (struct packet_words){.magic = PACKET_MAGIC,
				       .block = write->block,
				       .version = write->version,
				       .checksum = write->checksum,
				       .serial = write->serial,
				       .nr_sent = write->nr_sent,
				       .payload_bytes = payload_bytes};
	words->sum = words_sum(words);
}

static bool words_are_of(const struct packet_words *words, const struct netblk_write *write)
{
	return words->magic == PACKET_MAGIC && words->sum == words_sum(words) &&
	       words->block == write->block && words->version == write->version &&
	       words->serial == write->serial;
}

void packet_fill(struct packet *packet, const struct netblk_write *write)
{
	words_fill(&packet->words, write, packet->words.payload_bytes);
}

bool packet_is_of(const struct packet *packet, const struct netblk_write *write)
{
	return words_are_of(&packet->words, write);
}

u64 packet_arrived_checksum(const struct packet *packet)
{
	return packet->words.payload_bytes ? content_sum(packet->payload) : packet->words.checksum;
}

bool packet_acknowledge(const struct packet *packet, const struct netblk_write *write)
{
	struct packet_words *ack = kmem_cache_alloc(ack_cache, GFP_ATOMIC | __GFP_NOWARN);

	if (!ack)
		return false;
	words_fill(ack, write, 0);
	ASSERT_MSG(words_are_of(ack, write) && ack->block == packet->words.block,
		   "an acknowledgement of block 0x%llx", (unsigned long long)write->block);
	kmem_cache_free(ack_cache, ack);
	return true;
}
