"""Early memory: what is RAM, what of it was taken at boot and by whom; hw-memblock."""

import gdb

from .command import Command, HwError, register
from .kernel import (constant, elements, enum_name, enumerators, length, require_kernel,
                     size_text, static_variable, u64)

FILE = "mm/memblock.c"


def region_list(name):
    return static_variable(FILE, name)


def regions(name):
    """The regions in use; a count that cannot be is an error, not a long loop."""
    array = region_list(name)
    number, room = int(array["nr"]), length(array["region"])
    if number > room:
        raise HwError(f"BROKEN: {name}.nr is {number}, and there is room for {room}")
    for i, region in enumerate(elements(array["region"])):
        if i == number:
            return
        yield region


def owner_name(attr):
    return enum_name("memblock_owner", "MEMBLOCK_", attr)


def owner_of(phys):
    """Who reserved this address, or ""."""
    for region in regions("reserved"):
        if u64(region["base"]) <= phys < u64(region["end"]):
            return owner_name(region["attr"])
    return ""


def meaning(region):
    """What the attribute says: it depends on the list that the region is in."""
    attr = int(region["attr"])
    address = region.address
    for name in ("memory", "reserved"):
        array = region_list(name)
        if address is None or not 0 <= u64(address) - u64(array.address) < array.type.sizeof:
            continue
        if name == "reserved":
            return owner_name(attr)
        return "no node yet" if attr & 0xffffffff == constant("NUMA_NO_NODE") else f"node {attr}"
    return f"attr {attr}"


def pages(region):
    return (u64(region["end"]) - u64(region["base"])) >> constant("PAGE_SHIFT")


def describe(region):
    base, end = u64(region["base"]), u64(region["end"])
    if base >= end:
        return f"BROKEN region: [{base:#x}, {end:#x}), {meaning(region)}"
    return f"[{base:#x}, {end:#x}) {size_text(pages(region))}, {meaning(region)}"


@register
class Memblock(Command):
    """hw-memblock: early memory, what is RAM and what of it was taken by whom.

RAM is shown with its nodes, what is reserved with its owners, and the pages of
each owner at the end. During the boot this is how far it has come; afterwards
it is what the boot took for good.

Example:
  hw-boot mm_init
  hw-memblock"""

    name = "hw-memblock"
    complete_with = gdb.COMPLETE_NONE

    def run(self, text):
        if text:
            raise HwError("usage: hw-memblock")
        require_kernel()
        taken = dict.fromkeys(enumerators("memblock_owner").values(), 0)
        for name in ("memory", "reserved"):
            found = list(regions(name))
            print(f"{name}: {len(found) or 'no'} region{'' if len(found) == 1 else 's'}")
            for region in found:
                print(f"  {describe(region)}")
                if name == "reserved":
                    owner = int(region["attr"])
                    taken[owner] = taken.get(owner, 0) + pages(region)
        if any(taken.values()):
            print("reserved pages by owner:")
        for owner, number in taken.items():
            if number:
                print(f"  {number:8} {owner_name(owner)}")
        closed = bool(static_variable(FILE, "closed"))
        print("closed: the buddy allocator has the rest" if closed else "open: it still gives out")
