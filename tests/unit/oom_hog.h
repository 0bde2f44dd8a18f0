/* Who has pages and can be told to end, for the suites about out of memory. See oom_hog.c. */
#ifndef UNIT_OOM_HOG_H
#define UNIT_OOM_HOG_H

#include "host.h"

#include <mm/gfp.h>
#include <mm/oom.h>
#include <mm/os.h>

/* Holds pages and is a victim. */
struct hog {
	struct oom_victim victim;
	struct page *list;
	u64 badness;
	nodemask_t nodes;
	bool told;         /* atomic */
	bool deaf;         /* told, it does not end */
	u32 wait_for_turn; /* it ends when so many requests wait */
	struct os_wait_queue queue;
	struct os_thread *thread;
	struct ktest *t; /* the case, for what is done on the way */
};

/* Who asks, and what it got. */
struct oom_asker {
	struct os_thread *thread;
	struct page *page;
};

extern const struct host_machine oom_two_nodes;

u64 oom_now_ns(void);
u64 oom_kills(void);

/* All that an ordinary request can get, onto the list; nobody is told to end for it. How many. */
u64 oom_flood(int nid, gfp_t gfp, struct page **list);
void oom_give_back(struct page **list);

/* With a thread, which waits until it is told. Its pages are in its list already. */
void hog_add(struct hog *hog, const char *name, u64 badness);
/* Its end is somebody else's doing. */
void hog_add_without_thread(struct hog *hog, const char *name, u64 badness);
/* Tells it, and waits until it is gone. */
void hog_end(struct hog *hog);

/* A thread's: one page of node 1. */
void oom_ask(void *asker);

#endif
