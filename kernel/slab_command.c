/*
 * `slabinfo`: object caches as Linux's /proc/slabinfo lists them. `slab NAME`: one of them as a picture, and its
 * tunables.
 *
 *	hw> slab kmalloc-64
 *	node 0: 14 slabs  [##########===...]  what they are: full, partial, free
 *	  shared  60/480  [##..............]  what its CPUs share, against what there may be
 *	  cpu 0   64/120  [########........]  a CPU's own array; alien: those of other nodes' objects
 *	a slab at pfn 0x1234: 12 of 63 free
 *	  ####..##########...                 each place of one slab: used, free
 *
 * What is used in a slab's map is either out, or kept in one of the arrays. The figures are of several moments
 * (<mm/slab_inspect.h>).
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <mm/slab_inspect.h>
#include <x86/smp.h>

#include "commands.h"

#define ULL(x)         ((unsigned long long)(x))
#define BAR_CELLS      32
#define MAP_COLUMNS    64
#define ALIENS_IN_LINE 7
#define MAX_TUNABLE    0xffffffffu

/* --- slabinfo ---------------------------------------------------------------------------------- */

/* Linux's mm/slab_common.c, version 2.1, character by character. */
static void print_slabinfo_header(void)
{
	kprintf("slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> "
		": "
		"tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
		"<num_slabs> "
		"<sharedavail>\n");
}

static void print_slabinfo_line(const struct slab_cache_snapshot *s)
{
	kprintf("%-17s %6llu %6llu %6u %4u %4d : tunables %4u %4u %4u : slabdata %6llu %6llu "
		"%6llu\n",
		s->name, ULL(s->active_objects), ULL(s->objects), s->size, s->nr_objects,
		1 << s->order, s->limit, s->batch, s->shared, ULL(s->active_slabs), ULL(s->slabs),
		ULL(s->shared_objects));
}

int command_slabinfo(int argc, char **argv)
{
	struct kmem_cache *cache = NULL;
	struct slab_cache_snapshot s;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	print_slabinfo_header();
	while ((cache = slab_cache_next(cache)) != NULL) {
		if (monitor_interrupted()) {
			slab_cache_put(cache);
			break;
		}
		slab_cache_snapshot(cache, &s);
		print_slabinfo_line(&s);
	}
	return 0;
}

/* --- One cache --------------------------------------------------------------------------------- */

/* Cells of a bar for `part` of `whole`; what is there at all has one. */
static u32 cells(u64 part, u64 whole)
{
	u64 n = whole ? part * BAR_CELLS / whole : 0;

	return (u32)MIN(part && n == 0 ? 1 : n, (u64)BAR_CELLS);
}

/* '#' for a, then '=' for b, '.' up to the end. */
static const char *bar(char buf[BAR_CELLS + 1], u64 a, u64 b, u64 whole)
{
	u32 first = cells(a, whole), second = MIN(cells(b, whole), BAR_CELLS - first);

	memset(buf, '.', BAR_CELLS);
	memset(buf, '#', first);
	memset(buf + first, '=', second);
	buf[BAR_CELLS] = '\0';
	return buf;
}

static void print_flags(u32 flags)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] = {
		{SLAB_HWCACHE_ALIGN, "hwcache_align"},
		{SLAB_CACHE_DMA, "dma"},
		{SLAB_CACHE_DMA32, "dma32"},
		{SLAB_OFF_SLAB, "off_slab"},
		{SLAB_STORE_USER, "store_user"},
		{SLAB_RED_ZONE, "red_zone"},
		{SLAB_POISON, "poison"},
		{SLAB_INIT_ON_ALLOC, "init_on_alloc"},
		{SLAB_CHECK_ALL, "check_all"},
	};

	kprintf("  flags:");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].flag)
			kprintf(" %s", names[i].name);
	}
	kprintf("%s\n", flags & SLAB_FLAGS_ALL ? "" : " none");
}

static void print_geometry(const struct slab_cache_snapshot *s)
{
	u32 bytes = (u32)PAGE_SIZE << s->order;
	/* Tenths of a percent: what is neither map nor anybody's object. */
	u32 waste = (u32)(((u64)s->left_bytes + (u64)s->nr_objects * (s->size - s->object_size)) *
			  1000 / bytes);

	kprintf("%s: objects of %u bytes, %u apart, aligned to %u\n", s->name, s->object_size,
		s->size, s->align);
	kprintf("  a slab: %u bytes, %u objects; its map, %u bytes: %s\n", bytes, s->nr_objects,
		s->map_bytes, s->map_place);
	kprintf("  left over: %u bytes, %u colours %u apart; waste %u.%u%%\n", s->left_bytes,
		s->colours, s->colour_bytes, waste / 10, waste % 10);
	print_flags(s->flags);
	kprintf("  tunables: limit %u batch %u shared %u\n", s->limit, s->batch, s->shared);
	kprintf("  slabs: %llu of %llu active; objects: %llu of %llu active\n",
		ULL(s->active_slabs), ULL(s->slabs), ULL(s->active_objects), ULL(s->objects));
}

