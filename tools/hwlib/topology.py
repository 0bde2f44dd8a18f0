"""Machines to boot: tests/topologies/NAME.toml.

A file says what QEMU is to build (machine, CPUs, nodes, distances) and, in [expect], what the
kernel must then report. The second half is written by hand from the first and from QEMU's
documentation; it is never taken from what the kernel printed.

    description = "one sentence"
    machine = "q35"             # or "pc"
    cpu = "qemu64"              # or any -cpu
    smp = 4                     # number of CPUs, or a text for -smp
    memory = "1G"               # without nodes; with nodes it is their sum
    distances = [[10, 21], [21, 10]]  # the SLIT; without it there is none
    reserve = false             # do not reserve swap for the memory (large machines)
    needs_host_mib = 6000       # free memory that the host must have for it; nothing: it is small
    qemu = ["-device", "..."]   # further arguments
    allowed_skips = ["suite.case"]    # tests that may skip here; globs

    [[node]]
    memory = "512M"             # left out: a node without memory
    cpus = "0-1"                # left out: a node without CPUs

    [expect]
    distances = [[10, 21], [21, 10]]

    [[expect.node]]
    cpus = [0, 1]
    size_mib = [500, 504]       # what `numa` may give as its size: a 64th is struct page
    ranges = [[0x0, 0xa0000], [0x100000, 0x20000000]]  # what the firmware says is this node's
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

DIRECTORY = Path(__file__).resolve().parents[2] / "tests" / "topologies"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class TopologyError(Exception):
    """The file is missing or does not describe a machine."""


@dataclass
class Node:
    memory: str = ""
    cpus: str = ""


@dataclass
class Expectation:
    nodes: list = field(default_factory=list)  # of dicts: cpus, size_mib, ranges
    distances: list = field(default_factory=list)


@dataclass
class Topology:
    name: str
    description: str
    machine: str = "q35"
    cpu: str = "qemu64"
    smp: str = "1"
    memory: str = ""
    nodes: list = field(default_factory=list)
    distances: list = field(default_factory=list)
    reserve: bool = True
    needs_host_mib: int = 0
    qemu: list = field(default_factory=list)
    allowed_skips: list = field(default_factory=list)
    expect: Expectation = field(default_factory=Expectation)

    def memory_bytes(self):
        sizes = [node.memory for node in self.nodes if node.memory] or [self.memory]
        return sum(parse_size(size) for size in sizes)

    def nr_cpus(self):
        """Those that are there at the start, of `4`, `cpus=4,maxcpus=8`, `4,sockets=2`."""
        match = re.match(r"(?:cpus=)?(\d+)", self.smp)
        if not match:
            raise TopologyError(f"smp = '{self.smp}' does not begin with a number of CPUs")
        return int(match[1])

    def qemu_arguments(self):
        """-m, -smp, -numa: everything but the machine and the CPU, which a run may change."""
        args = ["-smp", self.smp, "-m", f"{self.memory_bytes() >> 20}M"]
        for nid, node in enumerate(self.nodes):
            numa = f"node,nodeid={nid}"
            if node.memory:
                backend = f"memory-backend-ram,id=ram{nid},size={node.memory}"
                args += ["-object", backend + ("" if self.reserve else ",reserve=off")]
                numa += f",memdev=ram{nid}"
            for cpus in filter(None, node.cpus.split(",")):
                numa += f",cpus={cpus}"
            args += ["-numa", numa]
        for src, row in enumerate(self.distances):
            for dst, distance in enumerate(row):
                if src != dst:
                    args += ["-numa", f"dist,src={src},dst={dst},val={distance}"]
        return args + self.qemu


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not match:
        raise TopologyError(f"'{text}' is not a size: a number and one of K, M, G, T")
    return int(match[1]) * UNITS[match[2]]


def names():
    return sorted(path.stem for path in DIRECTORY.glob("*.toml"))


def load(name):
    """The topology of this name, or of this file if the name ends in .toml."""
    path = Path(name) if name.endswith(".toml") else DIRECTORY / f"{name}.toml"
    if not path.is_file():
        raise TopologyError(f"no topology '{name}'; there are: {', '.join(names())}")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return _build(path.stem, raw)
    except (tomllib.TOMLDecodeError, TypeError, ValueError, KeyError) as error:
        raise TopologyError(f"{path}: {error}") from error


def _build(name, raw):
    nodes = [Node(**node) for node in raw.pop("node", [])]
    expect = raw.pop("expect", {})
    topology = Topology(
        name=name,
        nodes=nodes,
        smp=str(raw.pop("smp", 1)),
        expect=Expectation(expect.pop("node", []), expect.pop("distances", [])),
        **raw,
    )
    if expect:
        raise TopologyError(f"{name}: [expect] has no key '{next(iter(expect))}'")
    if bool(topology.memory) == any(node.memory for node in nodes):
        raise TopologyError(f"{name}: memory is given either as a whole or by node")
    if topology.distances and [len(row) for row in topology.distances] != [len(nodes)] * len(nodes):
        raise TopologyError(f"{name}: distances is not a {len(nodes)} x {len(nodes)} matrix")
    topology.memory_bytes()
    topology.nr_cpus()
    return topology
