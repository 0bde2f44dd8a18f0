"""`map`, `page` and `top` as a person sees them: 80 columns, letters that add up, a screen that
stays in place and can be left."""

import re

import pytest

from hwlib import guest
from test_monitor import PROMPT, session

COLUMNS, LINES = 80, 24
PAGE = 4096
CTRL_C = "\x03"


class Terminal:
    """What 80x24 shows after a text: only the sequences that `top` uses; any other is an error."""

    def __init__(self):
        self.rows = [[" "] * COLUMNS for _ in range(LINES)]
        self.row = self.column = self.scrolled = 0
        self.cursor_shown = True

    def feed(self, text):
        for sequence, char in re.findall(r"(\x1b\[\??[0-9;]*[A-Za-z])|(.)", text, re.DOTALL):
            if sequence:
                self.control(sequence[2:])
            else:
                self.put(char)
        return self

    def control(self, what):
        if what == "H":
            self.row = self.column = 0
        elif what == "K":
            self.rows[self.row][self.column :] = [" "] * (COLUMNS - self.column)
        elif what in ("J", "2J"):
            below = 0 if what == "2J" else self.row + 1
            if what == "J":
                self.control("K")
            for row in range(below, LINES):
                self.rows[row] = [" "] * COLUMNS
        elif what in ("?25l", "?25h"):
            self.cursor_shown = what == "?25h"
        else:
            assert what.endswith("m"), f"ESC [ {what}"

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            if self.row == LINES - 1:
                self.scrolled += 1
                self.rows = [*self.rows[1:], [" "] * COLUMNS]
            else:
                self.row += 1
        else:
            assert char.isprintable(), repr(char)
            assert self.column < COLUMNS, f"row {self.row} is too long"
            self.rows[self.row][self.column] = char
            self.column += 1

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.rows)


@pytest.fixture
def console(iso, log_path):
    with session(iso, log_path) as console:
        yield console


def size_bytes(number, unit):
    return int(float(number) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit))


# --- map ---------------------------------------------------------------------------------------


class Map:
    """One map out of a text that begins with its title."""

    TITLE = re.compile(r"^0x(\w+)-0x(\w+) by (\w+): .*; a cell is (?:(one page)|(\d+) (\w+)), ",
                       re.MULTILINE)

    def __init__(self, text):
        title = self.TITLE.match(text)
        assert title, text
        self.pages = (int(title[2], 16) - int(title[1], 16)) // PAGE
        self.by = title[3]
        self.cell = PAGE if title[4] else size_bytes(title[5], title[6])
        self.lines = text.rstrip("\n").split("\n")
        self.rows = {int(address, 16): cells for address, cells in
                     re.findall(r"^0x(\w+) (.+)$", "\n".join(self.lines[1:]), re.MULTILINE)}
        self.folds = [line for line in self.lines if line.startswith("... ")]
        legend = text[text.index("\npages: ") :].split("lower case")[0].split("0-9 X")[0]
        self.count = {name: int(pages) for pages, name in
                      re.findall(r"\S (\d+) (\S+(?: \S+)*?)(?=  |\n|$)", legend)}

    def check(self):
        assert all(len(line) < COLUMNS for line in self.lines)
        assert len(self.lines) < LINES
        assert sum(self.count.values()) == self.pages
        for address, cells in self.rows.items():
            assert len(cells) == 64 or address == max(self.rows)


def maps(output):
    text = output[output.index("from entry to prompt") :]
    starts = [m.start() for m in Map.TITLE.finditer(text)]
    ends = [*starts[1:], text.index("MemTotal", starts[-1])]
    return [Map(text[start:end]) for start, end in zip(starts, ends)]


