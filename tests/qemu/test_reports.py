"""`vmstat`, `numastat`, `zoneinfo` and `meminfo`: Linux's layout, and figures that agree."""

import re

import pytest

from hwlib import guest

# Between the reports before and after: what must be seen in them.
ASKED = "alloc 3; alloc node=1; alloc 2 gfp=GFP_DMA; free all"
REPORTS = "vmstat; numastat; zoneinfo; meminfo"
FIGURES = ["numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node"]


def vmstat(text):
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE)}


def numastat(text):
    """One table or several, each with its header; every column 16 wide, as the tool's."""
    found = {}
    for header, body in re.findall(r"^( {16}(?: +node\d+)+)\n((?:\w+ +[\d ]+\n){6})", text,
                                   re.MULTILINE):
        nodes = [int(nid) for nid in re.findall(r"node(\d+)", header)]
        assert len(header) == 16 + 16 * len(nodes)
        rows = body.splitlines()
        assert [row.split()[0] for row in rows] == FIGURES
        for row in rows:
            assert len(row) == len(header)
            for nid, value in zip(nodes, row.split()[1:]):
                found.setdefault(nid, {})[row.split()[0]] = int(value)
    return found


# Linux 6.1's zoneinfo as it stands, but for what docs/watermarks.md says is left out.
ZONE = re.compile(r"""^Node (?P<nid>\d+), zone +(?P<name>\w+)
(?:  per-node stats
(?P<node>(?:      \w+ +\d+\n)+))?  pages free     (?P<free>\d+)
        boost    0
        min      (?P<min>\d+)
        low      (?P<low>\d+)
        high     (?P<high>\d+)
        spanned  (?P<spanned>\d+)
        present  (?P<present>\d+)
        managed  (?P<managed>\d+)
        cma      0
        protection: \((?P<protection>\d+(?:, \d+)*)\)
(?P<counters>(?:      \w+ +\d+\n)*)(?:  pagesets
(?P<pagesets>(?:    cpu: \d+
              count: \d+
              high:  \d+
              batch: \d+
              hw_allocs: \d+
              hw_frees: \d+
)*)  start_pfn:           (?P<start>\d+)\n)?""", re.MULTILINE)  # fmt: skip


def zones(text):
    for found in ZONE.finditer(text):
        zone = {name: int(value) if value and value.isdigit() else value
                for name, value in found.groupdict().items()}
        for of in ("counters", "node"):
            zone[of] = {name: int(value) for name, value
                        in re.findall(r"^ +(\w+) +(\d+)$", found[of] or "", re.MULTILINE)}
        zone["cpus"] = {int(cpu): [int(value) for value in values] for cpu, *values in re.findall(
            r"cpu: (\d+)\n +count: (\d+)\n +high: +(\d+)\n +batch: (\d+)", found["pagesets"] or "")}
        yield zone


class Picture:
    def __init__(self, text):
        self.vmstat, self.numastat = vmstat(text), numastat(text)
        self.zones = list(zones(text))
        self.kib = {label: int(value) for label, value
                    in re.findall(r"^([\w ]+): +(\d+) kB$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", ["two", "six", "sixtyfour"])
def test_figures_agree(name, boot):
    """Asked for by hand: 8 + 1 + 4 pages in 3 blocks. Then each sum against what it is the sum of."""
    outcome = boot(name, f'run="{REPORTS}; {ASKED}; {REPORTS}"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    at = [found.start() for found in re.finditer(r"^nr_free_pages ", outcome.output, re.MULTILINE)]
    assert len(at) == 2
    before, after = Picture(outcome.output[at[0]:at[1]]), Picture(outcome.output[at[1]:])

    def moved(figure):
        return after.vmstat[figure] - before.vmstat[figure]

    assert moved("hw_pgalloc_blocks") == moved("hw_pgfree_blocks") == 3
    taken = dict.fromkeys(("dma", "dma32", "normal"), 0)
    for order, zone in re.findall(r"^id \d+: .* order (\d+), node \d+, zone (\w+)$",
                                  outcome.output, re.MULTILINE):
        taken[zone.lower()] += 1 << int(order)
    assert taken["dma"] >= 4 and sum(taken.values()) == 13
    assert {zone: moved("pgalloc_" + zone) for zone in taken} == taken
    assert moved("pgfree") == 13
    assert moved("numa_hit") == 3 and moved("numa_miss") == moved("numa_foreign") == 0
    assert moved("numa_local") + moved("numa_other") == 3
    assert moved("hw_alloc_min") == moved("hw_alloc_give_up") == moved("allocstall_normal") == 0
    for picture in (before, after):
        check_sums(picture)


def check_sums(picture):
    names = {"interleave_hit": "numa_interleave", "local_node": "numa_local",
             "other_node": "numa_other"}
    populated = [zone for zone in picture.zones if zone["managed"]]
    assert populated and len(picture.zones) == 3 * len(picture.numastat)
    for name in FIGURES:
        assert picture.vmstat[names.get(name, name)] == sum(
            node[name] for node in picture.numastat.values())
        for nid, node in picture.numastat.items():
            assert node[name] == sum(zone["counters"][names.get(name, name)]
                                     for zone in populated if zone["nid"] == nid)
    for name, value in picture.vmstat.items():
        if name in populated[0]["counters"]:
            assert value == sum(zone["counters"][name] for zone in populated), name
    # A node's own figures stand with its first zone that has memory, and nowhere else.
    firsts = {zone["nid"]: zone for zone in reversed(populated)}
    assert [zone for zone in picture.zones if zone["node"]] == sorted(
        firsts.values(), key=lambda zone: zone["nid"])
    for name in populated[0]["node"]:
        assert picture.vmstat[name] == sum(zone["node"][name] for zone in firsts.values()), name
    for zone in populated:
        assert zone["free"] == zone["counters"]["nr_free_pages"]
        assert zone["min"] <= zone["low"] <= zone["high"]
        assert sum(count for count, *_ in zone["cpus"].values()) == zone["counters"]["hw_pcp_pages"]
        assert all(count <= high and batch <= max(high, 1)
                   for count, high, batch in zone["cpus"].values())
    free = picture.vmstat["nr_free_pages"] + picture.vmstat["hw_pcp_pages"]
    kept = sum(min(zone["managed"],
                   zone["high"] + max(int(pages) for pages in str(zone["protection"]).split(", ")))
               for zone in populated)
    assert picture.kib["MemFree"] == 4 * free
    assert picture.kib["MemTotal"] == 4 * sum(zone["managed"] for zone in populated)
    assert picture.kib["MemAvailable"] == 4 * max(free - kept, 0)
    assert picture.kib["KernelStack"] == picture.vmstat["nr_kernel_stack"]
