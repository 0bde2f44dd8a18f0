"""examples/minimal: mm/ in another kernel, booted by QEMU itself through its PVH note.

The second half is about the port: it gives what mm/ asks for, and nothing is there for show.
"""

import re
import subprocess
from pathlib import Path

import pytest

from hwlib import guest, qemu, topology

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60
PAGE_BYTES = 4096

# What is no page of the allocator's beside the struct pages: the image, page tables, node data,
# and the 96 pages between 640 KiB and 1 MiB.
OTHER_PAGES = 512


@pytest.fixture
def minimal(build, request, log_path):
    def run(*arguments, cmdline=""):
        args = ["qemu-system-x86_64", "-accel", request.config.getoption("--accel"), *arguments,
                "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
                "-kernel", str(build / "minimal.elf"),
                *(["-append", cmdline] if cmdline else [])]  # fmt: skip
        outcome = guest.run(args, LIMIT_SECONDS, test=False)
        log_path.write_text(outcome.output, encoding="utf-8")
        print(outcome.output[-6000:])
        return outcome

    return run


# What kmalloc's caches keep for themselves: descriptions, homes, the CPU's stacks.
CACHE_PAGES = 48

# machine, memory, and how much of it is below the 32-bit hole
MACHINES = [("pc", "32M", "32M"), ("q35", "5G", "2G")]


@pytest.mark.parametrize("machine, memory, low", MACHINES, ids=["small", "both-sides-of-the-hole"])
def test_example(machine, memory, low, minimal):
    outcome = minimal("-M", machine, "-m", memory)
    assert outcome.status == qemu.EXIT_SUCCESS, outcome.reason

    # Everything is managed but the struct pages, a 64th, and what OTHER_PAGES names.
    pages, low_pages = (topology.parse_size(size) // PAGE_BYTES for size in (memory, low))
    # A record of each block that was taken is a piece of kmalloc memory.
    records = re.search(r"^minimal: (\d+) blocks, each with a record of \d+ bytes from kmalloc\(\)$",
                        outcome.output, re.MULTILINE)  # fmt: skip
    assert records and int(records[1]) > 50

    zones = re.findall(r"^minimal: (\w+) +(\d+) pages managed, +(\d+) free again$",
                       outcome.output, re.MULTILINE)  # fmt: skip
    managed = {name: int(count) for name, count, _ in zones}
    assert [name for name, _, _ in zones] == ["DMA", "DMA32", "Normal"]
    assert 0 < sum(int(count) - int(free) for _, count, free in zones) <= CACHE_PAGES
    assert managed["DMA"] + managed["DMA32"] <= low_pages
    assert bool(managed["Normal"]) == (pages > low_pages)
    assert managed["Normal"] <= pages - low_pages
    total = sum(managed.values())
    assert total >= pages - pages // 64 - OTHER_PAGES

    last = re.fullmatch(r"minimal: (\d+) MiB managed, (\d+) pages taken and returned, "
                        r"(\d+) invariants hold", guest.last_line(outcome.output))  # fmt: skip
    assert last
    assert int(last[1]) == total * PAGE_BYTES >> 20
    assert 0.9 * total < int(last[2]) < total, "the last pages are below the marks"
    assert int(last[3]) >= 21


# command line: (QEMU's exit, what the last line says)
MISBEHAVIOUR = {
    "leak": (qemu.EXIT_FAILURE, r"minimal: FAILED: every page comes back"),
    "double-free": (qemu.EXIT_PANIC, r"panic: double free: pfn 0x\w+ .*"),
    "late-reserve": (qemu.EXIT_PANIC, r"panic: mm/memblock\.c:\d+: .*closed.*"),
}


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_example_misbehaves(what, minimal):
    status, words = MISBEHAVIOUR[what]
    outcome = minimal("-m", "32M", cmdline=what)
    assert outcome.status == status, outcome.reason
    assert re.fullmatch(words, guest.last_line(outcome.output))


# --- The seams, as the linker sees them ---------------------------------------------------------


def symbols(objects, which):
    text = subprocess.run(["nm", which, "--format=posix", *map(str, objects)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout  # fmt: skip
    fields = [line.split() for line in text.splitlines()]
    return {line[0] for line in fields if len(line) > 1 and line[1] in "UTDBRC"}


@pytest.fixture
def asked(build):
    """What mm/ leaves undefined, by the objects of every compiler that was used."""
    objects = sorted(build.glob("example*/mm/*.o"))
    assert objects
    return symbols(objects, "--undefined-only") - symbols(objects, "--defined-only")


def test_port_has_no_stubs(asked, build):
    port = symbols(build.glob("example*/examples/minimal/port.o"), "--defined-only")
    library = symbols(build.glob("example*/kernel/lib/*.o"), "--defined-only")
    assert port <= asked, "in the port, but mm/ does not ask for it"
    tables = symbols(build.glob("example*/examples/minimal/paging.o"), "--defined-only")
    assert asked <= port | tables | library, "asked for by mm/, and neither port nor C library"


def test_seams_are_documented(asked):
    text = (ROOT / "docs" / "seams.md").read_text(encoding="utf-8")
    missing = [name for name in sorted(asked) if not re.search(rf"`[^`\n]*\b{name}\(", text)]
    assert not missing, "not in docs/seams.md"
