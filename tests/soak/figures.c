/*
 * The soak's figures: added up over actors, asked of mm/, cache and device, and printed: for programs as
 * lines of key=value, and as a row of a table.
 *
 * Since the beginning of the round: what mm/ counts it counts since boot.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/netblk.h>
#include <mm/reclaim.h>
#include <mm/vmstat.h>

#include "soak_internal.h"

#define LINE_BYTES  320
#define ROWS_A_HEAD 20

static const char *const count_names[NR_SOAK_COUNTS] = {
	[SOAK_READS] = "reads",
	[SOAK_SCANNED] = "scanned",
	[SOAK_WRITES] = "writes",
	[SOAK_PINS] = "pins",
	[SOAK_SYNCS] = "syncs",
	[SOAK_LATE] = "late_syncs",
	[SOAK_NO_PAGE] = "no_page",
	[SOAK_STRESSES] = "stresses",
	[SOAK_UNSTARTED] = "unstarted",
	[SOAK_BLOCKS] = "blocks",
	[SOAK_REFUSED] = "refused",
	[SOAK_CLAIMS] = "claims",
	[SOAK_GATHERED] = "gathered",
	[SOAK_TICKS] = "ticks",
	[SOAK_BOUND] = "bound",
	[SOAK_UNBOUND] = "bound_refused",
	[SOAK_MOVES] = "cpuset_moves",
	[SOAK_HOGGED] = "hogged",
	[SOAK_KILLED] = "oom_kills",
	[SOAK_LET_GO] = "let_go",
	[SOAK_OBJECTS] = "objects",
	[SOAK_SHRUNK] = "shrunk",
	[SOAK_SLAB_OBJECTS] = "slab_objects",
	[SOAK_SLAB_REFUSED] = "slab_refused",
	[SOAK_SLAB_HANDED] = "slab_handed",
	[SOAK_BURSTS] = "fault_bursts",
	[SOAK_LOST] = "lost_on_purpose",
	[SOAK_WRONG] = "wrong",
	[SOAK_BAD] = "bad",
	[SOAK_OUTSIDE] = "outside",
};

static const char *const other_names[NR_SOAK_OTHERS] = {
	[SOAK_KSWAPD_WAKES] = "kswapd_wakes",
	[SOAK_KSWAPD_HOPELESS] = "kswapd_hopeless",
	[SOAK_KSWAPD_SCANNED] = "kswapd_scanned",
	[SOAK_KSWAPD_RECLAIMED] = "kswapd_reclaimed",
	[SOAK_DIRECT_SCANNED] = "direct_scanned",
	[SOAK_DIRECT_RECLAIMED] = "direct_reclaimed",
	[SOAK_THROTTLED] = "throttled",
	[SOAK_WRITTEN] = "reclaim_writes",
	[SOAK_ACTIVATED] = "activated",
	[SOAK_TARGETS] = "targets",
	[SOAK_COMPLETED] = "targets_completed",
	[SOAK_MEMS_MOVED] = "requests_begun_anew",
	[SOAK_PASSED_OVER] = "victims_passed_over",
	[SOAK_SLABS_GROWN] = "slabs_grown",
	[SOAK_SLABS_GIVEN] = "slabs_given_back",
	[SOAK_SLAB_FALLBACKS] = "slab_fallbacks",
	[SOAK_FAULTS] = "faults",
	[SOAK_MISSES] = "misses",
	[SOAK_REFAULTS] = "refaults",
	[SOAK_EVICTED] = "evicted",
	[SOAK_SUBMITTED] = "submitted",
	[SOAK_PACKETS_LOST] = "packets_lost",
	[SOAK_RESENT] = "resent",
	[SOAK_ACKS_DROPPED] = "acks_dropped",
	[SOAK_NO_PACKET] = "resends_without_memory",
};

/* --- Adding up ------------------------------------------------------------------------------ */

static void ask_reclaim(u64 *other)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		struct reclaim_snapshot r;

		if (!reclaim_snapshot(nid, &r))
			continue;
		other[SOAK_KSWAPD_WAKES] += r.wakes;
		other[SOAK_KSWAPD_HOPELESS] += r.gave_up;
		other[SOAK_KSWAPD_SCANNED] += r.scanned[RECLAIM_KSWAPD];
		other[SOAK_KSWAPD_RECLAIMED] += r.reclaimed[RECLAIM_KSWAPD];
		other[SOAK_DIRECT_SCANNED] += r.scanned[RECLAIM_DIRECT];
		other[SOAK_DIRECT_RECLAIMED] += r.reclaimed[RECLAIM_DIRECT];
		other[SOAK_THROTTLED] += r.throttled;
		other[SOAK_WRITTEN] += r.written;
	}
}

