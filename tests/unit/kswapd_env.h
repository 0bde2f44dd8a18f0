/* kswapd on a machine of two nodes, for the suites about it. See kswapd_env.c. */
#ifndef UNIT_KSWAPD_ENV_H
#define UNIT_KSWAPD_ENV_H

#include "host.h"

#include <mm/reclaim.h>

#include "mm/zone.h"

enum { COLD, OTHER = 2 };

extern const struct host_machine kswapd_machine;

/* The machine, an empty owner of pages (sham.h), a kswapd for each node. */
void kswapd_env_boot(struct ktest *t);
struct reclaim_snapshot kswapd_of(int nid);
/* Looks again and again until it is so, and nothing more is wanted; woken so often at least. */
bool kswapd_comes_to(int nid, enum kswapd_state state, u64 wakes);
/* 5 ms, or until it is not balancing. */
void kswapd_rests_a_moment(void);
/* Is a zone of the node above the mark, for Normal requests? */
bool node_above(int nid, enum zone_watermark mark);
/* As many pages of node 1 as can be had, up to nr, in an interrupt of its kswapd's CPU; how often that was woken then. */
u64 kswapd_add_while_it_stands_still(u64 nr);
/* All of node 1 is busy pages, and its kswapd has seen it. */
bool kswapd_lose_hope(struct ktest *t);

#endif
