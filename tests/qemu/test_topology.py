"""What the kernel reports of the machine against what the topology's [expect] states by hand.

Reports are those of the monitor, read as a user would: `numa` in numactl's format, `buddyinfo` and
`meminfo` in Linux's.
"""

import re

import pytest

from hwlib import guest, topology
from hwlib.topology import parse_size

RUN = "numa; buddyinfo; zoneinfo; meminfo; memblock"
# The firmware keeps this much of a node's memory for itself at most, under BIOS and UEFI.
FIRMWARE_MIB = {"bios": 1, "uefi": 64}
PAGE = 4096

MATRIX = [(name, "bios") for name in topology.names()]
# A boot under UEFI takes seconds: what its memory map does to machines of each kind. test_kernel.py boots
# "two", "memoryless" and others there.
MATRIX += [(name, "uefi") for name in ("hole", "flat", "tiny", "sixtyfour")]

# On those of 256 GiB and more most of the time is `check`'s. test_kernel.py has "huge", but not "tera".
CHECKED_ELSEWHERE = {"huge"}


class Report:
    """The monitor's reports, as numbers."""

    def __init__(self, text):
        self.text = text

    def one(self, pattern):
        found = re.findall(pattern, self.text, re.MULTILINE)
        assert len(found) == 1, f"{len(found)} lines match {pattern}"
        return found[0]

    def nodes(self):
        count, _, last = self.one(r"^available: (\d+) nodes \((0-)?(\d+)\)$")
        assert int(last) == int(count) - 1
        return int(count)

    def cpus(self, nid):
        return [int(cpu) for cpu in self.one(rf"^node {nid} cpus:((?: \d+)*)$").split()]

    def size_mib(self, nid):
        return int(self.one(rf"^node {nid} size: (\d+) MB$"))

    def distances(self, count):
        rows = self.text.split("node distances:\n")[1].split("\n")
        assert [int(nid) for nid in rows[0].removeprefix("node ").split()] == list(range(count))
        heads, bodies = zip(*(row.split(":") for row in rows[1 : count + 1]))
        assert [int(head) for head in heads] == list(range(count))
        return [[int(distance) for distance in body.split()] for body in bodies]

    def ranges(self, nid):
        """RAM of the node, as [base, end)."""
        found = re.findall(rf"^node {nid}: \[mem 0x(\w+)-0x(\w+)\] (\d+) pages$", self.text,
                           re.MULTILINE)
        ranges = [(int(base, 16), int(last, 16) + 1) for base, last, _ in found]
        assert [(end - base) // PAGE for base, end in ranges] == [int(n) for *_, n in found]
        return ranges

    def cpu_nodes(self):
        found = re.findall(r"^cpu (\d+): apic id \d+, node (\d+)$", self.text, re.MULTILINE)
        return {int(cpu): int(nid) for cpu, nid in found}

    def kib(self, label):
        return int(self.one(rf"^{label}: +(\d+) kB$"))

    def free_blocks_kib(self, nid):
        """In the zones' lists, and in those that each CPU has for itself."""
        lines = re.findall(rf"^Node {nid}, zone +\w+ ((?: *\d+ )+)$", self.text, re.MULTILINE)
        per_cpu = re.findall(rf"^Node {nid}, zone +\w+\n(?:  .*\n)*?      hw_pcp_pages (\d+)$",
                             self.text, re.MULTILINE)
        return sum(map(int, per_cpu)) * PAGE // 1024 + sum(
            int(count) * PAGE // 1024 << order
            for line in lines for order, count in enumerate(line.split()))


def check_node(report, nid, node, firmware):
    slack = FIRMWARE_MIB[firmware]
    assert report.cpus(nid) == node["cpus"]
    stated, seen = node["ranges"], report.ranges(nid)
    for base, end in seen:
        assert any(low <= base and end <= high for low, high in stated), (
            f"node {nid}: [{base:#x}, {end:#x}) is outside of {stated}")
    for low, high in stated:
        assert any(low <= base and end <= high for base, end in seen), (
            f"node {nid}: nothing of [{low:#x}, {high:#x})")
    missing = sum(high - low for low, high in stated) - sum(end - base for base, end in seen)
    assert 0 <= missing <= slack << 20, f"node {nid}: {missing >> 10} KiB of its RAM are missing"
    least, most = node["size_mib"]
    assert least - slack <= report.size_mib(nid) <= most
    if not stated:
        return
    assert report.kib(f"Node {nid} MemTotal") >> 10 == report.size_mib(nid)
    assert report.kib(f"Node {nid} MemFree") == report.free_blocks_kib(nid)


