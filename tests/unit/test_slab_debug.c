/*
 * Each crime is committed, at each level of mm.debug, and what is said must be exactly that: the whole line is
 * compared, with '*' where an address stands. At the levels that do not notice it nothing may be said.
 *
 * Each crime boots a machine of its own, in a process of its own. What debugging does where nobody is stopped is in
 * test_slab_debug_goes_on.c, and how much room it takes in test_slab_debug_layout.c.
 */
#include <base/format.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "slab_debug_env.h"

#define NR_LEVELS 4u

/* --- Freed twice -------------------------------------------------------------------------------------- */

static void free_twice_at_once(void)
{
	struct kmem_cache *cache = things("ht");
	void *object = get(cache);

	kmem_cache_free(cache, object);
	kmem_cache_free(cache, object);
}

/* Another is freed between, so it is not on top; `keep` keeps the slab from going. */
static void free_twice_after_another(void)
{
	struct kmem_cache *cache = things("ht");
	void *keep = get(cache), *object = get(cache), *other = get(cache);

	kmem_cache_free(cache, object);
	kmem_cache_free(cache, other);
	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	kmem_cache_free(cache, keep);
}

/* It is home already when it is freed again. */
static void free_twice_after_flush(void)
{
	struct kmem_cache *cache = things("ht");
	void *keep = get(cache), *object = get(cache);

	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	kmem_cache_free(cache, keep);
}

struct to_free {
	struct kmem_cache *cache;
	void *object;
};

static void free_there(void *arg)
{
	const struct to_free *to_free = arg;

	kmem_cache_free(to_free->cache, to_free->object);
}

static void free_twice_on_two_cpus(void)
{
	struct kmem_cache *cache = things("ht");
	struct to_free to_free = {cache, NULL};
	void *keep = get(cache);

	to_free.object = get(cache);
	os_run_on_cpu(0, free_there, &to_free);
	os_run_on_cpu(1, free_there, &to_free);
	kmem_cache_shrink(cache);
	kmem_cache_free(cache, keep);
}

static void kfree_twice(void)
{
	void *object = kmalloc(60, GFP_KERNEL);

	kfree(object);
	kfree(object);
}

/* --- Freed as what it is not -------------------------------------------------------------------------- */

static void free_to_another_cache(void)
{
	struct kmem_cache *mine = things("mine"), *yours = things("yours");

	kmem_cache_free(yours, get(mine));
}

static void free_inside(void)
{
	struct kmem_cache *cache = things("ht");
	char *object = get(cache);

	kmem_cache_free(cache, object + 16);
	kmem_cache_shrink(cache);
}

static void free_of_stack(void)
{
	char local[THING_BYTES];

	kfree(local);
}

static char global[THING_BYTES];

static void free_of_global(void)
{
	kmem_cache_free(things("ht"), global);
}

static void free_of_page(void)
{
	struct kmem_cache *cache = things("ht");

	kmem_cache_free(cache, page_address(alloc_pages(GFP_KERNEL, 2) + 1));
}

static void kfree_inside_a_large_one(void)
{
	kfree((char *)kmalloc(5 * PAGE_SIZE, GFP_KERNEL) + 24);
}

static void free_of_boot_page(void)
{
	kfree(phys_to_virt(0));
}

static void free_of_free_page(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, MAX_ORDER);
	void *memory = page_address(page);

	__free_pages(page, MAX_ORDER);
	kfree(memory);
}

/* All objects are home, so the slab has gone. */
static void free_of_a_gone_slab(void)
{
	struct kmem_cache *cache = things("ht");
	void *object = get(cache);

	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	kmem_cache_free(cache, object);
}

/* --- Written where nobody may -------------------------------------------------------------------------- */

/* Undone without debugging: it may be a neighbour's, whom this is not about. */
static void write_behind(void)
{
	struct kmem_cache *cache = things("ht");
	void *object = get(cache);

	write_to(object, THING_BYTES);
	kmem_cache_free(cache, object);
}

static void write_before(void)
{
	struct kmem_cache *cache = things("ht");
	void *object = get(cache);

	object = get(cache); /* not the first, before which another's page is */
	write_to(object, -8);
	kmem_cache_free(cache, object);
}

static void write_after_free(void)
{
	struct kmem_cache *cache = things("ht");
	void *keep = get(cache), *object = get(cache);

	kmem_cache_free(cache, object);
	write_to(object, 59);
	object = get(cache);
	kmem_cache_free(cache, object);
	kmem_cache_free(cache, keep);
}