static void ask_vmstat(u64 *other)
{
	other[SOAK_ACTIVATED] = vmstat_read(VMSTAT_PGACTIVATE);
	other[SOAK_TARGETS] = vmstat_read(VMSTAT_TARGET_CHOSEN);
	other[SOAK_COMPLETED] = vmstat_read(VMSTAT_TARGET_COMPLETED);
	other[SOAK_MEMS_MOVED] = vmstat_read(VMSTAT_ALLOC_MEMS_MOVED);
	other[SOAK_PASSED_OVER] = vmstat_read(VMSTAT_OOM_PASSED_OVER);
	other[SOAK_SLABS_GROWN] = vmstat_read(VMSTAT_SLAB_GROW);
	other[SOAK_SLABS_GIVEN] = vmstat_read(VMSTAT_SLAB_GIVE_BACK);
	other[SOAK_SLAB_FALLBACKS] = vmstat_read(VMSTAT_SLAB_FALLBACK);
	other[SOAK_FAULTS] = vmstat_read(VMSTAT_FAULT_INJECTED);
}

/* Of others, since boot. */
void soak_figures_now(struct soak_figures *figures)
{
	struct cache_snapshot cache;
	struct netblk_snapshot device;

	memset(figures, 0, sizeof(*figures));
	ask_reclaim(figures->other);
	cache_snapshot(NULL, &cache);
	netblk_snapshot(&device);
	ask_vmstat(figures->other);
	figures->other[SOAK_MISSES] = cache.misses;
	figures->other[SOAK_REFAULTS] = cache.refaults;
	figures->other[SOAK_EVICTED] = cache.evicted;
	figures->other[SOAK_SUBMITTED] = device.submitted;
	figures->other[SOAK_PACKETS_LOST] = device.lost;
	figures->other[SOAK_RESENT] = device.resent;
	figures->other[SOAK_ACKS_DROPPED] = device.acks_dropped;
	figures->other[SOAK_NO_PACKET] = device.resends_without_memory;
}

void soak_figures_since(const struct soak *s, const struct soak_figures *before,
			struct soak_figures *out)
{
	soak_figures_now(out);
	for (u32 i = 0; i < NR_SOAK_OTHERS; i++)
		out->other[i] -= before->other[i];
	for (u32 i = 0; i < NR_SOAK_COUNTS; i++)
		out->count[i] = s->count[i];
	for (u32 k = 0; k < s->nr_actors; k++) {
		const struct soak_actor *a = s->actor[k];

		for (u32 i = 0; i < NR_SOAK_COUNTS; i++)
			out->count[i] += load_relaxed(&a->count[i]); /* figures */
		out->longest_ns = MAX(out->longest_ns, load_relaxed(&a->longest_ns));
	}
	out->count[SOAK_SHRUNK] += load_relaxed(&s->objects.nr_shrunk);
}

void soak_add(struct soak_figures *sum, const struct soak_figures *figures)
{
	for (u32 i = 0; i < NR_SOAK_COUNTS; i++)
		sum->count[i] += figures->count[i];
	for (u32 i = 0; i < NR_SOAK_OTHERS; i++)
		sum->other[i] += figures->other[i];
	sum->longest_ns = MAX(sum->longest_ns, figures->longest_ns);
}

/* --- Printing ------------------------------------------------------------------------------- */

struct line {
	struct ktest *t;
	const char *what;
	u64 at_s;
	char text[LINE_BYTES];
	size_t len;
};

static void end_line(struct line *line)
{
	if (line->len > 0)
		ktest_note(line->t, "figures: t=%llu of=%s%s", (unsigned long long)line->at_s,
			   line->what, line->text);
	line->len = 0;
}

static void add_figure(struct line *line, const char *name, u64 value)
{
	char text[64];
	int len = snprintf(text, sizeof(text), " %s=%llu", name, (unsigned long long)value);

	if (line->len + (size_t)len >= LINE_BYTES)
		end_line(line);
	memcpy(line->text + line->len, text, (size_t)len + 1);
	line->len += (size_t)len;
}

