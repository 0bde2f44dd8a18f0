/*
 * `page`: all that is known about one page frame.
 *
 * The argument is a decimal page frame number or, with 0x, an address: physical, or virtual if it is
 * in the kernel's half, where the page tables say what is behind it. pfn=0x1234 is for numbers that
 * other reports print in hexadecimal. The first line says how it was read.
 *
 * Three sources answer: the struct page (state, block, node), memblock (who took it at boot, and has
 * it since), and the firmware's map for frames that have no RAM.
 */
#include <kernel/page_report.h>

#include <arch/page.h>
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/memory_map.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <kernel/screen.h>
#include <mm/inspect.h>
#include <mm/lru.h>
#include <mm/slab_inspect.h>
#include <x86/paging.h>

#include "commands.h"

#define KERNEL_HALF 0xffff800000000000ull
#define MAX_PFN     ((pfn_t)1 << (PHYS_ADDR_BITS_MAX - PAGE_SHIFT))
/* What one large page of memory map describes (mm/memmap.c). */
#define SECTION_PAGES (LARGE_PAGE_SIZE / sizeof(struct page))
#define SECTION_UNITS (SECTION_PAGES / MAX_BLOCK_PAGES)

#define ULL(x)        ((unsigned long long)(x))

#define OBJECTS_SHOWN 40

/* Where the lines go. */
static void (*say_line)(const char *line);

static void say(const char *what, const char *fmt, ...) __printf_like(2, 3);

static void say(const char *what, const char *fmt, ...)
{
	char line[SCREEN_COLUMNS + 1];
	va_list args;
	int len = snprintf(line, sizeof(line), "  %-12s", what);

	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, args);
	va_end(args);
	say_line(line);
}

/* --- Parts --------------------------------------------------------------------------------- */

static void say_block(const struct page_snapshot *page)
{
	pfn_t pages = (pfn_t)1 << page->order;
	char size[SIZE_TEXT_BYTES];

	if (page->head_pfn == NO_PFN)
		return;
	say("block", "order %u, %s, %s: pfn 0x%llx-0x%llx", page->order,
	    size_text(size, pages << PAGE_SHIFT), page_state_name(page->head_state),
	    ULL(page->head_pfn), ULL(page->head_pfn + pages - 1));
	if (page->head_pfn == page->pfn)
		say("", "this page is its head");
	else
		say("", "this page is number %llu in it; the head is pfn %llu",
		    ULL(page->pfn - page->head_pfn), ULL(page->head_pfn));
}

static void format_neighbour(char *buf, size_t size, pfn_t pfn)
{
	if (pfn == NO_PFN)
		snprintf(buf, size, "none");
	else
		snprintf(buf, size, "pfn 0x%llx", ULL(pfn));
}

static void say_free_list(const struct page_snapshot *page)
{
	char next[24], previous[24];

	if (page->head_pfn == NO_PFN || page->head_state != PAGE_FREE)
		return;
	format_neighbour(next, sizeof(next), page->next_pfn);
	format_neighbour(previous, sizeof(previous), page->prev_pfn);
	say("free list", "of order %u; next %s, previous %s", page->order, next, previous);
}

/* Its list, and what only its owner and its users know. */
static void say_lru(const struct page_snapshot *page)
{
	char flags[64];

	if (page->lru == LRU_NONE)
		return;
	lru_flags_text(flags, sizeof(flags), page->lru_flags);
	say("LRU", "%s, of the %s; %u references", lru_list_name(page->lru), page->lru_owner->name,
	    page->lru_refs);
	say("", "flags: %s", flags);
}

/* Of the slab that the frame is of: whose, and which of its objects are in this page. A place may reach over its end. */
static void say_slab(pfn_t pfn, u32 marks)
{
	char name[SLAB_NAME_BYTES], row[OBJECTS_SHOWN + 1];
	struct slab_snapshot slab;
	u64 from, first;
	u32 nr = 0;

	if (!slab_of_page(pfn, &slab, name)) {
		if (marks & PAGE_MARK_SLAB)
			say("slab", "none: a block of kmalloc()");
		return;
	}
	say("slab", "of cache %s, pfn 0x%llx: %u of %u objects free", name, ULL(slab.pfn),
	    slab.nr_free, slab.nr_objects);
	from = (pfn - slab.pfn) << PAGE_SHIFT;
	first = from > slab.offset ? (from - slab.offset) / slab.size : 0;
	for (u64 i = first; i < slab.nr_objects && nr < OBJECTS_SHOWN &&
			    slab.offset + i * slab.size < from + PAGE_SIZE;
	     i++)
		row[nr++] = slab_object_is_free(&slab, (u32)i) ? '.' : '#';
	row[nr] = '\0';
	if (nr)
		say("objects", "%llu-%llu here: %s", ULL(first), ULL(first + nr - 1), row);
}

/* Of an address: which object it is in. */
static void say_object(phys_addr_t addr)
{
	char name[SLAB_NAME_BYTES];
	struct slab_snapshot slab;
	u64 offset;
	u32 i;

	if (!slab_of_page(pfn_down(addr), &slab, name))
		return;
	offset = addr - pfn_to_phys(slab.pfn);
	if (slab_object_at(&slab, offset, &i))
		say("object", "%u, byte %llu of %u: %s", i, ULL((offset - slab.offset) % slab.size),
		    slab.size,
		    slab_object_is_free(&slab, i) ? "free" : "used, or kept by a CPU or its node");
	else
		say("object", "none: before the first or behind the last");
}