/* Those that there were, four in a line. */
static void print_events(const struct slab_node_snapshot *n)
{
	u32 nr = 0;

	for (u32 i = 0; i < NR_SLAB_EVENTS; i++) {
		if (n->events[i] == 0)
			continue;
		kprintf("%s%s %llu",
			nr % 4 ? ", "
			: nr   ? ",\n          "
			       : "  events  ",
			slab_event_name((enum slab_event)i), ULL(n->events[i]));
		nr++;
	}
	if (nr)
		kprintf("\n");
}

static void print_node(struct kmem_cache *cache, int nid)
{
	struct slab_node_snapshot n;
	char text[BAR_CELLS + 1];

	if (!slab_node_snapshot(cache, nid, &n))
		return;
	kprintf("node %d: %llu full, %llu partial, %llu free slabs; keeps %llu free objects\n", nid,
		ULL(n.full), ULL(n.partial), ULL(n.free), ULL(n.free_limit));
	kprintf("  slabs                [%s]\n",
		bar(text, n.full, n.partial, n.full + n.partial + n.free));
	kprintf("  objects %5llu/%-5llu  [%s] free %llu\n", ULL(n.objects - n.free_objects),
		ULL(n.objects), bar(text, n.objects - n.free_objects, 0, n.objects),
		ULL(n.free_objects));
	kprintf("  shared  %5u/%-5u  [%s]\n", n.shared, n.shared_limit,
		bar(text, n.shared, 0, n.shared_limit));
	print_events(&n);
}

/* Its own array; below it those of other nodes' objects that have something. */
static void print_cpu(struct kmem_cache *cache, u32 cpu)
{
	struct slab_cpu_snapshot c;
	char text[BAR_CELLS + 1];
	u32 nr = 0;
	int nid;

	if (!slab_cpu_snapshot(cache, cpu, &c))
		return;
	kprintf("  cpu %-3u %5u/%-5u  [%s] of node %d\n", cpu, c.of[c.nid].nr, c.of[c.nid].limit,
		bar(text, c.of[c.nid].nr, 0, c.of[c.nid].limit), c.nid);
	for_each_node(nid) {
		if (nid == c.nid || c.of[nid].nr == 0)
			continue;
		kprintf("%s%d:%u/%u",
			nr % ALIENS_IN_LINE ? " "
			: nr                ? "\n          "
					    : "    alien ",
			nid, c.of[nid].nr, c.of[nid].limit);
		nr++;
	}
	if (nr)
		kprintf("\n");
}

/* MAP_COLUMNS places a row. */
static void print_slab(struct kmem_cache *cache)
{
	struct slab_snapshot slab;
	char row[MAP_COLUMNS + 1];
	bool found = false;
	int nid;

	for_each_node(nid) {
		found = slab_snapshot(cache, nid, &slab);
		if (found)
			break;
	}
	if (!found)
		return;
	kprintf("a slab of node %d, pfn 0x%llx: %u of %u free (# used, . free)\n", slab.nid,
		ULL(slab.pfn), slab.nr_free, slab.nr_objects);
	for (u32 from = 0; from < MIN(slab.nr_objects, SLAB_MAP_WORDS * 64u); from += MAP_COLUMNS) {
		u32 nr = MIN(slab.nr_objects - from, (u32)MAP_COLUMNS);

		for (u32 i = 0; i < nr; i++)
			row[i] = slab_object_is_free(&slab, from + i) ? '.' : '#';
		row[nr] = '\0';
		kprintf("  %4u  %s\n", from, row);
	}
}

static void print_cache(struct kmem_cache *cache)
{
	struct slab_cache_snapshot s;
	u32 cpu;
	int nid;

	slab_cache_snapshot(cache, &s);
	print_geometry(&s);
	for_each_node(nid) {
		if (!monitor_interrupted())
			print_node(cache, nid);
	}
	kprintf("CPUs\n");
	for_each_online_cpu(cpu) {
		if (!monitor_interrupted())
			print_cpu(cache, cpu);
	}
	print_slab(cache);
}

/* --- Tuning ------------------------------------------------------------------------------------ */

enum { LIMIT, BATCH, SHARED, NR_KEYS };
static const char *const keys[NR_KEYS] = {"limit=", "batch=", "shared="};