/* Only who looks at the whole slab sees it here: its own free never comes. */
static void write_behind_a_neighbour(void)
{
	struct kmem_cache *cache = things("ht");
	void *victim = get(cache), *other = get(cache);

	write_to(victim, THING_BYTES + 1);
	kmem_cache_free(cache, other);
}

/* --- A list written over -------------------------------------------------------------------------------- */

static void write_over_links(u64 next)
{
	struct kmem_cache *cache = things("ht");
	void *object = get(cache);
	struct page *slab = slab_of(cache, object);

	slab->slab_link.next = (struct list_head *)next;
	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache); /* all of it is free: it is taken off its list */
}

static void links_lead_nowhere(void)
{
	write_over_links(0x6b6b6b6b6b6b6b6bull);
}

static void links_lead_off_the_grid(void)
{
	write_over_links((uintptr_t)global | 1);
}

static void links_lead_elsewhere(void)
{
	write_over_links((uintptr_t)page_address(alloc_pages(GFP_KERNEL | __GFP_ZERO, 0)));
}

/* --- What is said -------------------------------------------------------------------------------------- */

#define SITE    "caller 0x*"
#define UNKNOWN "; mm.debug=1 would say by whom it was allocated and freed"
#define OWNERS  "; allocated by " SITE "; freed last by " SITE
#define ONE     "; allocated by " SITE "; freed last by nobody"
#define OF_HT   " of cache ht (slab pfn 0x*, node *)"
#define TWICE   ": 0x* is free already: object *" OF_HT
#define AT_HOME "slab: double free by whom a CPU's stack does not say" TWICE UNKNOWN
#define AT_ONCE "slab: double free by " SITE TWICE OWNERS
#define NOBODYS "slab: bad free to cache ht by " SITE ": 0x* is "
#define LIST                                                                                      \
	"slab: corrupted list of cache ht on node *: slab pfn 0x* (struct page at 0x*) has next " \
	"0x"

/* At each level; NULL: nothing, and the process ends well. "": as at the level before. */
static const struct crime {
	const char *name;
	void (*commit)(void);
	const char *said[NR_LEVELS];
} crimes[] = {
	{"free twice at once",
	 free_twice_at_once,
	 {"slab: double free by " SITE TWICE UNKNOWN, AT_ONCE, "", ""}},
	{"free twice after another", free_twice_after_another, {AT_HOME, AT_ONCE, "", ""}},
	{"free twice after a flush", free_twice_after_flush, {AT_HOME, AT_ONCE, "", ""}},
	{"free twice on two CPUs", free_twice_on_two_cpus, {AT_HOME, AT_ONCE, "", ""}},
	{"kfree() twice",
	 kfree_twice,
	 {"slab: double free by " SITE ": 0x* is free already: object * of cache kmalloc-64 (slab "
	  "pfn 0x*, node *)" UNKNOWN,
	  "slab: double free by " SITE ": 0x* is free already: object * of cache kmalloc-64 (slab "
	  "pfn 0x*, node *)" OWNERS,
	  "", ""}},
	{"free to another cache",
	 free_to_another_cache,
	 {"slab: bad free to cache yours by " SITE ": 0x* is an object of another cache: object * "
	  "of cache mine (slab pfn 0x*, node *)" UNKNOWN,
	  "slab: bad free to cache yours by " SITE ": 0x* is an object of another cache: object * "
	  "of cache mine (slab pfn 0x*, node *)" ONE,
	  "", ""}},
	{"free inside an object",
	 free_inside,
	 {"slab: bad free by whom a CPU's stack does not say: 0x* is no object: 16 "
	  "bytes into object *" OF_HT UNKNOWN,
	  "slab: bad free by " SITE ": 0x* is no object: 16 bytes into object *" OF_HT ONE, "",
	  ""}},
	{"free of the stack",
	 free_of_stack,
	 {"slab: bad free by " SITE ": 0x* is no address of memory: this process's own", "", "",
	  ""}},
	{"free of a global",
	 free_of_global,
	 {NOBODYS "no address of memory: this process's own", "", "", ""}},
	{"free of a page",
	 free_of_page,
	 {NOBODYS "in no slab: pfn 0x* (node *) is in a block of order 2 that is allocated, of "
		  "alloc_pages() or a large kmalloc()",
	  "", "", ""}},
	{"kfree() inside a large one",
	 kfree_inside_a_large_one,
	 {"slab: bad free by " SITE ": 0x* is no object: 24 bytes into a kmalloc() of order 3 (pfn "
	  "0x*, node *)",
	  "", "", ""}},
	{"free of a page of boot's",
	 free_of_boot_page,
	 {"slab: bad free by " SITE ": 0x* is in no slab: pfn 0x0 is reserved, since boot: *", "",
	  "", ""}},
	{"free of a free page",
	 free_of_free_page,
	 {"slab: bad free by " SITE ": 0x* is in no slab: pfn 0x* (node *) is in a block of order "
	  "* that is free",
	  "", "", ""}},
	{"free of a gone slab's",
	 free_of_a_gone_slab,
	 {NOBODYS "in no slab: pfn 0x* (node *) is in a block of order * that is *", "", "", ""}},
	{"overrun",
	 write_behind,
	 {NULL, NULL,
	  "slab: overrun: byte 60 of 60 is 0x41, not 0xcc, seen when it was freed by " SITE
	  ": 0x* is object *" OF_HT ONE,
	  ""}},
	{"underrun",
	 write_before,
	 {NULL, NULL,
	  "slab: underrun: byte -8 of 60 is 0x41, not 0xcc, seen when it was freed by " SITE
	  ": 0x* is object *" OF_HT ONE,
	  ""}},
	{"use after free",
	 write_after_free,
	 {NULL, NULL,
	  "slab: use after free: byte 59 of 60 is 0x41, not 0x6b, seen when it was allocated "
	  "by " SITE ": 0x* is object *" OF_HT OWNERS,
	  ""}},
	{"overrun, nobody frees it",
	 write_behind_a_neighbour,
	 {NULL, NULL, NULL,
	  "slab: overrun: byte 61 of 60 is 0x41, not 0xcc, seen when it was looked at, as another "
	  "was freed by " SITE ": 0x* is object *" OF_HT ONE}},
	{"links into nothing",
	 links_lead_nowhere,
	 {LIST "6b6b6b6b6b6b6b6b and previous 0x*, which do not lead back to it", "", "", ""}},
	{"crooked links",
	 links_lead_off_the_grid,
	 {LIST "* and previous 0x*, which do not lead back to it", "", "", ""}},
	{"links into other memory",
	 links_lead_elsewhere,
	 {LIST "* and previous 0x*, which do not lead back to it", "", "", ""}},
};

