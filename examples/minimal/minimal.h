/*
 * What this kernel had before mm/ came: a serial line, a way out, page tables.
 */
#ifndef MINIMAL_H
#define MINIMAL_H

#include <base/types.h>

/* What PVH hands over (Xen, include/public/arch-x86/hvm/start_info.h); addresses are physical. */
struct hvm_start_info {
	u32 magic, version;
	u32 flags, nr_modules;
	u64 modules, cmdline, rsdp;
	u64 memmap;
	u32 nr_memmap, reserved;
};

struct hvm_memmap_entry {
	u64 base, size_bytes;
	u32 type, reserved;
};

#define HVM_START_MAGIC 0x336ec578 /* "xEn3", the top bit of its E set */
#define HVM_MEMMAP_RAM  1

/* QEMU's isa-debug-exit then ends with 2 * code + 1. */
enum exit_code { EXIT_SUCCESS = 0x10, EXIT_FAILURE = 0x11, EXIT_PANIC = 0x12 };

/* machine.c */
void serial_init(void);
void vsay(const char *prefix, const char *fmt, va_list args) __printf_like(2, 0);
void say(const char *fmt, ...) __printf_like(1, 2);
_Noreturn void machine_exit(enum exit_code code);

/* paging.c: as arch_map_vmemmap(), at any address. */
int map_pages(uintptr_t virt, phys_addr_t phys, u64 size_bytes);
#define BOOT_MAP_END GiB(1) /* what boot.asm has mapped */

/* main.c, called by boot.asm */
_Noreturn void kernel_main(const struct hvm_start_info *start);

#endif
