"""The console when nobody reads, or nobody can: what is lost is said, and never a success."""

import array
import fcntl
import os
import re
import select
import subprocess
import termios
import time

import pytest

from hwlib import guest, qemu, topology

PIPE_BYTES = 4096  # as little as a pipe can hold: the guest soon waits for its reader
LIMIT_SECONDS = 120
RUN = 'run="help options; help options; help options; help options"'
LAST_LINE = "what a direct reclaimer keeps of the pages it frees"


def waiting_bytes(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


@pytest.fixture
def paused(iso, request, tmp_path, log_path):
    """paused(seconds): a run whose reader pauses once the pipe is full. Returns (status, output)."""
    children = []

    def run(seconds):
        args = qemu.command(topology.load("one"), iso, tmp_path, cmdline=RUN,
                            accel=request.config.getoption("--accel"))
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=writer,
                                 stderr=subprocess.STDOUT, preexec_fn=guest.die_with_parent)
        children.append(child)
        os.close(writer)
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
    status, text = paused(4)
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
