"""The host's test binaries: mm/ and the parsers under sanitizers. Each prints KTAP."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest

from hwlib import guest
from hwlib.ktap import Ktap

LIMIT_SECONDS = 600

# Under ThreadSanitizer only what has several threads: it looks for nothing else, and takes its time.
# In three parts of about the same length, for pytest's workers. test_host[tests-asan] fails if a case
# with threads is in none of them.
PARTS = {
    "tests-asan": None,
    "tests-tsan-1": "kswapd,lru_stress,last_hope,lock,lru_writes.waiting*,mempolicy.an_interrupt*,"
                    "mempolicy.what_must*,nobody_ends.*nodes_writes*,reclaim.dirty*,restart,"
                    "shrinker,slab_cache_stacks.who_closes*,slab_fallback_caller.f8*,"
                    "slab_debug.two_free*,slab_debug_goes_on.who_does*,slab_reap,"
                    "slab_request.there_when*,thread_sleep,threads,throttle,trace",
    "tests-tsan-2": "check_contexts.the_list_is*,check_patience,cpuset,fault_inject,oom,oom_victims,"
                    "page_cache,request,target_races.dirty*,target_threads",
    "tests-tsan-3": "slab_stress,soak,stress",
}

# But for those named above, their only thread is the one that reaps, which sleeps.
NOT_UNDER_TSAN = ["slab_debug*", "check_slab_debug.*"]

# A panic leaves threads behind, which it reports.
ALLOWED_SKIPS = {"tests-tsan-3": ["soak.a_hang_is_seen"]}

# What the harness says of a case with HOST_TIMES=1.
TIMES = re.compile(r"# \w+: \d+ ms of CPU in \d+ ms, (\d+) threads")


def binaries(config):
    return sorted((Path(config.getoption("--build")) / "host").glob("tests-*"))


def binary_of(part):
    return "-".join(part.split("-")[:2])


def forgotten(ktap):
    """Cases that had threads and are in no part for ThreadSanitizer."""
    globs = [glob for part, suites in PARTS.items() if suites for glob in suites.split(",")]
    globs += [f"{glob}.*" for glob in globs if "." not in glob] + NOT_UNDER_TSAN
    with_threads = [case.path for case in ktap.cases for note in case.notes
                    if (times := TIMES.match(note)) and int(times[1]) > 0]
    assert with_threads, "the harness says of no case what it took"
    return [path for path in with_threads
            if not any(fnmatch.fnmatchcase(path, glob) for glob in globs)]


@pytest.mark.parametrize("part", PARTS)
def test_host(part, request, monkeypatch, check_ktap, log_path):
    monkeypatch.setenv("HOST_TIMES", "1")
    binary = Path(request.config.getoption("--build")) / "host" / binary_of(part)
    suites = [PARTS[part]] if PARTS[part] else []
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
               ALLOWED_SKIPS.get(part, ()))
    if not suites:
        assert not forgotten(ktap), "has threads; should be tried under ThreadSanitizer"


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
