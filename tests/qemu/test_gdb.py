"""tools/gdb in a real gdb, on guests that stand at their reset vector, boot, wait, are broken.

What a command prints is held against what the monitor prints of the same boot: a helper that prints
nothing, or something else, fails. Each test is one guest, and one or more sessions of gdb with it;
between them the guest goes on.
"""

import os
import re
import socket

import pexpect
import pytest

import gdb_guest
from conftest import ROOT
from gdb_guest import LIMIT_SECONDS, LIST, PROMPT, run_gdb, table
from hwlib import topology

MANY = topology.Topology("many", "64 nodes of 16 MiB, which is all the kernel knows",
                         nodes=[topology.Node("16M", "0")] + [topology.Node("16M")] * 63)
COMMANDS = ["hw-boot", "hw-zones", "hw-nodes", "hw-buddy", "hw-page", "hw-slab", "hw-cache", "hw-memblock",
            "hw-list", "hw-attach"]


@pytest.fixture
def start(build, iso, request, log_path, tmp_path):
    with gdb_guest.guests(build, iso, request, log_path, tmp_path) as run:
        yield run


# --- Without a kernel ---------------------------------------------------------------------------


def test_without_a_target(build, tmp_path):
    """Every command says in one line that nothing runs."""
    commands = ["hw-zones", "hw-nodes", "hw-buddy", "hw-page 1", "hw-slab", "hw-cache x",
                "hw-memblock", "hw-boot",
                f"hw-list {LIST} struct page free_link"]
    for answer in run_gdb(build / "highwater.elf", tmp_path, commands):
        assert answer["failed"] and "nothing runs: `make debug`" in answer["text"]
        assert "\n" not in answer["text"].strip()


def test_help(build, tmp_path):
    """`hw` lists every command, and `help` of each has its usage and an example."""
    overview, printers, *helps = run_gdb(
        build / "highwater.elf", tmp_path,
        ["hw", "info pretty-printer", *(f"help {name}" for name in COMMANDS)])
    listed = [line.split()[0] for line in overview["text"].splitlines()]
    assert sorted(listed) == sorted(["hw", *COMMANDS])
    for name, answer in zip(COMMANDS, helps):
        assert answer["text"].startswith(f"{name}: ") and "Example" in answer["text"], name
    listed = printers["text"].partition("highwater\n")[2]
    for name in ("list_head", "page", "pglist_data", "region", "spinlock", "zone"):
        assert f"    {name}\n" in listed


def test_another_program(tmp_path):
    """A program that is no kernel: the commands say what they miss."""
    commands = ["starti", "hw-zones", "hw-page 1", "hw-nodes"]
    for answer in run_gdb("/bin/true", tmp_path, commands)[1:]:
        assert answer["failed"] and "is this build/highwater.elf?" in answer["text"]


# --- The boot -----------------------------------------------------------------------------------


def test_from_reset_to_mm_init(start):
    """Before paging, before any node, before and after the memory manager comes up."""
    machine = start("two")
    early = ["hw-zones", "hw-nodes", "hw-buddy", "hw-page 0x1000", "hw-slab", "hw-memblock",
             f"hw-list {LIST} struct page free_link"]
    # One session: between two the guest goes on, and may be past kmain() when the second begins.
    answers = machine.gdb_answers(*early, "p node_data[0]", "hw-boot no_such_function", "hw-boot", "frame",
                                  *early[:-1], "hw-boot mm_init", "frame", "hw-nodes", "hw-zones",
                                  "hw-page 0x1000", "hw-memblock")
    for answer in answers[:len(early)]:
        assert answer["failed"] and "paging off" in answer["text"]
    answers = answers[len(early):]
    by_name = dict(zip(("value", "no function", "", "kmain", *early[:-1], "", "mm_init"), answers))
    assert by_name["value"]["failed"] and "Cannot access memory" in by_name["value"]["text"]
    assert "no function no_such_function" in by_name["no function"]["text"]
    assert re.search(r"\bkmain \(magic=", by_name["kmain"]["text"])
    assert "mm_init() has not run" in by_name["hw-zones"]["text"]
    assert "mm_init() has not run" in by_name["hw-buddy"]["text"]
    assert "numa_init() has not run" in by_name["hw-nodes"]["text"]
    assert "the memory map is not there yet" in by_name["hw-page 0x1000"]["text"]
    assert by_name["hw-memblock"]["text"].startswith("memory: no regions\n")
    assert re.search(r"\bmm_init \(options=", by_name["mm_init"]["text"])
    nodes, zones, page, memblock = answers[-4:]
    assert [row["cpus"] for row in table(nodes["text"])[:2]] == ["0-1", "2-3"]
    assert zones["failed"] and page["failed"]
    assert "KERNEL_IMAGE" in memblock["text"] and "open: it still gives out" in memblock["text"]

    # The guest stands in front of mm_init() no longer: a detached guest goes on.
    machine.child.expect_exact(PROMPT)
    assert "invariants hold" in machine.ask("check")
    (again,) = machine.gdb_answers("hw-boot")
    assert again["failed"] and "past kmain()" in again["text"]


