"""What a page costs that reclaim must take from a cache first does not depend on how much memory there is.

Instructions, under -icount, of tests/kernel/test_reclaim_cost.c: single pages by GFP_KERNEL through kswapd and
direct reclaim, then blocks of order 9. A 32nd of memory is cache, so the lists grow as the memory does. 64 GiB
are not had by the host: what is not touched is not there (reserve=off), and the rest is struct pages.
"""

import re

import pytest

from hwlib import guest, qemu

LIMIT_SECONDS = 400  # 64 GiB: 20 on an idle host
SIZES = (1, 8, 64)
ICOUNT = ["-cpu", "max", "-accel", "tcg", "-icount", "shift=0,sleep=off",
          "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1", "-smp", "1"]  # fmt: skip

# More than at 1 GiB, at most. Seen: 1.08 for single pages, of which kswapd frees a larger share where there is
# more memory; 8 and 64 GiB differ by 1 %.
MOST = 1.15
# The search for a block looks at pages, and how many is bounded for any size of memory, by SEARCH_BLOCKS << 9 and the
# rest of the last block. A block that its first page rules out is soon passed: 31 of 32 are, here, put
# aside. (What the three sizes and another bound took fits 407 a page, 79 and 30 to 0.3 %.)
TICKS_A_LOOK, LESS_A_BLOCK = 79, 30
MOST_LOOKS = 65 << 9


def figures(line):
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)\b", line)}


def measure(gib, iso, tmp_path):
    command = ["qemu-system-x86_64", *ICOUNT, "-m", f"{gib}G",
               "-object", f"memory-backend-ram,id=m0,size={gib}G,reserve=off",
               "-numa", "node,nodeid=0,cpus=0,memdev=m0",
               *qemu.guest_arguments(iso, str(tmp_path), cmdline="test=reclaim_cost lockcheck=0")]  # fmt: skip
    outcome = guest.run(command, LIMIT_SECONDS, test=True, control=qemu.control_socket(str(tmp_path)))
    assert outcome.code == guest.SUCCESS, f"{gib} GiB: {outcome.reason}"
    return {name: figures(rest) for name, rest in re.findall(r"COST name=(\w+) (.*)", outcome.output)}


@pytest.fixture(scope="module")
def measured(iso, tmp_path_factory):
    return {gib: measure(gib, iso, tmp_path_factory.mktemp(f"gib{gib}")) for gib in SIZES}


def ticks_a_page(of, name):
    search = (TICKS_A_LOOK * of[name].get("looked_pages", 0)
              - LESS_A_BLOCK * of[name].get("looked", 0))
    return (of[name]["ticks"] - search) / of[name]["evicted"]


@pytest.mark.parametrize("name", ["order_0", "order_9"])
def test_a_page_costs_the_same(measured, name, record_property):
    cost = {gib: ticks_a_page(of, name) for gib, of in measured.items()}
    text = ", ".join(f"{gib} GiB {ticks:.0f}" for gib, ticks in cost.items())
    print(f"{name}: instructions a page: {text}")
    record_property("figures", text)
    for gib in SIZES[1:]:
        assert cost[gib] <= cost[1] * MOST, text


def test_a_search_is_bounded(measured):
    for gib, of in measured.items():
        assert 0 < of["order_9"]["looked_pages"] <= 8 * MOST_LOOKS, gib  # eight requests


def test_the_mechanisms_ran(measured):
    for gib, of in measured.items():
        assert of["order_0"]["evicted"] > 30000, gib
        assert of["order_9"]["completed"] > 0 and of["order_9"]["evicted"] >= 512, gib
