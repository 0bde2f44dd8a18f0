/*
 * Reclaim, from outside: kswapd's life, and what has been done. Theory in mm/reclaim.c and mm/kswapd.c.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include <mm/numa.h>

/*
 * A kswapd for each node with memory, on a CPU of the node or the nearest. Once there are CPUs and
 * threads; without it requests that may block reclaim themselves. 0, or -ENOMEM: a line says for which
 * node. Threads. kswapd_stop(): ends and joins them (tests).
 */
int kswapd_start(void);
void kswapd_stop(void);

enum kswapd_state {
	KSWAPD_NONE,
	KSWAPD_ASLEEP,
	KSWAPD_BALANCING,
	KSWAPD_HOPELESS,
	NR_KSWAPD_STATES
};
const char *kswapd_state_name(enum kswapd_state state);

enum reclaimer { RECLAIM_KSWAPD, RECLAIM_DIRECT, NR_RECLAIMERS };

struct reclaim_snapshot {
	enum kswapd_state state;
	u64 wakes;    /* times that kswapd began to balance */
	u64 balanced; /* times that it ended above the high mark */
	u64 gave_up;  /* times that it ended hopeless */
	u32 rounds_without_progress;
	u64 throttled;                /* requests that waited for it */
	u64 scanned[NR_RECLAIMERS];   /* pages looked at, of the node */
	u64 reclaimed[NR_RECLAIMERS]; /* of them freed */
	u64 written;                  /* writes begun by reclaim */
	u64 activated, rotated;       /* back: in use after all; or busy, being written */
};
/* False: no such node. Any context. */
bool reclaim_snapshot(int nid, struct reclaim_snapshot *out);

#endif
