"""tools/gdb's commands on one page, one cache, one address: hw-page, hw-slab, hw-cache. As test_gdb.py."""

import re

import pytest

import gdb_guest
from gdb_guest import LIST


@pytest.fixture
def start(build, iso, request, log_path, tmp_path):
    with gdb_guest.guests(build, iso, request, log_path, tmp_path) as run:
        yield run


def test_pages(start):
    """A block that the monitor takes, its tail, and all the ways to name a page."""
    machine = start("two")
    machine.boot()
    said = machine.ask("alloc 3 node=1")
    pfn = int(re.search(r"pfn (0x\w+), .* order 3, node 1, zone DMA32", said)[1], 16)
    head, tail, by_struct, by_pointer, printed, inside = machine.gdb(
        f"hw-page {pfn:#x}", f"hw-page {pfn + 5:#x}", "hw-page *handles[0].page",
        "hw-page handles[0].page", "p *handles[0].page", "hw-page (char *)handles[0].page + 8")
    assert re.search(rf"^pfn {pfn:#x} \(a page frame number\)$", head, re.MULTILINE)
    for text in (head, by_struct, by_pointer):
        assert re.search(r"^  state  ALLOCATED, heads order 3: 32 KiB$", text, re.MULTILINE)
        assert re.search(r"^  node   1, zone DMA32, marks 0x0$", text, re.MULTILINE)
        assert f"phys {pfn << 12:#x}," in text
    assert re.search(rf"^  head   pfn {pfn:#x}: ALLOCATED, order 3, node 1", tail, re.MULTILINE)
    assert "state  TAIL\n" in tail
    assert f"pfn {pfn:#x}: ALLOCATED, order 3, node 1, zone DMA32" in printed
    assert f"pfn {pfn:#x} (8 bytes into a struct page)" in inside

    machine.ask("free all")
    texts = machine.gdb(f"hw-page {pfn:#x}", "hw-page areas[0]->stack_top - 8", "hw-page kmain",
                        "hw-page node_data[1]", "hw-page 0x100000 >> 12", "p (phys_addr_t)4096")
    assert "ALLOCATED" not in texts[0]
    assert "an address of the stack window" in texts[1] and "owner  STACKS" in texts[1]
    assert "owner  KERNEL_IMAGE" in texts[2] and "image  kmain\n" in texts[2]
    assert "owner  NODE_DATA" in texts[3] and "node   1, " in texts[3]
    assert "owner  KERNEL_IMAGE" in texts[4]
    assert texts[5].endswith("= 4096\n")


def test_pages_of_an_lru(start):
    """List, owner, references and flags: by gdb and by the monitor, of a page that gdb makes one."""
    machine = start("two")
    machine.boot()
    pfn = int(re.search(r"pfn (0x\w+), ", machine.ask("alloc 0 node=1"))[1], 16)
    page = "handles[0].page"
    texts = machine.gdb(
        f"set var {page}->marks = 8", f"set var {page}->lru = LRU_ACTIVE",
        f"set var {page}->lru_owner = &cache_owner", f"set var {page}->lru_refs = 3",
        f"set var {page}->lru_flags = 0x10012", f"hw-page {page}", f"p *{page}",
        f"set var {page}->lru_owner = 0", f"hw-page {page}",
        f"set var {page}->lru_owner = &cache_owner")
    assert "  LRU    ACTIVE, of the page cache; 3 references, flags dirty workingset 0x10000" in texts[5]
    assert "marks 0x8, LRU ACTIVE" in texts[6]
    assert "BROKEN: no owner" in texts[8]
    said = machine.ask(f"page pfn={pfn:#x}")
    assert re.search(r"LRU +active, of the page cache; 3 references", said)
    assert re.search(r"flags: dirty workingset 0x10000", said)
    assert "LRU-4 broken" in machine.ask("check")
    machine.gdb(f"set var {page}->marks = 0", f"set var {page}->lru = LRU_NONE")
    assert "LRU" not in machine.ask(f"page pfn={pfn:#x}")
    assert "invariants hold" in machine.ask("check")


# --- Object caches ------------------------------------------------------------------------------


