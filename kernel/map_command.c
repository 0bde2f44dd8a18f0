/*
 * `map`: the map of kernel/map.c as rows of letters.
 *
 *	hw> map node=1
 *	0x20000000 fFFFFFFFFF...     address of the row's first cell, then MAP_COLUMNS cells
 *
 * What is shown is cut into rows from its beginning. A run of rows without RAM is one line that
 * says how much of what is there. Under the map stands what the letters mean, with the exact number
 * of pages of each: they add up to the range.
 *
 * Colours repeat what the letters say. They are on if a terminal has told its size, and never
 * needed.
 *
 * A row is counted and printed before the next is looked at, and each cell asks for Ctrl-C, so that
 * a map of 1 TiB begins at once and ends at once.
 */
#include <arch/page.h>
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/map.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <kernel/screen.h>

#include "commands.h"

/* Each cell may switch its colour off and on again. */
#define LINE_TEXT_BYTES 1024

#define LEGEND_COLUMN   8 /* after "pages:" */

#define MAX_ADDR        ((phys_addr_t)1 << PHYS_ADDR_BITS_MAX)

struct map_request {
	const struct map_view *view;
	pfn_t start, end;
	bool have_range;
	int nid;               /* NUMA_NO_NODE: any */
	enum zone_type zone;   /* MAX_NR_ZONES: any */
	const char *zone_word; /* where node= or zone= was said, for what is wrong with it */
	bool colour;
};

/* A map that is being printed. */
struct map_print {
	const struct map_request *request;
	u32 order;                /* a cell is 1 << order pages */
	u32 label_width;          /* digits of an address */
	u64 counts[MAP_MAX_KEYS]; /* of all that was printed */
	bool any_cells, any_mixed;
	struct screen line;
	char text[LINE_TEXT_BYTES];
};

/* Of the monitor's thread; too large for its stack. */
static struct map_print print;

/* --- Lines --------------------------------------------------------------------------------- */

static struct screen *line_start(void)
{
	screen_start(&print.line, print.text, sizeof(print.text), print.request->colour);
	return &print.line;
}

static void line_end(void)
{
	screen_end_line(&print.line);
	kprintf("%s", print.text);
}

static void print_label(pfn_t pfn)
{
	screen_printf(&print.line, "0x%0*llx ", (int)print.label_width,
		      (unsigned long long)pfn_to_phys(pfn));
}

static void print_key(const struct map_key *key, bool mixed, char letter)
{
	/* Dim variants of the colours, in the order of their numbers. */
	static const char *const dim[] = {"2;30", "2;31", "2;32", "2;33",
					  "2;34", "2;35", "2;36", "2;37"};
	const char *colour = key->colour;

	if (mixed && colour[0] == '3')
		colour = dim[colour[1] - '0'];
	screen_colour(&print.line, colour);
	screen_char(&print.line, letter);
}

static void add_counts(const u64 *counts)
{
	for (u32 key = 0; key < print.request->view->nr_keys; key++)
		print.counts[key] += counts[key];
}

static void print_cell(pfn_t start, pfn_t end)
{
	const struct map_view *view = print.request->view;
	u64 counts[MAP_MAX_KEYS] = {0};
	struct map_key key;
	bool mixed;
	char letter;

	map_count(view, start, end, counts);
	add_counts(counts);
	view->describe(map_majority(view, counts, &mixed), &key);
	letter = mixed ? map_mixed_letter(key.letter) : key.letter;
	if (print.order == 0 && view->page_letter)
		letter = view->page_letter(start, letter);
	print.any_mixed |= mixed;
	print_key(&key, mixed, letter);
}

/* False: interrupted. */
static bool print_row(pfn_t start, pfn_t end)
{
	u64 cell_pages = (u64)1 << print.order;

	print.any_cells = true;
	line_start();
	print_label(start);
	for (pfn_t pfn = start; pfn < end; pfn += cell_pages) {
		if (monitor_interrupted())
			return false;
		print_cell(MAX(pfn, print.request->start), MIN(pfn + cell_pages, end));
	}
	line_end();
	return true;
}