def test_around_mm_init(start):
    """What the caller of mm_init() has optimised away; and every free page is there right after."""
    machine = start("two")
    _, _, _, printed, magic, _, _, buddy, zones, page = machine.gdb_answers(
        "hw-boot mm_init", "frame function kmain", "up", "p magic", "hw-page magic", "frame 0",
        "finish", "hw-buddy", "hw-zones", "hw-page 0x1000")
    assert magic["failed"]
    # gcc has; clang may keep the value.
    assert ("optimized out" in magic["text"]) == ("optimized out" in printed["text"])
    for block, zone in zip(table(buddy["text"]), table(zones["text"]), strict=True):
        pages = sum(int(block[str(order)]) << order for order in range(11))
        assert pages == int(zone["managed"]) == int(zone["free"]) > 0
    assert "BROKEN" not in buddy["text"]
    assert "state  FREE" in page["text"]


def test_a_backtrace_goes_through_an_interrupt(start):
    machine = start("small")  # one CPU: gdb shows one of several
    machine.boot()
    frames = machine.gdb("hw-boot trap_dispatch", "bt")[1]
    names = re.findall(r"^#\d+ .*?(\w+) \(", frames, re.MULTILINE)
    assert names[:2] == ["trap_dispatch", "isr_common"]
    assert names[2:] == ["machine_idle", "idle", "thread_begin"]  # the monitor sleeps


# --- The figures --------------------------------------------------------------------------------


def monitors_buddyinfo(text):
    found = {}
    for nid, zone, counts in re.findall(r"^Node (\d+), zone +(\w+) (.*)$", text, re.MULTILINE):
        found[int(nid), zone.upper()] = [int(count) for count in counts.split()]
    return found


def monitors_zoneinfo(text):
    """Of the zones that have RAM."""
    found = {}
    for part in re.split(r"^(?=Node )", text, flags=re.MULTILINE)[1:]:
        nid, zone = re.match(r"Node (\d+), zone +(\w+)", part).groups()
        part = re.sub(r"^  pagesets\n(    .*\n)*", "", part, flags=re.MULTILINE)
        value = {name: int(number) for name, number in
                 re.findall(r"^ +(?:pages )?(\w+):? +(\d+)$", part, re.MULTILINE)}
        if value["present"]:
            found[int(nid), zone.upper()] = value
    return found


@pytest.mark.parametrize("machine", ["two", "memoryless", "eight", "hole", MANY],
                         ids=lambda machine: getattr(machine, "name", machine))
def test_the_figures_are_the_monitors(machine, start):
    guest_machine = start(machine)
    guest_machine.boot()
    buddyinfo = monitors_buddyinfo(guest_machine.ask("buddyinfo"))
    zoneinfo = monitors_zoneinfo(guest_machine.ask("zoneinfo"))
    numa = guest_machine.ask("numa")
    assert buddyinfo and zoneinfo
    buddy, zones, nodes, memblock = guest_machine.gdb("hw-buddy", "hw-zones", "hw-nodes",
                                                      "hw-memblock")

    rows = table(buddy)
    assert {(int(row["node"]), row["zone"]): [int(row[str(order)]) for order in range(11)]
            for row in rows} == {key: counts for key, counts in buddyinfo.items()}
    assert "BROKEN" not in buddy

    rows = table(zones)
    assert {(int(row["node"]), row["zone"]) for row in rows} == set(zoneinfo)
    for row in rows:
        told = zoneinfo[int(row["node"]), row["zone"]]
        for name in ("free", "min", "low", "high", "spanned", "present", "managed"):
            assert int(row[name]) == told[name], (row, name)
        # Linux's zoneinfo ends early for a zone without managed pages, and so does ours.
        assert int(row["first"], 16) == told.get("start_pfn", int(row["first"], 16))
        assert int(row["end"], 16) - int(row["first"], 16) == told["spanned"]

    check_nodes(nodes, numa, zoneinfo)
    ranges = re.findall(r"^node \d+: \[mem (0x\w+)-(0x\w+)\] \d+ page", numa, re.MULTILINE)
    assert ranges
    for base, end in ranges:
        assert f"[{int(base, 16):#x}, {int(end, 16) + 1:#x}) " in memblock
    assert memblock.endswith("closed: the buddy allocator has the rest\n")


