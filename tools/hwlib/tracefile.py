"""What the kernel writes to COM2 while it traces: reading it, and doubting it.

A stream is sessions, each BEGIN, then SITE and RECORDS, then END; docs/tracing.md has the table. All
numbers are little-endian. Nothing in the bytes is believed: what cannot be read ends the reading
with one problem, what does not add up (gaps, sums) is a problem beside the records.
"""

import struct
import zlib
from dataclasses import dataclass, field

MAGIC = b"HWTR"
VERSION = 1
BEGIN, SITE, RECORDS, END = 1, 2, 3, 4
KINDS = {BEGIN: "BEGIN", SITE: "SITE", RECORDS: "RECORDS", END: "END"}

HEADER = struct.Struct("<4sHHII")  # magic, kind, entries, payload bytes, Adler-32
BEGIN_FIXED = struct.Struct("<HHHHH6xQQ")  # version, record bytes, events, zones, gfp names, Hz, epoch
BEGIN_CPU = struct.Struct("<HH")  # number, node
RECORD = struct.Struct("<QQQQIHHHBBI")
END_CPU = struct.Struct("<IIQ")  # number, next sequence, lost

MAX_PAYLOAD = 1 << 20  # the kernel's frames are 4 KiB
LIMIT_PROBLEMS = 20  # further ones are counted

KSWAPD_STATES = {1: "asleep", 3: "hopeless"}  # enum kswapd_state
PAGE_EVENTS = {"page_alloc", "page_free"}
FALLBACK_STEPS = ["look", "object", "drain", "page"]  # enum slab_fallback_step


class Damaged(Exception):
    """The bytes cannot be read any further; the text says where and why."""


@dataclass
class Record:
    timestamp: int
    id: int
    call_site: int
    arg: int
    gfp: int
    event: int
    cpu: int
    nid: int
    order: int
    zone: int
    sequence: int


@dataclass
class Cpu:
    node: int
    records: int = 0
    lost: int = 0
    next_sequence: int = 0
    last_timestamp: int = 0


@dataclass
class Session:
    ticks_per_second: int
    epoch: int
    events: list
    zones: list
    gfp_names: list  # (flags, name), as the kernel tries them
    cpus: dict  # number -> Cpu
    sites: dict = field(default_factory=dict)  # address of a call site or a cache -> name
    records: list = field(default_factory=list)
    ended: bool = False

    def time_ns(self, record):
        return (record.timestamp - self.epoch) * 1_000_000_000 // self.ticks_per_second

    def event(self, record):
        return self.events[record.event]

    def zone(self, record):
        return self.zones[record.zone] if record.zone < len(self.zones) else f"zone {record.zone}"

    def site(self, record):
        return self.sites.get(record.call_site, f"0x{record.call_site:x}")

    def cache(self, record):
        return self.sites.get(record.id, f"0x{record.id:x}")

    def slab_fields(self, name, record):
        """Of the slab layer's events; None: it is none of them."""
        if name in ("slab_alloc", "slab_free"):
            asked = {"gfp": self.gfp(record)} if record.gfp else {}
            return {"object": f"0x{record.id:x}", "bytes": record.arg, "node": record.nid, **asked,
                    "by": self.site(record)}
        if name in ("slab_refill", "slab_flush", "slab_reap"):
            return {"cache": self.cache(record), "objects": record.arg, "node": record.nid}
        if name in ("slab_grow", "slab_give"):
            return {"cache": self.cache(record), "pfn": record.arg, "order": record.order,
                    "node": record.nid}
        if name == "slab_fallback":
            asked = {"gfp": self.gfp(record)} if record.gfp else {}
            known = record.arg < len(FALLBACK_STEPS)
            return {"cache": self.cache(record), "step": FALLBACK_STEPS[record.arg] if known else "?",
                    "node": record.nid, **asked, "by": self.site(record)}
        return None

    def gfp(self, record):
        left, parts = record.gfp, []
        for flags, name in self.gfp_names:
            if flags and left & flags == flags:
                parts.append(name)
                left &= ~flags
        return "|".join([*parts, f"0x{left:x}"] if left or not parts else parts)

    def fields(self, record):
        """What the record says, by name, in the order in which people read it."""
        name = self.event(record)
        place = {"order": record.order, "node": record.nid, "zone": self.zone(record)}
        if name in PAGE_EVENTS:
            asked = {"gfp": self.gfp(record)} if record.gfp else {}
            return {"pfn": record.id, **place, **asked, "by": self.site(record)}
        if name == "page_alloc_failed":
            return {**place, "gfp": self.gfp(record), "by": self.site(record)}
        if name in ("pcp_refill", "pcp_drain"):
            return {**place, "pages": record.arg}
        if name in ("zone_split", "zone_merge"):
            return {"pfn": record.id, **place, "to" if name == "zone_split" else "from": record.arg}
        if name == "sched_switch":
            return {"thread": record.id, "before": record.arg}
        if name == "sched_wake":
            return {"thread": record.id, "of": record.arg, "by": self.site(record)}
        if name == "fault_injected":
            return {"rule": record.id, "request": record.arg, "order": record.order,
                    "gfp": self.gfp(record), "by": self.site(record)}
        if name == "oom_kill":
            return {"victim": record.id, "badness": record.arg, **place, "gfp": self.gfp(record),
                    "by": self.site(record)}
        if name == "kswapd_wake":
            return {"node": record.nid, "wanted": f"0x{record.arg:x}"}
        if name == "kswapd_sleep":
            return {"node": record.nid, "freed": record.arg,
                    "state": KSWAPD_STATES.get(record.id, record.id)}
        if name == "reclaim_begin":
            return {**place, "wanted": record.arg}
        if name == "reclaim_end":
            return {**place, "scanned": record.id, "freed": record.arg}
        if name == "reclaim_block":
            return {"pfn": record.id, **place, "evicted": record.arg >> 1, "whole": record.arg & 1}
        if name == "lost":
            return {"records": record.arg}
        slab = self.slab_fields(name, record)
        if slab is not None:
            return slab
        return {"id": record.id, "arg": record.arg}

    def in_time(self):
        return sorted(self.records, key=lambda r: (r.timestamp, r.cpu, r.sequence))


