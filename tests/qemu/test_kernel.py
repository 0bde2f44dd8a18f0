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
# All suites take a minute on the largest machine. Each case has its own limit, inside: this one is for a guest that is gone.
LIMIT_SECONDS = 480

# What looks for races, on CPUs that run at the same time also where qemu.accel_for() would put them into one thread.
RACES = ["stress", "slab_stress", "slab_fallback_races", "threads", "thread_ends", "restart", "pcp*"]

# Options that change what a test may expect. Small machines may skip what they have no memory for.
OPTIONS = ["loglevel=0", "min_free_kbytes=900000", "mem=64M numa=off", "mm.profile=before seed=7"]


@pytest.mark.parametrize("options", OPTIONS)
def test_options(options, boot, check_ktap):
    skips = ["mm_*", "slab_fallback*"] if "mem=" in options else ()
    check_ktap(boot("two", f"test {options}", test=True, limit_seconds=LIMIT_SECONDS), skips)


@pytest.mark.parametrize("name, how", MATRIX, ids=["-".join([n, *h.values()]) for n, h in MATRIX])
def test_kernel(name, how, boot, check_ktap):
    outcome = boot(name, "test", test=True, limit_seconds=LIMIT_SECONDS, **how)
    check_ktap(outcome, topology.load(name).allowed_skips)


def test_at_once(boot, check_ktap):
    outcome = boot("two", f"test={','.join(RACES)}", test=True, accel="tcg,thread=multi")
    check_ktap(outcome, topology.load("two").allowed_skips)
