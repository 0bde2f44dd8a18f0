/*
 * `top`: what memory is doing, as a screen that is drawn again and again in place.
 *
 * A frame is made in three steps. A *sample* is taken: each zone is copied under its own lock, so each
 * row is right in itself. The lines of the screen are *shared out* among the panels: each gets a line
 * in turn until it has what it wants or none is left, so that on a machine with 64 nodes every panel
 * shows something; what does not fit is a line that says how much. Then the frame is *drawn* into a
 * buffer and written in one piece: cursor home, each line ending in "clear to the end of the line",
 * at last "clear what is below". Nothing is ever cleared first, so nothing flickers.
 *
 * A panel is a row of the table `panels`: heading, how many rows it has, one row drawn. What the
 * kernel learns to do later (CPUs, caches) is one more.
 *
 *	zone          free   min   low  high
 *	0 Normal     12345   640   800   960   [========m===l===h==>]
 *
 * The bar of a zone ends at twice its high mark: far above it nothing is interesting. '>' says that
 * there is more free than that.
 *
 * When frames are drawn, and who reads them: kernel/top_command.c.
 *
 * Source: ECMA-48: CUP, EL, ED.
 */
#include <kernel/top.h>

#include <arch/page.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/lru.h>
#include <mm/numa.h>
#include <mm/reclaim.h>
#include <mm/slab_inspect.h>
#include <x86/time.h>

#define ULL(x)        ((unsigned long long)(x))

#define NS_PER_SECOND 1000000000ull

#define BAR_CELLS     32

#define ESC           "\x1b["
#define HOME          ESC "H"
#define CLEAR_LINE    ESC "K"
#define CLEAR_BELOW   ESC "J"

/* --- What is shown ------------------------------------------------------------------------- */

/* What reclaim does on a node: its lists, and both reclaimers together. */
struct node_reclaim {
	struct lru_snapshot lru;
	enum kswapd_state kswapd;
	u64 scanned, stolen;             /* since boot */
	u64 scanned_since, stolen_since; /* the sample before */
};

static struct {
	u64 at_ns, since_ns; /* since the sample before */
	u64 frames;
	u64 slab_pages;
	u32 nr_nodes, nr_zones;
	struct node_snapshot node[MAX_NUMNODES];
	struct node_reclaim reclaim[MAX_NUMNODES];              /* of the same nodes */
	struct zone_snapshot zone[MAX_NUMNODES * MAX_NR_ZONES]; /* those with managed pages */
	u64 events[NR_ZONE_EVENTS];                             /* of all of them */
	u64 since[NR_ZONE_EVENTS];                              /* the sample before */
} sample;

static void sample_reclaim(int nid, struct node_reclaim *out)
{
	struct reclaim_snapshot r = {.state = KSWAPD_NONE};
	u64 scanned = out->scanned, stolen = out->stolen;

	reclaim_snapshot(nid, &r);
	lru_snapshot(nid, &out->lru);
	out->kswapd = r.state;
	out->scanned = r.scanned[RECLAIM_KSWAPD] + r.scanned[RECLAIM_DIRECT];
	out->stolen = r.reclaimed[RECLAIM_KSWAPD] + r.reclaimed[RECLAIM_DIRECT];
	out->scanned_since = out->scanned - scanned;
	out->stolen_since = out->stolen - stolen;
}

static void take_sample(void)
{
	u64 before[NR_ZONE_EVENTS], now_ns = time_since_entry_ns();
	int nid;

	memcpy(before, sample.events, sizeof(before));
	memset(sample.events, 0, sizeof(sample.events));
	sample.since_ns = now_ns - sample.at_ns;
	sample.at_ns = now_ns;
	sample.nr_nodes = sample.nr_zones = 0;
	sample.slab_pages = slab_pages(NUMA_NO_NODE);
	for_each_node(nid) {
		if (!node_snapshot(nid, &sample.node[sample.nr_nodes]))
			continue;
		sample_reclaim(nid, &sample.reclaim[sample.nr_nodes]);
		sample.nr_nodes++;
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			struct zone_snapshot *zone = &sample.zone[sample.nr_zones];

			zone_snapshot(nid, (enum zone_type)type, zone);
			if (zone->managed_pages == 0)
				continue;
			for (u32 event = 0; event < NR_ZONE_EVENTS; event++)
				sample.events[event] += zone->events[event];
			sample.nr_zones++;
		}
	}
	for (u32 event = 0; event < NR_ZONE_EVENTS; event++)
		sample.since[event] = sample.events[event] - before[event];
}

