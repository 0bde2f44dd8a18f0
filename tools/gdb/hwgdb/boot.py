"""Attaching to QEMU's stub, and running the boot to a function; hw-attach, hw-boot."""

import gdb

from .command import Command, HwError, register
from .kernel import require_kernel, u64, variable

CONNECT_SECONDS = 3
DEFAULT_PORT = "1234"


def attach(where):
    """To a port of this machine, HOST:PORT, or the path of a socket."""
    target = f"127.0.0.1:{where}" if where.isdecimal() else where
    if gdb.selected_thread() is not None:
        raise HwError("attached already: `detach` first")
    gdb.execute(f"set tcp connect-timeout {CONNECT_SECONDS}")
    try:
        gdb.execute(f"target remote {target}", to_string=True)
    except gdb.error as error:
        raise HwError(f"{str(error).rstrip('.')}: does `make debug` run, with the same "
                      "DEBUG_PORT=?") from None
    return target


@register
class Attach(Command):
    """hw-attach: connects to `make debug`.
Usage: hw-attach [PORT|HOST:PORT|SOCKET]

Without an argument to port 1234 of this machine. The guest halts; `detach` lets
it go on, `kill` ends QEMU.

Example:
  hw-attach 1300       for `make debug DEBUG_PORT=1300`"""

    name = "hw-attach"
    kind = gdb.COMMAND_RUNNING
    complete_with = gdb.COMPLETE_NONE

    def run(self, text):
        target = attach(text or DEFAULT_PORT)
        print(f"Attached to {target}. `hw` lists commands, `hw-boot` runs to kmain().")


def attach_or_quit(where):
    """For `make gdb`: without a stub one line, and no prompt that has nothing to look at."""
    gdb.execute("set confirm off")
    try:
        gdb.execute(f"hw-attach {where}")
    except gdb.error as error:
        gdb.write(f"{error}\n", gdb.STDERR)
        gdb.execute("quit 1")


def has_booted():
    """Does the kernel have its memory manager? Then kmain() will not come again."""
    try:
        require_kernel()
        return bool(u64(variable("node_data")[0]))
    except (HwError, gdb.error):
        return False


@register
class Boot(Command):
    """hw-boot: runs the guest to a function.
Usage: hw-boot [FUNCTION]

To kmain(), if none is given. The breakpoint is temporary and the CPU's: the
function is not in memory yet when the machine stands at its reset vector.

Example, the memory manager just before and just after it comes up:
  hw-boot mm_init
  hw-memblock
  finish
  hw-buddy"""

    name = "hw-boot"
    kind = gdb.COMMAND_RUNNING
    complete_with = gdb.COMPLETE_SYMBOL

    def run(self, text):
        function = text or "kmain"
        if gdb.selected_thread() is None:
            raise HwError("nothing runs: `make debug` in another terminal, then hw-attach")
        if gdb.lookup_global_symbol(function) is None and \
                gdb.lookup_static_symbol(function) is None:
            raise HwError(f"no function {function}")
        if not text and has_booted():
            raise HwError("the kernel is past kmain(): hw-boot FUNCTION, or `reboot` it first")
        gdb.execute(f"thbreak {function}")
        gdb.execute("continue")
