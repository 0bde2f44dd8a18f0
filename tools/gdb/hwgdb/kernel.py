"""What the kernel says of itself: types, enums, variables and layout, from the debug info.

No number of the kernel's is repeated here. Sizes of arrays are those of their types, names of
states those of their enums. Addresses of the layout are macros in C, which debug info does not
have: kernel/debugger.c gives them once more as enumerators.
"""

import gdb

from .command import HwError

WORD = (1 << 64) - 1
CR0_PG = 1 << 31  # Intel SDM volume 3A, "Control Registers"


def u64(value):
    return int(value) & WORD


def lookup_type(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise HwError(f"no {name} in the debug info: is this build/highwater.elf?") from None


def enumerators(tag):
    """Name and value of each, without those that only count the others (NR_..., ..._NR_...)."""
    return {field.name: field.enumval for field in lookup_type(f"enum {tag}").fields()
            if not {"NR"} & set(field.name.split("_"))}


def enum_name(tag, prefix, value):
    """The name without its prefix; what the enum does not have is said so."""
    for name, known in enumerators(tag).items():
        if known == int(value) and name.startswith(prefix):
            return name[len(prefix):]
    return f"{int(value)} (no enum {tag})"


def constant(name):
    """One of kernel/debugger.c's."""
    known = enumerators("debugger_constant")
    if f"DEBUGGER_{name}" not in known:
        raise HwError(f"kernel/debugger.c has no {name}")
    return known[f"DEBUGGER_{name}"] & WORD


def variable(name):
    """A global one, whatever the selected frame calls by the same name."""
    symbol = gdb.lookup_global_symbol(name)
    if symbol is None:
        raise HwError(f"no variable {name} in the debug info: is this build/highwater.elf?")
    return symbol.value()


def static_variable(path, name):
    """A static one of this file."""
    for symbol in gdb.lookup_static_symbols(name):
        if symbol.symtab.filename.endswith(path):
            return symbol.value()
    raise HwError(f"no variable {name} of {path} in the debug info: is this build/highwater.elf?")


def elements(array):
    """An array's elements, as many as its type says."""
    first, last = array.type.strip_typedefs().range()
    return (array[i] for i in range(first, last + 1))


def length(array):
    first, last = array.type.strip_typedefs().range()
    return last - first + 1


def evaluate(text):
    """A number from the user. Pointers are numbers, too; what cannot be read is gdb's error."""
    value = gdb.parse_and_eval(text)
    kind = value.type.strip_typedefs().code
    if kind in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT,
                gdb.TYPE_CODE_UNION):
        if value.address is None:
            raise HwError(f"'{text}' has no address")
        return u64(value.address)
    return u64(value)


def require_kernel():
    """The CPU that gdb looks through must see the kernel's memory.

    Both are asked: firmware has paging on and no kernel, and without paging the low half of an
    address of the kernel's may be some RAM.
    """
    thread = gdb.selected_thread()
    if thread is None or not thread.is_valid():
        raise HwError("nothing runs: `make debug` in another terminal, then hw-attach")
    advice = "hw-boot, or look through another CPU: `thread 1`" if thread.num > 1 else "hw-boot"
    try:
        paging = u64(gdb.parse_and_eval("(unsigned long)$cr0")) & CR0_PG
    except gdb.error:
        paging = CR0_PG  # a stub that does not show cr0: reading will tell
    if not paging:
        raise HwError(f"this CPU has paging off, the kernel is not there yet: {advice}")
    table = gdb.lookup_global_symbol("node_data")
    if table is None:
        raise HwError("no variable node_data in the debug info: is this build/highwater.elf?")
    try:
        read(u64(table.value().address), 8)
    except HwError:
        raise HwError(f"this CPU runs firmware, the kernel is not there yet: {advice}") from None


def read(address, size):
    """Bytes of the kernel's memory."""
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    except gdb.error:
        raise HwError(f"no memory can be read at {address:#x}") from None


def c_string(address, most=64):
    """A text of the kernel's, not beyond its page: the next one may not be there."""
    page = 1 << constant("PAGE_SHIFT")
    text = read(address, min(most, page - address % page))
    return text.split(b"\0")[0].decode("ascii", "replace")


def in_window(address, base_name, size):
    base = constant(base_name)
    return base <= address < base + size


def in_direct_map(address):
    return in_window(address, "DIRECT_MAP_BASE", 1 << constant("PHYS_ADDR_BITS_MAX"))


def symbol_at(address):
    """`name + offset`, or "" where no symbol is."""
    said = gdb.execute(f"info symbol {address:#x}", to_string=True)
    return "" if said.startswith("No symbol") else said.partition(" in section ")[0].strip()


def size_text(pages):
    """A number of pages as memory: exact, in the largest unit that is."""
    kib = pages << (constant("PAGE_SHIFT") - 10)
    for unit in ("KiB", "MiB", "GiB"):
        if kib % 1024 or not kib:
            return f"{kib} {unit}"
        kib //= 1024
    return f"{kib} TiB"