def check_nodes(nodes, numa, zoneinfo):
    nodes, _, distances = nodes.partition("distances, ")
    cpus = re.findall(r"^node \d+ cpus:(.*)$", numa, re.MULTILINE)
    rows = table(nodes)
    assert len(rows) == len(cpus) > 0
    for row, numbers in zip(rows, cpus):
        nid = int(row["node"])
        listed = [int(number) for part in row["cpus"].split(",") if part != "-"
                  for number in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)]
        assert listed == [int(number) for number in numbers.split()]
        for name in ("managed", "free"):
            assert int(row[name]) == sum(zone[name] for key, zone in zoneinfo.items()
                                         if key[0] == nid)
    expected = re.findall(r"^ *\d+:((?: +\d+)+) *$", numa, re.MULTILINE)
    shown = [line.split(":")[1].split() for line in distances.splitlines()[2:]]
    assert shown == [row.split() for row in expected] and shown


# --- Lists and printers -------------------------------------------------------------------------


def test_lists_and_printers(start):
    machine = start("two")
    machine.boot()
    count = monitors_buddyinfo(machine.ask("buddyinfo"))[1, "DMA32"][10]
    assert count > 10
    texts = machine.gdb(
        f"p {LIST}", f"hw-list {LIST} struct page free_link",
        f'hw-list &{LIST} "struct page" free_link',
        "hw-buddy 1 dma32 10", "p *node_data[1]", "p node_data[1]->zones[1]",
        "p node_data[1]->zones[1].lock", "p 'mm/memblock.c'::reserved.region[0]",
        "set hw-limit 5", f"p {LIST}", f"hw-list {LIST} struct page free_link", "hw-buddy",
        "p/r node_data[1]->zones[1].lock")
    assert f"list of {count} entries = {{0x" in texts[0]
    pages = re.findall(r"^\[\d+\] 0x\w+ pfn (0x\w+): FREE, order 10, node 1, zone DMA32$", texts[1],
                       re.MULTILINE)
    assert texts[2] == texts[1]
    assert len(set(pages)) == count and texts[1].endswith(f"list of {count} entries\n")
    assert all(int(pfn, 16) % 1024 == 0 for pfn in pages)
    assert re.findall(r"^\[\d+\] pfn (0x\w+),", texts[3], re.MULTILINE) == pages
    assert re.search(r"= node 1: \d+ managed, \d+ free = \{DMA32 = node 1 zone DMA32: ", texts[4])
    assert re.search(rf"free blocks by order = [\d ]+ {count}\}}", texts[5])
    assert re.search(r"= 'zone': free, taken [1-9]\d* times$", texts[6])
    assert "= [0x0, 0x1000) 4 KiB, FIRST_PAGE" in texts[7]
    assert "list of more than 5 entries = " in texts[9] and texts[9].count("0x") == 5
    assert texts[10].count("FREE, order 10") == 5
    assert "lists were followed for 5 entries" in texts[11] and "BROKEN" not in texts[11]
    assert "owner_cpu = 4294967295" in texts[12]


# What is written into the kernel, and what must be said of it. $first and $second are the links at
# the front of the list at $head.
DAMAGE = {
    "prev": ("$second->prev = 0x1234", "has prev 0x1234, not 0x"),
    "null": ("$second->next = 0", "is null"),
    "poison": ("$second->next = 0xdead000000000100", "is LIST_POISON_NEXT: it was removed"),
    "cycle": ("$second->next = $first", "a cycle without the head"),
    "itself": ("$second->next = $second", "a cycle without the head"),
    "unmapped": ("$second->next = 0xffffc90000000000", "no memory can be read at 0xffffc9"),
    "wild": ("$second->next = 0x8000000000000000", "no memory can be read at 0x8000000000000000"),
    "short": ("$second->next = $head", "the head has prev 0x"),
}


def test_broken_lists_are_reported(start):
    """Each damage is said by the command, by the printer and by hw-list; then it is undone."""
    machine = start("two")
    machine.boot()
    commands = [f"set var $head = &{LIST}", "set var $first = $head->next",
                "set var $second = $first->next", "set var $third = $second->next"]
    looks = ["hw-buddy", "p *$head", "hw-list $head struct page free_link", "hw-page $second"]
    for damage, _ in DAMAGE.values():
        commands += [f"set var {damage}", *looks, "set var $second->next = $third",
                     "set var $second->prev = $first"]
    texts = machine.gdb(*commands, "hw-buddy", "p *$head")
    for i, (name, (_, expected)) in enumerate(DAMAGE.items()):
        buddy, printed, listed, page = texts[4 + 7 * i + 1:][:4]
        assert "BROKEN: node 1 DMA32 order 10 movable: its list, after " in buddy, name
        for text in (buddy, printed, listed):
            assert expected in text, name
        assert "BROKEN list: after " in printed and "BROKEN list: after " in listed, name
        assert len(table(buddy)) == 3, name  # the table is there all the same
        assert "BROKEN" in page, name
    assert "BROKEN" not in texts[-1] and "BROKEN" not in texts[-2]
    assert "invariants hold" in machine.ask("check")