def time_to_come_up(name, output):
    """What the kernel says of it, for whoever reads the test's line; the two figures must agree."""
    took, a_gib = map(int, re.search(r"memory manager up in (\d+) us: (\d+) us a GiB", output).groups())
    gib = topology.load(name).memory_bytes() / (1 << 30)
    # Firmware and rounding take a little, of small machines more.
    assert abs(took - a_gib * gib) <= 0.02 * took + gib or gib < 1
    return f"{gib:g} GiB in {took / 1000:.1f} ms"


@pytest.mark.parametrize("name, firmware", MATRIX, ids=["-".join(pair) for pair in MATRIX])
def test_topology(name, firmware, boot, record_property):
    expect = topology.load(name).expect
    checked = name not in CHECKED_ELSEWHERE
    outcome = boot(name, f'run="{RUN}{"; check" if checked else ""}"', firmware=firmware)
    assert outcome.code == guest.SUCCESS, outcome.reason
    record_property("figures", time_to_come_up(name, outcome.output))
    report = Report(outcome.output)

    assert report.nodes() == len(expect.nodes)
    assert report.distances(len(expect.nodes)) == expect.distances
    for nid, node in enumerate(expect.nodes):
        check_node(report, nid, node, firmware)
    assert report.cpu_nodes() == {cpu: nid for nid, node in enumerate(expect.nodes)
                                  for cpu in node["cpus"]}

    with_memory = [nid for nid, node in enumerate(expect.nodes) if node["ranges"]]
    for what in ("MemTotal", "MemFree"):
        assert report.kib(what) == sum(report.kib(f"Node {nid} {what}") for nid in with_memory)
    # Each page of the firmware's map is somewhere, by name.
    assert report.text.count("in the firmware's map: exact") >= 1
    assert "WRONG" not in report.text
    assert not checked or re.search(r"^check: all \d+ invariants hold", report.text, re.MULTILINE)


def test_the_matrix_is_covered():
    """What was asked for is there: a topology that is lost is not noticed otherwise."""
    shapes = {name: topology.load(name) for name in topology.names()}
    assert {len(shape.nodes) for shape in shapes.values()} >= {*range(9), 16, 64}
    # Each number of CPUs over fewer and over more nodes; nodes whose shares of CPUs differ.
    spread = {}
    for shape in shapes.values():
        spread.setdefault(shape.smp, set()).add(max(1, len(shape.nodes)))
    assert spread.keys() >= {"1", "2", "4", "8", "16", "64"}
    assert all(len(spread[cpus]) > 1 for cpus in ("1", "2", "4", "8", "16")), spread
    assert any(len({len(node["cpus"]) for node in shape.expect.nodes if node["cpus"]}) > 1
               for shape in shapes.values())
    assert any(shape.expect.nodes and 0 not in shape.expect.nodes[0]["cpus"]
               for shape in shapes.values()), "a boot CPU that is not on the first node"
    assert {shape.machine for shape in shapes.values()} == {"q35", "pc"}
    assert {shape.cpu for shape in shapes.values()} >= {"qemu64", "max"}
    assert any(not node.memory for shape in shapes.values() for node in shape.nodes)
    assert any(not node.cpus for shape in shapes.values() for node in shape.nodes)
    assert any(parse_size(node.memory) < 64 << 20 for shape in shapes.values()
               for node in shape.nodes if node.memory)
    sizes = {shape.memory_bytes() >> 30 for shape in shapes.values()}
    assert sizes >= {64, 256, 1024}
    for shape in shapes.values():
        assert len(shape.expect.nodes) == max(1, len(shape.nodes)), shape.name
        assert len(shape.expect.distances) == max(1, len(shape.nodes)), shape.name