void top_begin(void)
{
	take_sample();
	sample.frames = 0;
	memset(sample.since, 0, sizeof(sample.since));
	for (u32 i = 0; i < sample.nr_nodes; i++)
		sample.reclaim[i].scanned_since = sample.reclaim[i].stolen_since = 0;
}

/* --- Pieces of a row ----------------------------------------------------------------------- */

/* Four characters: 9999, then 12k, 34M. */
static const char *short_number(char buf[8], u64 n)
{
	static const char units[] = " kMGTPE";
	u32 unit = 0;

	while (n > 9999) {
		n /= 1000;
		unit++;
	}
	if (unit)
		snprintf(buf, 8, "%llu%c", ULL(n > 999 ? n / 1000 : n),
			 n > 999 ? units[unit + 1] : units[unit]);
	else
		snprintf(buf, 8, "%llu", ULL(n));
	return buf;
}

/* How many of `cells` stand for part of whole; something is at least one cell. */
static u32 bar_cells(u64 part, u64 whole, u32 cells)
{
	if (whole == 0 || part == 0)
		return 0;
	/* Both below 2^34 pages, so the product fits. */
	return (u32)MAX((u64)1, MIN(part, whole) * cells / whole);
}

static void draw_cells(struct screen *s, char c, u32 from, u32 to, const char *colour)
{
	screen_colour(s, colour);
	for (; from < to; from++)
		screen_char(s, c);
	screen_colour(s, COLOUR_NONE);
}

/* Used first, then free. */
static void draw_usage(struct screen *s, u64 used, u64 whole)
{
	u32 cells = bar_cells(used, whole, BAR_CELLS);

	screen_char(s, '[');
	draw_cells(s, '#', 0, cells, COLOUR_YELLOW);
	draw_cells(s, '.', cells, BAR_CELLS, COLOUR_GREEN);
	screen_char(s, ']');
}

static void draw_memory(struct screen *s, u64 managed, u64 free)
{
	char total[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES];

	screen_printf(s, "%10s %10s %10s  ", size_text(total, managed << PAGE_SHIFT),
		      size_text(used, (managed - free) << PAGE_SHIFT),
		      size_text(left, free << PAGE_SHIFT));
	draw_usage(s, managed - free, managed);
}

/* --- Panels -------------------------------------------------------------------------------- */

/* The sum, then each. */
static u32 count_nodes(void)
{
	return 1 + sample.nr_nodes;
}

static void draw_all_nodes(struct screen *s)
{
	u64 managed = 0, free = 0;

	for (u32 i = 0; i < sample.nr_nodes; i++) {
		managed += sample.node[i].managed_pages;
		free += sample.node[i].free_pages;
	}
	screen_printf(s, " all  ");
	draw_memory(s, managed, free);
}

static void draw_node(struct screen *s, u32 i)
{
	const struct node_snapshot *node;

	if (i == 0) {
		draw_all_nodes(s);
		return;
	}
	node = &sample.node[i - 1];
	screen_printf(s, "%4d  ", node->nid);
	if (node->managed_pages == 0)
		screen_printf(s, "no memory");
	else
		draw_memory(s, node->managed_pages, node->free_pages);
}

static u32 count_zones(void)
{
	return sample.nr_zones;
}

