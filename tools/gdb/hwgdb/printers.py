"""Pretty printers: what `print` shows of the kernel's structs. `print/r` shows the raw struct.

They are in a collection of their own: `info pretty-printer` lists them under "highwater", and
`disable pretty-printer global highwater;page` turns one off.
"""

import gdb
import gdb.printing

from . import buddy, memblock, pages, zones
from .command import HwError
from .kernel import c_string, elements, lookup_type, u64
from .lists import walk_list

COLLECTION = gdb.printing.RegexpCollectionPrettyPrinter("highwater")


def printer(tag):
    def add(cls):
        COLLECTION.add_printer(tag, f"^{tag}$", cls)
        return cls

    return add


class Printer:
    """summary() is the line; what cannot be read becomes part of it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        try:
            return self.summary()
        except (HwError, gdb.error) as error:
            return f"<{error}>"

    def summary(self):
        raise NotImplementedError


class Compound(Printer):
    """A line and then members(): pairs of name and value."""

    def children(self):
        try:
            yield from self.members()
        except (HwError, gdb.error) as error:
            yield "error", f"<{error}>"

    def members(self):
        raise NotImplementedError


@printer("page")
class Page(Printer):
    def summary(self):
        address = self.value.address
        known = address is not None and pages.in_memory_map(u64(address))
        pfn = f"pfn {pages.pfn_of_page(u64(address)):#x}: " if known else ""
        return f"{pfn}{pages.describe(self.value)}"


@printer("zone")
class Zone(Compound):
    def summary(self):
        return zones.summary(self.value)

    def members(self):
        zone = self.value
        yield "present", zone["present_pages"]
        yield "marks", " ".join(f"{name} {pages}" for name, pages in zones.marks(zone).items())
        yield "lock", zone["lock"]
        yield "free blocks by order", " ".join(map(str, buddy.counts_by_order(zone)))


@printer("pglist_data")
class Node(Compound):
    def summary(self):
        managed = sum(int(zone["managed_pages"]) for zone in elements(self.value["zones"]))
        free = sum(int(zone["nr_free_pages"]) for zone in elements(self.value["zones"]))
        return f"node {int(self.value['nid'])}: {managed} managed, {free} free"

    def members(self):
        for zone in elements(self.value["zones"]):
            if int(zone["present_pages"]):
                yield pages.zone_name(zone["type"]), zones.summary(zone)
        yield "looks in nodes", zones.look_order(self.value)


@printer("list_head")
class ListHead(Compound):
    """Taken for a head. The entries are links: hw-list shows the structs around them."""

    def __init__(self, value):
        super().__init__(value)
        self.walk = None

    def followed(self):
        if self.walk is None:
            if self.value.address is None:
                raise HwError("a list head that is nowhere in memory")
            self.walk = walk_list(u64(self.value.address))
        return self.walk

    def summary(self):
        return self.followed().summary()

    def members(self):
        pointer = lookup_type("struct list_head").pointer()
        for i, address in enumerate(self.followed().entries):
            yield f"[{i}]", gdb.Value(address).cast(pointer)

    @staticmethod
    def display_hint():
        return "array"


@printer("spinlock")
class Spinlock(Printer):
    def summary(self):
        name = self.value["name"]
        if not u64(name):
            return "lock that was never set up"
        return f"'{c_string(u64(name))}': {zones.lock_text(self.value)}"


@printer("region")
class Region(Printer):
    def summary(self):
        return memblock.describe(self.value)


gdb.printing.register_pretty_printer(None, COLLECTION, replace=True)