/* Rows without RAM, in one line. */
static void print_fold(pfn_t start, pfn_t end)
{
	const struct map_view *view = print.request->view;
	u64 counts[MAP_MAX_KEYS] = {0};
	char size[SIZE_TEXT_BYTES];
	const char *between;
	struct map_key key;
	bool mixed;

	start = MAX(start, print.request->start);
	map_count(view, start, end, counts);
	add_counts(counts);
	map_majority(view, counts, &mixed);
	between = mixed ? ": " : " of ";
	line_start();
	screen_printf(&print.line, "... %s", size_text(size, pfn_to_phys(end - start)));
	for (u32 i = 0; i < view->nr_keys; i++) {
		if (counts[i] == 0)
			continue;
		view->describe(i, &key);
		screen_printf(&print.line, "%s%s", between, key.name);
		if (mixed)
			screen_printf(&print.line, " (%s)",
				      size_text(size, pfn_to_phys(counts[i])));
		between = ", ";
	}
	line_end();
}

/* --- Above and below ----------------------------------------------------------------------- */

static void print_title(void)
{
	const struct map_request *r = print.request;
	char size[SIZE_TEXT_BYTES], cell[SIZE_TEXT_BYTES], row[SIZE_TEXT_BYTES];
	u64 cell_bytes = (u64)PAGE_SIZE << print.order;
	pfn_t cursor = r->start, ram, ram_end;

	line_start();
	screen_printf(&print.line, "0x%llx-0x%llx by %s: %s",
		      (unsigned long long)pfn_to_phys(r->start),
		      (unsigned long long)pfn_to_phys(r->end), r->view->name,
		      size_text(size, pfn_to_phys(r->end - r->start)));
	if (map_next_ram(&cursor, r->end, &ram, &ram_end))
		screen_printf(&print.line, "; a cell is %s, a row %s",
			      print.order ? size_text(cell, cell_bytes) : "one page",
			      size_text(row, cell_bytes * MAP_COLUMNS));
	line_end();
}

/* "F 129613 free": as many on a line as fit. */
static void print_legend_entry(u32 i)
{
	char text[SCREEN_COLUMNS];
	struct map_key key;
	u64 pages = print.counts[i];
	u32 width;

	if (pages == 0)
		return;
	print.request->view->describe(i, &key);
	width = (u32)snprintf(text, sizeof(text), " %llu %s", (unsigned long long)pages, key.name);
	if (print.line.column + 3 + width > SCREEN_COLUMNS) {
		line_end();
		line_start();
		screen_pad(&print.line, LEGEND_COLUMN - 2);
	}
	screen_printf(&print.line, "  ");
	print_key(&key, false, key.letter);
	screen_colour(&print.line, COLOUR_NONE);
	screen_printf(&print.line, "%s", text);
}

static void print_legend(void)
{
	const struct map_view *view = print.request->view;

	line_start();
	screen_printf(&print.line, "pages:");
	for (u32 i = 0; i < view->nr_keys; i++)
		print_legend_entry(i);
	line_end();
	if (print.any_cells && print.order == 0 && view->page_legend)
		kprintf("%s\n", view->page_legend);
	if (print.any_mixed)
		kprintf("lower case and ',': mixed, and most of the cell is this\n");
}

static void print_map(const struct map_request *r)
{
	u64 row_pages;
	pfn_t pfn;

	memset(&print, 0, sizeof(print));
	print.request = r;
	print.order = map_cell_order(r->start, r->end);
	for (pfn_t last = pfn_to_phys(r->end); last; last >>= 4)
		print.label_width++;
	row_pages = (u64)MAP_COLUMNS << print.order;
	print_title();
	pfn = ALIGN_DOWN(r->start, (pfn_t)1 << print.order);
	while (pfn < r->end) {
		pfn_t cursor = pfn, ram, ram_end;
		u64 rows;

		if (!map_next_ram(&cursor, r->end, &ram, &ram_end)) {
			print_fold(pfn, r->end);
			break;
		}
		rows = (ram - pfn) / row_pages;
		if (rows > 0)
			print_fold(pfn, pfn + rows * row_pages);
		pfn += rows * row_pages;
		if (!print_row(pfn, MIN(pfn + row_pages, r->end)))
			return;
		pfn += row_pages;
	}
	print_legend();
}

/* --- Words --------------------------------------------------------------------------------- */