def test_broken_figures_are_reported(start):
    """Counts, bits and blocks that disagree; pointers and counts that cannot be."""
    machine = start("two")
    machine.boot()
    zone, page = "node_data[1]->zones[1]", "((struct page *)((char *)$link - 8))"
    texts = machine.gdb(
        f"set var $link = {zone}.free[1].area[10].list.next",
        f"set var {zone}.free[1].area[10].nr_free++", "hw-buddy",
        f"set var {zone}.free[1].area[10].nr_free--", f"set var {zone}.free[1].orders ^= 1024",
        "hw-buddy", f"set var {zone}.free[1].orders ^= 1024", f"set var {page}->state = 77",
        "hw-buddy", "hw-buddy 1 DMA32 10", "hw-page $link", f"p *{page}",
        f"set var {page}->state = PAGE_FREE", f"set var {page}->order = 15", "hw-page $link",
        f"set var {page}->order = 10", "set var $node = node_data[0]",
        "set var node_data[0] = 0x77",
        "hw-buddy", "hw-zones", "hw-nodes", "set var node_data[0] = $node", "hw-buddy")
    assert "nr_free is " in texts[2] and "(BUDDY-2)" in texts[2] and "(BUDDY-4)" in texts[2]
    assert "(BUDDY-5)" in texts[5]
    for text in texts[8:10]:
        assert "77 (no enum page_state)" in text and "BROKEN" in text
    for text in texts[10:12]:
        assert "77 (no enum page_state)" in text
    assert "BROKEN, there is no such order" in texts[14]
    for text in texts[18:21]:
        assert "node_data[0] is 0x77, no address of the direct map" in text
        assert re.search(r"^ *1 ", text, re.MULTILINE)  # node 1 is shown all the same
    assert "BROKEN" not in texts[-1] and len(table(texts[-1])) == 3


def test_a_count_that_cannot_be(start):
    """memblock's count of regions, far beyond its array: an error, no long walk."""
    machine = start("two")
    machine.boot()
    count = "'mm/memblock.c'::memory.nr"
    texts = machine.gdb(f"set var {count} = 1000000", f"p {count}")
    assert texts[-1].endswith("= 1000000\n")
    (memblock,) = machine.gdb_answers("hw-memblock")
    assert memblock["failed"] and "memory.nr is 1000000, and there is room for " in memblock["text"]


# --- make debug, make gdb -----------------------------------------------------------------------


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make(goal, port):
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment["TERM"] = "dumb"  # no colours
    return pexpect.spawn("make", [goal, f"DEBUG_PORT={port}"], cwd=str(ROOT), env=environment,
                         timeout=LIMIT_SECONDS, encoding="utf-8", codec_errors="replace",
                         echo=False, dimensions=(50, 200))


def test_make_gdb_without_a_stub():
    """One line, besides make's own, and an end that make sees."""
    child = make("gdb", free_port())
    child.expect(r"hw-attach: 127.0.0.1:\d+: [\w ]+: does `make debug` run, with the same "
                 r"DEBUG_PORT=\?\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2 and "(gdb)" not in child.before


def test_make_debug_and_make_gdb():
    """The two as a person uses them; a second guest on the same port is refused by name."""
    port = free_port()
    debug = make("debug", port)
    try:
        debug.expect_exact(f"Halted. In another terminal: make gdb DEBUG_PORT={port}")
        child = make("gdb", port)
        child.expect_exact("`hw` lists commands")
        for line, answer in (("hw-boot mm_init", r"mm_init \(options="),
                             ("hw-memblock", "open: it still gives out"),
                             ("hw-zones", "mm_init\\(\\) has not run"), ("detach", "detached")):
            child.expect_exact("(gdb) ")
            child.sendline(line)
            child.expect(answer)
        child.sendline("quit")
        child.expect(pexpect.EOF)
        debug.expect_exact(PROMPT)
        second = make("debug", port)
        second.expect("Address already in use")
        second.expect(pexpect.EOF)
        debug.send("\x01x")
        debug.expect(pexpect.EOF)
    finally:
        debug.close(force=True)


def test_debug_port_is_checked(launch):
    for port in ("0", "65536", "x", "-1"):
        done = launch(f"--gdb={port}")
        assert done.returncode == 2 and f"'{port}' is not a port" in done.stdout