static void print_row(struct ktest *t, const struct soak_figures *f, u64 at_s)
{
	static u32 rows;
	const u64 *c = f->count, *o = f->other;

	if (rows++ % ROWS_A_HEAD == 0) {
		ktest_note(
			t,
			"        |         page cache          |   blocks, of all orders   | OOM  "
			"|    pages reclaimed by    |     network device      | longest");
		ktest_note(
			t,
			"      s |    reads   writes  no page |  taken  refused    bound | kills "
			"|   kswapd   direct waited |  writes  resent dropped |      ms");
	}
	ktest_note(t,
		   "%7llu |%9llu%9llu%9llu |%7llu%9llu%9llu |%6llu |%9llu%9llu%7llu "
		   "|%8llu%8llu%8llu |%8llu",
		   (unsigned long long)at_s, (unsigned long long)c[SOAK_READS],
		   (unsigned long long)c[SOAK_WRITES], (unsigned long long)c[SOAK_NO_PAGE],
		   (unsigned long long)c[SOAK_BLOCKS], (unsigned long long)c[SOAK_REFUSED],
		   (unsigned long long)c[SOAK_BOUND], (unsigned long long)c[SOAK_KILLED],
		   (unsigned long long)o[SOAK_KSWAPD_RECLAIMED],
		   (unsigned long long)o[SOAK_DIRECT_RECLAIMED],
		   (unsigned long long)o[SOAK_THROTTLED], (unsigned long long)o[SOAK_SUBMITTED],
		   (unsigned long long)o[SOAK_RESENT], (unsigned long long)o[SOAK_ACKS_DROPPED],
		   (unsigned long long)(f->longest_ns / NS_PER_MS));
}

void soak_print(struct ktest *t, const struct soak_figures *figures, const char *what, u64 at_s)
{
	struct line line = {.t = t, .what = what, .at_s = at_s};

	for (u32 i = 0; i < NR_SOAK_COUNTS; i++)
		add_figure(&line, count_names[i], figures->count[i]);
	for (u32 i = 0; i < NR_SOAK_OTHERS; i++)
		add_figure(&line, other_names[i], figures->other[i]);
	add_figure(&line, "longest_ms", figures->longest_ns / NS_PER_MS);
	end_line(&line);
	print_row(t, figures, at_s);
}

/* --- What is expected of them --------------------------------------------------------------- */

/* Where a part does not run at all, the rest proves nothing. */
const char *soak_missing_part(const struct soak_figures *figures)
{
	static const enum soak_count counts[] = {
		SOAK_READS,    SOAK_SCANNED, SOAK_WRITES,       SOAK_PINS,       SOAK_SYNCS,
		SOAK_STRESSES, SOAK_BLOCKS,  SOAK_CLAIMS,       SOAK_TICKS,      SOAK_BOUND,
		SOAK_MOVES,    SOAK_HOGGED,  SOAK_KILLED,       SOAK_LET_GO,     SOAK_OBJECTS,
		SOAK_SHRUNK,   SOAK_BURSTS,  SOAK_SLAB_OBJECTS, SOAK_SLAB_HANDED};
	static const enum soak_other others[] = {
		SOAK_KSWAPD_WAKES, SOAK_KSWAPD_RECLAIMED, SOAK_DIRECT_RECLAIMED, SOAK_WRITTEN,
		SOAK_ACTIVATED,    SOAK_TARGETS,          SOAK_FAULTS,           SOAK_MISSES,
		SOAK_EVICTED,      SOAK_SUBMITTED,        SOAK_PACKETS_LOST,     SOAK_RESENT,
		SOAK_ACKS_DROPPED, SOAK_SLABS_GROWN,      SOAK_SLABS_GIVEN};

	for (u32 i = 0; i < ARRAY_SIZE(counts); i++)
		if (figures->count[counts[i]] == 0)
			return count_names[counts[i]];
	for (u32 i = 0; i < ARRAY_SIZE(others); i++)
		if (figures->other[others[i]] == 0)
			return other_names[others[i]];
	return figures->count[SOAK_UNSTARTED] < figures->count[SOAK_STRESSES] ? NULL : "stresses";
}

void soak_expect_all_parts(struct ktest *t, const struct soak_figures *figures)
{
	const char *missing = soak_missing_part(figures);

	EXPECT_MSG(t, !missing, "no %s", missing);
}

void soak_expect_nothing_wrong(struct ktest *t, const struct soak_figures *figures)
{
	EXPECT_EQ(t, figures->count[SOAK_WRONG], 0);
	EXPECT_EQ(t, figures->count[SOAK_BAD], 0);
	EXPECT_EQ(t, figures->count[SOAK_OUTSIDE], 0);
}
