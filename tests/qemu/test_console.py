"""The console when nobody reads, or nobody can: what is lost is said, and never a success."""

import array
import fcntl
import os
import re
import select
import subprocess
import termios
import time

import pexpect
import pytest

from conftest import AHEAD

from hwlib import guest, qemu, topology

PIPE_BYTES = 4096  # as little as a pipe can hold: the guest soon waits for its reader
LIMIT_SECONDS = 120
RUN = 'run="help options; help options; help options; help options"'
LAST_LINE = "what a direct reclaimer keeps of the pages it frees"


def waiting_bytes(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def start(args):
    """QEMU with its output in a pipe as small as they come. Returns (child, reader)."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=writer,
                             stderr=subprocess.STDOUT, preexec_fn=guest.die_with_parent)
    os.close(writer)
    return child, reader


@pytest.fixture
def paused(iso, request, tmp_path, log_path):
    """paused(seconds): a run whose reader pauses once the pipe is full. Returns (status, output)."""
    children = []

    def run(seconds):
        args = qemu.command(topology.load("one"), iso, tmp_path, cmdline=RUN,
                            accel=request.config.getoption("--accel"))
        child, reader = start(args)
        children.append(child)
        end = time.monotonic() + LIMIT_SECONDS
        while waiting_bytes(reader) < PIPE_BYTES:
            assert child.poll() is None and time.monotonic() < end, "the pipe did not fill"
            time.sleep(0.05)
        time.sleep(seconds)
        output = b""
        while select.select([reader], [], [], max(0, end - time.monotonic()))[0]:
            chunk = os.read(reader, 65536)
            if not chunk:
                break
            output += chunk
        os.close(reader)
        text = output.decode("utf-8", "replace").replace("\r", "")
        log_path.write_text(text, encoding="utf-8")
        return child.wait(guest.KILL_LIMIT_SECONDS), text

    yield run
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait(guest.KILL_LIMIT_SECONDS)


def test_slow_reader_loses_nothing(paused):
    status, text = paused(2)
    assert status == qemu.EXIT_SUCCESS
    assert "bytes lost" not in text
    assert text.count(LAST_LINE) == 4


def test_lost_output_is_no_success(paused):
    """The reader comes back after the kernel has given up on it."""
    status, text = paused(14)
    assert status == qemu.EXIT_FAILURE
    assert text.count(LAST_LINE) < 4
    assert re.search(r"^\[[1-9]\d* bytes lost\]$", text, re.MULTILINE)
    assert "output was lost: this is no success" in text


def test_panic_with_nobody_reading(iso, request, tmp_path):
    """The console is stuck from before the panic on: each wait ends, and so does the run."""
    args = qemu.command(topology.load("one"), iso, tmp_path, cmdline=RUN[:-1] + '; crash panic"',
                        accel=request.config.getoption("--accel"), extra=AHEAD)
    child, reader = start(args)
    try:
        assert child.wait(LIMIT_SECONDS) == qemu.EXIT_PANIC
        assert waiting_bytes(reader) == PIPE_BYTES
    finally:
        child.kill()
        child.wait(guest.KILL_LIMIT_SECONDS)
        os.close(reader)


def test_without_a_uart(iso, request, tmp_path):
    """Nothing waits for a device that is not there; whether it worked, the exit code says."""
    args = qemu.command(topology.load("one"), iso, tmp_path, cmdline=RUN,
                        accel=request.config.getoption("--accel"))
    args[args.index("-serial") + 1] = "none"
    status, _, seconds = guest.capture(args, LIMIT_SECONDS)
    assert status == qemu.EXIT_SUCCESS
    assert seconds < 30


# without isa-debug-exit: (commands, what the last line says)
ENDINGS = {"success": ("numa", "success"), "failure": ("no-such-command", "FAILURE"),
           "panic": ("crash panic", "PANIC")}  # fmt: skip


@pytest.mark.parametrize("what", ENDINGS)
def test_without_the_exit_device(what, iso, request, tmp_path):
    """The machine switches itself off however the run went, and says how that was."""
    commands, word = ENDINGS[what]
    args = qemu.command(topology.load("one"), iso, tmp_path, cmdline=f'run="{commands}"',
                        accel=request.config.getoption("--accel"))
    at = next(i for i, arg in enumerate(args) if arg.startswith("isa-debug-exit"))
    del args[at - 1 : at + 1]
    status, output, _ = guest.capture(args, LIMIT_SECONDS / 2)
    assert status == 0, "power off, and no hang"
    assert guest.last_line(output) == f"machine: {word}; switching off"


def test_long_command_line(boot):
    """The run's line is cut at 2047 bytes, here inside the word `loglevel=3`: it must not count."""
    line = 'run="options" ' + "x" * 2023 + " loglevel=3 numa=off"
    assert line[:2047].endswith(" loglevel=")
    outcome = boot("one", line)
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert "the run's command line has more than 2047 bytes: from 'loglevel=' on" in outcome.output
    assert re.search(r"^loglevel +6$", outcome.output, re.MULTILINE)
    assert re.search(r"^numa +on$", outcome.output, re.MULTILINE)
    assert "loglevel=: allowed" not in outcome.output


def test_text_behind_a_nul(boot):
    outcome = boot("one", 'run="options" seed=5\0 seed=6')
    assert "what follows a NUL at byte 20 is left out" in outcome.output
    assert re.search(r"^seed +5$", outcome.output, re.MULTILINE)


# line: why nothing is run
REFUSED = {
    'seed=2 run="numa; check': "run=numa; check: quote without an end",
    '"run=numa': "run=numa: quote without an end",
    "run": "run without a value",
    "run=" + "x" * 1024: "run=: a text that is too long",
    "test=" + "x" * 1200: f"test={'x' * 35}: word too long",
    "seed=2 " + "y" * 2033 + " test=boot": "the run's command line was cut, and what is missing",
    "\\ run=numa": " run: quoted into a word that is unknown",
    'run=numa seed="4 test': "seed=4 test: quote without an end",
    "seed=3\0 run=numa": "the run's command line was cut, and what is missing",
}


@pytest.mark.parametrize("line", REFUSED, ids=range(len(REFUSED)))
def test_refused_request_is_a_failure(line, boot):
    """Whoever asked waits for an end: no prompt, no half of it, and one line that says why."""
    outcome = boot("one", line)
    assert outcome.status == qemu.EXIT_FAILURE, outcome.reason
    assert f"options: test, bench or run= was not understood ({REFUSED[line]}" in outcome.output
    assert "hw> " not in outcome.output and "available:" not in outcome.output


def test_refused_request_with_monitor(iso, request, tmp_path):
    args = qemu.command(topology.load("one"), iso, tmp_path, cmdline='loglevel=0 monitor run="numa',
                        accel=request.config.getoption("--accel"))
    child = pexpect.spawn(args[0], args[1:], timeout=LIMIT_SECONDS, encoding="utf-8")
    try:
        child.expect_exact("was not understood (run=numa: quote without an end)")
        child.expect_exact("hw> ")
        child.send("poweroff\r")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == qemu.EXIT_SUCCESS


def test_tests_and_commands(boot):
    outcome = boot("one", "run=numa test=string", test=True)
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert "options: test and run= are both given: only the tests are run" in outcome.output


def test_junk_on_the_command_line(boot):
    """Nothing of it reaches the terminal as a command, and it does not fill the screen."""
    junk = " ".join(f"\x1b[2J\x07junk{i}=\x7f\u00e9" for i in range(30))
    outcome = boot("one", junk + ' loglevel=\x1b[31m run="numa"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    kernel = outcome.output[outcome.output.index("highwater: a kernel"):]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\xff]", kernel)
    assert r"unknown option '\x1b[2J\x07junk0': `help options` lists all" in kernel
    assert kernel.count("unknown option") == 8
    assert "options: ... and 23 more words left out" in kernel


def test_reports_at_any_log_level(boot):
    outcome = boot("one", 'loglevel=0 run="memblock"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert re.search(r"^ +\d+ pages managed by the buddy allocator$", outcome.output, re.MULTILINE)
    assert re.search(r"^ +1 page: first page$", outcome.output, re.MULTILINE)
    assert re.search(r"^ +\d+ pages in all, \d+ in the firmware's map: exact$", outcome.output,
                     re.MULTILINE)
