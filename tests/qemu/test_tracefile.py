"""The decoder of trace records: streams that are whole, and bytes that nobody meant.

The streams here are built by hand, from the table of docs/tracing.md. What the kernel really writes is
test_trace.py's.
"""

import json
import struct
import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT

from hwlib.tracefile import BEGIN, END, RECORDS, SITE, Reader

EVENTS = ["none", "page_alloc", "page_free", "pcp_refill", "zone_split", "sched_switch", "lost"]
GFP = [(24, "GFP_KERNEL"), (1, "GFP_DMA"), (64, "__GFP_ZERO")]
LOST = EVENTS.index("lost")
NR_CPUS = 3

# The same every time, as all tests here; and no database of examples in the tree.
LIMITED = settings(deadline=None, max_examples=150, derandomize=True, database=None)


def frame(kind, payload, entries=0):
    head = struct.pack("<4sHHI", b"HWTR", kind, entries, len(payload))
    return head + struct.pack("<I", zlib.adler32(head + payload)) + payload


def begin(version=1, record_bytes=48, hertz=1_000_000_000, epoch=0, cpus=range(NR_CPUS)):
    payload = struct.pack("<HHHHH6xQQ", version, record_bytes, len(EVENTS), 3, len(GFP), hertz, epoch)
    payload += b"".join(struct.pack("<HH", cpu, cpu % 2) for cpu in cpus)
    payload += b"".join(name.encode() + b"\0" for name in [*EVENTS, "DMA", "DMA32", "Normal"])
    payload += b"".join(struct.pack("<I", flags) + name.encode() + b"\0" for flags, name in GFP)
    return frame(BEGIN, payload, len(cpus))


def record(event, *, time=0, cpu=0, sequence=0, id=0, site=0, arg=0, gfp=0, nid=0, order=0, zone=0):
    return struct.pack("<QQQQIHHHBBI", time, id, site, arg, gfp, EVENTS.index(event), cpu, nid, order,
                       zone, sequence)


def records(*all_of_them):
    return frame(RECORDS, b"".join(all_of_them), len(all_of_them))


def end(*written_and_lost):
    rows = [*written_and_lost, *[(0, 0)] * (NR_CPUS - len(written_and_lost))]
    return frame(END, b"".join(struct.pack("<IIQ", cpu, *row) for cpu, row in enumerate(rows)), NR_CPUS)


def read(*frames):
    return Reader().read(b"".join(frames))


def test_good():
    reader = read(
        begin(epoch=1000),
        frame(SITE, struct.pack("<Q", 0xFFFFFFFF80101234) + b"command_alloc+0x10/0x20\0", 1),
        records(record("page_alloc", time=3000, cpu=1, id=0x77, site=0xFFFFFFFF80101234, gfp=88,
                       nid=1, order=3, zone=2)),
        records(record("sched_switch", time=2000, id=7, arg=5),
                record("zone_split", time=4000, sequence=1, id=0x80, arg=2, order=10, zone=1)),
        end((2, 0), (1, 0)))  # fmt: skip
    assert not reader.problems
    (session,) = reader.sessions
    assert session.ended
    assert [session.time_ns(r) for r in session.in_time()] == [1000, 2000, 3000]
    assert [(session.event(r), session.fields(r)) for r in session.in_time()] == [
        ("sched_switch", {"thread": 7, "before": 5}),
        ("page_alloc", {"pfn": 0x77, "order": 3, "node": 1, "zone": "Normal",
                        "gfp": "GFP_KERNEL|__GFP_ZERO", "by": "command_alloc+0x10/0x20"}),
        ("zone_split", {"pfn": 0x80, "order": 10, "node": 0, "zone": "DMA32", "to": 2}),
    ]  # fmt: skip


def test_losses_that_are_told_of_are_no_problem():
    reader = read(begin(), records(record("page_free"), record("lost", sequence=6, arg=5),
                                   record("page_free", sequence=7)), end((10, 7)))
    assert not reader.problems
    assert reader.sessions[0].cpus[0].lost == 7  # 5 told of, and 2 after the last record


def test_sequence_numbers_wrap():
    cpu = read(begin()).sessions[0].cpus[0]
    cpu.next_sequence = 0xFFFFFFFF
    reader = Reader()
    reader.sessions = [read(begin()).sessions[0]]
    reader.sessions[0].cpus[0] = cpu
    reader.read(records(record("page_free", sequence=0xFFFFFFFF), record("page_free")) + end((1, 0)))
    assert not reader.problems