/* "4G", "0x100000": an address; parse_size() reads both. */
static bool parse_address(const char *text, size_t len, u64 *out)
{
	char word[32];

	if (len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	return parse_size(word, out);
}

/* ADDR-ADDR or ADDR+SIZE, to whole pages outward: the last byte of a page is as good as its end. */
static int parse_range(const char *word, struct map_request *r)
{
	const char *mark = strchr(word, '-');
	bool is_size = !mark;
	u64 start, end;

	if (!mark)
		mark = strchr(word, '+');
	if (!mark || !parse_address(word, (size_t)(mark - word), &start) ||
	    !parse_address(mark + 1, strlen(mark + 1), &end))
		return command_bad(word,
				   "'%.32s': expected ADDR-ADDR, ADDR+SIZE, node=N, zone=NAME or "
				   "by=VIEW",
				   word);
	if (is_size && __builtin_add_overflow(start, end, &end))
		end = ~(u64)0;
	if (end > MAX_ADDR)
		return command_bad(word, "'%.32s': physical addresses end at 0x%llx", word,
				   (unsigned long long)MAX_ADDR);
	if (start >= end)
		return command_bad(word, "'%.32s': that range is empty", word);
	r->start = pfn_down(start);
	r->end = pfn_up(end);
	r->have_range = true;
	return 0;
}

static int parse_view(const char *word, struct map_request *r)
{
	r->view = map_find_view(word + strlen("by="));
	return r->view ? 0 : command_bad(word, "'%.32s': by= is state, node or zone", word);
}

static int parse_node(const char *word, struct map_request *r)
{
	u64 nid;

	if (!parse_u64(word + strlen("node="), &nid) || nid >= MAX_NUMNODES ||
	    !node_isset((int)nid, node_possible_mask()))
		return command_bad(word, "'%.32s': there is no such node", word);
	r->nid = (int)nid;
	r->zone_word = word;
	return 0;
}

/* In any case of letters; digits have that bit set already. */
static bool same_name(const char *a, const char *b)
{
	while (*a != '\0' && (*a | 0x20) == (*b | 0x20)) {
		a++;
		b++;
	}
	return *a == *b;
}

static int parse_zone(const char *word, struct map_request *r)
{
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		if (same_name(word + strlen("zone="), zone_type_name((enum zone_type)type))) {
			r->zone = (enum zone_type)type;
			r->zone_word = word;
			return 0;
		}
	}
	return command_bad(word, "'%.32s': zones are DMA, DMA32 and Normal", word);
}

static int parse_colour(const char *word, struct map_request *r)
{
	u32 on;

	if (!parse_choice(word + strlen("color="), "off|on", &on))
		return command_bad(word, "'%.32s': color= is off or on", word);
	r->colour = on;
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(const char *word, struct map_request *r);
} map_words[] = {
	{"by=", parse_view},      {"node=", parse_node}, {"zone=", parse_zone},
	{"color=", parse_colour}, {"", parse_range},
};

/* The span of the zones that were asked for. */
static int find_span(struct map_request *r)
{
	struct zone_snapshot zone;
	int nid;

	r->start = NO_PFN;
	r->end = 0;
	for_each_node(nid) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			if ((r->nid != NUMA_NO_NODE && r->nid != nid) ||
			    (r->zone != MAX_NR_ZONES && r->zone != type) ||
			    !zone_snapshot(nid, (enum zone_type)type, &zone) ||
			    zone.present_pages == 0)
				continue;
			r->start = MIN(r->start, zone.start_pfn);
			r->end = MAX(r->end, zone.start_pfn + zone.spanned_pages);
		}
	}
	return r->end ? 0 : command_bad(r->zone_word, "'%.32s': no memory there", r->zone_word);
}

int command_map(int argc, char **argv)
{
	struct map_request request = {
		.view = &map_views[0],
		.nid = NUMA_NO_NODE,
		.zone = MAX_NR_ZONES,
		.colour = monitor_editor.rows > 0,
	};

	for (int i = 1; i < argc; i++) {
		u32 row = 0;
		int error;

		while (strncmp(argv[i], map_words[row].key, strlen(map_words[row].key)) != 0)
			row++;
		error = map_words[row].parse(argv[i], &request);
		if (error)
			return error;
	}
	if (request.zone_word && request.have_range)
		return command_bad(request.zone_word,
				   "'%.32s': a range and a node or zone exclude each other",
				   request.zone_word);
	if (request.zone_word) {
		int error = find_span(&request);

		if (error)
			return error;
	} else if (!request.have_range) {
		map_whole_range(&request.start, &request.end);
	}
	print_map(&request);
	return 0;
}

const char *complete_map(u32 word, u32 i)
{
	static const char *const words[] = {"by=state",   "by=node",     "by=zone",   "zone=DMA",
					    "zone=DMA32", "zone=Normal", "color=off", "color=on"};

	(void)word;
	return i < ARRAY_SIZE(words) ? words[i] : complete_node(i - (u32)ARRAY_SIZE(words));
}