/* Free memory against the marks; green above high, yellow above min, red below. */
static void draw_marks(struct screen *s, const struct zone_snapshot *zone)
{
	static const char letters[NR_WMARK] = {'m', 'l', 'h'};
	u64 whole = MAX(2 * zone->watermark[WMARK_HIGH], (u64)1);
	u32 filled = bar_cells(zone->free_pages, whole, BAR_CELLS);
	const char *colour = zone->free_pages > zone->watermark[WMARK_HIGH]  ? COLOUR_GREEN
			     : zone->free_pages > zone->watermark[WMARK_MIN] ? COLOUR_YELLOW
									     : COLOUR_RED;

	screen_char(s, '[');
	for (u32 cell = 0; cell < BAR_CELLS; cell++) {
		char c = cell < filled ? '=' : ' ';

		for (u32 mark = 0; mark < NR_WMARK; mark++)
			if (cell ==
			    MIN(zone->watermark[mark] * BAR_CELLS / whole, (u64)BAR_CELLS - 1))
				c = letters[mark];
		if (cell == BAR_CELLS - 1 && zone->free_pages > whole)
			c = '>';
		draw_cells(s, c, 0, 1, c == '=' || c == '>' ? colour : COLOUR_NONE);
	}
	screen_char(s, ']');
}

static void draw_zone(struct screen *s, u32 i)
{
	const struct zone_snapshot *zone = &sample.zone[i];
	char text[8];

	screen_printf(s, "%4d %-6s %9llu", zone->nid, zone->name, ULL(zone->free_pages));
	for (u32 mark = 0; mark < NR_WMARK; mark++)
		screen_printf(s, " %6s", short_number(text, zone->watermark[mark]));
	screen_printf(s, "  ");
	draw_marks(s, zone);
}

static void draw_orders(struct screen *s, u32 i)
{
	const struct zone_snapshot *zone = &sample.zone[i];
	char text[8], size[SIZE_TEXT_BYTES];
	int largest = -1;

	screen_printf(s, "%4d %-6s", zone->nid, zone->name);
	for (u32 order = 0; order < NR_ORDERS; order++) {
		screen_printf(s, " %4s", short_number(text, zone->free_blocks[order]));
		if (zone->free_blocks[order])
			largest = (int)order;
	}
	screen_printf(s, " %8s", largest < 0 ? "none" : size_text(size, (u64)PAGE_SIZE << largest));
}

static u32 count_reclaim(void)
{
	return sample.nr_nodes;
}

static u64 per_second(u64 nr)
{
	/* Less than 2^34 pages in a frame, of a minute at most. */
	return sample.since_ns ? nr * 1000 / MAX(sample.since_ns / 1000000, (u64)1) : 0;
}

/* What was stolen of a hundred looked at; green where there was nothing to look at twice. */
static void draw_steal(struct screen *s, const struct node_reclaim *r)
{
	u64 percent = r->scanned_since ? r->stolen_since * 100 / r->scanned_since : 0;

	if (r->scanned_since == 0)
		return;
	screen_colour(s, percent >= 50 ? COLOUR_GREEN : percent >= 10 ? COLOUR_YELLOW : COLOUR_RED);
	screen_printf(s, " %4llu%%", ULL(percent));
	screen_colour(s, COLOUR_NONE);
}

static void draw_reclaim(struct screen *s, u32 i)
{
	const struct node_reclaim *r = &sample.reclaim[i];
	char text[8];

	screen_printf(s, "%4d %9llu %9llu", sample.node[i].nid, ULL(r->lru.pages[LRU_INACTIVE]),
		      ULL(r->lru.pages[LRU_ACTIVE]));
	screen_printf(s, " %6s", short_number(text, r->lru.pages[LRU_PINNED]));
	screen_printf(s, " %6s", short_number(text, r->lru.dirty_pages));
	screen_printf(s, " %6s", short_number(text, r->lru.writeback_pages));
	screen_colour(s, r->kswapd == KSWAPD_HOPELESS ? COLOUR_RED : COLOUR_NONE);
	screen_printf(s, "  %-9s", kswapd_state_name(r->kswapd));
	screen_colour(s, COLOUR_NONE);
	screen_printf(s, " %6s", short_number(text, per_second(r->scanned_since)));
	screen_printf(s, " %7s", short_number(text, per_second(r->stolen_since)));
	draw_steal(s, r);
}