class Payload:
    """A frame's bytes, taken from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        if self.at + form.size > len(self.data):
            raise Damaged("its payload is too short")
        values = form.unpack_from(self.data, self.at)
        self.at += form.size
        return values

    def text(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Damaged("a name without an end")
        raw, self.at = self.data[self.at:end], end + 1
        text = raw.decode("ascii", "replace")
        if not raw or not text.isprintable() or "\ufffd" in text:
            raise Damaged(f"a name that is none: {raw[:32]!r}")
        return text

    def finish(self):
        if self.at != len(self.data):
            raise Damaged(f"{len(self.data) - self.at} bytes too many")


class Reader:
    def __init__(self):
        self.sessions, self.problems, self.nr_problems = [], [], 0
        self.handlers = {BEGIN: self.begin, SITE: self.site, RECORDS: self.take_records,
                         END: self.end}

    def problem(self, text):
        self.nr_problems += 1
        if self.nr_problems <= LIMIT_PROBLEMS:
            self.problems.append(text)

    def read(self, data):
        """All that can be read of it; then look at sessions and problems."""
        at = 0
        try:
            if not data:
                raise Damaged("it is empty: `trace on` writes first")
            while at < len(data):
                at = self.frame(data, at)
        except Damaged as error:
            self.problem(f"offset {at}: {error}"
                         + (f"; {len(data) - at} bytes not read" if at < len(data) else ""))
        else:
            if not self.sessions[-1].ended:
                self.problem("it ends without END: tracing was still on, or the rest is missing")
        if self.nr_problems > LIMIT_PROBLEMS:
            self.problems.append(f"and {self.nr_problems - LIMIT_PROBLEMS} problems more")
        return self

    def frame(self, data, at):
        head = data[at:at + HEADER.size]
        if head[:4] != MAGIC[:len(head)]:
            raise Damaged(f"no frame begins with {bytes(head[:4])!r}"
                          + ("" if self.sessions else ": this is no trace"))
        if len(head) < HEADER.size:
            raise Damaged("the file ends inside a frame's header")
        _, kind, entries, size, checksum = HEADER.unpack(head)
        name = KINDS.get(kind)
        if not name:
            raise Damaged(f"a frame of unknown kind {kind}")
        if size > MAX_PAYLOAD:
            raise Damaged(f"{name} of {size} bytes: too long to be true")
        payload = data[at + HEADER.size:at + HEADER.size + size]
        if len(payload) < size:
            raise Damaged(f"the file ends inside {name}: {len(payload)} of {size} bytes")
        if zlib.adler32(payload, zlib.adler32(head[:12])) != checksum:
            raise Damaged(f"{name}: its checksum is wrong")
        if kind != BEGIN and (not self.sessions or self.sessions[-1].ended):
            raise Damaged(f"{name} before any BEGIN")
        try:
            inside = Payload(payload)
            self.handlers[kind](inside, entries)
            inside.finish()
        except Damaged as error:
            raise Damaged(f"{name}: {error}") from None
        return at + HEADER.size + size

    def begin(self, payload, entries):
        if self.sessions and not self.sessions[-1].ended:
            self.problem(f"session {len(self.sessions)} has no END: what it says is not all")
        version, record_bytes, events, zones, gfp_names, hertz, epoch = payload.take(BEGIN_FIXED)
        if version != VERSION:
            raise Damaged(f"version {version}; this program reads {VERSION}")
        if record_bytes != RECORD.size:
            raise Damaged(f"records of {record_bytes} bytes; this program reads {RECORD.size}")
        if not hertz or not events or not entries:
            raise Damaged(f"{entries} CPUs, {events} events, {hertz} ticks a second")
        cpus = {}
        for _ in range(entries):
            cpu, node = payload.take(BEGIN_CPU)
            if cpu in cpus:
                raise Damaged(f"CPU {cpu} twice")
            cpus[cpu] = Cpu(node)
        names = [payload.text() for _ in range(events)]
        zone_names = [payload.text() for _ in range(zones)]
        flags = [(payload.take(struct.Struct("<I"))[0], payload.text()) for _ in range(gfp_names)]
        self.sessions.append(Session(hertz, epoch, names, zone_names, flags, cpus))

    def site(self, payload, _entries):
        (address,) = payload.take(struct.Struct("<Q"))
        self.sessions[-1].sites[address] = payload.text()

    def take_records(self, payload, entries):
        session = self.sessions[-1]
        for _ in range(entries):
            record = Record(*payload.take(RECORD))
            if record.event >= len(session.events):
                raise Damaged(f"event {record.event} has no name")
            if record.cpu not in session.cpus:
                raise Damaged(f"there is no CPU {record.cpu}")
            self.follow(session, record)
            session.records.append(record)

    def follow(self, session, record):
        """Is it the one after the last of its CPU? A gap is a loss, and LOST must know of it."""
        cpu = session.cpus[record.cpu]
        gap = (record.sequence - cpu.next_sequence) & 0xFFFFFFFF
        told = record.arg if session.event(record) == "lost" else 0
        if gap != told & 0xFFFFFFFF:
            self.problem(f"CPU {record.cpu}: record {record.sequence} comes where {cpu.next_sequence} "
                         f"should, and {told} are said to be lost between")
        if record.timestamp < cpu.last_timestamp:
            self.problem(f"CPU {record.cpu}: record {record.sequence} is older than the one before")
        cpu.last_timestamp = record.timestamp
        cpu.next_sequence = (record.sequence + 1) & 0xFFFFFFFF
        cpu.records += 1
        cpu.lost += told

    def end(self, payload, entries):
        session = self.sessions[-1]
        seen = set()
        for _ in range(entries):
            number, next_sequence, lost = payload.take(END_CPU)
            cpu = session.cpus.get(number)
            if cpu is None or number in seen:
                raise Damaged(f"CPU {number}, which is not there or there twice")
            seen.add(number)
            # Those lost at the very end were followed by no record that could say so.
            missing = (next_sequence - cpu.next_sequence - (lost - cpu.lost)) & 0xFFFFFFFF
            if missing:
                self.problem(f"CPU {number}: END says that record {next_sequence} would be next, after "
                             f"{lost} lost: {missing} are missing")
            cpu.lost = lost
        if seen != set(session.cpus):
            self.problem("END is not about every CPU")
        session.ended = True
