"""Object caches as people see them: `slabinfo` in Linux's layout, `slab`, `page`, `meminfo`, and tuning.

What the figures mean is tests/unit/test_slab_inspect.c; here is how they are said, and that reports agree.
"""

import re
import sys

import pytest

from hwlib import guest
from test_monitor import Console, Terminal, answer, spawn

# Linux, mm/slab_common.c: print_slabinfo_header() and cache_show().
HEADER = ["slabinfo - version: 2.1",
          "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables "
          "<limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>"]
LINE = re.compile(r"(?P<name>\S+) *(?<=.{17}) +(?P<active_objs>\d+) +(?P<num_objs>\d+) +(?P<objsize>\d+) +"
                  r"(?P<objperslab>\d+) +(?P<pagesperslab>\d+) : tunables +(?P<limit>\d+) +(?P<batch>\d+) +"
                  r"(?P<shared>\d+) : slabdata +(?P<active_slabs>\d+) +(?P<num_slabs>\d+) +(?P<avail>\d+)")
FORMAT = ("{name:<17} {active_objs:>6} {num_objs:>6} {objsize:>6} {objperslab:>4} {pagesperslab:>4} : tunables "
          "{limit:>4} {batch:>4} {shared:>4} : slabdata {active_slabs:>6} {num_slabs:>6} {avail:>6}")


@pytest.fixture
def child(iso, log_path):
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path)
    yield child
    child.close(force=True)


@pytest.fixture
def console(child):
    return Console(child)


@pytest.fixture
def terminal(child):
    screen = Terminal(child)
    screen.wait("hw>")
    return screen


def slabinfo(text):
    """{name: figures}; every line must be as Linux's printf writes it, character by character."""
    lines = text.strip("\n").split("\n")
    assert lines[:2] == HEADER
    caches = {}
    for line in lines[2:]:
        found = LINE.fullmatch(line)
        assert found, line
        assert FORMAT.format(**found.groupdict()) == line
        cache = {key: value if key == "name" else int(value) for key, value in found.groupdict().items()}
        assert cache["name"] not in caches
        caches[cache["name"]] = cache
    return caches


def test_slabinfo_is_linuxs(console):
    caches = slabinfo(console.ask("slabinfo"))
    assert {"kmem_cache", "kmem_cache_node", "kmalloc-8", "kmalloc-64", "kmalloc-4096"} <= set(caches)
    for cache in caches.values():
        assert cache["num_objs"] == cache["num_slabs"] * cache["objperslab"]
        assert cache["active_objs"] <= cache["num_objs"] and cache["active_slabs"] <= cache["num_slabs"]
        assert cache["objperslab"] * cache["objsize"] <= cache["pagesperslab"] * 4096
        assert 1 <= cache["batch"] <= cache["limit"] or cache["limit"] == cache["batch"] == 0
        assert cache["pagesperslab"] & cache["pagesperslab"] - 1 == 0
    # The description of a cache is an object; each home of each node is one, but for those of the first two.
    assert caches["kmem_cache"]["active_objs"] >= len(caches) - 2
    assert caches["kmem_cache_node"]["active_objs"] >= 2 * (len(caches) - 2)


def test_sums_agree(console):
    """meminfo, vmstat and the nodes' figures are sums over slabinfo. (Reaping may come in between: once more.)"""
    for _ in range(5):
        before = slabinfo(console.ask("slabinfo"))
        meminfo, vmstat, zoneinfo = console.ask("meminfo"), console.ask("vmstat"), console.ask("zoneinfo")
        if slabinfo(console.ask("slabinfo")) == before:
            break
    pages = sum(cache["num_slabs"] * cache["pagesperslab"] for cache in before.values())
    assert pages > 20
    for label, kib in (("Slab", 4 * pages), ("SReclaimable", 0), ("SUnreclaim", 4 * pages)):
        assert re.search(rf"^{label}: +{kib} kB$", meminfo, re.MULTILINE), label
    assert f"\nnr_slab_reclaimable 0\nnr_slab_unreclaimable {pages}\n" in vmstat
    of_nodes = [int(n) for n in re.findall(r"^ +nr_slab_unreclaimable (\d+)$", zoneinfo, re.MULTILINE)]
    assert len(of_nodes) == 2 and sum(of_nodes) == pages


