/*
 * What the boot loader told us, in our own words.
 *
 * boot/multiboot2.c fills it from the loader's tags and nothing else of them is kept:
 * the loader's memory is ordinary memory afterwards. Everything is copied, nothing points
 * outside.
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include <base/types.h>

#define BOOT_CMDLINE_BYTES 2048
#define BOOT_MAX_MEM       256
#define BOOT_MAX_MODULES   16
#define BOOT_MAX_RSDP      36

/* Values of the multiboot2 memory map, which are those of ACPI's E820. */
enum boot_mem_type {
	BOOT_MEM_AVAILABLE = 1,
	BOOT_MEM_RESERVED = 2,
	BOOT_MEM_ACPI_RECLAIM = 3,
	BOOT_MEM_ACPI_NVS = 4,
	BOOT_MEM_BAD = 5,
};

struct boot_mem_range {
	phys_addr_t base;
	u64 size_bytes;
	u32 type; /* enum boot_mem_type; the firmware may use others: not RAM */
};

/* A module; the last ones stand for several each if there are more than BOOT_MAX_MODULES. */
struct boot_module {
	phys_addr_t start, end;
	char name[64];
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_BYTES];
	u32 cmdline_bytes; /* the loader's whole line, without NUL: cut above if it did not fit */
	char loader[64];
	/*
	 * Unchecked, and empty ranges left out. If the firmware has more ranges than fit, RAM is what is
	 * missing, never what is not RAM: that would turn somebody's memory into ours.
	 */
	struct boot_mem_range mem[BOOT_MAX_MEM];
	u32 nr_mem;
	u32 nr_ram_left_out;
	u64 ram_left_out_bytes;
	struct boot_module modules[BOOT_MAX_MODULES]; /* together they cover every module */
	u32 nr_modules;
	u32 nr_modules_joined;  /* have no entry of their own */
	u8 rsdp[BOOT_MAX_RSDP]; /* the 2.0 structure if the loader gave both */
	u32 rsdp_bytes;         /* 0: none given */
	bool efi;
	u32 nr_dropped; /* entries or strings that did not fit above, or were malformed */
};

/*
 * Reads the multiboot2 information of `len` bytes at `bytes` into *out. Pure and bounded:
 * no globals, no reads past len, any content. Returns 0, or -EINVAL if it is not one
 * (length, alignment of tags, missing end tag) - what was read until then is kept.
 * Source: Multiboot2 Specification 2.0, section 3.6.
 */
int multiboot2_parse(const void *bytes, size_t len, struct boot_info *out);

/* What the loader's magic in eax must be. */
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u

#endif
