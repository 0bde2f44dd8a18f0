/*
 * A room for loads on the page cache, the same on any machine: tests/kernel/room.c, which has the theory.
 */
#ifndef TESTS_ROOM_H
#define TESTS_ROOM_H

#include <kernel/hoard.h>
#include <kernel/test.h>
#include <kernel/workload.h>

#define LIMIT_NS 150000000000ull /* on a host with much else to do; else some seconds */
#define ULL(x)   ((unsigned long long)(x))

struct room {
	struct hoard held;
	struct cache_file *first; /* for the sake of the index */
	u64 pages;                /* M */
	u64 slack; /* what may be had beyond it before requests reclaim: from the high marks to the min ones */
};

/* One room at a time, of about so many pages. From all nodes, unless their marks are more than that. */
void room_begin(struct ktest *t, struct room *room, u64 pages);
/* All loads from the largest node, until room_end(). */
void room_begin_on_one_node(struct ktest *t, struct room *room, u64 pages);
/* Files are gone: every page is back. */
void room_end(struct ktest *t, struct room *room);
/* Nothing is left on CPUs' lists, and no stack of a thread that has ended. */
void room_settle(void);

/* Runs to its end, in the room; nothing that it reads is wrong. */
void room_run(struct ktest *t, const struct workload *w, struct workload_result *r);
/* Of NULL, too. */
void room_drop_file(struct ktest *t, struct cache_file *file);

#endif
