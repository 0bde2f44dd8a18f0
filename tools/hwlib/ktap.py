"""KTAP version 1, read line by line as it arrives.

    KTAP version 1
    1..2
      KTAP version 1
      # Subtest: buddy
      1..2
      ok 1 splits
      not ok 2 merges
    not ok 1 buddy
    ok 2 numa # SKIP one node

Two blanks of indentation are one level. Lines that are not KTAP (the log, a diagnostic) are
passed over wherever they stand. Nothing is trusted: a plan must come first and be kept to the
number, results count from 1, and a suite is only as good as its cases.
Source: the kernel's own rules, as docs/testing.md states them, and the KTAP specification.
"""

import re
from dataclasses import dataclass, field

VERSION = re.compile(r"KTAP version (\d+)$")
PLAN = re.compile(r"1\.\.(\d+)(\s+#.*)?$")
RESULT = re.compile(r"(not )?ok (\d+)(?: -)?(?: ([^#]*?))?\s*(?:#\s*(SKIP\b)?\s*(.*))?$")
SUBTEST = re.compile(r"# Subtest: (.*)$")


@dataclass
class Case:
    suite: str
    name: str
    outcome: str  # passed, failed, skipped
    reason: str = ""
    notes: list = field(default_factory=list)

    @property
    def path(self):
        return f"{self.suite}.{self.name}" if self.suite else self.name


@dataclass
class Level:
    planned: int = None
    seen: int = 0
    failed: int = 0
    subtest: str = ""


class Ktap:
    """One report; with several=True as many as come, one complete after the other."""

    def __init__(self, several=False):
        self.several = several
        self.levels = []  # the outermost first
        self.cases = []
        self.problems = []  # what breaks the rules, in words
        self.notes = []  # diagnostics since the last result
        self.pending = []  # cases of the suite that is being run
        self.child_failed = None  # failures of the suite that just ended; None: no suite
        self.seen = False  # there was a report, good or bad
        self._broke_off = ""

    def feed(self, line):
        text = line.rstrip("\r\n")
        depth = (len(text) - len(text.lstrip(" "))) // 2
        text = text.strip()
        if VERSION.match(text):
            self._version(depth, VERSION.match(text)[1])
        elif not self.levels:
            return
        elif text.startswith("Bail out!"):
            self.problems.append(text)
        elif PLAN.match(text):
            self._plan(depth, int(PLAN.match(text)[1]))
        elif RESULT.match(text):
            self._result(depth, RESULT.match(text))
        elif text.startswith("#"):
            if SUBTEST.match(text):
                self.levels[-1].subtest = SUBTEST.match(text)[1]
            self.notes.append(text)

    def _version(self, depth, version):
        if version != "1":
            self.problems.append(f"KTAP version {version}, not 1")
        if self.levels and depth == 0:
            if not self.several:
                self.problems.append("a second KTAP header: the guest started again")
                return
            self._end_report()
        self._close_down_to(depth)
        if self.child_failed is not None:
            self._orphan()
        if len(self.levels) != depth:
            self.problems.append(f"a KTAP header at depth {depth} in depth {len(self.levels) - 1}")
        self.levels.append(Level())

    def _plan(self, depth, count):
        level = self._level_at(depth)
        if level is None:
            return
        if level.planned is not None:
            self.problems.append(f"a second plan at depth {depth}")
        if level.seen:
            self.problems.append("a plan after its first result")
        level.planned = count

    def _result(self, depth, match):
        failed, number, name = bool(match[1]), int(match[2]), (match[3] or "").strip()
        self._close_down_to(depth + 1)
        level = self._level_at(depth)
        if level is None:
            return
        level.seen += 1
        if level.planned is None:
            self.problems.append(f"'{name}' comes before the plan")
        if number != level.seen:
            self.problems.append(f"'{name}' has number {number}, but is result {level.seen}")
        if self.child_failed is not None:
            self._end_suite(name, failed)
        else:
            outcome = "failed" if failed else "skipped" if match[4] == "SKIP" else "passed"
            case = Case("", name, outcome, match[5] or "", self.notes)
            (self.pending if depth else self.cases).append(case)
        if failed:
            level.failed += 1
        self.notes = []

    def _end_suite(self, name, failed):
        if self.child_failed and not failed:
            self.problems.append(f"suite '{name}' is ok, but {self.child_failed} case(s) failed")
        if failed and not self.child_failed:
            self.problems.append(f"suite '{name}' is not ok, but none of its cases failed")
        for case in self.pending:
            case.suite = name
        self.cases += self.pending
        self.pending, self.child_failed = [], None

    def _orphan(self):
        self.problems.append("a suite has no result of its own")
        self.cases += self.pending
        self.pending, self.child_failed = [], None

    def _level_at(self, depth):
        if depth >= len(self.levels):
            self.problems.append(f"a line at depth {depth} without a header there")
            return None
        return self.levels[depth]

    def _close_down_to(self, count):
        """Ends levels until `count` are left: what a line further out does."""
        while len(self.levels) > max(count, 1):
            level = self.levels.pop()
            self._check_plan(level, level.subtest or f"depth {len(self.levels)}")
            self.child_failed = level.failed

    def _check_plan(self, level, where):
        if level.planned is None:
            self.problems.append(f"{where}: no plan")
        elif level.planned != level.seen:
            self.problems.append(f"{where}: {level.seen} results of {level.planned} planned")

    def finish(self):
        """Call once, when the output has ended."""
        if len(self.levels) > 1:
            level = self.levels[-1]
            self._broke_off = (f", in suite {level.subtest or '?'} after {level.seen} of "
                               f"{level.planned} results")
        if not self.levels:
            self.problems.append("no KTAP in the output")
            return
        self._end_report()
        if not self.cases:
            self.problems.append("no test ran")

    def where(self):
        """Where the report broke off, as far as results say; "" if it did not."""
        return self._broke_off

    def _end_report(self):
        self._close_down_to(1)
        if self.pending or self.child_failed is not None:
            self._orphan()
        self._check_plan(self.levels.pop(), "plan")
        self.seen = True

    def count(self, outcome):
        return sum(case.outcome == outcome for case in self.cases)

    def failures(self):
        return [case for case in self.cases if case.outcome == "failed"]

    @property
    def passed(self):
        return not self.problems and not self.failures()

    def summary(self):
        """Why it did not pass, in one line."""
        words = []
        failures = self.failures()
        if failures:
            some = ", ".join(case.path for case in failures[:3])
            words.append(f"{len(failures)} failed: {some}{', ...' if len(failures) > 3 else ''}")
        words += self.problems[:2]
        return "; ".join(words)
