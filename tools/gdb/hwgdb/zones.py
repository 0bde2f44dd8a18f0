"""Nodes and zones; hw-nodes, hw-zones."""

import gdb

from .command import Command, HwError, register, show_table, words
from .kernel import (constant, elements, enumerators, evaluate, in_direct_map, length,
                     require_kernel, static_variable, u64, variable)
from .pages import zone_name


def node_pointers():
    """{nid: pointer}, without the nodes that do not exist."""
    table = variable("node_data")
    found = {nid: pointer for nid, pointer in enumerate(elements(table)) if u64(pointer)}
    if not found:
        raise HwError("no node yet, mm_init() has not run: hw-boot mm_init, then `finish`")
    return found


def node_at(nid, pointer):
    if not in_direct_map(u64(pointer)):
        raise HwError(f"node_data[{nid}] is {u64(pointer):#x}, no address of the direct map")
    node = pointer.dereference()
    node.fetch_lazy()  # at once: what is asked of it later asks the target no more
    return node


def nodes(wanted=None):
    """(nid, struct pglist_data) of every node, or of one. One that is broken stops no other."""
    found = node_pointers()
    if wanted is not None and wanted not in found:
        raise HwError(f"no node {wanted}: there are {ranges(found)}")
    for nid, pointer in found.items():
        if wanted is not None and nid != wanted:
            continue
        try:
            node = node_at(nid, pointer)
        except (HwError, gdb.error) as error:
            print(f"BROKEN: node {nid}: {error}")
            continue
        yield nid, node


def zones(wanted=None):
    """(nid, struct zone) of every zone that has RAM."""
    for nid, node in nodes(wanted):
        for zone in elements(node["zones"]):
            if int(zone["present_pages"]):
                yield nid, zone


def zone_by_name(nid, text):
    """A zone by what the enum calls it, with or without ZONE_, or by its number."""
    pointers = node_pointers()
    if nid not in pointers:
        raise HwError(f"no node {nid}: there are {ranges(pointers)}")
    node = node_at(nid, pointers[nid])
    names = {name.removeprefix("ZONE_"): number
             for name, number in enumerators("zone_type").items() if name.startswith("ZONE_")}
    wanted = text.upper().removeprefix("ZONE_")
    if wanted in names or text.isdecimal() and int(text) < length(node["zones"]):
        return node["zones"][names[wanted] if wanted in names else int(text)]
    raise HwError(f"no zone {text}: there are {', '.join(names)}")


def ranges(numbers):
    """0, 1, 2, 5 as 0-2,5."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "-"


def marks(zone):
    """{"min": pages, ...}"""
    return {name.removeprefix("WMARK_").lower(): int(zone["watermark"][number])
            for name, number in enumerators("zone_watermark").items()}


def lock_text(lock):
    """A ticket lock: who has it, how many wait."""
    drawn, serving = u64(lock["next"]), u64(lock["serving"])
    bits = lock["next"].type.sizeof * 8
    inside = (drawn - serving) & ((1 << bits) - 1)
    owner = u64(lock["owner_cpu"])
    if not inside:
        return f"free, taken {serving} times"
    holder = "a CPU that has not signed yet" if owner == constant("SPINLOCK_NO_OWNER") else \
        f"CPU {owner}"
    return f"held by {holder}, {inside - 1} waiting"


def summary(zone):
    """One line."""
    start = int(zone["start_pfn"])
    return (f"node {int(zone['nid'])} zone {zone_name(zone['type'])}: pfn [{start:#x}, "
            f"{start + int(zone['spanned_pages']):#x}), {int(zone['managed_pages'])} managed, "
            f"{int(zone['nr_free_pages'])} free")


@register
class Zones(Command):
    """hw-zones: the zones that have RAM, of all nodes or of one.
Usage: hw-zones [NODE]

Spans are [first, end) in frames; the rest is pages: spanned with holes, present
without, managed by the buddy allocator, free now, and the marks. With a node
also what is kept from requests of each class, the lock and the counters.