@pytest.mark.parametrize("frames, said", [
    ([], "offset 0: it is empty: `trace on` writes first"),
    ([b"\x7fELF and more"], "offset 0: no frame begins with b'\\x7fELF': this is no trace; 13 bytes"),
    ([b"HW"], "the file ends inside a frame's header"),
    ([begin()], "it ends without END: tracing was still on"),
    ([begin()[:-1]], "the file ends inside BEGIN"),
    ([begin(version=2)], "BEGIN: version 2; this program reads 1"),
    ([begin(record_bytes=40)], "BEGIN: records of 40 bytes; this program reads 48"),
    ([begin(hertz=0)], "0 ticks a second"),
    ([begin(cpus=[0, 1, 1])], "BEGIN: CPU 1 twice"),
    ([frame(BEGIN, b"\1\0", 1)], "BEGIN: its payload is too short"),
    ([frame(9, b"")], "a frame of unknown kind 9"),
    ([records(record("page_free"))], "RECORDS before any BEGIN"),
    ([begin(), end(), records(record("page_free"))], "RECORDS before any BEGIN"),
    ([begin(), struct.pack("<4sHHII", b"HWTR", RECORDS, 1, 1 << 31, 0)], "too long to be true"),
    ([begin(), frame(RECORDS, record("page_free"), 2)], "RECORDS: its payload is too short"),
    ([begin(), frame(RECORDS, record("page_free") * 2, 1)], "RECORDS: 48 bytes too many"),
    ([begin(), records(record("page_free", cpu=3))], "there is no CPU 3"),
    ([begin(), records(struct.pack("<QQQQIHHHBBI", 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0))],
     "event 7 has no name"),
    ([begin(), frame(SITE, struct.pack("<Q", 1) + b"no end", 1)], "SITE: a name without an end"),
    ([begin(), frame(SITE, struct.pack("<Q", 1) + b"\33[2J\0", 1)], "SITE: a name that is none"),
    ([begin(), records(record("page_free", sequence=2)), end((3, 0))],
     "CPU 0: record 2 comes where 0 should, and 0 are said to be lost between"),
    ([begin(), records(record("page_free"), record("lost", sequence=4, arg=5)), end((5, 5))],
     "CPU 0: record 4 comes where 1 should, and 5 are said to be lost between"),
    ([begin(), records(record("page_free", time=5), record("page_free", time=4, sequence=1)),
      end((2, 0))], "CPU 0: record 1 is older than the one before"),
    ([begin(), records(record("page_free")), end((3, 0))],
     "CPU 0: END says that record 3 would be next, after 0 lost: 2 are missing"),
    ([begin(), frame(END, struct.pack("<IIQ", 0, 0, 0), 1)], "END is not about every CPU"),
    ([begin(), begin(), end()], "session 1 has no END"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(frames, said):
    assert said in read(*frames).problems[0]


def test_many_problems_are_counted():
    bad = [record("page_free", sequence=2 * i + 1) for i in range(50)]
    found = read(begin(), records(*bad), end((100, 50))).problems
    assert len(found) == 21 and found[-1].startswith("and 3"), found[-1]


# --- Any bytes ------------------------------------------------------------------------------------


@st.composite
def streams(draw):
    """A whole stream of a session, and what is in it."""
    sequence = [0] * NR_CPUS
    lost = [0] * NR_CPUS
    frames, expected = [begin()], []
    for _ in range(draw(st.integers(0, 6))):
        cpu = draw(st.integers(0, NR_CPUS - 1))
        made = []
        for _ in range(draw(st.integers(1, 5))):
            gap = draw(st.sampled_from([0, 0, 0, 1, 1000]))
            event = "lost" if gap else draw(st.sampled_from(EVENTS[1:-1]))
            values = {"id": draw(st.integers(0, 2**64 - 1)), "site": draw(st.integers(0, 2**64 - 1)),
                      "arg": gap or draw(st.integers(0, 2**64 - 1)),
                      "gfp": draw(st.integers(0, 2**32 - 1)), "nid": draw(st.integers(0, 65535)),
                      "order": draw(st.integers(0, 255)), "zone": draw(st.integers(0, 255))}
            sequence[cpu] += gap
            lost[cpu] += gap
            made.append(record(event, time=len(expected), cpu=cpu, sequence=sequence[cpu], **values))
            expected.append((event, cpu, sequence[cpu], values))
            sequence[cpu] += 1
        frames.append(records(*made))
    frames.append(end(*zip(sequence, lost)))
    return b"".join(frames), expected


@LIMITED
@given(streams())
def test_what_was_written_is_read(stream):
    data, expected = stream
    reader = Reader().read(data)
    assert not reader.problems
    session = reader.sessions[0]
    got = [(session.event(r), r.cpu, r.sequence,
            {"id": r.id, "site": r.call_site, "arg": r.arg, "gfp": r.gfp, "nid": r.nid,
             "order": r.order, "zone": r.zone}) for r in session.in_time()]
    assert got == expected
    for r in session.records:
        session.fields(r)


def is_one_line(text):
    return text and "\n" not in text and len(text) < 300


@LIMITED
@given(streams(), st.data())
def test_a_changed_byte_is_noticed(stream, data):
    changed = bytearray(stream[0])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    problems = Reader().read(bytes(changed)).problems
    assert problems and all(is_one_line(text) for text in problems)


@LIMITED
@given(streams(), st.data())
def test_a_cut_is_noticed(stream, data):
    whole = stream[0]
    cut = whole[:data.draw(st.integers(0, len(whole) - 1))]
    reader = Reader().read(cut)
    assert len(reader.problems) == 1 and is_one_line(reader.problems[0])
    assert not any(session.ended for session in reader.sessions)


@LIMITED
@given(streams(), st.data())
def test_a_missing_frame_is_noticed(stream, data):
    """Whole frames that are gone break no checksum: the sums notice. (A name may go: it says less.)"""
    parts = stream[0].split(b"HWTR")[1:]
    if b"".join([b"HWTR" + part for part in parts]) != stream[0] or len(parts) < 3:
        return
    del parts[data.draw(st.integers(0, len(parts) - 1))]
    assert Reader().read(b"".join(b"HWTR" + part for part in parts)).problems


@LIMITED
@given(st.binary(max_size=2000))
def test_any_bytes(data):
    problems = Reader().read(data).problems
    assert len(problems) == 1 and is_one_line(problems[0])


@LIMITED
@given(st.lists(st.tuples(st.sampled_from([BEGIN, SITE, RECORDS, END]), st.binary(max_size=200),
                          st.integers(0, 65535)), max_size=4))
def test_any_bytes_in_good_frames(frames):
    reader = Reader().read(begin() + b"".join(frame(*one) for one in frames))
    assert reader.problems and all(is_one_line(text) for text in reader.problems)


# --- The program ----------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    def run(data, *options):
        path = tmp_path / "out.trace"
        path.write_bytes(data)
        done = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "trace.py"), str(path),
                               *options], capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr
        return done

    return run


STREAM = b"".join([
    begin(), records(record("page_alloc", time=1_500_000_000, id=0x20, order=1, nid=1, zone=1, gfp=25),
                     record("page_free", time=2_000_001_000, sequence=1, id=0x20, order=1)),
    records(record("lost", cpu=2, sequence=4, arg=4), record("sched_switch", cpu=2, sequence=5)),
    end((2, 0), (0, 0), (6, 4))])  # fmt: skip


def test_list(run):
    done = run(STREAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == """\
# 4 records of 3 CPUs, 4 lost
[    0.000000] cpu 2  lost              records 4
[    0.000000] cpu 2  sched_switch      thread 0 before 0
[    1.500000] cpu 0  page_alloc        pfn 0x20 order 1 node 1 zone DMA32 gfp GFP_KERNEL|GFP_DMA by 0x0
[    2.000001] cpu 0  page_free         pfn 0x20 order 1 node 0 zone DMA by 0x0
"""


def test_list_of_some(run):
    assert run(STREAM, "--cpu", "0", "--event", "page_free").stdout.count("\n") == 2


def test_summary(run):
    assert run(STREAM, "--summary").stdout == """\
# 4 records of 3 CPUs, 4 lost
event            cpu 0     cpu 1     cpu 2       all
page_alloc           1         0         0         1
page_free            1         0         0         1
sched_switch         0         0         1         1
lost                 0         0         1         1
(lost)               0         0         4         4
"""


def test_json(run):
    out = json.loads(run(STREAM, "--json").stdout)
    assert out["problems"] == []
    (session,) = out["sessions"]
    assert session["ended"] and session["cpus"][2] == {"cpu": 2, "node": 0, "records": 2, "lost": 4}
    assert session["records"][2] == {
        "time_ns": 1_500_000_000, "cpu": 0, "sequence": 0, "event": "page_alloc", "pfn": 0x20,
        "order": 1, "node": 1, "zone": "DMA32", "gfp": "GFP_KERNEL|GFP_DMA", "by": "0x0"}  # fmt: skip


def test_what_can_be_read_is_shown_beside_the_problem(run):
    done = run(STREAM[:-1])
    assert done.returncode == 1
    assert done.stdout.count("\n") == 5 and "no end" in done.stdout
    assert done.stderr.count("\n") == 1 and "the file ends inside END: 47 of 48 bytes" in done.stderr


def test_no_file(run, tmp_path):
    done = run(b"", str(tmp_path / "none"))
    assert done.returncode == 2 and "unrecognized arguments" in done.stderr
    done = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "trace.py"),
                           str(tmp_path / "none")], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stderr) == (1, f"trace: {tmp_path}/none: No such file or directory\n")