/* The words belong to whoever has the page; in a free head they are the list's. */
static void say_words(const struct page_snapshot *page)
{
	const u64 *w = page->arm_words;

	if (page->state == PAGE_RESERVED || page->state == PAGE_HOLE || page->state == PAGE_TAIL)
		return; /* never written: whatever was in memory */
	say("words", "%016llx %016llx %016llx", ULL(w[0]), ULL(w[1]), ULL(w[2]));
	say("", "%016llx %016llx", ULL(w[3]), ULL(w[4]));
	say("", "%016llx %016llx", ULL(w[5]), ULL(w[6]));
}

static void say_section(pfn_t pfn)
{
	pfn_t start = ALIGN_DOWN(pfn, SECTION_PAGES);
	u32 present = 0;

	for (u32 unit = 0; unit < SECTION_UNITS; unit++)
		present += pfn_valid(start + unit * MAX_BLOCK_PAGES);
	say("section", "%llu: pfn 0x%llx-0x%llx, %u of %u units of 4 MiB have RAM",
	    ULL(start / SECTION_PAGES), ULL(start), ULL(start + SECTION_PAGES - 1), present,
	    (u32)SECTION_UNITS);
}

/* Where the struct page itself stands. */
static void say_struct_page(pfn_t pfn)
{
	struct page_snapshot map;
	phys_addr_t at;

	if (!paging_translate((uintptr_t)pfn_to_page(pfn), &at) ||
	    !page_snapshot(pfn_down(at), &map))
		return;
	say("struct page", "0x%llx, at address 0x%llx of node %d", ULL(pfn_to_page(pfn)), ULL(at),
	    map.nid);
}

/* --- The whole ----------------------------------------------------------------------------- */

static const char *firmware_words(pfn_t pfn)
{
	static const char *const words[] = {
		[0] = "nothing there",
		[BOOT_MEM_AVAILABLE] = "RAM that is not used",
		[BOOT_MEM_RESERVED] = "reserved by firmware",
		[BOOT_MEM_ACPI_RECLAIM] = "firmware's ACPI tables",
		[BOOT_MEM_ACPI_NVS] = "firmware's ACPI NVS",
		[BOOT_MEM_BAD] = "bad memory",
	};
	pfn_t next;
	u32 type = memory_map_type(&machine_memory_map, pfn, &next);

	return type < ARRAY_SIZE(words) ? words[type] : "firmware's own use";
}

static bool page_is_ram(pfn_t pfn)
{
	struct page_snapshot page;

	return page_snapshot(pfn, &page) && page.state != PAGE_HOLE;
}

void page_report(pfn_t pfn, void (*to)(const char *line))
{
	struct page_snapshot page;

	say_line = to;
	if (!page_snapshot(pfn, &page) || page.state == PAGE_HOLE)
		return;
	if (page.has_owner)
		say("state", "%s: taken at boot for: %s", page_state_name(page.state),
		    memblock_owner_name(page.owner));
	else
		say("state", "%s", page_state_name(page.state));
	say_block(&page);
	say_free_list(&page);
	say("where", "node %d, zone %s", page.nid, zone_type_name(page.zone));
	if (page.marks)
		say("marks", "0x%02x", page.marks);
	else
		say("marks", "none");
	say_lru(&page);
	say_slab(pfn, page.marks);
	say_words(&page);
	say_section(pfn);
	say("direct map", "0x%llx", ULL(phys_to_virt(pfn_to_phys(pfn))));
	say_struct_page(pfn);
}

/* --- The command --------------------------------------------------------------------------- */

static void print_line(const char *line)
{
	kprintf("%s\n", line);
}

static int translate(const char *word, u64 virt, phys_addr_t *addr)
{
	if (!paging_translate((uintptr_t)virt, addr))
		return command_bad(word, "'%.32s': nothing is mapped at this virtual address",
				   word);
	kprintf("virtual address 0x%llx is mapped to\n", ULL(virt));
	return 0;
}

/* What was given comes first. */
static void print_page(pfn_t pfn, bool is_address, phys_addr_t addr)
{
	char head[SCREEN_COLUMNS + 1];

	if (is_address)
		snprintf(head, sizeof(head), "address 0x%llx, pfn %llu (0x%llx)", ULL(addr),
			 ULL(pfn), ULL(pfn));
	else
		snprintf(head, sizeof(head), "pfn %llu (0x%llx), address 0x%llx", ULL(pfn),
			 ULL(pfn), ULL(pfn_to_phys(pfn)));
	if (page_is_ram(pfn)) {
		kprintf("%s\n", head);
		page_report(pfn, print_line);
		if (is_address)
			say_object(addr);
	} else {
		kprintf("%s: %s\n", head, firmware_words(pfn));
	}
}

int command_page(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	bool named = strncmp(word, "pfn=", 4) == 0;
	const char *number = named ? word + 4 : word;
	bool is_address = !named && number[0] == '0' && (number[1] == 'x' || number[1] == 'X');
	pfn_t pfn;
	u64 value;

	if (argc != 2)
		return command_usage(argc, argv, 2);
	if (!parse_u64(number, &value))
		return command_bad(word, "'%.32s': expected a decimal pfn, 0xADDRESS or pfn=0xN",
				   word);
	if (is_address && value >= KERNEL_HALF && translate(word, value, &value) != 0)
		return -EINVAL;
	pfn = is_address ? pfn_down(value) : value;
	if (pfn >= MAX_PFN)
		return command_bad(word, "'%.32s': physical addresses end at 0x%llx, pfns at %llu",
				   word, ULL(pfn_to_phys(MAX_PFN)), ULL(MAX_PFN));
	print_page(pfn, is_address, value);
	return 0;
}
