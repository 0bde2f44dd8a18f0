"""A run with its output read and its time bounded, and what is to be thought of it.

    code  meaning
    0     the guest wrote success, and every KTAP report in its output is complete and has no
          failure; a test has exactly one
    1     it failed, or ended in any other way: a triple fault ends QEMU with 0, not 33
    2     it panicked
    124   it had not ended within its time; asked by an NMI, it may have said where it was
"""

import ctypes
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from . import qemu, qmp
from .ktap import Ktap

SUCCESS, FAILURE, PANIC, TIMEOUT = 0, 1, 2, 124
OUT_OF_TIME = "launch: out of time: an NMI asks the guest where it is"
REBOOT = "reboot: the machine is reset"  # kernel/commands.c
PR_SET_PDEATHSIG = 1
LAST_WORDS_SECONDS = 5  # for a panic to be printed
KILL_LIMIT_SECONDS = 20  # a process that was killed may still be waiting for a disk

# Looked up before any fork: between fork and exec nothing may take a lock.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass
class Outcome:
    code: int
    reason: str  # one line
    status: int  # QEMU's; negative: the signal that ended it
    output: str
    ktap: Ktap
    seconds: float


def die_with_parent():
    """In the child: a QEMU that hangs must not outlive a launcher that was killed."""
    if _prctl:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def capture(args, limit_seconds, on_line=None, on_timeout=None):
    """Runs args without input. Returns (status or None if out of time, output, seconds).

    When time is up and on_timeout() is true, what is still said is read before the end.
    """
    begin = time.monotonic()
    end = begin + limit_seconds
    timed_out = False
    lines = []
    partial = b""
    child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def take(line):
        text = line.decode("utf-8", "replace").replace("\r", "")
        lines.append(text)
        if on_line:
            on_line(text)

    try:
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                if left <= 0 or not selector.select(left):
                    if timed_out or not on_timeout or not on_timeout():
                        break
                    timed_out = True
                    end = time.monotonic() + LAST_WORDS_SECONDS
                    if partial:
                        take(partial)
                    take(OUT_OF_TIME.encode())
                    partial = b""
                    continue
                chunk = os.read(child.stdout.fileno(), 65536)
                if not chunk:
                    break
                *whole, partial = (partial + chunk).split(b"\n")
                for line in whole:
                    take(line)
        if partial:
            take(partial)
        # It closed its output or ran out of time; closing alone is not ending.
        try:
            status = child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            status = None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(KILL_LIMIT_SECONDS)
        child.stdout.close()
    return None if timed_out else status, "\n".join(lines), time.monotonic() - begin


def run(args, limit_seconds, *, test, on_line=None, control=None):
    """Runs a guest; control is its control socket. With test, success takes a complete KTAP plan too; without, only if it began
    one: commands may run tests, and a guest that leaves in the middle of them did not succeed."""
    ktap = Ktap(several=not test)

    def take(line):
        ktap.feed(line)
        if on_line:
            on_line(line)

    on_timeout = (lambda: qmp.inject_nmi(control)) if control else None
    status, output, seconds = capture(args, limit_seconds, take, on_timeout)
    ktap.finish()
    code, reason = judge(status, output, ktap if test or ktap.seen else None, limit_seconds)
    return Outcome(code, reason, status, output, ktap, seconds)


def judge(status, output, ktap, limit_seconds):
    if status is None:
        before, _, after = output.partition(OUT_OF_TIME)
        test = re.search(r"^while test (\S+) was running$", after, re.MULTILINE)
        where = f", in test {test[1]}" if test else ktap.where() if ktap else ""
        return TIMEOUT, f"no end within {limit_seconds:g} s{where}; last line: {last_line(before)}"
    if status == qemu.EXIT_PANIC:
        return PANIC, panic_message(output)
    if status == qemu.EXIT_FAILURE:
        return FAILURE, "the guest reports failure" + (f": {ktap.summary()}" if ktap else "")
    if status == 0 and last_line(output) == REBOOT:
        return FAILURE, "the guest was told to reboot, and a run boots once"
    if status == 0:
        return FAILURE, ("QEMU ended without a word from the guest (a triple fault does that); "
                         f"last line: {last_line(output)}")  # fmt: skip
    if status < 0:
        return FAILURE, f"QEMU was ended by {signal.Signals(-status).name}"
    if status != qemu.EXIT_SUCCESS:
        return FAILURE, f"QEMU ended with {status}: {last_line(output)}"
    if ktap and not ktap.passed:
        return FAILURE, ktap.summary()
    if ktap:
        return SUCCESS, f"{ktap.count('passed')} passed, {ktap.count('skipped')} skipped"
    return SUCCESS, "the guest reports success"


def panic_message(output):
    for line in output.splitlines():
        if re.search(r"\bpanic: ", line):
            return line.strip()
    return f"panic; last line: {last_line(output)}"


def last_line(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "(no output)"