@pytest.mark.parametrize("name", ["flat", "two", "hole", "memoryless", "big"])
def test_maps_fit_and_add_up(name, boot):
    outcome = boot(name, 'run="map; map by=node; map by=zone; meminfo; numa"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert "\x1b" not in outcome.output[outcome.output.index("from entry to prompt") :]
    by_state, by_node, by_zone = maps(outcome.output)
    for one, by in ((by_state, "state"), (by_node, "node"), (by_zone, "zone")):
        one.check()
        assert one.by == by
        assert one.rows.keys() == by_state.rows.keys()
        # The lowest cell holds the hole below 1 MiB or the kernel's first page, and says so.
        assert one.rows[0][0].islower()
    free = int(re.search(r"^MemFree: +(\d+) kB$", outcome.output, re.MULTILINE)[1])
    per_cpu = by_state.count.get("free, on a CPU's list", 0)
    assert by_state.count["free"] + per_cpu == free // 4
    # `numa` says each node's RAM, range by range.
    ranges = re.findall(r"^node (\d+): \[mem .*\] (\d+) pages?$", outcome.output, re.MULTILINE)
    for nid in {nid for nid, _ in ranges}:
        assert by_node.count[f"node {nid}"] == sum(int(n) for i, n in ranges if i == nid)
    ram = sum(int(pages) for _, pages in ranges)
    assert by_node.count["no node"] == by_node.pages - ram
    assert sum(n for key, n in by_zone.count.items() if key.startswith("zone ")) == ram
    if name == "hole":
        # 2 GiB without RAM are one line, and the row after it begins behind them.
        assert [fold[:9] for fold in by_state.folds] == ["... 2 GiB"]
        assert by_node.folds == ["... 2 GiB of no node"]
        assert 1 << 32 in by_state.rows and 1 << 31 not in by_state.rows
    if name == "big":
        assert by_state.cell == 64 << 20
        assert by_node.rows[0x280000000 & ~((1 << 32) - 1)].count("A") > 0


def test_map_of_one_page(console):
    """What was just allocated is there, at a page a cell; and free again after `free`."""
    said = console.ask("alloc 3 node=1")
    address = int(re.search(r"addr 0x(\w+)", said)[1], 16)
    zoom = Map(console.ask(f"map {address:#x}+32K"))
    assert zoom.cell == PAGE
    assert list(zoom.rows.values()) == ["Aaaaaaaa"]
    assert zoom.count == {"allocated": 8}
    assert list(Map(console.ask(f"map {address + PAGE:#x}+4K")).rows.values()) == ["a"]
    console.ask("free all")
    freed = Map(console.ask(f"map {address:#x}+32K"))
    # On its CPU's list at first, or back with the zone already.
    assert re.fullmatch(r"[3-9X]f{7}|f{8}|Pp{7}", *freed.rows.values())


def test_map_of_nothing(console):
    """Where there is no RAM there are no cells, and nothing is said of them."""
    assert console.ask("map 1T-2T").splitlines() == [
        "0x10000000000-0x20000000000 by state: 1 TiB", "... 1 TiB of nothing",
        "pages:  . 268435456 nothing"]


def test_map_of_a_node(console):
    whole = Map(console.ask("map node=1 by=node"))
    assert whole.count == {"node 1": whole.pages}
    assert "2 GiB" not in console.ask("map node=1 zone=DMA32")
    assert "no memory there" in console.ask("map node=1 zone=dma")
    assert "there is no such node" in console.ask("map node=7")
    assert "exclude each other" in console.ask("map 0-1M node=0")


def test_colours_only_repeat_the_letters(console):
    plain = console.ask("map")
    coloured = console.ask("map color=on")
    assert "\x1b[32m" in coloured and "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    for line in coloured.rstrip("\n").split("\n"):
        assert "\x1b" not in line or line.rindex("\x1b[0m") == line.rindex("\x1b")


def test_a_terminal_gets_colours(console):
    """Who answers where its corner is can show colours, and stays in `top` until it is left."""
    console.child.send(f"\x1b[{LINES};{COLUMNS}R")
    assert "\x1b[32m" in console.ask("map")
    assert "\x1b" not in console.ask("map color=off")
    console.child.send("top every=50\r")
    console.child.expect_exact("\x1b[2J")
    console.child.expect("frame 2,")
    console.child.send("q")
    console.child.expect_exact(PROMPT)


def test_ctrl_c_ends_maps(console):
    """The terminal's buffer is small: most of sixty maps are still to come when Ctrl-C is typed."""
    console.child.send("map;" * 60 + "\r")
    console.child.expect_exact("0x0-")
    console.child.send(CTRL_C)
    console.child.expect_exact("^C")
    assert console.child.before.count("by state") < 59
    console.child.expect_exact(PROMPT)
    assert "available: 2 nodes" in console.ask("numa")


# --- page --------------------------------------------------------------------------------------


def test_page_by_number_and_by_address(console):
    said = console.ask("alloc 4")
    pfn = int(re.search(r"pfn 0x(\w+)", said)[1], 16)
    by_number, by_hex = console.ask(f"page {pfn + 3}"), console.ask(f"page pfn={pfn + 3:#x}")
    by_address = console.ask(f"page {(pfn + 3) * PAGE + 5:#x}")
    assert by_number.startswith(f"pfn {pfn + 3} ({pfn + 3:#x}), address {(pfn + 3) * PAGE:#x}\n")
    assert by_address.startswith(f"address {(pfn + 3) * PAGE + 5:#x}, pfn {pfn + 3} ")
    assert by_number == by_hex
    assert by_number.split("\n")[1:] == by_address.split("\n")[1:]
    assert f"block       order 4, 64 KiB, allocated: pfn {pfn:#x}-{pfn + 15:#x}" in by_number
    assert f"number 3 in it; the head is pfn {pfn}" in by_number
    direct = re.search(r"direct map  (0x\w+)", by_number)[1]
    virtual = console.ask(f"page {direct}")
    assert virtual.startswith(f"virtual address {direct} is mapped to\n")
    assert virtual.split("\n")[2:] == by_number.split("\n")[1:]
    assert all(len(line) < COLUMNS for line in by_number.split("\n"))


@pytest.mark.parametrize("word, answer", [
    ("0xa0000", "address 0xa0000, pfn 160 (0xa0): nothing there"),
    ("17179869183", "pfn 17179869183 (0x3ffffffff), address 0x3ffffffff000: nothing there"),
], ids=["hole", "the last"])  # fmt: skip
def test_page_that_is_none(word, answer, console):
    assert console.ask(f"page {word}") == answer + "\n"


def test_page_owners(console):
    owners = {"0": "first page", "0x100000": "kernel image"}
    for first, owner in re.findall(r"\[mem 0x0*(\w+)-\S+ node \d+, \d+ pages?: (.*)$",
                                   console.ask("memblock"), re.MULTILINE):
        owners[f"0x{first}"] = owner
    for word, owner in owners.items():
        said = console.ask(f"page {word}")
        assert ("taken at boot" in said) == (owner != "free at boot"), word
        assert owner == "free at boot" or f"taken at boot for: {owner}\n" in said


# --- top ---------------------------------------------------------------------------------------


def leave_top(console, key):
    console.child.send("top color=on every=50\r")
    console.child.expect(r"frame 3,")
    console.child.send(key)
    console.child.expect_exact(PROMPT)
    return console.child.before


@pytest.mark.parametrize("key", ["q", CTRL_C], ids=["q", "Ctrl-C"])
def test_top_is_left(key, console):
    rest = leave_top(console, key)
    assert "\x1b[?25h" in rest, "the cursor comes back"
    assert ("^C" in rest) == (key == CTRL_C)
    assert "available: 2 nodes" in console.ask("numa")


def test_top_stays_in_place(console):
    """Two frames on a terminal of 80x24: one picture, nothing scrolled, nothing left over."""
    terminal = Terminal()
    output = console.ask("top count=2 every=50 color=on")
    begin, end = output.index("\x1b[?25l"), output.index("\x1b[?25h")
    # Only the first frame's beginning clears the screen.
    assert output.count("\x1b[2J") == 1 and output.count("\x1b[H") == 2
    terminal.feed(output[begin:end].replace("\n", "\r\n"))
    screen = terminal.text()
    assert terminal.scrolled == 0 and not terminal.cursor_shown
    assert "frame 2," in screen and "frame 1," not in screen
    for heading in ("node ", "zone ", "free blocks", "lru ", "since the last frame"):
        assert len(re.findall(rf"^ *{heading}", screen, re.MULTILINE)) == 1, heading
    assert re.search(r"^ *1 DMA32 +\d+ +\d+ +\d+ +\d+  \[=+m=+l=+h=+>\]$", screen, re.MULTILINE)
    assert terminal.feed(output[end:]).cursor_shown


def test_top_sees_an_allocation(console):
    before = console.ask("top")
    console.ask("alloc 10 node=1")
    after = console.ask("top")
    free = r"^ *1 DMA32 +(\d+)"
    assert (int(re.search(free, before, re.MULTILINE)[1]) -
            int(re.search(free, after, re.MULTILINE)[1])) == 1024


@pytest.mark.parametrize("name", ["flat", "hole", "eight", "big"])
def test_top_without_a_terminal(name, boot):
    """count=N shows N frames of plain text and ends; what does not fit is counted."""
    outcome = boot(name, 'run="top count=3 every=50; top"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output[outcome.output.index("from entry to prompt") :]
    assert "\x1b" not in text
    assert re.findall(r"frame (\d+),", text) == ["1", "2", "3", "1"]
    frames = text.split("\nup ")[1:]
    for frame in frames[:3]:
        lines = frame.rstrip("\n").split("\n")
        assert len(lines) <= LINES
        assert all(len(line) < COLUMNS for line in lines)
        shown = len(re.findall(r"^ +\d+  +[\d.]+ \w+ .*\[", frame, re.MULTILINE))
        more = re.search(r"\.\.\. (\d+) more nodes", frame)
        nodes = {"flat": 1, "hole": 2, "eight": 8, "big": 8}[name]
        assert shown + (int(more[1]) if more else 0) == nodes
        assert bool(more) == (nodes == 8)
