"""Object caches; hw-slab, hw-cache.

The figures are the kernel's own counters, as `slabinfo` prints them. Of one cache the lists are followed, and
held against the counters; the numbers in brackets are the invariants of mm/slab.h. CPUs' arrays are read as they
stand: a CPU may be in the midst of changing its own.
"""

import gdb

from .command import Command, HwError, register, show_table, words
from .kernel import constant, elements, enum_name, read, require_kernel, u64, variable
from .lists import containers, walk_list
from .pages import pfn_of_page

MAP_COLUMNS = 64
LISTS = ("full", "partial", "free")


def caches():
    """(walk, struct kmem_cache values) of all."""
    found = variable("slab_caches")
    if int(found["nr"]) == 0:
        raise HwError("there are no caches yet: hw-boot slab_start")
    walk = walk_list(u64(found["caches"].address))
    return walk, [pointer.dereference()
                  for pointer in containers(walk.entries, "struct kmem_cache", "link")]


def name_of(cache):
    return cache["name"].string(errors="replace")


def homes(cache):
    """(node, struct kmem_cache_node) where there is one."""
    none = u64(variable("slab_no_home").address)
    for nid, pointer in enumerate(elements(cache["node"])):
        if u64(pointer) not in (0, none):
            yield nid, pointer.dereference()


def figures(cache):
    """As slabinfo's line: what CPUs and nodes keep beside slabs is active."""
    slabs = free_slabs = free_objects = shared = 0
    for _, home in homes(cache):
        slabs += int(home["nr_slabs"])
        free_slabs += int(home["nr_free_slabs"])
        free_objects += int(home["nr_free_objects"])
        shared += int(home["shared"]["nr"])
    objects = slabs * int(cache["nr_objects"])
    return (objects - free_objects, objects, int(cache["size"]), int(cache["nr_objects"]),
            1 << int(cache["order"]), int(cache["limit"]), int(cache["batch"]), int(cache["shared"]),
            slabs - free_slabs, slabs, shared)


HEADS = ("name", "active_objs", "num_objs", "objsize", "objperslab", "pagesperslab", "limit", "batchcount",
         "sharedfactor", "active_slabs", "num_slabs", "sharedavail")


def slabs_of(home, name):
    """(walk, struct pages) of one list."""
    walk = walk_list(u64(home[name].address))
    return walk, [pointer.dereference()
                  for pointer in containers(walk.entries, "struct page", "slab_link")]


def fault_of(home, name, slab, nr_objects):
    """What is wrong with a slab on this list (SLAB-1), or ""."""
    if u64(slab["slab_home"]) != u64(home.address):
        return "is of another home"
    if not int(slab["marks"]) & constant("PAGE_MARK_SLAB"):
        return "is not marked"
    free = int(slab["slab_nr_free"])
    if {"full": free == 0, "free": free == nr_objects}.get(name, 0 < free < nr_objects):
        return ""
    return f"has {free} of {nr_objects} objects free"


def faults_of(cache, nid, home):
    """Sentences: what lists and counters of this home disagree about."""
    slabs = free = objects = 0
    for name in LISTS:
        where = f"node {nid} {name}"
        walk, found = slabs_of(home, name)
        slabs, free = slabs + len(found), len(found)
        objects += sum(int(slab["slab_nr_free"]) for slab in found)
        if walk.problem:
            yield f"{where}: its list, {walk.fault()} (SLAB-3)"
            return
        if walk.more:
            return
        for slab in found:
            fault = fault_of(home, name, slab, int(cache["nr_objects"]))
            if fault:
                yield f"{where}: the slab at pfn {pfn_of_page(u64(slab.address)):#x} {fault} (SLAB-1)"
                break
    counted = tuple(int(home[field]) for field in ("nr_slabs", "nr_free_slabs", "nr_free_objects"))
    if counted != (slabs, free, objects):
        yield (f"node {nid}: {slabs} slabs, {free} free, {objects} objects free; counted "
               f"{counted[0]}, {counted[1]}, {counted[2]} (SLAB-3)")


