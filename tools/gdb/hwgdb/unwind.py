"""Backtraces that go on through an interrupt.

The stubs that the CPU enters through (arch/x86_64/isr.asm) are assembly without call frame
information, and gdb's guess ends there: `bt` in a handler would not show what was interrupted.
But the stub has stored everything gdb could ask for, in a struct trap_frame, where the stack
pointer stands at the call into C or just above: the stub may keep a word or two below it. So the
first place counts that can be such a frame.
"""

import gdb
import gdb.unwinder

from .command import HwError
from .kernel import constant, lookup_type, u64

STUB = "isr_common"
STUB_BYTES = 256  # it is shorter; the frame is looked at in any case
WORDS_BELOW = 4  # how many words the stub may keep
RFLAGS_ALWAYS_ONE = 2  # Intel SDM volume 1, "EFLAGS Register"
NR_VECTORS = 256
REGISTERS = ("rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi",
             *(f"r{i}" for i in range(8, 16)))


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def trap_frame_near(sp, selector):
    """The struct trap_frame at sp or a few words above; None if nothing there can be one."""
    pointer = lookup_type("struct trap_frame").pointer()
    for i in range(WORDS_BELOW + 1):
        frame = gdb.Value(sp + 8 * i).cast(pointer).dereference()
        if (u64(frame["vector"]) < NR_VECTORS and u64(frame["cs"]) == selector
                and u64(frame["rflags"]) & RFLAGS_ALWAYS_ONE
                and u64(frame["rip"]) >= constant("KERNEL_IMAGE_BASE")):
            return frame
    return None


class Interrupt(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("highwater-interrupt")

    def __call__(self, pending):
        try:
            return self.unwind(pending)
        except (HwError, gdb.error):
            return None  # gdb's own guess is as good

    @staticmethod
    def unwind(pending):
        pc = pending.read_register("rip")
        start = u64(gdb.parse_and_eval(f"(unsigned long)&{STUB}"))
        if not start < u64(pc) < start + STUB_BYTES:
            return None
        sp = pending.read_register("rsp")
        frame = trap_frame_near(u64(sp), u64(pending.read_register("cs")))
        if frame is None:
            return None
        info = pending.create_unwind_info(FrameId(sp, pc))
        for name in REGISTERS:
            info.add_saved_register(name, frame[name].cast(pending.read_register(name).type))
        return info


gdb.unwinder.register_unwinder(None, Interrupt(), replace=True)
