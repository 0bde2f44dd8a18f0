/*
 * Loads on the page cache: seeded, bounded in time, and each page that they read is verified.
 * Theory in kernel/workload_cache.c.
 */
#ifndef KERNEL_WORKLOAD_H
#define KERNEL_WORKLOAD_H

#include <base/random.h>
#include <kernel/page_cache.h>

enum workload_kind {
	WORKLOAD_FILL,  /* the file's pages in order, each once */
	WORKLOAD_READ,  /* pages drawn at random */
	WORKLOAD_WRITE, /**/
	WORKLOAD_MIXED, /* three reads, then a write */
	WORKLOAD_HOT,   /* a hot set that is read again and again beside a scan */
	NR_WORKLOADS
};
const char *workload_name(enum workload_kind kind);

/* What is to be done. Const once built. */
struct workload {
	enum workload_kind kind;
	struct cache_file *file;
	struct cache_file
		*hot_file;    /* HOT: all of it is the hot set, `file` is scanned round and round */
	bool dirty;           /* FILL: writes each page in place of reading it */
	u64 nr_ops;           /* pages in all (HOT: of the scan); 0: until it is stopped */
	u64 until_free_pages; /* ends when no more are free; 0: does not look */
	u64 seed;
	u32 nr_threads; /* 1: the caller itself; 0: one on each CPU; else on CPUs far apart */
	gfp_t gfp;
	u64 timeout_ns;
	bool (*stopped)(void *arg); /* asked by the caller now and then; NULL: nobody stops it */
	void *arg;
};

struct workload_result {
	u64 reads, writes;       /* that were done */
	u64 no_memory;           /* of both: that got no page */
	u64 wrong;               /* reads of something else than was written */
	u64 hot_reads, hot_hits; /* HOT, after the hot set was read twice */
	u64 ran_ns;
	u32 nr_threads;
	bool stopped, timed_out; /* it ended before it was done */
};

/* 0; -ENOMEM: no memory for its own tables. Threads; may sleep. */
int workload_run(const struct workload *workload, struct workload_result *result);

/* How many pages a cache could have now: free ones above the high marks, and those it has. */
u64 workload_cache_pages(void);

/* Where a stream of draws begins: seeds and streams that are neighbours begin far from each other. */
struct random_state workload_seed(u64 seed, u32 stream);

#endif
