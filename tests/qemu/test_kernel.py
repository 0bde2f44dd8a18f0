"""The suites inside the kernel, over the machine matrix.

Every topology boots under BIOS. What differs between firmwares, chipsets and CPUs differs on any
topology, so each of those is tried on a few.
"""

import pytest

from hwlib import topology

# A terabyte's memory map is 16 GiB that the host must have, and walking it is slow: test_topology
# boots that machine and runs `check` on it.
MATRIX = [(name, {}) for name in topology.names() if name != "tera"]
MATRIX += [(name, {"firmware": "uefi"}) for name in ("two", "memoryless")]
MATRIX += [
    ("pc", {"firmware": "uefi"}),
    ("four", {"cpu": "max"}),
    ("big", {"cpu": "max"}),
    ("hole", {"cpu": "max", "firmware": "uefi"}),
    ("two", {"machine": "pc"}),
    ("eight", {"machine": "pc", "cpu": "max"}),
]


# Options that change what a test may expect. Small machines may skip what they have no memory for.
OPTIONS = ["loglevel=0", "min_free_kbytes=900000", "mem=64M numa=off", "mm.profile=before seed=7"]


@pytest.mark.parametrize("options", OPTIONS)
def test_options(options, boot, check_ktap):
    skips = ["mm_*"] if "mem=" in options else ()
    check_ktap(boot("two", f"test {options}", test=True), skips)


@pytest.mark.parametrize("name, how", MATRIX, ids=["-".join([n, *h.values()]) for n, h in MATRIX])
def test_kernel(name, how, boot, check_ktap):
    outcome = boot(name, "test", test=True, **how)
    check_ktap(outcome, topology.load(name).allowed_skips)