def test_caches_are_the_monitors(start):
    """hw-slab's rows are slabinfo's; hw-cache and hw-page see the slab that `slab` draws."""
    machine = start("two")
    machine.boot()
    said = machine.ask("slabinfo").splitlines()[2:]
    (listed,) = machine.gdb("hw-slab")
    rows = [line.split() for line in listed.splitlines()[1:]]
    assert len(rows) > 20
    assert rows == [[word for word in line.split() if word not in (":", "tunables", "slabdata")]
                    for line in said]
    name = "kmalloc-1024"
    drawn = machine.ask(f"slab {name}")
    pfn, free, objects = re.search(r"pfn (0x\w+): (\d+) of (\d+) free", drawn).groups()
    shown, page = machine.gdb(f"hw-cache {name}", f"hw-page {pfn}")
    assert re.search(rf"^{name}: struct kmem_cache 0x\w+$", shown, re.MULTILINE)
    assert re.search(rf"^  slab     order 0, {objects} objects, map IN_PAGE$", shown, re.MULTILINE)
    for nid in (0, 1):
        full, partial, empty = re.search(
            rf"^node {nid}: (\d+) full, (\d+) partial, (\d+) free slabs", drawn, re.MULTILINE).groups()
        assert f"node {nid}: {full} full, {partial} partial, {empty} free; " in shown
    for cpu, nr, limit in re.findall(r"^  cpu (\d+) +(\d+)/(\d+) ", drawn, re.MULTILINE):
        assert re.search(rf"^  cpu {cpu}  {nr}/{limit}$", shown, re.MULTILINE)
    assert "BROKEN" not in shown
    assert f"  slab   of cache {name}, node 0; {free} of {objects} objects free" in page


def test_broken_caches_are_reported(start):
    """Counters, lists and homes: each is said, then undone, and the kernel's check finds nothing."""
    machine = start("two")
    machine.boot()
    home = "((struct kmem_cache_node *)$slab->slab_home)"
    drawn = machine.ask("slab kmalloc-1024")
    pfn = int(re.search(r"pfn (0x\w+): ", drawn)[1], 16)
    texts = machine.gdb(
        f"set var $slab = (struct page *)debugger_constant_vmemmap + {pfn}"
        .replace("debugger_constant_vmemmap", "(unsigned long)DEBUGGER_VMEMMAP_BASE"),
        f"set var {home}->nr_slabs++", "hw-cache kmalloc-1024", f"set var {home}->nr_slabs--",
        "set var $free = $slab->slab_nr_free", "set var $slab->slab_nr_free = 1000",
        "hw-cache kmalloc-1024", "set var $slab->slab_nr_free = $free",
        "set var $home = $slab->slab_home", "set var $slab->slab_home = 0x77",
        "hw-cache kmalloc-1024", "hw-page $slab", "set var $slab->slab_home = $home",
        "set var $next = $slab->slab_link.next", "set var $slab->slab_link.next = 0x77",
        "hw-cache kmalloc-1024", "set var $slab->slab_link.next = $next", "hw-cache kmalloc-1024")
    assert "BROKEN: node 0: " in texts[2] and "(SLAB-3)" in texts[2]
    assert "has 1000 of 4 objects free (SLAB-1)" in texts[6] and "(SLAB-3)" in texts[6]
    assert "is of another home (SLAB-1)" in texts[10]
    assert "0x77, BROKEN: no home" in texts[11]
    assert "its list, after " in texts[15] and "(SLAB-3)" in texts[15]
    assert "BROKEN" not in texts[17]
    assert "invariants hold" in machine.ask("check")
    answer, usage = machine.gdb_answers("hw-cache nonsense", "hw-cache")
    assert answer["failed"] and "no cache 'nonsense': hw-slab lists them" in answer["text"]
    assert usage["failed"] and "usage: hw-cache NAME" in usage["text"]


def test_what_is_no_page(start):
    """One line each, and none of them a traceback."""
    machine = start("two")
    machine.boot()
    said = {
        "hw-page": "usage", "hw-page 0xfee00": "no struct page", "hw-page no_such": "No symbol",
        "hw-page 0xfee00000": "no struct page", "hw-page 1 +": "syntax error",
        "hw-page 0x123456789abcdef": "beyond the memory map", "hw-page -1": "beyond the memory map",
        "hw-page *(long *)8": "Cannot access memory", "hw-page 0xffffc90000000000": "stack window",
        "hw-page $_exitcode": "",  # a convenience variable that is void
        "hw-zones 9": "no node 9: there are 0-1", "hw-zones x": "No symbol",
        "hw-zones 0 1": "usage", "hw-buddy 0 1": "usage",
        "hw-buddy 0 NONE 1": "no zone NONE: there are DMA, DMA32, NORMAL",
        "hw-buddy 0 DMA 11": "no order 11: there are 0-10", "hw-buddy 0 DMA -1": "no order",
        "hw-buddy 9 DMA 1": "no node 9", "hw-memblock x": "usage", "hw-nodes x": "usage",
        "hw-list": "usage", "hw-list a b": "usage", "hw-list node_data struct page free_link":
        "no struct list_head", f"hw-list {LIST} struct page nid": "no link of a list",
        f"hw-list {LIST} struct page nothing": "no member named nothing",
        f"hw-list {LIST} struct nothing x": "No struct type named nothing",
        "hw-attach": "attached already", "hw-boot": "past kmain()",
    }
    for (command, text), answer in zip(said.items(), machine.gdb_answers(*said), strict=True):
        assert answer["failed"] and text in answer["text"], command
