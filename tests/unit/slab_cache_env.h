/*
 * The machine of the suites about caches: two nodes of two CPUs, and a third node without memory.
 */
#ifndef TESTS_UNIT_SLAB_CACHE_ENV_H
#define TESTS_UNIT_SLAB_CACHE_ENV_H

#include <mm/kmalloc.h>

#include "host.h"
#include "mm/slab.h"
#include "mm/slab_list.h"

static const struct host_machine machine = {
	.ram = {{MiB(1), MiB(63), 0}, {GiB(4), MiB(64), 1}},
	.nr_nodes = 3,
	.nr_cpus = 5,
	.cpu_nid = {0, 0, 1, 1, 2},
};

static inline u32 nr_caches(void)
{
	return slab_caches.nr;
}

static inline struct kmem_cache *make(const char *name, u32 size)
{
	return kmem_cache_create(name, size, 0, 0, NULL);
}

#endif