#define EVENTS_A_ROW 3

static u32 count_event_rows(void)
{
	return DIV_ROUND_UP((u32)NR_ZONE_EVENTS, EVENTS_A_ROW);
}

static void draw_events(struct screen *s, u32 i)
{
	char text[8];

	for (u32 event = i * EVENTS_A_ROW; event < MIN((i + 1) * EVENTS_A_ROW, (u32)NR_ZONE_EVENTS);
	     event++) {
		screen_printf(s, " %-20s %4s", zone_event_name((enum zone_event)event),
			      short_number(text, sample.since[event]));
	}
}

struct panel {
	const char *heading;
	const char *rows_name; /* "... 12 more nodes" */
	u32 (*count)(void);
	void (*draw)(struct screen *s, u32 i);
};

static const struct panel panels[] = {
	{"node       total       used       free", "nodes", count_nodes, draw_node},
	{"     zone        free    min    low   high  free pages against the marks", "zones",
	 count_zones, draw_zone},
	{"free blocks    0    1    2    3    4    5    6    7    8    9   10  largest", "zones",
	 count_zones, draw_orders},
	{"lru  inactive    active pinned  dirty  wback  kswapd    scan/s steal/s steal", "nodes",
	 count_reclaim, draw_reclaim},
	{"since the last frame, all zones", "rows", count_event_rows, draw_events},
};
_Static_assert(MAX_ORDER == 10, "the heading names each order");

/* --- A frame ------------------------------------------------------------------------------- */

/* A line in turn to each panel that wants one. */
static void share_lines(u32 lines, u32 *granted)
{
	bool any = true;

	memset(granted, 0, ARRAY_SIZE(panels) * sizeof(granted[0]));
	while (any) {
		any = false;
		for (u32 i = 0; i < ARRAY_SIZE(panels) && lines > 0; i++) {
			if (granted[i] >= panels[i].count())
				continue;
			granted[i]++;
			lines--;
			any = true;
		}
	}
}

static void end_line(struct screen *s)
{
	screen_colour(s, COLOUR_NONE);
	screen_control(s, CLEAR_LINE);
	screen_end_line(s);
}

static void draw_panel(struct screen *s, const struct panel *panel, u32 granted)
{
	u32 rows = panel->count();
	u32 shown = granted < rows ? granted - 1 : rows;

	screen_colour(s, COLOUR_BOLD);
	screen_printf(s, "%s", panel->heading);
	for (u32 i = 0; i < shown; i++) {
		end_line(s);
		panel->draw(s, i);
	}
	if (shown < rows) {
		end_line(s);
		screen_printf(s, "     ... %u more %s", rows - shown, panel->rows_name);
	}
}

static void draw_head(struct screen *s, u32 every_ms)
{
	u64 seconds = sample.at_ns / NS_PER_SECOND;
	char slab[SIZE_TEXT_BYTES];

	screen_colour(s, COLOUR_BOLD);
	screen_printf(s,
		      "up %llu:%02llu:%02llu   %u node%s   slab %s   frame %llu, one in %u ms   "
		      "q leaves",
		      ULL(seconds / 3600), ULL(seconds / 60 % 60), ULL(seconds % 60),
		      sample.nr_nodes, plural(sample.nr_nodes),
		      size_text(slab, sample.slab_pages << PAGE_SHIFT), ULL(sample.frames),
		      every_ms);
}

void top_frame(struct screen *screen, u32 lines, u32 every_ms)
{
	u32 granted[ARRAY_SIZE(panels)];

	if (sample.frames++)
		take_sample();
	screen_control(screen, HOME);
	draw_head(screen, every_ms);
	share_lines(MAX(lines, (u32)TOP_MIN_LINES) - 1 - (u32)ARRAY_SIZE(panels), granted);
	for (u32 i = 0; i < ARRAY_SIZE(panels); i++) {
		end_line(screen);
		draw_panel(screen, &panels[i], granted[i]);
	}
	screen_colour(screen, COLOUR_NONE);
	screen_control(screen, CLEAR_LINE CLEAR_BELOW);
}
