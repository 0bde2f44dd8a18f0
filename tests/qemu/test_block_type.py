"""Block types as they are booted, and `pagetypeinfo` in Linux's layout."""

import re

import pytest

from hwlib import guest

ORDERS = 11
RUN = 'run="pagetypeinfo; buddyinfo; alloc 0 gfp=GFP_KERNEL; pagetypeinfo; check" '


@pytest.mark.parametrize("switch", ["on", "off"])
def test_the_mix(switch, boot, check_ktap):
    outcome = boot("two", f"test=block_type mm.block_types={switch}", test=True)
    check_ktap(outcome, ())
    found = re.search(r"types (\w+): \d+ requests; \d+ pages that stay, in (\d+) of (\d+) ",
                      outcome.output)
    assert found[1] == switch
    assert (int(found[2]) * 2 <= int(found[3])) == (switch == "on")


def free_blocks(text, word):
    """{(node, zone): counts}, summed over types."""
    rows = {}
    for node, zone, counts in re.findall(
            rf"^Node +(\d+), zone +(\w+){word} +((?:\d+ +){{{ORDERS}}})$", text, re.MULTILINE):
        counts = [int(count) for count in counts.split()]
        before = rows.get((node, zone), [0] * ORDERS)
        rows[node, zone] = [a + b for a, b in zip(before, counts)]
    return rows


@pytest.mark.parametrize("switch", ["on", "off"])
def test_pagetypeinfo(switch, boot):
    """The layout of /proc/pagetypeinfo; its free blocks are those of buddyinfo."""
    outcome = boot("two", RUN + f"mm.block_types={switch}")
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output.replace("\r", "")
    assert "\nPage block order: 9\nPages per block:  512\n\n" in text
    assert re.search(r"^Free pages count per migrate type at order  +0  +1 .* 10 $", text,
                     re.MULTILINE)
    first = text.split("Page block order")[1]
    by_type = free_blocks(first, r", type +(?:Unmovable|Movable)")
    assert by_type and by_type == free_blocks(first, "")
    blocks = re.findall(r"^Node \d+, zone +\w+ +(\d+) +(\d+) $", text, re.MULTILINE)
    assert len(blocks) == 2 * len(by_type)
    movable = sum(int(block[1]) for block in blocks)
    assert (movable > 0) == (switch == "on")
