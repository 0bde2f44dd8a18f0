#!/usr/bin/env python3
"""`make test`: runs pytest over this directory on all CPUs and prints one line of counts last.

A test that carries KTAP counts as its cases, any other as one. The exit code is 0 only if
something ran and nothing failed, whatever pytest itself thought of it.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Counter:
    """A pytest plugin of the controlling process: xdist brings it every worker's reports."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def pytest_runtest_logreport(self, report):
        properties = dict(report.user_properties) if report.when == "call" else {}
        ktap = properties.get("ktap")
        if report.when == "call" or not report.passed:
            show(report, ktap, properties.get("figures"))
        if ktap:
            for outcome in self.counts:
                self.counts[outcome] += ktap[outcome]
            # Failed beside its cases: a wrong exit code, a plan not kept.
            if report.failed and not ktap["failed"]:
                self.counts["failed"] += 1
        elif report.when == "call" or not report.passed:
            self.counts[report.outcome] += 1

    def pytest_collectreport(self, report):
        if report.failed:
            self.counts["failed"] += 1

    def pytest_report_teststatus(self, report):
        # pytest's own progress stays silent: show() has more to say.
        return (report.outcome, "", "") if report.when == "call" or not report.passed else None


def show(report, ktap, figures):
    word = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}[report.outcome]
    cases = f"{ktap['passed'] + ktap['failed'] + ktap['skipped']} cases, " if ktap else ""
    cases += f"{figures}, " if figures else ""
    name = report.nodeid.rpartition("/")[2].removeprefix("test_").replace(".py::test_", ": ")
    print(f"  {word:7} {name} ({cases}{report.duration:.1f} s)", flush=True)


def main():
    lacking = [name for name in ("pytest", "xdist", "pexpect", "hypothesis") if not find_spec(name)]
    if lacking:
        print(f"make test needs Python's {', '.join(lacking)}: make doctor", file=sys.stderr)
        return 1
    import pytest

    counter = Counter()
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    status = pytest.main(
        ["-c", str(HERE / "pytest.ini"), "-q", "-n", str(workers), str(HERE), *sys.argv[1:]],
        plugins=[counter],
    )
    counts = counter.counts
    if not sum(counts.values()):
        print("no test ran", file=sys.stderr)
    elif status and not counts["failed"]:
        # An interrupt, an internal error: whatever it was, it is no success.
        print(f"pytest ended with {int(status)}", file=sys.stderr)
        counts["failed"] = 1
    sys.stderr.flush()
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped",
          flush=True)
    return 0 if status == 0 and counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
