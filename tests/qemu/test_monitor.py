"""The monitor as a person meets it: a terminal, a prompt, mistakes in the input."""

import contextlib
import os
import re
import sys
import time

import pexpect
import pytest

from conftest import ROOT, noise

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


@contextlib.contextmanager
def session(iso, log_path, *arguments):
    """A Console of tools/launch.py, which ends with the block."""
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso), *arguments], log_path)
    try:
        yield Console(child)
    finally:
        child.close(force=True)


@pytest.fixture
def console(iso, log_path):
    with session(iso, log_path) as console:
        yield console


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


# --- The terminal --------------------------------------------------------------------------------

class Terminal:
    """80 columns as a VT100 has them: enough of it to see what a person sees."""

    def __init__(self, child, rows=24, columns=80):
        self.child, self.rows, self.columns = child, rows, columns
        self.lines, self.row, self.column = [""], 0, 0
        self.rest = ""

    def put(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            sequence = re.match(r"\x1b(\[[0-9;?]*[@-~]|[78])", text)
            if text[0] == "\x1b" and not sequence:
                self.rest = text
                return
            if sequence:
                if sequence[0].endswith("[2J"):
                    self.lines, self.row, self.column = [""], 0, 0
                text = text[sequence.end():]
                continue
            self.char(text[0])
            text = text[1:]

    def char(self, c):
        if c == "\r":
            self.column = 0
        elif c == "\b":
            self.column = max(self.column - 1, 0)
        elif c == "\n":
            self.row += 1
            self.lines.append("")
            self.column = 0
        else:
            if self.column == self.columns:
                self.char("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + c + line[self.column + 1:]
            self.column += 1

    def wait(self, pattern):
        """Reads until the row with the cursor matches, in full, but something in any case."""
        self.read_until(lambda: re.fullmatch(pattern, self.lines[self.row].rstrip()), pattern)

    def find(self, pattern, start=0):
        """Reads until some row from `start` on matches, in full."""
        def found():
            return any(re.fullmatch(pattern, line.rstrip()) for line in self.lines[start:])
        if not found():
            self.read_until(found, pattern)

    def read_until(self, done, what):
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            assert time.monotonic() < deadline, (what, self.lines[-5:])
            try:
                self.put(self.child.read_nonblocking(4096, timeout=1))
            except pexpect.TIMEOUT:
                continue
            if done():
                return

    def type(self, keys, pattern):
        """What Return brings stands further down: a prompt that stood there is no answer."""
        if keys.endswith("\r"):
            self.turn(keys, pattern)
            return
        self.child.send(keys)
        self.wait(pattern)

    def turn(self, keys, pattern):
        """On to a row further down: the next of a page, or what a command says."""
        before = self.row
        self.child.send(keys)
        self.read_until(lambda: self.row > before and
                        re.fullmatch(pattern, self.lines[self.row].rstrip()), pattern)


@pytest.fixture
def terminal(iso, log_path):
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path)
    screen = Terminal(child)
    screen.wait("hw>")
    yield screen
    child.close(force=True)


def test_keys(terminal):
    """History, moving about, completion: what stands on the row is what a person expects."""
    terminal.type("numx", "hw> numx")
    terminal.type("\x1b[D\x1b[3~a", "hw> numa")
    terminal.type("\r", "hw>")
    assert "available: 2 nodes (0-1)" in "\n".join(terminal.lines)
    terminal.type("chec", "hw> chec")
    terminal.type("\x1b[A", "hw> numa")
    terminal.type("\x1b[B", "hw> chec")
    terminal.type("\t", "hw> check")
    terminal.type("\x15all\tno\t", "hw> alloc node=")
    terminal.type("1 g\t", "hw> alloc node=1 gfp=")
    terminal.type("GFP_KERN\t", "hw> alloc node=1 gfp=GFP_KERNEL")
    terminal.type("\r", "hw>")
    terminal.find(r"id 0: .* node 1,.*")
    before = len(terminal.lines)
    terminal.child.send("mem\t\t")  # several begin so: listed
    terminal.find(r"mem\w+( +mem\w+)+", before)
    terminal.find("hw> mem", before + 1)
    terminal.child.send("\x03history\r")
    terminal.find(r" *2  alloc node=1 gfp=GFP_KERNEL *", before)
    assert max(map(len, terminal.lines)) <= 80


def test_long_line_scrolls(terminal):
    """A line longer than the screen stays on its row, and is run whole."""
    terminal.type("alloc" + " " * 90 + "3", r"hw> < +3")
    terminal.type("\x1b[H", r"hw> alloc +>")
    terminal.type("\r", "hw>")
    terminal.find("id 0: .* order 3,.*")


def test_tab_lists(terminal):
    """What has nothing in common is listed at the second Tab, in columns, and the line again."""
    terminal.type("alloc 3\r", "hw>")
    for line, listed in [("", ["numa", "poweroff"]), ("alloc gfp=", ["GFP_KERNEL", "__GFP_ZERO"]),
                         ("crash ", ["double_free"]), ("free ", ["0", "all"]),
                         ("help z", None), ("test m", ["map", "memory_map", "monitor"]),
                         ("map by=", ["state", "zone"]), ("fault ", ["off", "set", "show"]),
                         ("fault set nth=1 ", ["nth=", "site=", "task=", "times="])]:  # fmt: skip
        before = len(terminal.lines)
        if listed is None:
            terminal.type(line + "\t", "hw> help zoneinfo")
        else:
            terminal.child.send(line + "\t\t")
            terminal.read_until(
                lambda: set(listed) <= set(" ".join(terminal.lines[before:-1]).split()) and
                terminal.lines[-1] == "hw> " + line, line)
        terminal.type("\x03", "hw>")
    assert max(map(len, terminal.lines)) <= 80


def answer(terminal, line):
    """The rows between a line and the next prompt."""
    before = terminal.row
    terminal.child.send(line + "\r")
    terminal.read_until(lambda: terminal.row > before and terminal.lines[-1] == "hw> ", line)
    return terminal.lines[before + 1:-1]


def test_the_bad_word_is_below_the_mark(terminal):
    line = "alloc 3 nod=1"
    assert answer(terminal, line) == [
        " " * (4 + line.index("nod")) + "^ 'nod=1': there is node=N and gfp=NAME|NAME"]
    line = " ;alloc gfp=GFP_KERNEL|GFP_X" + 10 * " " + "3"
    assert answer(terminal, line)[0].index("^") == 4 + line.index("GFP_X")
    assert answer(terminal, "check list x") == [
        " " * (4 + len("check list ")) + "^ 'x' is too much: usage: check [list]"]
    line = "alloc" + 65 * " " + "nod=1"  # no room beside the mark
    assert answer(terminal, line) == [" " * (4 + line.index("nod")) + "^",
                                      "'nod=1': there is node=N and gfp=NAME|NAME"]


def test_the_mark_is_below_what_is_shown(terminal):
    """Of a line that has scrolled, a part is shown; what is not, or not above, is quoted."""
    rows = answer(terminal, "alloc" + 100 * " " + "nod=1")
    typed = terminal.lines[terminal.row - len(rows) - 1]
    assert typed.startswith("hw> <") and rows[0].index("^") == typed.index("nod=1")
    quoted, = answer(terminal, "alloc zz" + 100 * " " + "3")
    assert quoted.startswith("in 'alloc >zz<") and "^" not in quoted
    rows = answer(terminal, "rows; alloc 3 nod=1")
    assert rows[-1] == "in 'alloc 3 >nod=1<': 'nod=1': there is node=N and gfp=NAME|NAME"
    assert answer(terminal, 17 * "a ") == [" " * (4 + 32) + "^ a command has at most 16 words"]


def test_too_long_stays_too_long(terminal):
    """A look at the history does not make a whole line of one that did not fit."""
    terminal.type("numa", "hw> numa")
    terminal.type("x" * 300, "hw> <x+")
    terminal.child.send("\x1b[A\x1b[B\r")
    terminal.find("line too long: .*")


def test_everything_fits_80_columns(console):
    console.ask("alloc 3 nod=1")
    said = console.ask("help") + console.ask("help options") + console.ask("policy")
    said += console.ask("history") + console.ask("crash") + console.ask("check list")
    for name in re.findall(r"^  (\w+) ", console.ask("help"), re.MULTILINE):
        said += console.ask(f"help {name}")
    assert said.count("\n") > 100
    assert [line for line in said.split("\n") if len(line) > 80] == []


def test_policy_says_what_is_in_use(console):
    said = console.ask("policy")
    assert len(re.findall(r"^mm\.\w+ +\w+ +(in use|chosen; .*)\n {15}\w.*$", said,
                          re.MULTILINE)) == 4


def test_help_has_groups(console):
    said = console.ask("help")
    groups = re.findall(r"^(\S.*)\n  \w", said, re.MULTILINE)
    assert groups == ["The machine", "Memory", "Changing memory", "The kernel", "The monitor"]


def test_pages(terminal):
    """A terminal that tells its size gets pages; Space, Return and q do what they do in `more`."""
    terminal.child.send("\x1b[10;80R")
    terminal.type("zoneinfo\r", "-- more --")
    shown = len(terminal.lines)
    terminal.turn(" ", "-- more --")
    assert len(terminal.lines) == shown + 9
    terminal.turn("\r", "-- more --")
    assert len(terminal.lines) == shown + 10
    terminal.type("q", "hw>")
    assert len(terminal.lines) <= shown + 12
    assert not any("^C" in line for line in terminal.lines)
    terminal.type("test list; zoneinfo\r", "-- more --")
    terminal.type("q", "hw>")
    terminal.type("rows 0\r", "hw>")
    before = len(terminal.lines)
    terminal.type("zoneinfo\r", "hw>")
    assert len(terminal.lines) > before + 50
    assert "-- more --" not in terminal.lines[before:]


def test_pages_lose_nothing(terminal):
    """Rows that wrap count as the screen counts them, and the character behind is still there."""
    terminal.columns = 40
    terminal.child.send("\x1b[0;40R\x1b[999999;40R\x1b[10;1R")  # none of them is a size
    whole = "".join(answer(terminal, "check list"))
    terminal.child.send("\x1b[10;40R")
    terminal.type("check list\r", "-- more --")
    start = max(i for i, line in enumerate(terminal.lines) if "check list" in line) + 1
    pages = 1
    while "-- more --" in terminal.lines[-1]:
        assert len(terminal.lines) - 1 - start == 9 * pages
        pages += 1
        terminal.turn(" ", "-- more --|hw>")
    assert pages > 3
    assert "".join(terminal.lines[start:-1]) == whole


def test_the_size_is_asked_once(console, log_path):
    console.ask("rows")
    console.ask("rows")
    said = log_path.read_text(encoding="utf-8").partition("from entry to prompt")[2]
    assert said.count("\x1b[6n") == 1
    assert said.count("\x1b") == 4  # that, and the way there and back


def test_no_pages_for_a_script(console):
    """Who does not answer as a terminal does gets everything at once."""
    assert console.ask("zoneinfo").count("\n") > 50
    assert "does not stop" in console.ask("rows")
    assert "allowed is" in console.ask("rows 2")
    assert "stops after 30 rows" in console.ask("rows 30")


def test_ctrl_c_interrupts(terminal):
    """At a page's end, in the middle of the tests, and between the commands of a line."""
    terminal.child.send("\x1b[10;80R")
    terminal.type("zoneinfo; numa\r", "-- more --")
    terminal.type("\x03", "hw>")
    terminal.find(r"\^C")
    assert not any("available:" in line for line in terminal.lines)
    terminal.child.send("test\r")
    terminal.find(r"  ok \d+ \w+.*")
    terminal.child.send("\x03")
    terminal.find("  Bail out! interrupted")
    terminal.type("\rnuma\r", "-- more --")
    terminal.type("q", "hw>")


def test_ctrl_c_behind_much_that_was_typed(terminal):
    terminal.child.send("test\r")
    terminal.find(r"  ok \d+ \w+.*")
    terminal.child.send(20 * ("zebra" * 14) + "\x03")
    terminal.find("  Bail out! interrupted")
    terminal.type("rows\r", "hw>")
    assert not any("zebra" in line for line in terminal.lines)


def test_ctrl_c_interrupts_run(iso, log_path):
    """run= as well: the rest is left out, and the machine goes on as it was told to."""
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path,
                  'monitor run="test; numa"')
    screen = Terminal(child)
    screen.find(r"  ok \d+ \w+.*")
    child.send("\x03")
    screen.find("  Bail out! interrupted")
    screen.find(r"\^C")
    screen.find("hw>")
    assert not any("available:" in line for line in screen.lines)
    child.close(force=True)


def test_tests_leave_what_is_the_users(launch):
    """Blocks held from before stay held, and what commands print in tests is diagnostics. Here the suites
    that run commands; conftest.boot() looks at all of them wherever they run."""
    done = launch(cmdline='run="alloc 3; test monitor,fault,map,mm_alloc; free all"')
    assert done.returncode == 0
    assert "1 blocks freed" in done.stdout
    assert "  # in 'alloc >nod=1<'" in done.stdout and "# Totals:" in done.stdout
    assert noise(done.stdout) == []


def test_control_bytes_are_shown(launch):
    """Names that nobody can have typed, from the command line: escaped wherever they are quoted."""
    done = launch(cmdline='run="nu\x1b[2Jma; test x\x07\x1b[2J; alloc \x1b[2J; help \x1b[2J"')
    assert done.returncode == 1
    said = done.stdout.partition("from entry to prompt")[2]
    assert "\x1b" not in said and "\x07" not in said
    assert said.count("\\x1b[2J") >= 6


def test_typed_ahead(terminal):
    """What is typed while a command runs is the next command."""
    terminal.child.send("check\rmeminfo\r")
    terminal.find("check: all .* invariants hold.*")
    terminal.find("MemTotal: .*")
