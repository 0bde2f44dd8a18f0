/*
 * The soak's load on the page cache.
 *
 *	file    |hot|                                        |    all files: half as large again as what is free
 *	         ^ most reads and writes     ^ the rest
 *	        ----- scan --------------------------------->     now and then, some hundred pages of it
 *
 * Each actor has a file where it is at home; all visit all. Every page read is compared with the ledger by
 * the cache. Requests come with all flags that a reader may have, and those that get no page are counted.
 */
#include <base/errno.h>
#include <base/format.h>

#include "soak_internal.h"

#define HOT_PART         8 /* of a file: the first eighth */
#define SYNC_NS          (2 * NS_PER_SECOND)
#define DESTROY_NS       (10 * NS_PER_SECOND)
#define DESTROY_ATTEMPTS 6

bool soak_files_create(struct soak *s)
{
	u64 pages = MAX(s->nr_pages * s->plan.file_percent / 100 / SOAK_FILES, (u64)HOT_PART);

	for (u32 i = 0; i < SOAK_FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "soak%u", i);
		s->file[i] = cache_file_create(name, pages, s->plan.seed + i);
		if (!s->file[i])
			return false;
	}
	return true;
}

bool soak_files_destroy(struct soak *s)
{
	bool gone = true;

	for (u32 i = 0; i < SOAK_FILES; i++) {
		int err = -EBUSY;

		if (!s->file[i])
			continue;
		for (u32 k = 0; k < DESTROY_ATTEMPTS && err == -EBUSY; k++)
			err = cache_file_destroy(s->file[i], DESTROY_NS);
		gone &= err == 0;
	}
	return gone;
}

/* --- One page ------------------------------------------------------------------------------- */

static gfp_t some_gfp(struct random_state *r)
{
	static const gfp_t kind[16] = {
		[0] = GFP_NOIO,
		[1] = GFP_NOIO,
		[2] = GFP_NOWAIT,
		[3] = GFP_KERNEL | __GFP_NORETRY,
		[4] = GFP_KERNEL | __GFP_RETRY_MAYFAIL,
	};
	gfp_t gfp = kind[random_below(r, ARRAY_SIZE(kind))];

	return (gfp ? gfp : GFP_KERNEL) | __GFP_NOWARN;
}

static bool done(struct soak_actor *a, int err, enum soak_count count)
{
	switch (err) {
	case 0:
		soak_counted(a, count, 1);
		return true;
	case -ENOMEM:
		soak_counted(a, SOAK_NO_PAGE, 1);
		soak_rest(a, NS_PER_MS);
		return false;
	case -EBUSY:  /* pinned by another */
	case -EAGAIN: /* another is at it, and this request does not wait */
		return false;
	default:
		soak_counted(a, SOAK_WRONG, 1);
		return false;
	}
}

static bool read_page(struct soak_actor *a, u32 file, u64 index)
{
	u64 since_ns = soak_now_ns();
	int err = cache_read(a->soak->file[file], index, some_gfp(&a->random));

	soak_took(a, since_ns);
	return done(a, err, SOAK_READS);
}

static void write_page(struct soak_actor *a, u32 file, u64 index)
{
	u64 since_ns = soak_now_ns();
	int err = cache_write(a->soak->file[file], index, some_gfp(&a->random));

	soak_took(a, since_ns);
	done(a, err, SOAK_WRITES);
}

/* For a moment: the others find it pinned. */
static void pin_page(struct soak_actor *a, u32 file, u64 index)
{
	struct cache_file *f = a->soak->file[file];

	if (!done(a, cache_pin(f, index, some_gfp(&a->random)), SOAK_PINS))
		return;
	if (random_below(&a->random, 16) == 0)
		soak_rest(a, random_below(&a->random, 2 * NS_PER_MS));
	if (cache_unpin(f, index) != 0)
		soak_counted(a, SOAK_WRONG, 1);
}

static void sync_file(struct soak_actor *a, u32 file)
{
	int err = cache_sync(a->soak->file[file], SYNC_NS);

	soak_counted(a, SOAK_SYNCS, 1);
	if (err == -ETIMEDOUT)
		soak_counted(a, SOAK_LATE, 1);
	else if (err != 0 && err != -EIO)
		soak_counted(a, SOAK_WRONG, 1);
}

/* --- An actor ------------------------------------------------------------------------------- */

static u64 some_page(struct soak_actor *a, bool hot)
{
	u64 pages = cache_file_pages(a->soak->file[0]);

	return random_below(&a->random, (u32)(hot ? pages / HOT_PART : pages));
}

static void scan_on(struct soak_actor *a)
{
	u64 pages = cache_file_pages(a->soak->file[0]);

	if (read_page(a, a->id % SOAK_FILES, a->cursor % pages))
		soak_counted(a, SOAK_SCANNED, 1);
	a->cursor++;
	a->burst--;
}

void soak_cache_step(struct soak_actor *a)
{
	u32 kind = random_below(&a->random, 1024), home = a->id % SOAK_FILES;
	u32 any = random_below(&a->random, SOAK_FILES);

	if (a->burst > 0)
		scan_on(a);
	else if (kind < 448)
		read_page(a, home, some_page(a, true));
	else if (kind < 600)
		read_page(a, any, some_page(a, false));
	else if (kind < 824)
		write_page(a, home, some_page(a, true));
	else if (kind < 984)
		write_page(a, any, some_page(a, false));
	else if (kind < 988)
		a->burst = 64 + random_below(&a->random, 384);
	else if (kind < 1020)
		pin_page(a, any, some_page(a, true));
	else if (kind < 1023)
		soak_rest(a, random_below(&a->random, 5 * NS_PER_MS));
	else
		sync_file(a, any);
}

/* The actor's share of each file, in order: what was lost without being read until now shows here. */
void soak_files_read_back(struct soak_actor *a)
{
	u64 share, most;

	for (u32 file = 0; file < SOAK_FILES; file++) {
		u64 pages = cache_file_pages(a->soak->file[file]);

		share = DIV_ROUND_UP(pages, a->soak->nr_cpus);
		most = MIN((a->nth + 1) * share, pages);
		most = a->nth * share +
		       (most - MIN(most, a->nth * share)) * a->soak->plan.read_back_percent / 100;
		for (u64 i = a->nth * share; i < most; i++) {
			read_page(a, file, i);
			store_relaxed(&a->steps, a->steps + 1); /* it gets on */
		}
	}
}