struct attempt {
	const struct crime *crime;
	u32 level;
};

/* In a process of its own; one that nobody notices ends in a panic, too: of this one's. */
static void commit(void *arg)
{
	const struct attempt *attempt = arg;

	boot(attempt->level);
	attempt->crime->commit();
	os_panic("%s at level %u: nothing said", attempt->crime->name, attempt->level);
}

static void commit_all(struct ktest *t, u32 level)
{
	for (u32 i = 0; i < ARRAY_SIZE(crimes); i++) {
		struct attempt attempt = {&crimes[i], level};
		const char *said = crimes[i].said[level];
		char nothing[80];

		for (u32 l = level; said && !said[0]; l--)
			said = crimes[i].said[l - 1];
		snprintf(nothing, sizeof(nothing), "%s at level %u: nothing said", crimes[i].name,
			 level);
		expect_panic_like(t, commit, &attempt, said ? said : nothing);
	}
}

static void at_level_0(struct ktest *t)
{
	commit_all(t, 0);
}

static void at_level_1(struct ktest *t)
{
	commit_all(t, 1);
}

static void at_level_2(struct ktest *t)
{
	commit_all(t, 2);
}

static void at_level_3(struct ktest *t)
{
	commit_all(t, 3);
}

/* --- Two that free it at the same time ------------------------------------------------------------------ */

static struct to_free race;

static void free_it_too(void *arg)
{
	(void)arg;
	kmem_cache_free(race.cache, race.object);
	os_panic("the second one came back");
}

/* An interrupt frees it as its poison is written: its bit is not set yet. */
static void free_in_the_midst(void *arg)
{
	(void)arg;
	boot(2);
	/* A page's worth, so that writes to it are to no page but its own. */
	race.cache = kmem_cache_create("ht", PAGE_SIZE, PAGE_SIZE, 0, NULL);
	race.object = get(race.cache);
	host_at_write(race.object, free_it_too, NULL);
	kmem_cache_free(race.cache, race.object);
}

static void two_free_it_at_once(struct ktest *t)
{
	expect_panic_like(t, free_in_the_midst, NULL, AT_ONCE);
}

static const struct ktest_case cases[] = {
	KTEST(at_level_0), KTEST(at_level_1),          KTEST(at_level_2),
	KTEST(at_level_3), KTEST(two_free_it_at_once),
};
KTEST_SUITE(slab_debug, cases);
