/*
 * The soak: everything at once, for as long as one likes. The same bodies run in the kernel and on the
 * host: they know mm/, its two seams, and the page cache.
 *
 * Theory in soak.c.
 */
#ifndef TESTS_SOAK_H
#define TESTS_SOAK_H

#include <kernel/test.h>
#include <mm/check.h>

struct soak;

struct soak_plan {
	u64 seed;
	u64 cpus;         /* one bit for each CPU that takes part */
	u64 load_ns;      /* how long, before everything is given back */
	u64 figures_ns;   /* figures each so often */
	u64 before_s;     /* seconds of the rounds before this one */
	u64 leave_pages;  /* free ones, above the marks; the others are taken away. 0: all stay */
	u32 file_percent; /* pages of all files, of those that are left */
	u32 read_back_percent; /* of the files, when the load is over */
	u32 stress_operations; /* of each thread of the page stress, a run */
	/* 0: none. Else each so often a write is acknowledged and lost: readers must say so. */
	u64 lose_write_ns;
	u64 stuck_ns; /* an actor whose step takes longer hangs: a panic. 0: minutes */

	/* NULL: nothing to do. */
	void (*settle)(void); /* gives back what threads that have ended keep */
	/* Around the load: timers may call soak_from_interrupt() from the one to the other. */
	void (*begin)(struct soak *s);
	void (*end)(struct soak *s);
	bool (*check)(struct check_report *report); /* the kernel's own invariants, after mm/'s */
};

/* What has been done, or was seen; by threads and interrupts of the soak. */
enum soak_count {
	SOAK_READS,        /* pages of files, each verified */
	SOAK_SCANNED,      /* of them: in order, through a whole file */
	SOAK_WRITES,       /**/
	SOAK_PINS,         /**/
	SOAK_SYNCS,        /* a file's writes waited for */
	SOAK_LATE,         /* of them: not over in time */
	SOAK_NO_PAGE,      /* reads and writes that got no page */
	SOAK_STRESSES,     /* runs of the page stress */
	SOAK_UNSTARTED,    /* of them: not all threads could be started */
	SOAK_BLOCKS,       /* that it allocated, by threads and in interrupts */
	SOAK_REFUSED,      /* that it did not get */
	SOAK_CLAIMS,       /* blocks that it began to gather */
	SOAK_GATHERED,     /* of them complete */
	SOAK_TICKS,        /* interrupts that allocated or freed */
	SOAK_BOUND,        /* blocks of tasks whose cpuset moves */
	SOAK_UNBOUND,      /* requests of theirs that got none */
	SOAK_MOVES,        /* of cpusets */
	SOAK_HOGGED,       /* pages taken by who does not stop */
	SOAK_KILLED,       /* times that it was chosen as the victim */
	SOAK_LET_GO,       /* times that it gave up by itself */
	SOAK_OBJECTS,      /* that a cache with a shrinker has got */
	SOAK_SHRUNK,       /* of them freed by its shrinker */
	SOAK_SLAB_OBJECTS, /* pieces of memory, of many sizes */
	SOAK_SLAB_REFUSED, /* that it did not get */
	SOAK_SLAB_HANDED,  /* freed on another CPU, perhaps of another node */
	SOAK_BURSTS,       /* of injected faults */
	SOAK_LOST,         /* writes lost on purpose */
	/* What must not be. */
	SOAK_WRONG,   /* pages of files with another content than they must have */
	SOAK_BAD,     /* pages of others with one, or not where they were asked for */
	SOAK_OUTSIDE, /* blocks from outside the cpuset */
	NR_SOAK_COUNTS
};

/* The same of others: what mm/, the page cache and the device say that they did meanwhile. */
enum soak_other {
	SOAK_KSWAPD_WAKES,
	SOAK_KSWAPD_HOPELESS,
	SOAK_KSWAPD_SCANNED,
	SOAK_KSWAPD_RECLAIMED,
	SOAK_DIRECT_SCANNED,
	SOAK_DIRECT_RECLAIMED,
	SOAK_THROTTLED,
	SOAK_WRITTEN, /* writes begun by reclaim */
	SOAK_ACTIVATED,
	SOAK_TARGETS,   /* aligned blocks that reclaim began to empty */
	SOAK_COMPLETED, /* of them whole and free in the end */
	SOAK_MEMS_MOVED,
	SOAK_PASSED_OVER, /* victims that did not end in time */
	SOAK_SLABS_GROWN,
	SOAK_SLABS_GIVEN,    /* back to the page allocator */
	SOAK_SLAB_FALLBACKS, /* objects that were not to be had where they were wanted */
	SOAK_FAULTS,         /* requests that a rule made fail */
	SOAK_MISSES,
	SOAK_REFAULTS,
	SOAK_EVICTED,
	SOAK_SUBMITTED,
	SOAK_PACKETS_LOST,
	SOAK_RESENT,
	SOAK_ACKS_DROPPED,
	SOAK_NO_PACKET, /* re-sends without memory */
	NR_SOAK_OTHERS
};

struct soak_figures {
	u64 count[NR_SOAK_COUNTS];
	u64 other[NR_SOAK_OTHERS];
	u64 longest_ns; /* that one step of a thread took */
};

/*
 * One round: load, then everything is given back, and expects that it is: by count, by shape, by every
 * invariant. Adds the round's figures to *sum. May sleep.
 */
void soak_round(struct ktest *t, const struct soak_plan *plan, struct soak_figures *sum);
/* By the figures of all rounds, what of the mix has not taken place, by its name; NULL: all has. */
const char *soak_missing_part(const struct soak_figures *figures);
void soak_expect_all_parts(struct ktest *t, const struct soak_figures *figures);
/* No content was wrong, no page outside of its cpuset. */
void soak_expect_nothing_wrong(struct ktest *t, const struct soak_figures *figures);
void soak_add(struct soak_figures *sum, const struct soak_figures *figures);
/* As lines for programs and as a table. at_s: since the beginning. */
void soak_print(struct ktest *t, const struct soak_figures *figures, const char *what, u64 at_s);

/* In an interrupt, on any CPU, between plan->begin and plan->end: some requests with GFP_ATOMIC. */
void soak_from_interrupt(struct soak *s);

#endif
