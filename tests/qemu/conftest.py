"""What the tests here share: booting a topology, running the launcher, recording KTAP."""

import contextlib
import fcntl
import fnmatch
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from hwlib import guest, qemu, topology  # noqa: E402

# A guest whose clock runs ahead: each instruction is a microsecond, and time that nobody uses is left out. Ten
# seconds of waiting, which a test of a time-out has much of, take one or two. Its CPUs share one thread.
AHEAD = "-icount shift=10,sleep=off -rtc clock=vm"

BOOT_LIMIT_SECONDS = 180  # a loaded machine with two CPUs; a boot with all suites takes seconds


def pytest_addoption(parser):
    parser.addoption("--accel", default="tcg", help="what QEMU runs on")
    parser.addoption("--build", default=str(ROOT / "build"), help="where the ISO and binaries are")


# Half of the time goes into these few.
LONG = ("test_host.py", "test_kernel.py", "test_soak.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """The long ones first, dealt out to all workers: xdist gives each at first so many as follow one another, an
    eighth of all where there are two, and one worker alone had most of what takes long."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    long = [item for item in items if item.path.name in LONG]
    others = [item for item in items if item.path.name not in LONG]
    chunk = max(len(items) // (4 * workers), 2)
    items.clear()
    for worker in range(workers):
        items += long[worker::workers]
        others_here = max(chunk - len(long[worker::workers]), 0)
        items += others[:others_here]
        del others[:others_here]
    items += others


@pytest.fixture(scope="session")
def build(request):
    return Path(request.config.getoption("--build"))


@pytest.fixture(scope="session")
def iso(build):
    return build / "highwater.iso"


@pytest.fixture
def log_path(build, request):
    """Each test's output is kept, for whoever has to find out."""
    directory = build / "test-logs"
    directory.mkdir(exist_ok=True)
    return directory / (re.sub(r"[^\w.-]+", "-", request.node.name).strip("-") + ".log")


@contextlib.contextmanager
def room_on_host(mib):
    """For a guest that needs much of the host: one at a time, and none where it does not fit."""
    if not mib:
        yield
        return
    with (ROOT / "build" / ".large-guest").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another holds it for one boot, which is bounded
        available = int(re.search(r"^MemAvailable: +(\d+) kB",
                                  Path("/proc/meminfo").read_text(), re.MULTILINE)[1]) >> 10
        if available < mib:
            pytest.skip(f"the host has {available} MiB free, this machine needs {mib}")
        yield


def noise(output):
    """Lines within a complete report of all suites that belong neither to it nor to the log."""
    report, end, _ = output.partition("KTAP version 1")[2].partition("# Totals:")
    lines = report.split("\n")[1:-1] if end else []
    return [line for line in lines
            if not re.match(r"\[ *\d+\.\d+\] | *(ok|not ok|KTAP|#|1\.\.)", line)]


@pytest.fixture
def boot(iso, request, log_path):
    """boot(name, cmdline, test=False, **how): runs a topology and returns its guest.Outcome."""

    def run(name, cmdline, *, test=False, limit_seconds=BOOT_LIMIT_SECONDS, **how):
        shape = topology.load(name)
        with room_on_host(shape.needs_host_mib), \
                tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
            # One of the host's CPUs for each guest: as many tests run at a time as there are.
            how.setdefault("accel", qemu.accel_for(request.config.getoption("--accel"),
                                                   shape.nr_cpus(), host=1))
            args = qemu.command(shape, iso, workdir, cmdline=cmdline, **how)
            outcome = guest.run(args, limit_seconds, test=test,
                                control=qemu.control_socket(workdir))
        text = f"{shlex.join(args)}\n# command line: {cmdline}\n{outcome.output}\n"
        log_path.write_text(text, encoding="utf-8")
        print(text[-6000:])
        assert not test or noise(outcome.output) == [], "what commands print in tests is diagnostics"
        return outcome

    return run


@pytest.fixture
def launch(iso, log_path):
    """launch(*arguments, cmdline="", extra="", limit_seconds=): tools/launch.py as a user would run it."""

    def run(*arguments, cmdline="", extra="", image=iso, limit_seconds=BOOT_LIMIT_SECONDS):
        args = [sys.executable, "-B", str(ROOT / "tools" / "launch.py"), "--iso", str(image),
                "--timeout", str(limit_seconds), *arguments]  # fmt: skip
        environment = dict(os.environ, HIGHWATER_CMDLINE=cmdline, HIGHWATER_QEMUEXTRA=extra)
        # The launcher's own bound must hold: this one only keeps a broken launcher from
        # stopping the tests.
        done = subprocess.run(args, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", timeout=limit_seconds + 60, check=False)
        log_path.write_text(done.stdout, encoding="utf-8")
        print(done.stdout[-6000:])
        return done

    return run


@pytest.fixture
def check_ktap(record_property):
    """check_ktap(outcome, allowed_skips): it passed, and skipped only what may skip."""

    def check(outcome, allowed_skips=()):
        ktap = outcome.ktap
        outcomes = ("passed", "failed", "skipped")
        record_property("ktap", {outcome: ktap.count(outcome) for outcome in outcomes})
        for case in ktap.failures():
            print("\n".join([f"not ok {case.path}", *case.notes]))
        assert outcome.code == guest.SUCCESS, outcome.reason
        wrong = [f"{case.path}: {case.reason}" for case in ktap.cases if case.outcome == "skipped"
                 and not any(fnmatch.fnmatchcase(case.path, glob) for glob in allowed_skips)]
        assert not wrong, "skipped, but not in allowed_skips: " + "; ".join(wrong)

    return check
