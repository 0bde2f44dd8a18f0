/*
 * What is on its way is no damage: who is amidst a change of two words may be stopped there, by another thread of its
 * CPU, or by whoever runs the CPU, for longer than some looks take. So check waits between its looks, where it may.
 *
 *	another CPU                            check
 *	the first word
 *	...                                    they differ: waits, looks again
 *	the second word, since it waits
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <kernel/page_cache.h>
#include <mm/check.h>
#include <mm/lru.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "kernel/cache/cache_internal.h"
#include "mm/lru.h"
#include "mm/slab.h"

#define LIMIT_NS 1000000000ull

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}},
	.nr_nodes = 1,
	.nr_cpus = 2,
};

static struct kmem_cache *cache;
static struct page *page;
static struct cache_file *file;

/* A change on the other CPU, of which the second half comes when somebody has begun to wait. */
struct change {
	void (*begin)(void), (*end)(void);
	bool begun, ended; /* atomic */
};

static void change_slowly(void *arg)
{
	struct change *change = arg;
	u64 sleeps = host_sleeps(), began = arch_timestamp();

	change->begin();
	store_release(&change->begun, true);
	while (host_sleeps() == sleeps && arch_timestamp_to_ns(arch_timestamp() - began) < LIMIT_NS)
		cpu_relax();
	change->end();
	store_release(&change->ended, true);
}

static struct os_thread *start(struct change *change)
{
	struct os_thread *thread = os_thread_start("changes", 1, change_slowly, change);

	while (thread && !load_acquire(&change->begun))
		cpu_relax();
	host_sleep_until(&change->ended);
	return thread;
}

/* --- A slab that is made, and on no list yet ---------------------------------------------------------- */

static void make_slab(void)
{
	page = slab_grow(cache, 0, GFP_NOWAIT);
}

static void give_slab_back(void)
{
	struct list_head surplus = {&surplus, &surplus};

	list_add(&page->slab_link, &surplus);
	slab_give_back(cache, &surplus);
}

static void a_slab_on_its_way(struct ktest *t)
{
	struct change change = {.begin = make_slab, .end = give_slab_back};
	struct os_thread *thread;

	host_machine_boot(&machine);
	cache = kmem_cache_create("test", 64, 0, 0, NULL);
	thread = start(&change);
	ASSERT_TRUE(t, thread != NULL);
	expect_check_clean(t);
	os_thread_join(thread);
	expect_check_clean(t);
}

/* --- A page that is dirty, and not counted yet --------------------------------------------------------- */

static void make_dirty(void)
{
	__atomic_fetch_or(&page->lru_flags, LRU_DIRTY, __ATOMIC_RELEASE);
}

static void count_dirty(void)
{
	lru_count(&NODE_DATA(0)->lru.nr_dirty, 1);
}

static void a_dirty_page_on_its_way(struct ktest *t)
{
	static const struct lru_owner owner = {.name = "test"};
	struct change change = {.begin = make_dirty, .end = count_dirty};
	struct os_thread *thread;

	host_machine_boot(&machine);
	page = alloc_pages(GFP_KERNEL | __GFP_MOVABLE, 0);
	ASSERT_TRUE(t, page != NULL);
	lru_cache_add(page, &owner);
	thread = start(&change);
	ASSERT_TRUE(t, thread != NULL);
	expect_check_clean(t);
	os_thread_join(thread);
	expect_check_clean(t);
}

/* --- A cached page that is dirty, and not counted by its file yet ---------------------------------------- */

static void count_of_file_down(void)
{
	cache_count(file, CACHE_DIRTY, -1);
}

static void count_of_file_up(void)
{
	cache_count(file, CACHE_DIRTY, 1);
}

static void note(void *arg, const char *text)
{
	struct ktest *t = arg;

	EXPECT_MSG(t, false, "%s", text);
}

static void a_cached_page_on_its_way(struct ktest *t)
{
	struct change change = {.begin = count_of_file_down, .end = count_of_file_up};
	struct os_thread *thread;

	host_machine_boot(&machine);
	page_cache_init();
	file = cache_file_create("test", 4, 1);
	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	thread = start(&change);
	ASSERT_TRUE(t, thread != NULL);
	EXPECT_EQ(t, cache_check(1, note, t), 1);
	os_thread_join(thread);
	EXPECT_EQ(t, cache_check(1, note, t), 1);
	EXPECT_EQ(t, cache_file_destroy(file, LIMIT_NS), 0);
}

static const struct ktest_case cases[] = {
	KTEST(a_slab_on_its_way),
	KTEST(a_dirty_page_on_its_way),
	KTEST(a_cached_page_on_its_way),
};
KTEST_SUITE(check_patience, cases);
