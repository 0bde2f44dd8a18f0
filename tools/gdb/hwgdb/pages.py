"""struct page, frame numbers and addresses; hw-page.

The memory map is one virtual array, so that a frame's struct page is arithmetic. It is populated
only where there is RAM: a frame that has a struct page is one whose struct page can be read.
"""

from dataclasses import dataclass

import gdb

from .command import Command, HwError, register
from .kernel import (constant, enum_name, enumerators, evaluate, in_direct_map, in_window,
                     lookup_type, read, require_kernel, size_text, symbol_at, u64, variable)
from .lists import LINKS, bad_link, links_at, member_offset
from .memblock import owner_of

# States in which a page heads no block; in any other that the kernel has, it does.
NO_HEAD = ("PAGE_HOLE", "PAGE_RESERVED", "PAGE_TAIL")


def state_name(page):
    return enum_name("page_state", "PAGE_", page["state"])


def zone_name(number):
    return enum_name("zone_type", "ZONE_", number)


def is_head(page):
    return int(page["state"]) in (number for name, number in enumerators("page_state").items()
                                  if name not in NO_HEAD)


def max_order():
    """From the array that has an entry for each."""
    orders = next(f for f in lookup_type("struct free_lists").fields() if f.name == "area")
    return orders.type.range()[1]


def pfn_of_page(address):
    """Of the struct page that an address in the memory map is in."""
    return (address - constant("VMEMMAP_BASE")) // lookup_type("struct page").sizeof


def in_memory_map(address):
    return in_window(address, "VMEMMAP_BASE", constant("VMEMMAP_BYTES"))


def address_of_page(pfn):
    return constant("VMEMMAP_BASE") + pfn * lookup_type("struct page").sizeof


def page_at(pfn):
    """The struct page of a frame, read."""
    kind = lookup_type("struct page")
    address = address_of_page(pfn)
    if not in_memory_map(address):
        raise HwError(f"pfn {pfn:#x} is beyond the memory map; is it an address? Those of this "
                      "kernel are virtual: for a physical one, hw-page ADDR >> "
                      f"{constant('PAGE_SHIFT')}")
    try:
        read(address, kind.sizeof)
    except HwError:
        early = "" if u64(variable("node_data")[0]) else \
            ", or the memory map is not there yet: hw-boot mm_init, then `finish`"
        raise HwError(f"pfn {pfn:#x} has no struct page: no RAM near it{early}") from None
    return gdb.Value(address).cast(kind.pointer()).dereference()


def stack_window_pfn(address):
    """QEMU's monitor walks the page tables for us."""
    try:
        said = gdb.execute(f"monitor gva2gpa {address:#x}", to_string=True)
        return int(said.partition("gpa:")[2], 16) >> constant("PAGE_SHIFT")
    except (gdb.error, ValueError):
        raise HwError(f"{address:#x} is in the stack window, and nothing is mapped there (or the "
                      "stub is not QEMU's)") from None


@dataclass
class Place:
    pfn: int
    meaning: str  # how the number was read
    symbol: str = ""  # what the kernel image has there


def find(number):
    """The frame that a number from the user means."""
    shift = constant("PAGE_SHIFT")
    if in_memory_map(number):
        inside = (number - constant("VMEMMAP_BASE")) % lookup_type("struct page").sizeof
        meaning = f"{inside} bytes into a struct page" if inside else "a struct page"
        return Place(pfn_of_page(number), meaning)
    if in_direct_map(number):
        base = constant("DIRECT_MAP_BASE")
        return Place((number - base) >> shift, "an address of the direct map")
    if in_window(number, "STACK_WINDOW_BASE", constant("STACK_WINDOW_BYTES")):
        return Place(stack_window_pfn(number), "an address of the stack window")
    image = constant("KERNEL_IMAGE_BASE")
    image_end = u64(gdb.parse_and_eval("(unsigned long)&__image_end"))
    if image <= number < image_end:
        return Place((number - image) >> shift, "an address of the kernel image", symbol_at(number))
    linked = image + (number << shift)
    return Place(number, "a page frame number", symbol_at(linked) if linked < image_end else "")


def head_of(pfn):
    """The frame that heads the block a TAIL is in; None if none does."""
    for order in range(1, max_order() + 1):
        candidate = pfn & ~((1 << order) - 1)
        if candidate == pfn:
            continue
        try:
            page = page_at(candidate)
        except HwError:
            return None
        if is_head(page) and candidate + (1 << int(page["order"])) > pfn:
            return candidate
    return None


def is_on_lru(page):
    return int(page["marks"]) & constant("PAGE_MARK_LRU") and state_name(page) == "ALLOCATED"


def is_slab(page):
    return int(page["marks"]) & constant("PAGE_MARK_SLAB") and state_name(page) == "ALLOCATED"


def slab_text(page):
    """Whose slab it is, and how full, whatever its bytes are."""
    try:
        home = page["slab_home"].dereference()
        cache = home["cache"].dereference()
        return (f"of cache {cache['name'].string(errors='replace')}, node {int(home['nid'])}; "
                f"{int(page['slab_nr_free'])} of {int(cache['nr_objects'])} objects free")
    except gdb.error:
        return f"{u64(page['slab_home']):#x}, BROKEN: no home"


