/*
 * The machine of the suites about mm.debug, two nodes with a CPU each, and what all of them do with its objects.
 */
#ifndef TESTS_UNIT_SLAB_DEBUG_ENV_H
#define TESTS_UNIT_SLAB_DEBUG_ENV_H

#include <mm/kmalloc.h>
#include <mm/os.h>

#include "host.h"
#include "mm/slab_debug.h"

#define THING_BYTES 60u

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static inline void boot(u32 level)
{
	slab_debug_choose(level);
	host_machine_boot(&machine);
	slab_start();
}

static inline struct kmem_cache *things(const char *name)
{
	struct kmem_cache *cache = kmem_cache_create(name, THING_BYTES, 0, 0, NULL);

	if (!cache)
		os_panic("no cache %s", name);
	return cache;
}

static inline void *get(struct kmem_cache *cache)
{
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	if (!object)
		os_panic("no object");
	return object;
}

static inline void write_to(void *object, s64 byte)
{
	((volatile u8 *)object)[byte] = 0x41;
}

static inline bool is_all(const void *object, u8 byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (((const u8 *)object)[i] != byte)
			return false;
	return true;
}

#endif