Example:
  hw-zones 1"""

    name = "hw-zones"

    def run(self, text):
        arguments = words(text, 1, "hw-zones [NODE]")
        wanted = evaluate(arguments[0]) if arguments else None
        require_kernel()
        found = list(zones(wanted))
        names = [name.removeprefix("WMARK_").lower() for name in enumerators("zone_watermark")]
        rows = []
        for nid, zone in found:
            start, spanned = int(zone["start_pfn"]), int(zone["spanned_pages"])
            rows.append((nid, zone_name(zone["type"]), f"{start:#x}", f"{start + spanned:#x}",
                         spanned, int(zone["present_pages"]), int(zone["managed_pages"]),
                         int(zone["nr_free_pages"]), *marks(zone).values()))
        if rows:
            show_table(("node", "zone", "first", "end", "spanned", "present", "managed", "free",
                        *names), rows, left=(1,))
        else:
            print("no zone has RAM" if wanted is None else f"node {wanted} has no RAM")
        for _, zone in found if wanted is not None else ():
            self.show_more(zone)

    @staticmethod
    def show_more(zone):
        kept = ", ".join(f"{zone_name(number)} {int(pages)}"
                         for number, pages in enumerate(elements(zone["lowmem_reserve"])))
        print(f"{zone_name(zone['type'])}: kept from requests of class: {kept}")
        print(f"  captured {int(zone['nr_captured'])}; lock {lock_text(zone['lock'])}")
        counted = ", ".join(f"{name} {int(zone['events'][number])}"
                            for name, number in enumerators("zone_event").items()
                            if int(zone["events"][number]))
        print(f"  counted  {counted or 'nothing'}")


def look_order(node):
    """The nodes in which a request that prefers this one looks, each once."""
    kinds = enumerators("zonelist_kind")
    fallback = node["zonelist"][kinds["ZONELIST_FALLBACK"]]
    number, room = int(fallback["nr"]), length(fallback["ref"])
    if number > room:
        return f"BROKEN: {number} entries, room for {room}"
    owners = {u64(zone.address): nid for nid, pointer in node_pointers().items()
              for zone in elements(pointer["zones"])}
    order = dict.fromkeys(owners.get(u64(fallback["ref"][i]["zone"]), "BROKEN")
                          for i in range(number))
    return " ".join(map(str, order)) or "nowhere"


@register
class Nodes(Command):
    """hw-nodes: the nodes, their CPUs and memory, and in which order each looks.

Before mm_init() the memory columns are empty: the topology is known first.

Example:
  hw-boot mm_init
  hw-nodes"""

    name = "hw-nodes"
    complete_with = gdb.COMPLETE_NONE

    def run(self, text):
        if text:
            raise HwError("usage: hw-nodes")
        require_kernel()
        topology = static_variable("mm/numa.c", "current_topology")
        topology.fetch_lazy()
        number, room = int(topology["nr_nodes"]), length(topology["domain"])
        if number == 0:
            raise HwError("no topology yet, numa_init() has not run: hw-boot mm_init")
        if number > room or int(topology["nr_cpus"]) > length(topology["cpus"]):
            raise HwError(f"BROKEN: {number} nodes with room for {room}, "
                          f"{int(topology['nr_cpus'])} CPUs")
        table = variable("node_data")
        rows = [self.row(topology, nid, table[nid]) for nid in range(number)]
        show_table(("node", "domain", "cpus", "managed", "free", "zones", "looks in nodes"), rows,
                   left=(2, 5, 6))
        print("distances, from a row's node to a column's:")
        show_table(("", *range(number)), [(f"{a}:", *(int(topology["distance"][a][b])
                                                      for b in range(number)))
                                          for a in range(number)])

    @staticmethod
    def row(topology, nid, pointer):
        cpus = [cpu for cpu in range(int(topology["nr_cpus"]))
                if int(topology["cpus"][cpu]["nid"]) == nid]
        first = (nid, int(topology["domain"][nid]), ranges(cpus))
        if not u64(pointer):
            return (*first, "-", "-", "-", "-")
        try:
            node = node_at(nid, pointer)
        except (HwError, gdb.error) as error:
            return (*first, "-", "-", "-", f"BROKEN: {error}")
        own = [zone for zone in elements(node["zones"]) if int(zone["present_pages"])]
        return (*first, sum(int(zone["managed_pages"]) for zone in own),
                sum(int(zone["nr_free_pages"]) for zone in own),
                " ".join(zone_name(zone["type"]) for zone in own) or "-", look_order(node))
