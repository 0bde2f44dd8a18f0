"""The host's test binaries: mm/ and the parsers under sanitizers. Each prints KTAP."""

import subprocess
from pathlib import Path

import pytest

from hwlib import guest
from hwlib.ktap import Ktap

LIMIT_SECONDS = 600

# Under ThreadSanitizer only what has several CPUs: it looks for nothing else, and takes its time.
SUITES = {"tests-tsan": "cpuset,fault_inject,lock,lockcheck,mempolicy,pcp,request,stress,threads,trace"}

# An atomic operation is its runtime's there: it faults where no handler may run.
ALLOWED_SKIPS = {"tests-tsan": ["pcp.of_two_at_once_one_owns"]}


def binaries(config):
    return sorted((Path(config.getoption("--build")) / "host").glob("tests-*"))


def pytest_generate_tests(metafunc):
    if "binary" in metafunc.fixturenames:
        found = binaries(metafunc.config)
        metafunc.parametrize("binary", found, ids=[path.name for path in found])


def test_host(binary, check_ktap, log_path):
    suites = [SUITES[binary.name]] if binary.name in SUITES else []
    status, output, seconds = guest.capture([str(binary), *suites], LIMIT_SECONDS)
    log_path.write_text(output, encoding="utf-8")
    print(output[-6000:])
    ktap = Ktap()
    for line in output.splitlines():
        ktap.feed(line)
    ktap.finish()
    if status is None:
        code, reason = guest.TIMEOUT, f"no end within {LIMIT_SECONDS} s"
    elif status != 0 or not ktap.passed:
        code, reason = guest.FAILURE, f"exit {status}; {ktap.summary()}"
    else:
        code, reason = guest.SUCCESS, ""
    check_ktap(guest.Outcome(code, reason, status, output, ktap, seconds),
               ALLOWED_SKIPS.get(binary.name, ()))


def test_there_is_a_binary(request):
    """An empty list above would be an item that is skipped, and nobody would see it."""
    assert {path.name for path in binaries(request.config)} == {"tests-asan", "tests-tsan"}


def test_a_race_is_seen(request):
    """Two CPUs count without a lock, so tests-tsan must fail; tests-asan cannot know."""
    for binary in binaries(request.config):
        done = subprocess.run([str(binary), "crash_race"], capture_output=True, timeout=60,
                              check=False)
        races = b"ThreadSanitizer: data race" in done.stderr and b"count_wrongly" in done.stderr
        assert races == (binary.name == "tests-tsan")
        assert (done.returncode != 0) == races


@pytest.mark.parametrize("glob", ["no_such_suite", "no_such_suite.case", ",", ",,"])
def test_unknown_name_fails(request, glob):
    """A misspelt test name must not look like success."""
    for binary in binaries(request.config):
        done = subprocess.run([str(binary), glob], capture_output=True, timeout=60, check=False)
        assert done.returncode != 0
        assert b"1..1\n" in done.stdout and b"not ok 1 " in done.stdout
