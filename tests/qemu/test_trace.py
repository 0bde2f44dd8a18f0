"""Tracing from outside: what a guest writes to COM2 is what it says that it did.

What holds inside one kernel is tests/kernel/test_trace.c, the decoder's own tests are
test_tracefile.py.
"""

import os
import re
import subprocess
import sys
import threading
import time

import pexpect
import pytest

from conftest import ROOT
from test_monitor import Console, spawn

from hwlib import guest
from hwlib.tracefile import Reader

ALLOC = r"^id (\d+): pfn 0x(\w+), addr 0x\w+, order (\d+), node (\d+), zone (\w+)"
SENT = r"^trace: (\d+) records in (\d+) frames, (\d+) bytes, sent over COM2$"


@pytest.fixture
def traced(boot, tmp_path):
    """traced(name, commands): boots with COM2 to a file; the outcome, and what was in the file."""

    def run(name, commands, **how):
        path = tmp_path / "out,of.trace"  # QEMU's options have commas, too
        outcome = boot(name, f'run="{commands}"', trace=path, **how)
        assert outcome.code == guest.SUCCESS, outcome.reason
        reader = Reader().read(path.read_bytes())
        assert not reader.problems
        return outcome, reader.sessions

    return run


def said_blocks(outcome):
    """What `alloc` said that it got: (pfn, order, node, zone)."""
    return [(int(pfn, 16), int(order), int(node), zone) for _, pfn, order, node, zone
            in re.findall(ALLOC, outcome.output, re.MULTILINE)]


def blocks(session, event):
    return [(f["pfn"], f["order"], f["node"], f["zone"]) for f in
            (session.fields(r) for r in session.in_time() if session.event(r) == event)]


def test_what_is_asked_for_by_hand_is_what_arrives(traced):
    outcome, (session,) = traced("two", "trace on; alloc 3; free 0; trace off")
    said = said_blocks(outcome)
    assert len(said) == 1
    assert blocks(session, "page_alloc") == said and blocks(session, "page_free") == said
    alloc, free = [r for r in session.in_time() if session.event(r).startswith("page_")]
    assert session.fields(alloc)["gfp"] == "GFP_KERNEL" and "gfp" not in session.fields(free)
    assert session.fields(alloc)["by"].startswith("command_alloc+0x")
    assert re.match(r"(command_free|free_handle)[.\w]*\+0x", session.fields(free)["by"])
    # Nothing else happened but what the request had to do. (Threads come and go.)
    assert {session.event(r) for r in session.records} <= {
        "page_alloc", "page_free", "pcp_refill", "zone_split", "sched_switch", "sched_wake"}
    times = [session.time_ns(r) for r in session.in_time()]
    assert 0 < times[0] <= times[-1] < 600e9
    assert list(session.cpus) == [0, 1, 2, 3]
    assert [cpu.node for cpu in session.cpus.values()] == [0, 0, 1, 1]


def test_the_other_node_and_large_blocks(traced):
    """Of three blocks of order 9 one at least comes out of one of order 10, and goes back into it."""
    take = "alloc 9 node=1"
    outcome, (session,) = traced(
        "two", f"{take}; trace on; {take}; {take}; {take}; free all; trace off; check")
    before, *said = said_blocks(outcome)
    assert [node for _, _, node, _ in said] == [1, 1, 1]
    assert blocks(session, "page_alloc") == said
    assert blocks(session, "page_free") == [before, *said]
    splits, merges = ([session.fields(r) for r in session.records if session.event(r) == event]
                      for event in ("zone_split", "zone_merge"))
    assert splits and all((f["order"], f["to"]) == (10, 9) for f in splits)
    assert {f["pfn"] for f in splits} <= {pfn for pfn, *_ in said}
    assert {f["pfn"] for f in splits} <= {f["pfn"] for f in merges if (f["order"], f["from"]) == (10, 9)}


def test_dump_shows_what_the_decoder_shows(traced, tmp_path):
    outcome, _ = traced("two", "trace on; alloc 3; alloc 9 gfp=GFP_DMA32; free all; trace dump 100; trace off")
    listed = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "trace.py"),
                             str(tmp_path / "out,of.trace")], capture_output=True, text=True,
                            timeout=60, check=True).stdout.splitlines()
    shown = re.findall(r"^\[ *\d+\.\d{6}\] cpu .*$", outcome.output, re.MULTILINE)
    assert len(shown) >= 4
    # To a microsecond: the kernel's clock is a fraction, the decoder divides.
    strip = [re.sub(r"^\[.*?\] ", "", line) for line in shown]
    assert strip == [re.sub(r"^\[.*?\] ", "", line) for line in listed[1:]][:len(strip)]


def test_sessions_follow_each_other(traced):
    outcome, sessions = traced(
        "two", "trace on; alloc 0; trace off; alloc 0; trace on; free all; trace off; trace status")
    first, second = said_blocks(outcome)
    assert [blocks(s, "page_alloc") for s in sessions] == [[first], []]
    assert [blocks(s, "page_free") for s in sessions] == [[], [first, second]]
    assert "tracing is off" in outcome.output


