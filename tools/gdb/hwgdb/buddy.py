"""The buddy allocator's free blocks; hw-buddy.

The figures are the kernel's own counters, as `buddyinfo` prints them. Beside them the lists are
followed and held against the counters, so that a broken one is not shown as if it were sound.
The numbers in brackets are the invariants of mm/zone.h.
"""

from .command import Command, HwError, limit, register, show_table, words
from .kernel import elements, evaluate, require_kernel, u64
from .lists import containers, walk_list
from .pages import describe, max_order, pfn_of_page, state_name, zone_name
from .zones import zone_by_name, zones


def type_name(block_type):
    """ "unmovable" for 0, in the words of `pagetypeinfo`."""
    return ("unmovable", "movable")[block_type]


def areas(zone):
    """(type, order, free area) of each list of the zone."""
    for block_type, lists in enumerate(elements(zone["free"])):
        for order, area in enumerate(elements(lists["area"])):
            yield block_type, order, area


def counts_by_order(zone):
    """How many free blocks of each order there are, of all types."""
    counts = [0] * (max_order() + 1)
    for _, order, area in areas(zone):
        counts[order] += int(area["nr_free"])
    return counts


def blocks_of(area):
    """(walk, struct pages) of one list."""
    walk = walk_list(u64(area["list"].address))
    return walk, [pointer.dereference()
                  for pointer in containers(walk.entries, "struct page", "free_link")]


def fault_of(zone, order, page):
    """What is wrong with a block on this list (BUDDY-1), or ""."""
    pfn = pfn_of_page(u64(page.address))
    start = int(zone["start_pfn"])
    if state_name(page) != "FREE" or int(page["order"]) != order:
        return f"is {describe(page)}"
    if (int(page["nid"]), int(page["zone"])) != (int(zone["nid"]), int(zone["type"])):
        return f"belongs elsewhere: {describe(page)}"
    if pfn & ((1 << order) - 1):
        return "is not aligned to its order"
    if not start <= pfn <= pfn + (1 << order) <= start + int(zone["spanned_pages"]):
        return "is outside the zone's span"
    return ""


def faults_of(zone):
    """Sentences: what lists and counters of this zone disagree about."""
    pages = 0
    for block_type, order, area in areas(zone):
        where = (f"node {int(zone['nid'])} {zone_name(zone['type'])} order {order} "
                 f"{type_name(block_type)}")
        counted = int(area["nr_free"])
        pages += counted << order
        walk, blocks = blocks_of(area)
        if walk.problem:
            yield f"{where}: its list, {walk.fault()} (BUDDY-2)"
        elif walk.more:
            continue
        elif len(walk.entries) != counted:
            yield f"{where}: nr_free is {counted}, its list has {len(walk.entries)} (BUDDY-2)"
        if bool(int(zone["free"][block_type]["orders"]) >> order & 1) != bool(counted):
            yield f"{where}: its bit in orders is wrong (BUDDY-5)"
        for page in blocks:
            fault = fault_of(zone, order, page)
            if fault:
                pfn = pfn_of_page(u64(page.address))
                yield f"{where}: the block at pfn {pfn:#x} {fault} (BUDDY-1)"
                break
    if pages != int(zone["nr_free_pages"]):
        yield (f"node {int(zone['nid'])} {zone_name(zone['type'])}: nr_free_pages is "
               f"{int(zone['nr_free_pages'])}, the orders add up to {pages} (BUDDY-4)")


@register
class Buddy(Command):
    """hw-buddy: free blocks by zone and order.
Usage: hw-buddy [NODE [ZONE ORDER]]

The table is that of the monitor's `buddyinfo`. Below it stands what is broken:
a list whose links disagree, a count that is not its list's length, a block
that does not belong where it is. Lists are followed for `show hw-limit` entries.

With a zone and an order: the heads of the blocks, in the order of the list.

Examples:
  hw-buddy             all zones
  hw-buddy 1           those of node 1
  hw-buddy 0 DMA32 3   every free block of 8 pages there"""

    name = "hw-buddy"

    def run(self, text):
        usage = "hw-buddy [NODE [ZONE ORDER]]"
        arguments = words(text, 3, usage)
        if len(arguments) == 2:
            raise HwError(f"usage: {usage}")
        nid = evaluate(arguments[0]) if arguments else None
        require_kernel()
        if len(arguments) == 3:
            self.show_list(zone_by_name(nid, arguments[1]), evaluate(arguments[2]))
        else:
            self.show_table([zone for _, zone in zones(nid)])

    @staticmethod
    def show_table(found):
        rows, faults, longer = [], [], False
        for zone in found:
            counts = counts_by_order(zone)
            rows.append((int(zone["nid"]), zone_name(zone["type"]), *counts,
                         int(zone["nr_free_pages"])))
            faults += faults_of(zone)
            longer = longer or max(counts) > limit()
        if rows:
            show_table(("node", "zone", *range(max_order() + 1), "free pages"), rows, left=(1,))
        else:
            print("no zone has RAM")
        for fault in faults:
            print(f"BROKEN: {fault}")
        if longer:
            print(f"lists were followed for {limit()} entries: `set hw-limit` for more")

    @staticmethod
    def show_list(zone, order):
        if order > max_order():
            raise HwError(f"no order {order}: there are 0-{max_order()}")
        for block_type, at, area in areas(zone):
            if at != order:
                continue
            walk, blocks = blocks_of(area)
            for i, page in enumerate(blocks):
                fault = fault_of(zone, order, page)
                print(f"[{i}] pfn {pfn_of_page(u64(page.address)):#x}, "
                      f"page {u64(page.address):#x}" + (f" BROKEN: {fault}" if fault else ""))
            print(f"{type_name(block_type)}: {walk.summary()}; nr_free {int(area['nr_free'])}")
