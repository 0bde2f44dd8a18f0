/* Between the files of the soak. */
#ifndef TESTS_SOAK_INTERNAL_H
#define TESTS_SOAK_INTERNAL_H

#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/random.h>
#include <kernel/hoard.h>
#include <kernel/page_cache.h>
#include <mm/oom.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <mm/shrinker.h>
#include <mm/slab.h>

#include "../stress/stress.h"
#include "soak.h"

#define NS_PER_SECOND   1000000000ull
#define NS_PER_MS       1000000ull

#define SOAK_MAX_ACTORS (4 * MAX_CPUS)
#define SOAK_FILES      4
#define SOAK_BOUND_HELD 16

struct soak_block {
	struct page *page;
	unsigned int order;
};

/* A piece of memory with content: slab_load.c. */
struct soak_object {
	u64 *object; /* NULL: none */
	u64 word;    /* its content follows from it */
	u32 bytes;
	bool own; /* of the soak's cache; else of kmalloc's */
};
#define SOAK_SLAB_BYTES 200u
#define SOAK_SLAB_HELD  64u
#define SOAK_SLAB_BOX   64u

/* Takes all it gets: hog.c. */
struct soak_hog {
	struct oom_victim victim;
	struct page *newest;        /* chained through the pages themselves */
	u64 nr_pages[MAX_NUMNODES]; /* atomic: victims are compared by it */
	bool told;                  /* atomic: it is the victim */
};

/* Of a thread; alone its own, but for what is said to be atomic. */
struct soak_actor {
	struct soak *soak;
	const char *name;
	void (*step)(struct soak_actor *a);
	void (*finish)(struct soak_actor *a); /* gives back what it holds; NULL: nothing */
	struct os_thread *thread;
	struct os_task *task; /* atomic: once it runs */
	u32 cpu, id, nth;     /* nth: of its part */
	struct random_state random;
	u64 steps;                 /* atomic: who watches looks at it */
	u64 longest_ns;            /* atomic */
	u64 count[NR_SOAK_COUNTS]; /* atomic: one writer */

	union {
		struct {
			u64 cursor; /* cache: where its scan is */
			u32 burst;  /* pages left of it */
		};
		struct soak_hog hog;
		struct {
			u32 nr_held; /* bound */
			struct soak_block held[SOAK_BOUND_HELD];
		};
		struct soak_object object[SOAK_SLAB_HELD]; /* slabs */
	};
};

/* A cache that can give back, objects of a page each: objects.c. */
struct soak_objects {
	struct shrinker shrinker;
	struct {
		struct spinlock lock;
		struct page *newest; /* under the lock; chained through the pages themselves */
		u64 nr;              /* atomic; written under the lock */
	} node[MAX_NUMNODES];
	u64 nr_shrunk; /* atomic */
};

/* What objects are handed over by. */
struct soak_slabs {
	struct kmem_cache *cache;
	struct spinlock lock; /* over the rest */
	struct soak_object box[SOAK_SLAB_BOX];
	u32 next;
};

struct soak {
	struct soak_plan plan;
	u64 began_ns;
	nodemask_t memory_nodes;
	u64 nr_pages;         /* free ones, when it began */
	struct hoard ballast; /* taken away before */
	struct cache_file *file[SOAK_FILES];
	struct soak_objects objects;
	struct soak_slabs slabs;

	u32 nr_cpus, nr_actors;
	u32 cpu[MAX_CPUS]; /* those that take part */
	struct soak_actor *actor[SOAK_MAX_ACTORS];
	u64 count[NR_SOAK_COUNTS]; /* of who runs the round */

	struct stress *stress;      /* atomic: whose interrupts may take part */
	struct os_wait_queue queue; /* actors rest here until the end is near, and wait for it */
	bool ending;                /* atomic: no further step */
	u64 fault_until_ns;         /* atomic */
	u64 fault_next_ns;
	u32 fault_rule; /* atomic; 0: no burst now */

	u64 seen_steps[SOAK_MAX_ACTORS], still_ns[SOAK_MAX_ACTORS], watched_ns; /* by who watches */
};

static inline u64 soak_now_ns(void)
{
	return arch_timestamp_to_ns(arch_timestamp());
}

/* Relaxed: figures, of one writer. */
static inline void soak_counted(struct soak_actor *a, enum soak_count count, u64 n)
{
	store_relaxed(&a->count[count], a->count[count] + n);
}

/* Until the end of the load, if that is earlier. */
void soak_rest(struct soak_actor *a, u64 ns);
/* A request that began then is over. */
void soak_took(struct soak_actor *a, u64 since_ns);
static inline bool soak_is_ending(const struct soak *s)
{
	return load_relaxed(&s->ending); /* relaxed: only when to end; joining orders the rest */
}

/* Chains of pages through their own first words, which the last words answer for. */
void soak_chain(struct page **newest, struct page *page);
/* NULL: it is empty. *bad: it was not as it was written. */
struct page *soak_unchain(struct page **newest, bool *bad);

/* cache_load.c */
bool soak_files_create(struct soak *s);
void soak_files_read_back(struct soak_actor *a);
bool soak_files_destroy(struct soak *s);
void soak_cache_step(struct soak_actor *a);

/* slab_load.c */
bool soak_slabs_start(struct soak *s);
bool soak_slabs_end(struct soak *s);
void soak_slab_step(struct soak_actor *a);
void soak_slab_finish(struct soak_actor *a);

/* page_load.c */
void soak_stress_step(struct soak_actor *a);
void soak_bound_step(struct soak_actor *a);
void soak_bound_finish(struct soak_actor *a);
void soak_move_cpusets(struct soak *s);

/* hog.c */
void soak_hog_step(struct soak_actor *a);

/* objects.c */
void soak_objects_start(struct soak *s);
void soak_objects_step(struct soak_actor *a);
void soak_objects_end(struct soak *s);

/* figures.c */
void soak_figures_now(struct soak_figures *figures);
void soak_figures_since(const struct soak *s, const struct soak_figures *before,
			struct soak_figures *out);

#endif
