/*
 * From an address to the name of the function it is in.
 *
 * The table is made from the kernel's own ELF file by tools/ksyms.py and linked in by a second
 * link pass; in the first pass it is empty. It is sorted, so a lookup is a binary search: no
 * lock, no allocation, usable in a panic.
 *
 * A return address belongs to the function that made the call, but where that call is the last
 * instruction (it never returns) the address is already the next function's. So it is looked
 * up by the byte before it.
 *
 * Pure: the table and where it starts come from the linker, on the host from a test.
 */
#include <base/format.h>
#include <kernel/panic.h>

/* From .ksyms. Offsets are from ksyms_base; there is one more than there are names. */
extern const u64 ksyms_base;
extern const u32 ksyms_count;
extern const u32 ksyms_offsets[];
extern const u32 ksyms_name_offsets[];
extern const char ksyms_names[];

/* The symbol that covers the offset: the last one that starts at or below it. */
static bool find(u32 offset, u32 *index)
{
	u32 low = 0, high = ksyms_count;

	if (ksyms_count == 0 || offset < ksyms_offsets[0] || offset >= ksyms_offsets[ksyms_count])
		return false;
	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (ksyms_offsets[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	*index = low;
	return true;
}

/* The symbol that covers the address. */
static bool find_address(uintptr_t addr, u32 *index)
{
	return addr >= ksyms_base && addr - ksyms_base <= UINT32_MAX &&
	       find((u32)(addr - ksyms_base), index);
}

/* `addr` as its distance from the symbol that covers `lookup`. */
static void format(uintptr_t addr, uintptr_t lookup, char *buf, size_t size)
{
	u32 i;

	if (!find_address(lookup, &i)) {
		snprintf(buf, size, "0x%lx", (unsigned long)addr);
		return;
	}
	snprintf(buf, size, "%s+0x%lx/0x%x", ksyms_names + ksyms_name_offsets[i],
		 (unsigned long)(addr - ksyms_base - ksyms_offsets[i]),
		 ksyms_offsets[i + 1] - ksyms_offsets[i]);
}

void symbol_format(uintptr_t addr, char *buf, size_t size)
{
	format(addr, addr, buf, size);
}

void symbol_format_return(uintptr_t addr, char *buf, size_t size)
{
	format(addr, addr - 1, buf, size);
}

const char *symbol_name_return(uintptr_t addr)
{
	u32 i;

	return find_address(addr - 1, &i) ? ksyms_names + ksyms_name_offsets[i] : NULL;
}
