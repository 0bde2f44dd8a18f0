/*
 * The multiboot2 boot information: what the loader knows, tag by tag.
 *
 *	 0          4          8
 *	+----------+----------+------------------+------------------+-- ... --+---------+
 *	| total    | reserved | tag              | tag              |         | end tag |
 *	+----------+----------+------------------+------------------+-- ... --+---------+
 *	                       each begins at a multiple of 8 and is:
 *	                       type (4), size (4, these 8 included), body
 *
 * The parser walks once from the first tag to the end tag. Every step is at least 8 bytes and every
 * tag lies wholly inside the information, so it ends and stays inside on any content. Of a tag it
 * takes what fits into struct boot_info, and counts what does not. A broken tag length breaks
 * the chain: what came before it is kept and the caller is told.
 *
 * Two arrays must not just be cut when they are full. A module that is not noted would be
 * allocated over: the nearest one that is noted grows over it. A reserved range that is not noted
 * would be RAM, if it lies inside an available one: it takes the place of the smallest available
 * range. Memory is lost by either, and never wrongly gained.
 *
 * Source: Multiboot2 Specification 2.0, section 3.6.
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>
#include <boot/boot_info.h>

#define INFO_HEADER_BYTES 8
#define TAG_HEADER_BYTES  8
#define TAG_ALIGN         8

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_EFI32 = 11,
	TAG_EFI64 = 12,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

#define MODULE_FIXED_BYTES 8  /* start and end; then the name */
#define MMAP_FIXED_BYTES   8  /* entry size and version; then the entries */
#define MMAP_ENTRY_BYTES   24 /* base, length, type, reserved; longer ones may come */
#define RSDP_OLD_BYTES     20
#define RSDP_NEW_BYTES     36

_Static_assert(RSDP_NEW_BYTES <= BOOT_MAX_RSDP, "either RSDP fits");

/* The body of a tag: what follows its type and size. */
struct tag {
	u32 type;
	const u8 *body;
	size_t len;
};

/* Copies as much of a string as fits, and returns its length: `len` if there is no NUL in it. */
static size_t copy_string(char *dst, size_t size, const u8 *src, size_t len)
{
	size_t text = strnlen((const char *)src, len);
	size_t kept = MIN(text, size - 1);

	memcpy(dst, src, kept);
	dst[kept] = 0;
	return text;
}

/* The same for a name, which may be cut. */
static void copy_name(char *dst, size_t size, const u8 *src, size_t len, struct boot_info *out)
{
	size_t text = copy_string(dst, size, src, len);

	if (text == len || text >= size)
		out->nr_dropped++;
}

static void parse_cmdline(const struct tag *tag, struct boot_info *out)
{
	out->cmdline_bytes =
		(u32)copy_string(out->cmdline, sizeof(out->cmdline), tag->body, tag->len);
	if (out->cmdline_bytes == tag->len)
		out->nr_dropped++;
}

/* Into the range of the module that has to grow least for it. Loaders put modules side by side. */
static void join_module(phys_addr_t start, phys_addr_t end, struct boot_info *out)
{
	struct boot_module *nearest = &out->modules[0];
	u64 least = UINT64_MAX;

	for (u32 i = 0; i < out->nr_modules; i++) {
		struct boot_module *module = &out->modules[i];
		u64 grown = MAX(end, module->end) - MIN(start, module->start);
		u64 growth = grown - (module->end - module->start);

		if (growth < least) {
			least = growth;
			nearest = module;
		}
	}
	nearest->start = MIN(start, nearest->start);
	nearest->end = MAX(end, nearest->end);
	out->nr_modules_joined++;
}

static void parse_module(const struct tag *tag, struct boot_info *out)
{
	struct boot_module *module = &out->modules[out->nr_modules];
	phys_addr_t start, end;

	if (tag->len < MODULE_FIXED_BYTES || read_le32(tag->body + 4) < read_le32(tag->body)) {
		out->nr_dropped++;
		return;
	}
	start = read_le32(tag->body);
	end = read_le32(tag->body + 4);
	if (out->nr_modules == BOOT_MAX_MODULES) {
		if (start < end) /* an empty one covers nothing */
			join_module(start, end, out);
		return;
	}
	module->start = start;
	module->end = end;
	copy_name(module->name, sizeof(module->name), tag->body + MODULE_FIXED_BYTES,
		  tag->len - MODULE_FIXED_BYTES, out);
	out->nr_modules++;
}

