/*
 * Walking the chain of frame pointers.
 *
 * With -fno-omit-frame-pointer each function starts with push rbp; mov rbp, rsp: at rbp stands the
 * caller's rbp, above it the return address. The walk is made for a kernel that is already broken,
 * so it believes nothing: a frame must lie, aligned and whole, in a stack that is mapped, and its
 * link must lead outward, to a higher address. That also bounds it. A chain that leads from an
 * exception's own stack to the interrupted one ends there; start again from the frame's rbp.
 */
#include <x86/backtrace.h>
#include <x86/paging.h>

#include "gdt.h"

extern const char boot_stack_bottom[], boot_stack_top[]; /* boot/entry.asm */

struct stack_frame {
	u64 next_rbp;
	u64 return_address;
};

static bool stack_bounds(uintptr_t addr, uintptr_t *low, uintptr_t *top)
{
	if (addr >= (uintptr_t)boot_stack_bottom && addr < (uintptr_t)boot_stack_top) {
		*low = (uintptr_t)boot_stack_bottom;
		*top = (uintptr_t)boot_stack_top;
		return true;
	}
	return gdt_emergency_stack(addr, low, top) || paging_stack_bounds(addr, low, top);
}

u32 backtrace_walk(u64 rbp, uintptr_t *out, u32 max)
{
	u32 nr = 0;

	while (nr < max) {
		const struct stack_frame *frame = (const struct stack_frame *)rbp;
		uintptr_t low, top;

		if (!IS_ALIGNED(rbp, 8) || !stack_bounds(rbp, &low, &top) ||
		    top - rbp < sizeof(*frame) || !frame->return_address)
			break;
		out[nr++] = frame->return_address;
		if (frame->next_rbp <= rbp)
			break;
		rbp = frame->next_rbp;
	}
	return nr;
}