PICTURE = re.compile(r"""(?P<name>\S+): objects of (?P<bytes>\d+) bytes, (?P<size>\d+) apart, aligned to (?P<align>\d+)
  a slab: (?P<slab>\d+) bytes, (?P<objects>\d+) objects; its map, (?P<map>\d+) bytes: (?P<place>[\w ]+)
  left over: (?P<left>\d+) bytes, (?P<colours>\d+) colours (?P<apart>\d+) apart; waste \d+\.\d%
  flags: [\w ]+
  tunables: limit (?P<limit>\d+) batch (?P<batch>\d+) shared (?P<shared>\d+)
  slabs: (?P<active_slabs>\d+) of (?P<num_slabs>\d+) active; objects: (?P<active_objs>\d+) of (?P<num_objs>\d+) active
(?P<nodes>(?:node \d+: \d+ full, \d+ partial, \d+ free slabs; keeps \d+ free objects
  slabs   +\[[#=.]{32}\]
  objects +\d+/\d+ +\[[#.]{32}\] free \d+
  shared  +\d+/\d+ +\[[#.]{32}\]
(?:  events  [\w ,]+\n(?: {10}[\w ,]+\n)*)?)+)CPUs
(?P<cpus>(?:  cpu \d+ +\d+/\d+ +\[[#.]{32}\] of node \d+
(?:    alien [\d:/ ]+\n(?: {10}[\d:/ ]+\n)*)?)+)(?:a slab of node \d+, pfn (?P<pfn>0x\w+): (?P<nr_free>\d+) of \d+ free \(# used, \. free\)
(?P<cells>(?: +\d+  [#.]+\n)+))?""")


def picture(text):
    found = PICTURE.fullmatch(text)
    assert found, text
    assert max(map(len, text.split("\n"))) <= 79
    return found


def test_a_cache_is_drawn(console):
    """Of each that slabinfo lists; its figures are those; the cells are as many as objects, the dots as are free."""
    caches = slabinfo(console.ask("slabinfo"))
    drawn = 0
    for name in ("kmem_cache", "kmem_cache_node", "kmalloc-8", "kmalloc-1024", "kmalloc-4096", "kmalloc-8192"):
        found = picture(console.ask(f"slab {name}"))
        for figure in ("limit", "batch", "shared"):
            assert int(found[figure]) == caches[name][figure]
        assert int(found["objects"]) == caches[name]["objperslab"]
        assert int(found["slab"]) == 4096 * caches[name]["pagesperslab"]
        if found["cells"]:
            cells = "".join(row.split()[1] for row in found["cells"].splitlines())
            assert len(cells) == int(found["objects"]) and cells.count(".") == int(found["nr_free"])
            drawn += 1
        full, partial, free = (sum(int(n) for n in column) for column in zip(*re.findall(
            r"^node \d+: (\d+) full, (\d+) partial, (\d+) free", found["nodes"], re.MULTILINE)))
        assert full + partial == int(found["active_slabs"]) and free + full + partial == int(found["num_slabs"])
    assert drawn >= 3


def test_page_says_which_object(console):
    found = picture(console.ask("slab kmem_cache"))
    pfn, first = int(found["pfn"], 16), found["cells"].split()[1][0]
    said = console.ask(f"page pfn={pfn:#x}")
    assert re.search(rf"^  slab +of cache kmem_cache, pfn {pfn:#x}: {found['nr_free']} of {found['objects']} "
                     r"objects free$", said, re.MULTILINE)
    cells = re.search(r"^  objects +0-(\d+) here: ([#.]+)$", said, re.MULTILINE)
    assert len(cells[2]) == int(cells[1]) + 1 and cells[2][0] == first
    for byte, line in ((4095, "none: before the first or behind the last"),
                       (2000, rf"1, byte \d+ of {found['size']}: (used, or kept by a CPU or its node|free)")):
        said = console.ask(f"page {(pfn << 12) + byte:#x}")
        assert re.search(rf"^  object +{line}$", said, re.MULTILINE), said
    assert "slab" not in console.ask("page 0x100000")


