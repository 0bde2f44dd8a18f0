"""The monitor as a person meets it: a terminal, a prompt, mistakes in the input."""

import os
import re
import sys

import pexpect
import pytest

from conftest import ROOT

PROMPT = "hw> "
LIMIT_SECONDS = 60


def spawn(command, arguments, log_path, cmdline=""):
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment["HIGHWATER_CMDLINE"] = cmdline
    return pexpect.spawn(command, arguments, cwd=str(ROOT), env=environment, timeout=LIMIT_SECONDS,
                         encoding="utf-8", codec_errors="replace", echo=False,
                         logfile=log_path.open("w", encoding="utf-8"))


class Console:
    def __init__(self, child):
        self.child = child
        child.expect_exact(PROMPT)

    def ask(self, line):
        """What the monitor answers to a line, without its echo."""
        self.child.send(line + "\r")
        self.child.expect_exact(PROMPT)
        return self.child.before.replace("\r", "").partition("\n")[2]

    def leave(self, keys):
        self.child.send(keys)
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
def console(iso, log_path):
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path)
    yield Console(child)
    child.close(force=True)


def test_make_run(log_path):
    """The README's command: the terminal reaches the kernel, and Ctrl-A X leaves."""
    child = spawn("make", ["run"], log_path)
    console = Console(child)
    assert "available: 2 nodes (0-1)" in console.ask("numa")
    assert console.leave("\x01x") == 0


def test_reboot_comes_back(console):
    console.child.send("reboot\r")
    console.child.expect_exact("Booting `Highwater'")
    console.child.expect_exact(PROMPT)
    assert console.leave("poweroff\r") == 0


@pytest.mark.parametrize("cmdline, code", [
    ('run="crash triple_fault"', 1),
    ('run="crash panic"', 2),
    ('run="no-such-command"', 1),
    ('run="numa; check"', 0),
    ("test=list", 0),
    ("test=crash_short_plan", 1),
    ('run="test crash_short_plan"', 1),
    ('run="no-such-command; poweroff"', 1),
], ids=["triple fault", "panic", "bad command", "run", "test", "short plan", "short plan in run=",
        "poweroff after a failure"])  # fmt: skip
def test_how_a_run_at_the_terminal_ends(cmdline, code, iso, log_path):
    """QEMU ends with 0 both when a person leaves and when the CPU resets: the launcher tells."""
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path, cmdline)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code


def test_help_names_every_command(console):
    listed = re.findall(r"^  (\w+) ", console.ask("help"), re.MULTILINE)
    for name in ("numa", "buddyinfo", "zoneinfo", "meminfo", "alloc", "free", "check", "test",
                 "policy", "poweroff", "reboot", "help"):  # fmt: skip
        assert name in listed
    for name in listed:
        answer = console.ask(f"help {name}")
        assert answer and "no command" not in answer, name


def free_kib(console):
    return int(re.search(r"^MemFree: +(\d+) kB$", console.ask("meminfo"), re.MULTILINE)[1])


def test_alloc_and_free_by_hand(console):
    """An allocation is seen in the figures, and gone again after free."""
    before = free_kib(console)
    said = console.ask("alloc 3 node=1")
    assert "node 1" in said
    assert free_kib(console) == before - 32
    console.ask("free all")
    assert free_kib(console) == before
    assert "invariants hold" in console.ask("check")


BAD_LINES = [
    "nonsense", "numb", "alloc", "alloc 11", "alloc -1", "alloc x", "alloc 0 node=9",
    "alloc 0 node=", "alloc 0 gfp=GFP_NOTHING", "alloc 99999999999999999999", "free", "free 12345",
    "free x", "help nonsense", "numa extra", "check extra", ";;;", "x" * 3000, "a " * 60,
    "\t\x7f\x1b[A", "test no_such_suite", "%s%n%x", "alloc 0 " * 9, "\x80\xff",
]  # fmt: skip


def test_bad_input(console):
    """Whatever is typed, an answer comes and the monitor goes on."""
    before = free_kib(console)
    for line in BAD_LINES:
        answer = console.ask(line)
        assert "panic" not in answer and len(answer) < 4000, line
    assert "available: 2 nodes" in console.ask("numa")
    assert "invariants hold" in console.ask("check")
    console.ask("free all")
    assert free_kib(console) == before


def test_line_editing(console):
    """Backspace takes back what was typed."""
    assert "available: 2 nodes" in console.ask("numx\x7fa")


def test_poweroff(console):
    assert console.leave("poweroff\r") == 0


def test_panic_is_the_launchers_2(console):
    assert console.leave("crash panic\r") == 2