/* Which of the keys the word begins with; NR_KEYS: none. */
static u32 key_of(const char *word)
{
	u32 key = 0;

	while (key < NR_KEYS && strncmp(word, keys[key], strlen(keys[key])) != 0)
		key++;
	return key;
}

/* Those not given stay as they are. */
static int tune(struct kmem_cache *cache, int argc, char **argv)
{
	struct slab_cache_snapshot s;
	bool given[NR_KEYS] = {false};
	u64 value[NR_KEYS];
	int err;

	slab_cache_snapshot(cache, &s);
	value[LIMIT] = s.limit;
	value[BATCH] = s.batch;
	value[SHARED] = s.shared;
	for (int i = 2; i < argc; i++) {
		u32 key = key_of(argv[i]);
		const char *text = key < NR_KEYS ? argv[i] + strlen(keys[key]) : argv[i];

		if (key == NR_KEYS)
			return command_bad(argv[i],
					   "'%.32s': there is limit=N, batch=N, shared=N, and "
					   "shrink alone",
					   argv[i]);
		if (given[key])
			return command_bad(argv[i], "'%.32s': %s was given already", argv[i],
					   keys[key]);
		given[key] = true;
		if (!parse_u64(text, &value[key]) || value[key] > MAX_TUNABLE)
			return command_bad(text, "'%.32s' is no number of objects", text);
	}
	err = kmem_cache_tune(cache, (u32)value[LIMIT], (u32)value[BATCH], (u32)value[SHARED]);
	if (err == -EINVAL && (s.flags & SLAB_DEBUG_ALL))
		return command_bad(argv[2], "%s is debugged: nothing of it is kept, only all 0",
				   s.name);
	if (err == -EINVAL)
		return command_bad(argv[2],
				   "limit %llu, batch %llu, shared %llu: 1 <= batch <= limit, or "
				   "all 0; or it is too much",
				   ULL(value[LIMIT]), ULL(value[BATCH]), ULL(value[SHARED]));
	slab_cache_snapshot(cache, &s);
	if (err)
		kprintf(err == -EBUSY ? "somebody else is at it: " : "no memory for that: ");
	kprintf("%s: limit %u batch %u shared %u\n", s.name, s.limit, s.batch, s.shared);
	return err;
}

/* --- slab -------------------------------------------------------------------------------------- */

/* Whose name the typed one most likely was meant to be; NULL if none is near. */
static const char *nearest_cache(const char *typed)
{
	static char nearest[SLAB_NAME_BYTES];
	struct kmem_cache *cache = NULL;
	u32 least = UINT32_MAX;

	while ((cache = slab_cache_next(cache)) != NULL) {
		const char *name = kmem_cache_name(cache);
		u32 distance = edit_distance(typed, name);

		if (distance < least && is_near(typed, name)) {
			least = distance;
			snprintf(nearest, sizeof(nearest), "%s", name);
		}
	}
	return least == UINT32_MAX ? NULL : nearest;
}

static int no_such_cache(const char *typed)
{
	const char *nearest = nearest_cache(typed);

	if (nearest)
		return command_bad(typed, "no cache '%.32s': did you mean '%s'?", typed, nearest);
	return command_bad(typed, "no cache '%.32s': `slabinfo` lists them", typed);
}

int command_slab(int argc, char **argv)
{
	struct kmem_cache *cache;
	int err = 0;

	if (argc == 1)
		return command_usage(argc, argv, 1);
	if (strcmp(argv[1], "all") == 0 && argc == 3 && strcmp(argv[2], "shrink") == 0) {
		kprintf("all: %llu pages given back\n", ULL(kmem_cache_shrink_all()));
		return 0;
	}
	cache = slab_cache_get(argv[1]);
	if (!cache)
		return no_such_cache(argv[1]);
	if (argc == 2)
		print_cache(cache);
	else if (strcmp(argv[2], "shrink") != 0)
		err = tune(cache, argc, argv);
	else if (argc > 3)
		err = command_usage(argc, argv, 3);
	else
		kprintf("%s: %llu pages given back\n", argv[1], ULL(kmem_cache_shrink(cache)));
	slab_cache_put(cache);
	return err;
}

/* Names of caches; then what can be set. */
const char *complete_slab(u32 word, u32 i)
{
	static char name[SLAB_NAME_BYTES];
	struct kmem_cache *cache = NULL;

	if (word > 1)
		return i < NR_KEYS ? keys[i] : i == NR_KEYS && word == 2 ? "shrink" : NULL;
	while ((cache = slab_cache_next(cache)) != NULL) {
		if (i-- > 0)
			continue;
		snprintf(name, sizeof(name), "%s", kmem_cache_name(cache));
		slab_cache_put(cache);
		return name;
	}
	return NULL;
}
