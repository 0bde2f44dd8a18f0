"""The kit's machines: their tables, the topology that each must give, and how to compare.

A machine is a directory of machines/: tables in ASL (srat.asl, slit.asl, apic.asl, hmat.asl) and expect.json,
stated by hand in the shape of `numa-inspect --json`, with "about" (one sentence) and "guest"
(the memory and CPUs of a guest that these tables fit) besides. "notes" are regular expressions.
"""

import copy
import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSPECT_LIMIT_SECONDS = 60
BOOT_APIC_ID = 0  # QEMU's first CPU
FACTS = ("nodes", "domains", "ranges", "cpus", "distances")
PAGE = 4096
NOTES_OF_A_KIND = 6
ALL_MEMORY = 1 << 46  # what the direct map has room for: PHYS_ADDR_BITS_MAX


@dataclass
class Machine:
    """Tables in the order in which a root table lists them, and what must come of them."""

    name: str
    tables: list  # of (file name, bytes)
    expect: dict
    guest: dict = field(default_factory=dict)

    def write(self, directory):
        """The tables as files; returns their paths, in order."""
        paths = []
        for name, data in self.tables:
            path = Path(directory) / name
            path.write_bytes(data)
            paths.append(path)
        return paths


def names():
    return sorted(path.parent.name for path in HERE.glob("machines/*/expect.json"))


def load(name, build):
    """A machine, with its tables as iasl compiled them into build/acpi (make kit)."""
    expect = json.loads((HERE / "machines" / name / "expect.json").read_text(encoding="utf-8"))
    expect.pop("about")
    guest = expect.pop("guest")
    expect.setdefault("notes_dropped", 0)
    asl = sorted((HERE / "machines" / name).glob("*.asl"), key=lambda path: path.stem != "srat")
    tables = [(f"{path.stem}.aml", (Path(build) / "acpi" / name / f"{path.stem}.aml").read_bytes())
              for path in asl]
    return Machine(name, tables, expect, guest)


def inspect(program, paths, *options):
    """What numa-inspect prints as JSON of these files."""
    done = subprocess.run([str(program), *options, *map(str, paths)], capture_output=True,
                          text=True, timeout=INSPECT_LIMIT_SECONDS, check=False)
    assert done.returncode == 0, f"numa-inspect ended with {done.returncode}: {done.stderr}"
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def unmatched(patterns, notes):
    """Pairs each pattern with a note of its own. Returns the patterns and notes left over."""
    notes = list(notes)
    missing = []
    for pattern in patterns:
        found = next((note for note in notes if re.search(pattern, note)), None)
        if found is None:
            missing.append(pattern)
        else:
            notes.remove(found)
    return missing, notes


def differences(expect, seen):
    """Each difference between a topology and what was expected, in words. Empty: none."""
    wrong = [f"{key}: {seen[key]}, but expected {expect[key]}"
             for key in (*FACTS, "notes_dropped") if seen[key] != expect[key]]
    missing, surplus = unmatched(expect["notes"], seen["notes"])
    wrong += [f"no note says: {pattern}" for pattern in missing]
    wrong += [f"unexpected note: {note}" for note in surplus]
    return wrong


# --- What of it is RAM --------------------------------------------------------------------------


def guest_ram(memory_bytes):
    """RAM of QEMU's q35: up to 2 GiB below the hole, the rest from 4 GiB on. As [base, end)."""
    low = min(memory_bytes, 2 << 30)
    ram = [(0, 0xA0000), (0x100000, low)]
    return ram + ([(4 << 30, (4 << 30) + memory_bytes - low)] if memory_bytes > low else [])


def clip(ranges, ram):
    """The rule for RAM: a range owns what of it is RAM. RAM that no range covers, and a page that
    none covers whole, go to the node of the nearest range below, or of the first. Returns
    [(base, end, node)], merged."""
    pieces = [(int(item["base"], 16), int(item["end"], 16), item["node"]) for item in ranges]
    cuts = sorted({-(-edge // PAGE) * PAGE for base, end, _ in pieces for edge in (base, end)})
    result = []
    for base, end in ram:
        edges = [base, *(cut for cut in cuts if base < cut < end), end]
        for low, high in zip(edges, edges[1:]):
            below = [node for start, _, node in pieces if start <= low]
            node = below[-1] if below else pieces[0][2]
            if result and result[-1][1:] == (low, node):
                result[-1] = (result[-1][0], high, node)
            else:
                result.append((low, high, node))
    return result


def ram_notes(ranges, ram):
    """What must be said of ranges without RAM, and of RAM without a range."""
    pieces = [(int(item["base"], 16), int(item["end"], 16)) for item in ranges]
    empty = [rf"mem {base:#x}-{end - 1:#x}. of node \d+ has no RAM" for base, end in pieces
             if not any(base < high and low < end for low, high in ram)]
    uncovered = []
    for at, end in ram:
        for low, high in [*pieces, (end, end)]:
            if at < min(low, end):
                uncovered.append(f"mem {at:#x}-{min(low, end) - 1:#x}. is RAM in no range")
            at = max(at, high)
    return few(empty, "ranges without RAM") + few(uncovered, "RAM in no range")


def few(patterns, rest):
    """Of a kind of oddity the first six have a line each."""
    more = len(patterns) - NOTES_OF_A_KIND
    return patterns[:NOTES_OF_A_KIND] + ([f"and {more} more: {rest}"] if more > 0 else [])


# --- Topologies as JSON -------------------------------------------------------------------------


def topology_range(base, end, node):
    return {"base": hex(base), "end": hex(end), "node": node}


def is_of_madt(note):
    """Is a note about what the MADT alone says?"""
    return "MADT:" in note or "APIC id above" in note


def flat(expect, *notes):
    """One node that owns everything: what becomes of a machine without a usable SRAT."""
    result = copy.deepcopy(expect)
    result.update(nodes=1, domains=[0], ranges=[topology_range(0, ALL_MEMORY, 0)], distances=[[10]],
                  cpus=[{**cpu, "node": 0} for cpu in expect["cpus"]],
                  notes=[note for note in expect["notes"] if is_of_madt(note)] + list(notes))
    return result


def default_distances(count):
    return [[10 if i == j else 20 for j in range(count)] for i in range(count)]
