"""How long the memory manager takes to come up, and that it is in proportion to the memory.

Measured in instructions (-icount), since times on a shared host say little. Each takes 16 ns of the guest's
clock: with one, the firmware's waits for a device would be most of the run.
test_topology.py prints the wall-clock figures of each machine.
"""

import re

from hwlib import guest, topology

ICOUNT = "-icount shift=4,sleep=off -rtc clock=vm -seed 1"
NS_AN_INSTRUCTION = 1 << 4
FRAMES_A_GIB = 1 << 18


def figures(outcome):
    """Microseconds in all, and for a GiB."""
    assert outcome.code == guest.SUCCESS, outcome.reason
    found = re.findall(r"memory manager up in (\d+) us: (\d+) us a GiB", outcome.output)
    assert len(found) == 1
    return int(found[0][0]), int(found[0][1])


def test_instructions_a_frame(boot, record_property):
    """A frame costs a few instructions, and no more of them on a machine with 64 times the memory."""
    took = {name: figures(boot(name, 'run="meminfo"', extra=ICOUNT))[0] for name in ("two", "big")}
    gib = {name: topology.load(name).memory_bytes() >> 30 for name in took}
    more = ((took["big"] - took["two"]) * 1000 / NS_AN_INSTRUCTION
            / ((gib["big"] - gib["two"]) * FRAMES_A_GIB))
    record_property("figures", f"{more:.2f} instructions for each further frame")
    assert 1 < more < 8
    assert took["big"] < took["two"] * gib["big"] / gib["two"]