/*
 * The entry of the array that gives way to `range`, or NULL if the range itself does. If there is
 * no RAM left to give way, the range needs no entry: only RAM can be taken for what it is not.
 */
static struct boot_mem_range *find_victim(const struct boot_mem_range *range, struct boot_info *out)
{
	struct boot_mem_range *victim = NULL;

	for (u32 i = 0; i < out->nr_mem; i++) {
		struct boot_mem_range *kept = &out->mem[i];

		if (kept->type == BOOT_MEM_AVAILABLE &&
		    (!victim || kept->size_bytes < victim->size_bytes))
			victim = kept;
	}
	if (victim && range->type == BOOT_MEM_AVAILABLE && range->size_bytes <= victim->size_bytes)
		return NULL;
	return victim;
}

static void leave_out(const struct boot_mem_range *range, struct boot_info *out)
{
	if (range->type != BOOT_MEM_AVAILABLE)
		return;
	out->nr_ram_left_out++;
	out->ram_left_out_bytes += range->size_bytes;
}

static void add_memory_range(const struct boot_mem_range *range, struct boot_info *out)
{
	struct boot_mem_range *victim;

	if (range->size_bytes == 0)
		return;
	if (out->nr_mem < BOOT_MAX_MEM) {
		out->mem[out->nr_mem++] = *range;
		return;
	}
	victim = find_victim(range, out);
	leave_out(victim ? victim : range, out);
	if (victim)
		*victim = *range;
}

static void parse_memory_map(const struct tag *tag, struct boot_info *out)
{
	size_t entry_bytes;

	if (tag->len < MMAP_FIXED_BYTES || read_le32(tag->body) < MMAP_ENTRY_BYTES) {
		out->nr_dropped++;
		return;
	}
	entry_bytes = read_le32(tag->body);
	for (size_t at = MMAP_FIXED_BYTES; at < tag->len; at += entry_bytes) {
		const u8 *entry = tag->body + at;

		if (tag->len - at < entry_bytes) {
			out->nr_dropped++;
			return;
		}
		add_memory_range(
			&(struct boot_mem_range){
				.base = read_le64(entry),
				.size_bytes = read_le64(entry + 8),
				.type = read_le32(entry + 16),
			},
			out);
	}
}

static void parse_rsdp(const struct tag *tag, size_t rsdp_bytes, struct boot_info *out)
{
	if (tag->len < rsdp_bytes) {
		out->nr_dropped++;
		return;
	}
	if (rsdp_bytes <= out->rsdp_bytes)
		return; /* the newer form is there already */
	memcpy(out->rsdp, tag->body, rsdp_bytes);
	out->rsdp_bytes = (u32)rsdp_bytes;
}

static void parse_tag(const struct tag *tag, struct boot_info *out)
{
	switch (tag->type) {
	case TAG_CMDLINE:
		parse_cmdline(tag, out);
		break;
	case TAG_LOADER:
		copy_name(out->loader, sizeof(out->loader), tag->body, tag->len, out);
		break;
	case TAG_MODULE:
		parse_module(tag, out);
		break;
	case TAG_MEMORY_MAP:
		parse_memory_map(tag, out);
		break;
	case TAG_EFI32:
	case TAG_EFI64:
		out->efi = true;
		break;
	case TAG_RSDP_OLD:
		parse_rsdp(tag, RSDP_OLD_BYTES, out);
		break;
	case TAG_RSDP_NEW:
		parse_rsdp(tag, RSDP_NEW_BYTES, out);
		break;
	}
}

int multiboot2_parse(const void *bytes, size_t len, struct boot_info *out)
{
	const u8 *info = bytes;
	size_t total, at = INFO_HEADER_BYTES;

	memset(out, 0, sizeof(*out));
	if (len < INFO_HEADER_BYTES)
		return -EINVAL;
	total = read_le32(info);
	if (total > len)
		return -EINVAL;

	/* In unsigned arithmetic: `at` may have been rounded up past the end. */
	while (at <= total && total - at >= TAG_HEADER_BYTES) {
		struct tag tag = {.type = read_le32(info + at),
				  .body = info + at + TAG_HEADER_BYTES};
		size_t size = read_le32(info + at + 4);

		if (size < TAG_HEADER_BYTES || size > total - at)
			return -EINVAL;
		if (tag.type == TAG_END)
			return 0;
		tag.len = size - TAG_HEADER_BYTES;
		parse_tag(&tag, out);
		at = ALIGN_UP(at + size, TAG_ALIGN);
	}
	return -EINVAL;
}