def lru_flags(flags):
    """By the names that kernel/debugger.c has; what is left is the owner's, as a number."""
    names = []
    for name, bit in enumerators("debugger_constant").items():
        if name.startswith("DEBUGGER_LRU_") and flags & bit:
            names.append(name.removeprefix("DEBUGGER_LRU_").lower())
            flags &= ~bit
    return " ".join(names + [f"{flags:#x}"] * (flags != 0)) or "none"


def lru_owner(page):
    try:
        return page["lru_owner"]["name"].string()
    except gdb.error:
        return f"{u64(page['lru_owner']):#x}, BROKEN: no owner"


def describe(page):
    """One line of what a page is, whatever its bytes are."""
    state = state_name(page)
    order = f", order {int(page['order'])}" if is_head(page) else ""
    marks = f", marks {int(page['marks']):#x}" if int(page["marks"]) else ""
    lru = f", LRU {enum_name('lru_list', 'LRU_', page['lru'])}" if is_on_lru(page) else ""
    return f"{state}{order}, node {int(page['nid'])}, zone {zone_name(page['zone'])}{marks}{lru}"


def link_text(address):
    """A neighbour on a list: a page's link, a head, or what no link can be."""
    page = address - member_offset("struct page", "free_link")
    if in_memory_map(address) and page == address_of_page(pfn_of_page(address)):
        return f"pfn {pfn_of_page(address):#x}"
    meaning = bad_link(address) or ("(a head)" if in_direct_map(address) else "")
    return f"{address:#x} {meaning}".strip()


def show_links(page):
    """The neighbours of a free block, and whether they agree."""
    me = u64(page["free_link"].address)
    following, previous = LINKS.unpack(read(me, LINKS.size))
    print(f"  links  next {link_text(following)}, prev {link_text(previous)}")
    for name, there, back in (("next", following, 1), ("prev", previous, 0)):
        try:
            seen = links_at(there)[back]
        except HwError as error:
            print(f"  BROKEN: {name}: {error}")
            continue
        if seen != me:
            other = ("next", "prev")[back]
            print(f"  BROKEN: {name} is {there:#x}, whose {other} is {seen:#x}, not this page")


@register
class Page(Command):
    """hw-page: all of a struct page.
Usage: hw-page PFN|ADDRESS|STRUCT-PAGE

The argument is an expression. A value in the memory map is a struct page's
address; one in the direct map, the kernel image or the stack window is an
address, and its frame is shown; any other is a page frame number, with 0x or
without (the monitor's `page` takes a number with 0x for an address).

A page inside a block is shown with the block's head, a reserved one with the
owner that memblock knows, a free one with its neighbours on the list, one of an
LRU with its list, owner, references and flags, a slab with its cache.

Examples:
  hw-page 0x1000             the frame at 16 MiB
  hw-page 0xfee00000 >> 12   the frame of a physical address
  hw-page node_data[0]       the frame that node 0's data begin in
  hw-page $rsp               the frame that the stack is in
  hw-page handles[0].page    the first page that the monitor's `alloc` took"""

    name = "hw-page"

    def run(self, text):
        if not text:
            raise HwError("usage: hw-page PFN|ADDRESS|STRUCT-PAGE")
        number = evaluate(text)
        require_kernel()
        place = find(number)
        page = page_at(place.pfn)
        self.show(place, page)

    @staticmethod
    def show(place, page):
        shift = constant("PAGE_SHIFT")
        phys = place.pfn << shift
        print(f"pfn {place.pfn:#x} ({place.meaning})")
        print(f"  page   {address_of_page(place.pfn):#x}, of the memory at phys {phys:#x}, "
              f"virt {constant('DIRECT_MAP_BASE') + phys:#x}")
        state = state_name(page)
        order = int(page["order"])
        extent = ""
        if is_head(page):
            extent = f", heads order {order}: " + (size_text(1 << order) if order <= max_order()
                                                   else "BROKEN, there is no such order")
        print(f"  state  {state}{extent}")
        print(f"  node   {int(page['nid'])}, zone {zone_name(page['zone'])}, "
              f"marks {int(page['marks']):#x}")
        if state == "TAIL":
            head = head_of(place.pfn)
            print(f"  head   pfn {head:#x}: {describe(page_at(head))}" if head is not None else
                  "  head   none: before memmap_hand_over() that is right, later it is BROKEN")
        elif state == "RESERVED":
            print(f"  owner  {owner_of(phys) or 'not in memblock'}")
        elif state == "FREE":
            show_links(page)
        elif is_on_lru(page):
            print(f"  LRU    {enum_name('lru_list', 'LRU_', page['lru'])}, of the {lru_owner(page)}; "
                  f"{int(page['lru_refs'])} references, flags {lru_flags(int(page['lru_flags']))}")
        elif is_slab(page):
            print(f"  slab   {slab_text(page)}")
        if place.symbol:
            print(f"  image  {place.symbol}")
