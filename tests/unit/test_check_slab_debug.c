/*
 * What debugging has put around objects, broken. As test_check_slab.c.
 */
#include <base/string.h>
#include <mm/check.h>

#include "slab_debug_env.h"

/* Of a slab with one object out and one free: both are given. */
static struct kmem_cache *one_out_one_free(void **out, void **is_free)
{
	struct kmem_cache *cache;

	boot(2);
	cache = things("ht");
	*out = get(cache);
	*is_free = get(cache);
	kmem_cache_free(cache, *is_free);
	return cache;
}

static void slab_7(struct ktest *t)
{
	void *out, *is_free;

	one_out_one_free(&out, &is_free);
	memset(out, 0, THING_BYTES);
	expect_check_clean(t);
	write_to(is_free, 59);
	expect_check_finds(t, "SLAB-7");
}

static void slab_7_overrun(struct ktest *t)
{
	void *out, *is_free;

	one_out_one_free(&out, &is_free);
	write_to(out, THING_BYTES);
	expect_check_finds(t, "SLAB-7");
}

static void slab_7_free_and_out(struct ktest *t)
{
	void *out, *is_free;
	struct kmem_cache *cache = one_out_one_free(&out, &is_free);

	slab_owner_of(cache, is_free)->is_out = 1;
	expect_check_finds(t, "SLAB-7");
}

static const struct ktest_case cases[] = {
	KTEST(slab_7),
	KTEST(slab_7_overrun),
	KTEST(slab_7_free_and_out),
};
KTEST_SUITE(check_slab_debug, cases);
