/*
 * Seam 1 on the host: the host as a second architecture.
 *
 * A fake machine's physical memory is one sparse memory file. Its RAM is mapped at
 * host_direct_map + physical address; the address space between is reserved and inaccessible, so
 * a stray access faults as it would on a machine. arch_map_vmemmap() maps the same file once more.
 */
#define _GNU_SOURCE
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <arch/restart.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_MAP_BYTES ((size_t)1 << PHYS_ADDR_BITS_MAX)
#define VMEMMAP_BYTES    (DIRECT_MAP_BYTES / PAGE_SIZE * 64)

char *host_direct_map, *host_vmemmap;
_Thread_local bool host_irqs_disabled;
_Thread_local u32 host_cpu;

static int memory_file = -1;
/* A byte a page of the memory map: what arch_map_vmemmap() has mapped. */
static unsigned char *vmemmap_mapped;
/* And of RAM what host_arch_add_ram() has: offsets in the direct map. */
static struct {
	size_t start, end;
} ram[HOST_MAX_RAM];
static size_t nr_ram;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* At a multiple of 64 KiB, as the seam wants the memory map. */
static char *reserve_window(size_t bytes)
{
	char *at = mmap(NULL, bytes + KiB(64), PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("reserving address space");
	return at + (-(uintptr_t)at & (KiB(64) - 1));
}

static void map_file(void *at, size_t bytes, phys_addr_t phys)
{
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
		 memory_file, (off_t)phys) == MAP_FAILED)
		die("mapping fake RAM");
}

void host_arch_start(void)
{
	memory_file = memfd_create("fake-ram", MFD_CLOEXEC);
	if (memory_file < 0 || ftruncate(memory_file, (off_t)DIRECT_MAP_BYTES) != 0)
		die("creating fake RAM");
	host_direct_map = reserve_window(DIRECT_MAP_BYTES);
	host_vmemmap = reserve_window(VMEMMAP_BYTES);
	vmemmap_mapped = mmap(NULL, VMEMMAP_BYTES / PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vmemmap_mapped == MAP_FAILED)
		die("reserving address space");
}

void host_arch_add_ram(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t start = ALIGN_UP(base, PAGE_SIZE);
	phys_addr_t end = ALIGN_DOWN(base + size_bytes, PAGE_SIZE);

	if (start >= end)
		return;
	map_file(host_direct_map + start, end - start, start);
	if (nr_ram == HOST_MAX_RAM)
		die("too many ranges of RAM");
	ram[nr_ram].start = start;
	ram[nr_ram++].end = end;
}

int arch_map_vmemmap(uintptr_t virt, phys_addr_t phys, u64 size_bytes)
{
	size_t first = (virt - VMEMMAP_BASE) / PAGE_SIZE;

	for (size_t i = first; i < first + size_bytes / PAGE_SIZE; i++) {
		if (vmemmap_mapped[i])
			return -EEXIST;
		vmemmap_mapped[i] = 1;
	}
	map_file(host_vmemmap + (virt - VMEMMAP_BASE), size_bytes, phys);
	return 0;
}

static bool is_mapped(size_t in_ram, size_t in_map)
{
	if (in_map < VMEMMAP_BYTES)
		return vmemmap_mapped[in_map / PAGE_SIZE];
	for (size_t i = 0; i < nr_ram; i++)
		if (in_ram >= ram[i].start && in_ram < ram[i].end)
			return true;
	return false;
}

bool load_or_fault(const u64 *addr, u64 *value)
{
	if (!is_mapped((size_t)((uintptr_t)addr - (uintptr_t)host_direct_map),
		       (size_t)((uintptr_t)addr - VMEMMAP_BASE)))
		return false;
	/* Relaxed: on the machine a plain load, of a word that others may be writing. */
	*value = load_relaxed(addr);
	return true;
}

u64 arch_timestamp(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}
