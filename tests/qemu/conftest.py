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

BOOT_LIMIT_SECONDS = 180  # a loaded machine with two CPUs; a boot with all suites takes seconds


def pytest_addoption(parser):
    parser.addoption("--accel", default="tcg", help="what QEMU runs on")
    parser.addoption("--build", default=str(ROOT / "build"), help="where the ISO and binaries are")


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


@pytest.fixture
def boot(iso, request, log_path):
    """boot(name, cmdline, test=False, **how): runs a topology and returns its guest.Outcome."""

    def run(name, cmdline, *, test=False, limit_seconds=BOOT_LIMIT_SECONDS, **how):
        shape = topology.load(name)
        with room_on_host(shape.needs_host_mib), \
                tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
            args = qemu.command(shape, iso, workdir, cmdline=cmdline,
                                accel=request.config.getoption("--accel"), **how)
            outcome = guest.run(args, limit_seconds, test=test,
                                control=qemu.control_socket(workdir))
        text = f"{shlex.join(args)}\n# command line: {cmdline}\n{outcome.output}\n"
        log_path.write_text(text, encoding="utf-8")
        print(text[-6000:])
        return outcome

    return run


@pytest.fixture
def launch(iso, log_path):
    """launch(*arguments, cmdline="", limit_seconds=): tools/launch.py as a user would run it."""

    def run(*arguments, cmdline="", image=iso, limit_seconds=BOOT_LIMIT_SECONDS):
        args = [sys.executable, "-B", str(ROOT / "tools" / "launch.py"), "--iso", str(image),
                "--timeout", str(limit_seconds), *arguments]  # fmt: skip
        environment = dict(os.environ, HIGHWATER_CMDLINE=cmdline, HIGHWATER_QEMUEXTRA="")
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
