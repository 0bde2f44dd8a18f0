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
    """traced(name, commands, options=""): boots with COM2 to a file; the outcome, and what was in the file."""

    def run(name, commands, *, options="", **how):
        path = tmp_path / "out,of.trace"  # QEMU's options have commas, too
        outcome = boot(name, f'{options} run="{commands}"', trace=path, **how)
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


def test_who_is_killed_is_who_the_report_names(traced):
    outcome, (session,) = traced("small", "trace on; test oom.a_victim_gives_back; trace off; check")
    said = re.search(r"Killed hog \(id (\d+)\), badness (\d+) pages", outcome.output)
    (kill,) = [r for r in session.records if session.event(r) == "oom_kill"]
    fields = session.fields(kill)
    assert fields.pop("by").startswith("a_victim_gives_back+0x")
    assert fields == {"victim": int(said[1]), "badness": int(said[2]), "order": 0, "node": 0,
                      "zone": "Normal", "gfp": "GFP_KERNEL"}
    # The page that it was for comes after it, to the same place.
    got = [r for r in session.in_time() if session.event(r) == "page_alloc" and r.call_site == kill.call_site]
    assert [session.fields(r)["order"] for r in got] == [0] and got[0].timestamp > kill.timestamp


def changes(output, name):
    """By how much a figure grew from one `vmstat` to the next."""
    first, second = (int(n) for n in re.findall(rf"^{name} (\d+)$", output, re.MULTILINE))
    return second - first


def reclaim_by_hand(traced):
    """
    Memory is full of pages that can be had back; large blocks are asked for, by one thread. What was traced is
    what vmstat counts. Returns how many blocks were chosen and emptied.
    """
    takes = "; ".join(["alloc 9"] * 5 + ["alloc 8"] * 3)
    outcome, (session,) = traced("one", f"fill 110; trace on; vmstat; {takes}; vmstat; trace off; check",
                                 options="mem=96M")
    assert len(said_blocks(outcome)) == 8 and not sum(cpu.lost for cpu in session.cpus.values())
    events = [(session.event(r), session.fields(r)) for r in session.in_time()]
    direct = [(event, fields) for event, fields in events if event.startswith("reclaim_")]
    begun, emptied, ended = ([fields for event, fields in direct if event == name]
                             for name in ("reclaim_begin", "reclaim_block", "reclaim_end"))
    # Begin, perhaps a block, end: of one request.
    shape = "".join({"begin": "<", "block": "#", "end": ">"}[event[8:]] for event, _ in direct)
    assert re.fullmatch("(<#?>)+", shape)
    assert {(f["order"], f["wanted"]) for f in begun} <= {(9, 512), (8, 256)}
    assert sum(f["freed"] for f in ended) == changes(outcome.output, "pgsteal_direct") > 0
    assert sum(f["evicted"] for f in emptied) == changes(outcome.output, "hw_target_evicted")
    assert sum(f["whole"] for f in emptied) == changes(outcome.output, "hw_target_completed")
    assert all(f["pfn"] % (1 << f["order"]) == 0 for f in emptied)
    # kswapd may have been woken for the rings, before the first vmstat.
    kswapd = [(event, fields) for event, fields in events if event.startswith("kswapd_")]
    wakes = [fields["wanted"] for event, fields in kswapd if event == "kswapd_wake"]
    assert len(wakes) >= changes(outcome.output, "pageoutrun") and set(wakes) == {"0x10000"}
    assert [event for event, _ in kswapd] == (["kswapd_wake", "kswapd_sleep"] * len(wakes))[:len(kswapd)]
    assert {f["state"] for event, f in kswapd if event == "kswapd_sleep"} == {"asleep"}
    return len(emptied)


def test_reclaim_as_vmstat_counts_it(traced):
    """Pages that go by age may make all the blocks by chance: seldom, and hardly three times."""
    assert any(reclaim_by_hand(traced) for _ in range(3))


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


def wait_until_sent(console):
    """The prompt sends while it waits for a line."""
    for _ in range(300):
        if re.search(SENT, console.ask("trace dump"), re.MULTILINE):
            return
        time.sleep(0.1)
    pytest.fail("it is not sent")


def test_a_reader_that_comes_late_gets_all_of_it(iso, pipe, log_path, monkeypatch):
    """As before, but somebody begins to read where the guest had to stop: no frame is torn."""
    got = []

    def read():
        with open(pipe[1], "rb") as source:
            while chunk := source.read(4096):
                got.append(chunk)

    monkeypatch.setenv("HIGHWATER_QEMUEXTRA", pipe[0])
    child = spawn(sys.executable, ["-B", "tools/launch.py", "--iso", str(iso)], log_path)
    console = Console(child)
    console.ask("trace on")
    console.ask("test mm_alloc")
    assert "trace: COM2 takes no bytes" in console.ask("trace dump")
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    wait_until_sent(console)
    console.ask("trace off")
    wait_until_sent(console)
    assert console.leave("poweroff\r") == 0
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
    for _ in range(600):
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


def test_the_slab_layer_as_vmstat_counts_it(traced, tmp_path):
    """
    Tuning a cache replaces its stacks: objects of kmalloc() come and go. The caches are called by name, in the stream
    and by `trace dump`; what was traced is what vmstat counts.
    """
    tunes = "; ".join(f"slab kmalloc-2048 limit={limit} batch=1 shared=0" for limit in (500, 600, 24))
    outcome, (session,) = traced("two", f"trace on; vmstat; {tunes}; slab kmalloc-8192 shrink; vmstat; "
                                        "trace dump 400; trace off; check")
    assert not sum(cpu.lost for cpu in session.cpus.values())
    events = [(session.event(r), session.fields(r)) for r in session.in_time()]
    slab = [(event, fields) for event, fields in events if event.startswith("slab_")]
    allocs, frees = ([f for event, f in slab if event == name] for name in ("slab_alloc", "slab_free"))
    assert len(allocs) >= 24 and all(f["by"].startswith("slab_stacks_set+0x") for f in allocs)
    assert {f["object"] for f in allocs} & {f["object"] for f in frees}
    assert {f["node"] for f in allocs} == {0, 1} and all(f["bytes"] >= 32 for f in allocs)
    grown = [f for event, f in slab if event == "slab_grow"]
    assert len(grown) == changes(outcome.output, "hw_slab_grow") > 0
    assert all(re.fullmatch(r"kmalloc-\d+", f["cache"]) for f in grown)
    # A slab's pages are those that were allocated for it.
    pages = {f["pfn"]: f for event, f in events if event == "page_alloc"}
    for f in grown:
        assert (pages[f["pfn"]]["order"], pages[f["pfn"]]["node"]) == (f["order"], f["node"])
        assert pages[f["pfn"]]["by"].startswith("slab_grow+0x")
    # The same lines here and there.
    shown = re.findall(r"^\[ *\d+\.\d{6}\] cpu \d+ +(slab_\w+ .*)$", outcome.output, re.MULTILINE)
    listed = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "trace.py"),
                             str(tmp_path / "out,of.trace")], capture_output=True, text=True,
                            timeout=60, check=True).stdout
    listed = re.findall(r"^\[ *\d+\.\d{6}\] cpu \d+ +(slab_\w+ .*)$", listed, re.MULTILINE)
    assert shown and shown == listed[-len(shown):]