def test_tuning_and_shrinking(console):
    assert console.ask("slab kmalloc-64 limit=30 batch=10 shared=2") == "kmalloc-64: limit 30 batch 10 shared 2\n"
    cache = slabinfo(console.ask("slabinfo"))["kmalloc-64"]
    assert (cache["limit"], cache["batch"], cache["shared"]) == (30, 10, 2)
    assert console.ask("slab kmalloc-64 batch=20") == "kmalloc-64: limit 30 batch 20 shared 2\n"
    assert console.ask("slab kmalloc-64 limit=0 batch=0 shared=0") == "kmalloc-64: limit 0 batch 0 shared 0\n"
    assert re.fullmatch(r"kmalloc-64: \d+ pages given back\n", console.ask("slab kmalloc-64 shrink"))
    assert slabinfo(console.ask("slabinfo"))["kmalloc-64"]["active_slabs"] == 0
    assert "invariants hold" in console.ask("check")


@pytest.mark.parametrize("command, said", [
    ("slab", "usage: slab NAME [limit=N] [batch=N] [shared=N] | NAME|all shrink"),
    ("slabinfo x", "'x' is too much: usage: slabinfo"),
    ("slab nonsense", "no cache 'nonsense': `slabinfo` lists them"),
    ("slab kmaloc-64", "no cache 'kmaloc-64': did you mean 'kmalloc-64'?"),
    ("slab kmalloc-64 limt=3", "'limt=3': there is limit=N, batch=N, shared=N, and shrink alone"),
    ("slab kmalloc-64 limit=x", "'x' is no number of objects"),
    ("slab kmalloc-64 limit=-1", "'-1' is no number of objects"),
    ("slab kmalloc-64 limit=4294967297", "'4294967297' is no number of objects"),
    ("slab kmalloc-64 limit=10 batch=11", "limit 10, batch 11, shared 8: 1 <= batch <= limit, or all 0"),
    ("slab kmalloc-64 limit=5 limit=6", "'limit=6': limit= was given already"),
    ("slab kmalloc-64 shrink now", "'now' is too much: usage: slab NAME"),
    ("slab kmalloc-64 limit=3 shrink", "'shrink': there is limit=N"),
])
def test_bad_input_gets_one_line(command, said, boot):
    outcome = boot("two", f'run="{command}"')
    assert outcome.code == guest.FAILURE
    assert outcome.output.count(said) == 1


def test_debugging_is_shown(boot):
    """All flags by name; and who tunes such a cache is told why it keeps nothing."""
    outcome = boot("two", 'mm.debug=3 run="slab kmalloc-64; slab kmalloc-64 limit=10 batch=5 shared=1"')
    assert outcome.code == guest.FAILURE
    assert "\n  flags: store_user red_zone poison init_on_alloc check_all\n" in outcome.output.replace("\r", "")
    assert outcome.output.count("kmalloc-64 is debugged: nothing of it is kept, only all 0") == 1
    assert "1 <= batch" not in outcome.output


def test_what_must_not_fail_under_debugging(boot, check_ktap):
    check_ktap(boot("two", "test=slab,slab_debug mm.debug=3", test=True))



def test_tab_knows_caches(terminal):
    for line, listed in [("slab kmem", ["kmem_cache", "kmem_cache_node"]), ("slab kmalloc-2", ["kmalloc-24"]),
                         ("slab kmalloc-64 ", ["batch=", "limit=", "shared=", "shrink"])]:
        before = len(terminal.lines)
        terminal.child.send(line + "\t\t")
        terminal.read_until(lambda: set(listed) <= set(" ".join(terminal.lines[before:-1]).split()) and
                            terminal.lines[-1].startswith("hw> " + line), line)
        terminal.type("\x03", "hw>")
    assert answer(terminal, "slab kmalloc-64 batch=5")[-1:] == ["kmalloc-64: limit 120 batch 5 shared 8"]