def test_a_full_ring_loses_what_is_new_and_says_how_much(traced):
    """Commands run one after the other; nobody drains between `on` and `off`, or not fast enough."""
    outcome, (session,) = traced("small", "trace on; test mm_alloc; check; trace status; trace off")
    lost = sum(cpu.lost for cpu in session.cpus.values())
    assert lost > 1000 and len(session.records) >= 64
    row = re.search(r"^ +0 +0 +(\d+) +\d+ +\d+ +(\d+)$", outcome.output, re.MULTILINE)
    assert int(row[2]) <= lost
    assert "invariants hold" in outcome.output


def test_everything_at_once(traced):
    """All suites on a machine of four nodes, traced: they pass, and the stream adds up."""
    outcome, (session,) = traced("four", "trace on; test mm_*,smp; check; trace off")
    assert len({r.cpu for r in session.records}) >= 1
    assert re.search(SENT, outcome.output, re.MULTILINE)


def test_no_com2(boot):
    outcome = boot("two", 'run="trace on; alloc 3; free 0; trace off; trace dump 10"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert outcome.output.count("trace: this machine has no COM2: records stay here") == 1
    assert re.search(r"^\[ .*\] cpu 0  page_alloc +pfn 0x\w+ order 3 node 0", outcome.output, re.MULTILINE)


@pytest.fixture
def pipe(tmp_path):
    """COM2 to a pipe, in QEMU's words, and the end to read from. (QEMU wants one for input, too.)"""
    for end in ("in", "out"):
        os.mkfifo(tmp_path / f"pipe.{end}")
    return f"-chardev pipe,id=trace,path={tmp_path}/pipe -serial chardev:trace", tmp_path / "pipe.out"


def test_com2_that_takes_nothing(boot, pipe):
    """A pipe that nobody reads takes 64 KiB. Nothing waits for it; who reads later has it all."""
    begin = time.monotonic()
    outcome = boot("two", 'run="trace on; test mm_alloc; trace off; trace dump; check"',
                   extra=pipe[0])
    assert outcome.code == guest.SUCCESS, outcome.reason
    waiting = re.findall(r"^trace: COM2 takes no bytes: (\d+) records wait$", outcome.output,
                         re.MULTILINE)
    assert len(waiting) == 2 and int(waiting[0]) > 1000
    assert "invariants hold" in outcome.output
    assert time.monotonic() - begin < 120


def test_a_reader_that_comes_late_gets_all_of_it(boot, pipe):
    """As before, but somebody begins to read while the guest sends: no frame is torn."""
    got = []

    def read_slowly():
        with open(pipe[1], "rb") as source:
            time.sleep(4)
            while chunk := source.read(4096):
                got.append(chunk)

    reader = threading.Thread(target=read_slowly, daemon=True)
    reader.start()
    commands = "; ".join(["trace on", "test mm_alloc", *["trace dump"] * 3, "top count=8", "trace dump",
                          "trace off", "trace dump", "top count=4", "trace dump"])
    outcome = boot("two", f'run="{commands}"', extra=pipe[0])
    assert "trace: COM2 takes no bytes" in outcome.output
    assert outcome.code == guest.SUCCESS, outcome.reason
    reader.join(30)
    assert not reader.is_alive()
    found = Reader().read(b"".join(got))
    assert not found.problems and len(found.sessions[0].records) > 2000


def test_the_prompt_sends_while_it_waits(iso, tmp_path, log_path):
    path = tmp_path / "prompt.trace"
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso), "--trace", str(path)],
                  log_path)
    console = Console(child)
    console.ask("trace on")
    console.ask("alloc 4")
    for _ in range(100):
        records = [r for s in Reader().read(path.read_bytes()).sessions for r in s.records]
        if records:
            break
        time.sleep(0.1)
    assert records, "nothing arrived while the prompt waited"
    console.ask("trace off")
    assert console.leave("poweroff\r") == 0
    assert not Reader().read(path.read_bytes()).problems
    child.close(force=True)


@pytest.mark.parametrize("command, said", [
    ("trace", "usage: trace on|off|dump [N]|status"),
    ("trace of", "'of': there is on, off, dump and status"),
    ("trace off", "trace: it is off already"),
    ("trace on now", "'now' is too much: usage: trace on|off|dump [N]|status"),
    ("trace dump 0", "'0': allowed is 1..10000"),
    ("trace dump many", "'many': allowed is 1..10000"),
    ("trace on; trace on", "trace: it is on already"),
])
def test_bad_input_gets_one_line(command, said, boot):
    outcome = boot("two", f'run="{command}"')
    assert outcome.code == guest.FAILURE
    assert said in outcome.output


def test_the_launcher_writes_where_it_is_told(launch, tmp_path):
    path = tmp_path / "launcher.trace"
    done = launch("--trace", str(path), "--run", cmdline='run="trace on; alloc 0; trace off"')
    assert done.returncode == 0
    assert [len(blocks(s, "page_alloc")) for s in Reader().read(path.read_bytes()).sessions] == [1]


def test_make_run_trace(log_path, tmp_path):
    path = tmp_path / "make.trace"
    child = spawn("make", ["run", f"TRACE={path}", 'CMDLINE=run="trace on; alloc 0; trace off"'], log_path)
    child.expect(pexpect.EOF, timeout=180)
    child.close()
    assert child.exitstatus == 0
    assert not Reader().read(path.read_bytes()).problems
