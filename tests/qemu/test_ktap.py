"""The KTAP reader: what is a pass, and everything that is not."""

import pytest

from hwlib.ktap import Ktap

GOOD = """\
[    0.000001] boot: text before
KTAP version 1
1..2
  KTAP version 1
  # Subtest: buddy
  1..2
[    0.100000] mm: a log line in between
  ok 1 splits
  # a diagnostic
  ok 2 merges # SKIP one node
ok 1 buddy
  KTAP version 1
  1..1
  ok 1 - distance
ok 2 numa
text after"""


def read(text):
    ktap = Ktap()
    for line in text.split("\n"):
        ktap.feed(line + "\r\n")
    ktap.finish()
    return ktap


def test_good():
    ktap = read(GOOD)
    assert ktap.passed, ktap.summary()
    assert [case.path for case in ktap.cases] == ["buddy.splits", "buddy.merges", "numa.distance"]
    assert ktap.count("passed") == 2 and ktap.count("skipped") == 1
    assert ktap.cases[1].reason == "one node"


def test_flat():
    assert read("KTAP version 1\n1..2\nok 1 a\nok 2 b").passed


def read_several(text):
    ktap = Ktap(several=True)
    for line in text.split("\n"):
        ktap.feed(line)
    ktap.finish()
    return ktap


def test_several_reports():
    """What commands of a run print: each report is judged, and none of them may be cut short."""
    ktap = read_several(GOOD + "\n" + GOOD)
    assert ktap.passed and ktap.count("passed") == 4
    for at in (GOOD.index("ok 1 buddy"), GOOD.index("ok 2 numa"), GOOD.index("1..2")):
        assert not read_several(GOOD[:at] + "\n" + GOOD).passed
        assert not read_several(GOOD + "\n" + GOOD[:at]).passed
    assert not read_several(GOOD.replace("  ok 1 s", "  not ok 1 s") + "\n" + GOOD).passed


BROKEN = {
    "nothing": "",
    "only log": "[    0.1] boot: fine",
    "no plan": "KTAP version 1\nok 1 a",
    "empty plan": "KTAP version 1\n1..0",
    "cut after a suite": GOOD[: GOOD.index("ok 1 buddy") + 11],
    "cut inside a suite": GOOD[: GOOD.index("  ok 2 merges")],
    "cut before the suite's result": GOOD[: GOOD.index("ok 2 numa")],
    "nested plan short": GOOD.replace("  1..2", "  1..3"),
    "nested plan long": GOOD.replace("  1..2", "  1..1"),
    "nested plan missing": GOOD.replace("  1..1\n", ""),
    "outer plan short": GOOD.replace("1..2\n  KTAP", "1..3\n  KTAP"),
    "outer plan long": GOOD.replace("1..2\n  KTAP", "1..1\n  KTAP"),
    "suite's result missing": GOOD.replace("ok 1 buddy\n", ""),
    "case failed": GOOD.replace("ok 1 splits", "not ok 1 splits").replace("ok 1 b", "not ok 1 b"),
    "case failed, suite ok": GOOD.replace("  ok 1 splits", "  not ok 1 splits"),
    "suite failed, cases ok": GOOD.replace("ok 1 buddy", "not ok 1 buddy"),
    "wrong number": GOOD.replace("ok 2 merges", "ok 3 merges"),
    "number twice": GOOD.replace("ok 2 merges", "ok 1 merges"),
    "started twice": GOOD + "\n" + GOOD,
    "bail out": GOOD.replace("text after", "Bail out! no memory"),
    "other version": GOOD.replace("version 1", "version 2"),
    "log line glued to a result": GOOD.replace("  ok 1 splits", "  ok[ 0.1] mm: x 1 splits"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken(what):
    ktap = read(BROKEN[what])
    assert not ktap.passed
    assert ktap.summary()