def stacks(cache, home):
    """(CPU, struct cpu_stack, is it the CPU's own?) of those that there are."""
    none = u64(variable("slab_no_stack").address)
    for cpu, pointer in enumerate(elements(home["stack"])):
        if u64(pointer) not in (0, none):
            yield cpu, pointer.dereference(), u64(cache["local"][cpu]) == u64(pointer)


@register
class Slab(Command):
    """hw-slab: object caches.
Usage: hw-slab

The columns are those of the monitor's `slabinfo`. hw-cache shows one of them.

Example:
  hw-slab"""

    name = "hw-slab"
    complete_with = gdb.COMPLETE_NONE

    def run(self, text):
        words(text, 0, "hw-slab")
        require_kernel()
        walk, found = caches()
        show_table(HEADS, [(name_of(cache), *figures(cache)) for cache in found], left=(0,))
        if walk.problem:
            print(f"BROKEN: {walk.fault()}")


@register
class Cache(Command):
    """hw-cache: one object cache.
Usage: hw-cache NAME

Its geometry; on each node how many slabs its lists have, and what lists and
counters disagree about; each CPU's arrays; the objects of the slab that is
taken from next: # used, . free. Lists are followed for `show hw-limit` entries.

Example:
  hw-cache kmalloc-64"""

    name = "hw-cache"
    complete_with = gdb.COMPLETE_NONE

    def run(self, text):
        arguments = words(text, 1, "hw-cache NAME")
        if not arguments:
            raise HwError("usage: hw-cache NAME")
        require_kernel()
        _, found = caches()
        for cache in found:
            if name_of(cache) == arguments[0]:
                return self.show(cache)
        raise HwError(f"no cache '{arguments[0]}': hw-slab lists them")

    def show(self, cache):
        slab = None
        print(f"{name_of(cache)}: struct kmem_cache {u64(cache.address):#x}")
        print(f"  objects  {int(cache['object_size'])} bytes, {int(cache['size'])} apart, aligned to "
              f"{int(cache['align'])}")
        print(f"  slab     order {int(cache['order'])}, {int(cache['nr_objects'])} objects, map "
              f"{enum_name('slab_map_kind', 'SLAB_MAP_', cache['map_kind'])}")
        for nid, home in homes(cache):
            slab = self.show_home(cache, nid, home) or slab
        if slab is not None:
            self.show_map(cache, slab)

    @staticmethod
    def show_home(cache, nid, home):
        """Its lists, then stacks. The slab that is next, or None."""
        lists = {name: slabs_of(home, name) for name in LISTS}
        print(f"node {nid}: " + ", ".join(f"{len(found)}{'+' if walk.more else ''} {name}"
                                          for name, (walk, found) in lists.items())
              + f"; {int(home['nr_free_objects'])} objects free, {int(home['shared']['nr'])} shared")
        for cpu, stack, own in stacks(cache, home):
            print(f"  cpu {cpu}  {int(stack['nr'])}/{int(stack['limit'])}{'' if own else ' alien'}")
        for fault in faults_of(cache, nid, home):
            print(f"BROKEN: {fault}")
        for name in ("partial", "free", "full"):
            if lists[name][1]:
                return lists[name][1][0]
        return None

    @staticmethod
    def show_map(cache, slab):
        nr = int(cache["nr_objects"])
        words_of_map = (nr + 63) // 64
        raw = read(u64(slab["slab_map"]), 8 * words_of_map)
        bits = int.from_bytes(raw, "little")
        print(f"slab at pfn {pfn_of_page(u64(slab.address)):#x} of node {int(slab['nid'])}: "
              f"{int(slab['slab_nr_free'])} of {nr} free")
        row = "".join(".#"[not bits >> i & 1] for i in range(nr))
        for at in range(0, nr, MAP_COLUMNS):
            print(f"  {at:4}  {row[at:at + MAP_COLUMNS]}")
