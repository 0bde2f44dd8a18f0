"""Fallback between nodes under the policies that are not the default, and its experiment at the prompt."""

import re

import pytest

from test_monitor import PROMPT, session
from test_pressure import free_pages


@pytest.mark.parametrize("behaviour", ["before", "posted"])
def test_what_it_gets_wrong(behaviour, boot, check_ktap):
    """The cases look at what was booted, and assert its failures (docs/fallback.md)."""
    outcome = boot("four", f"test=slab_fallback,slab_fallback_races mm.fallback={behaviour}", test=True)
    check_ktap(outcome)
    assert ("BUG: a request that may sleep, with interrupts off" in outcome.output) == (behaviour == "posted")


@pytest.fixture
def console(iso, log_path):
    with session(iso, log_path, "--topology", "pair") as console:
        yield console


def test_ctrl_c(console):
    """In any phase; nothing is left behind."""
    before = free_pages(console.ask("meminfo"))[0]
    for line in ("phase=policies", "phase=full_cache", "phase=cpuset"):
        console.child.send("experiment fallback\r")
        console.child.expect_exact(line)
        console.child.send("\x03")
        console.child.expect_exact("^C")
        console.child.expect_exact(PROMPT)
    assert before - free_pages(console.ask("meminfo"))[0] < 800
    assert "invariants hold" in console.ask("check")
    assert console.ask("cpuset").count("nodes") <= 1  # nobody is bound


def test_without_memory(console):
    """One of its requests fails: it says so, or goes on; all is back."""
    console.ask("experiment fallback")
    before, ended = free_pages(console.ask("meminfo"))[0], 0
    for nth in (1, 2, 3, 4, 6, 9, 14, 21):
        console.ask(f"fault set nth={nth}")
        said = console.ask("experiment fallback")
        console.ask("fault off")
        ended += bool(re.search(r"experiment: (no memory to begin with|\w+ came to no end)", said))
        after = free_pages(console.ask("meminfo"))[0]
        assert abs(before - after) <= 64, f"{nth}: {before} pages, {after} after"
    assert ended >= 2
    assert re.search(r"^check: all \d+ invariants hold", console.ask("check"), re.MULTILINE)
