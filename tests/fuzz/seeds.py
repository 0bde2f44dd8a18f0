#!/usr/bin/env python3
"""Writes the seed corpus and the dictionaries of the fuzz targets: tests/fuzz/corpus/.

Small tables of our own making, sound and broken, each of which leads a target to another part of
the code. `seeds.py --check` says whether what is there is what this file makes.
"""

import struct
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
ENABLED, HOTPLUG, NONVOLATILE, CAPABLE = 1, 2, 4, 2


def summed(data, at, length):
    """data with the byte at `at` such that its first `length` bytes add up to 0."""
    data = bytearray(data)
    data[at] = 0
    data[at] = -sum(data[:length]) & 0xFF
    return bytes(data)


def table(signature, revision, body):
    header = struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), revision, 0,
                         b"HIGHWT", b"FUZZSEED", 1, b"FUZZ", 1)  # fmt: skip
    return summed(header + body, 9, 36 + len(body))


def patched(data, at, value):
    return data[:at] + value + data[at + len(value):]


# --- SRAT ---------------------------------------------------------------------------------------


def cpu(domain, apic_id, flags=ENABLED):
    return struct.pack("<BBBBIB3sI", 0, 16, domain & 0xFF, apic_id, flags, 0,
                       (domain >> 8).to_bytes(3, "little"), 0)  # fmt: skip


def memory(domain, base, end, flags=ENABLED):
    return struct.pack("<BBIHQQIIQ", 1, 40, domain, 0, base, end - base, 0, flags, 0)


def x2apic(domain, apic_id, flags=ENABLED):
    return struct.pack("<BBHIIIII", 2, 24, 0, domain, apic_id, flags, 0, 0)


def initiator(domain, flags=ENABLED, kind=1):
    return struct.pack("<BBBBI8sIIII", 5, 32, 0, kind, domain, b"ACPI0017", 7, 0, flags, 0)[:32]


def generic(kind, length):
    return bytes([kind, length]) + bytes(length - 2)


def srat(revision, *entries):
    return table("SRAT", revision, struct.pack("<IQ", 1, 0) + b"".join(entries))


TWO_NODES = [cpu(0, 0), cpu(0, 1), memory(0, 0, 640 * KIB), memory(0, MIB, 2 * GIB),
             memory(0, 4 * GIB, 5 * GIB), cpu(1, 2), cpu(1, 3), memory(1, 5 * GIB, 7 * GIB),
             memory(0, 0, 0, 0)]  # fmt: skip

SRAT = {
    "two-nodes": srat(1, *TWO_NODES),
    "sparse-domains": srat(3, cpu(300, 0), memory(70000, 0, 2 * GIB), memory(1, 2 * GIB, 4 * GIB),
                           memory(70000, 4 * GIB, 8 * GIB)),
    "x2apic": srat(3, x2apic(1, 0), x2apic(2, 300), x2apic(2, 301, 0), memory(1, 0, GIB),
                   memory(2, GIB, 2 * GIB)),
    "hotplug-and-nvdimm": srat(3, memory(0, 0, GIB, ENABLED | HOTPLUG),
                               memory(1, 4 * GIB, 8 * GIB, ENABLED | NONVOLATILE),
                               memory(1, 4 * GIB, 16 * GIB, ENABLED | HOTPLUG)),
    "interleaved": srat(2, *[memory(i % 2, i * GIB, (i + 1) * GIB) for i in range(8)]),
    "overlap": srat(2, memory(0, 0, 5 * GIB), memory(1, GIB, 2 * GIB), memory(2, 2 * GIB, 6 * GIB),
                    memory(1, 3 * GIB, 4 * GIB), memory(2, 0, 4 * GIB)),
    "touching": srat(2, memory(0, GIB, 2 * GIB), memory(0, 0, GIB), memory(1, 2 * GIB, 3 * GIB)),
    "beyond-any-address": srat(3, memory(0, 1 << 52, 1 << 53), memory(1, 0, (1 << 64) - 1),
                               memory(2, (1 << 64) - 4096, 1 << 64)),
    "initiators": srat(3, initiator(4), initiator(5, kind=0), initiator(6, 0), initiator(7, kind=9),
                       memory(0, 0, GIB)),
    "disabled": srat(3, cpu(0, 0, 0), memory(0, 0, GIB, 0), memory(1, 0, 0)),
    "other-types": srat(3, generic(3, 18), generic(4, 12), generic(5, 32), generic(6, 20),
                        generic(77, 2), memory(0, 0, GIB)),
    "short-entries": srat(3, generic(0, 15), generic(1, 39), generic(2, 23), memory(0, 0, GIB)),
    "entry-of-length-0": srat(3, memory(0, 0, GIB), bytes([1, 0]), memory(1, GIB, 2 * GIB)),
    "entry-past-the-end": srat(3, memory(0, 0, GIB), bytes([1, 200]) + bytes(30)),
    "odd-byte-at-the-end": srat(3, memory(0, 0, GIB), b"\x01"),
    "wrong-sum": patched(srat(1, *TWO_NODES), 9, b"\x00"),
    "length-past-the-end": patched(srat(1, *TWO_NODES), 4, struct.pack("<I", 100000)),
    "no-entries": srat(3),
    "only-a-header": table("SRAT", 3, b""),
    "70-nodes": srat(3, *[memory(i * 3, i * GIB, (i + 1) * GIB) for i in range(70)]),
}
SRAT_LARGE = {
    "too-many-cpus": srat(3, *[x2apic(i % 4, i) for i in range(514)]),
    "too-many-initiators": srat(3, *[initiator(i) for i in range(66)]),
    "too-many-ranges": srat(3, *[memory(i % 4, i * MIB, (i + 1) * MIB) for i in range(514)]),
}

# --- SLIT, MADT ---------------------------------------------------------------------------------


def slit(rows, localities=None, spare=b""):
    flat = bytes(distance for row in rows for distance in row)
    return table("SLIT", 1, struct.pack("<Q", len(rows) if localities is None else localities)
                 + flat + spare)  # fmt: skip


def square(n, local=10, remote=20):
    return [[local if i == j else remote for j in range(n)] for i in range(n)]


SLIT = {
    "two": slit(square(2)),
    "asymmetric": slit([[10, 30, 20], [31, 10, 12], [20, 255, 10]]),
    "larger-than-srat": slit(square(9)),
    "with-padding": slit(square(3), spare=bytes(17)),
    "local-is-not-10": slit([[10, 20], [20, 11]]),
    "remote-below-10": slit([[10, 9], [20, 10]]),
    "truncated": slit(square(3), localities=4),
    "one-of-many": slit(square(8), localities=1),
    "huge-count": slit(square(2), localities=1 << 63),
    "square-wraps": slit(square(2), localities=1 << 32),
    "none": slit([]),
}


def lapic(apic_id, flags=ENABLED):
    return struct.pack("<BBBBI", 0, 8, apic_id, apic_id, flags)


def madt_x2apic(apic_id, flags=ENABLED):
    return struct.pack("<BBHIII", 9, 16, 0, apic_id, flags, apic_id)


def madt(*entries):
    return table("APIC", 3, struct.pack("<II", 0xFEE00000, 1) + b"".join(entries))


IOAPIC = struct.pack("<BBBBII", 1, 12, 0, 0, 0xFEC00000, 0)
OVERRIDE = struct.pack("<BBBBIH", 2, 10, 0, 0, 2, 0)
NMI = struct.pack("<BBBHB", 4, 6, 0xFF, 0, 1)
ADDRESS = struct.pack("<BBHQ", 5, 12, 0, 1 << 40)

MADT = {
    "four": madt(*[lapic(i) for i in range(4)], IOAPIC, OVERRIDE, NMI),
    "x2apic": madt(*[madt_x2apic(300 + i) for i in range(3)], madt_x2apic(0xFFFFFFFF)),
    "twice-each": madt(*[lapic(i) for i in range(3)], *[madt_x2apic(i) for i in range(3)]),
    "capable-only": madt(lapic(0), lapic(1, CAPABLE), lapic(2, 0), lapic(255)),
    "address": madt(ADDRESS, lapic(0)),
    "short-entries": madt(generic(0, 7), generic(9, 15), generic(5, 11), lapic(1)),
    "entry-of-length-0": madt(lapic(0), bytes([0, 0]), lapic(1)),
    "only-fixed-part": madt(),
}
MADT_LARGE = {"too-many": madt(*[lapic(i & 0xFF) for i in range(514)])}

# --- HMAT ---------------------------------------------------------------------------------------


def hmat(revision, *entries):
    return table("HMAT", revision, bytes(4) + b"".join(entries))


def attributes(initiator, target, flags=1):
    return struct.pack("<HHIHHIIIQQ", 0, 0, 40, flags, 0, initiator, target, 0, 0, 0)


def latency(initiators, targets, values, data=0, unit=100, level=0, length=None):
    body = struct.pack(f"<{len(initiators)}I{len(targets)}I{len(values)}H",
                       *initiators, *targets, *values)  # fmt: skip
    return struct.pack("<HHIBBBBIIIQ", 1, 0, 32 + len(body) if length is None else length, level,
                       data, 0, 0, len(initiators), len(targets), 0, unit) + body


def memory_cache(domain, size, attribute):
    return struct.pack("<HHIIIQIHH", 2, 0, 32, domain, 0, size, attribute, 0, 0)


TWO_BY_TWO = ([0, 1], [0, 1], [10, 20, 20, 10])

HMAT = {
    "revision-1": hmat(1, attributes(0, 0, 3), attributes(1, 1, 3), latency(*TWO_BY_TWO)),
    "revision-2": hmat(2, attributes(0, 0), attributes(1, 1), latency(*TWO_BY_TWO, unit=1000),
                       latency(*TWO_BY_TWO, data=3), memory_cache(0, GIB, 0x40_1211)),
    "revision-3": hmat(3, attributes(0, 0)),
    "unreachable": hmat(2, latency([0], [0, 5], [0, 0xFFFF]), latency([0], [0], [9], unit=1 << 40)),
    "matrix-too-large": hmat(2, latency([0], [1], [7], length=36), latency([0], [1], [7])),
    "matrix-counts-wrap": hmat(2, patched(latency([0], [1], [7]), 12, b"\xff" * 8)),
    "no-matrix": hmat(2, latency([], [], [])),
    "unknown-type": hmat(2, struct.pack("<HHI", 9, 0, 8), attributes(3, 4)),
    "short-entries": hmat(2, struct.pack("<HHIQ", 0, 0, 16, 0), struct.pack("<HHIQ", 2, 0, 16, 0)),
    "entry-of-length-0": hmat(2, struct.pack("<HHI", 0, 0, 0), attributes(0, 0)),
    "entry-past-the-end": hmat(2, struct.pack("<HHI", 2, 0, 0xFFFFFFFF) + bytes(20)),
    "too-many-of-each": hmat(2, *[attributes(i, i) for i in range(130)],
                             *[memory_cache(i, i, i) for i in range(130)],
                             *[latency([i], [i], [i]) for i in range(34)]),
}

# --- RSDP, RSDT, XSDT ---------------------------------------------------------------------------


def rsdp(revision, rsdt, xsdt):
    data = summed(struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"HIGHWT", revision, rsdt), 8, 20)
    if revision >= 2:
        data = summed(data + struct.pack("<IQB3s", 36, xsdt, 0, bytes(3)), 32, 36)
    return data


ROOT = {
    "rsdp-1": rsdp(0, 0x7FE0000, 0),
    "rsdp-2": rsdp(2, 0x7FE0000, 0x17FE0000),
    "rsdp-2-wrong-second-sum": patched(rsdp(2, 0x7FE0000, 0x17FE0000), 32, b"\x01"),
    "rsdp-2-cut": rsdp(2, 0x7FE0000, 0x17FE0000)[:30],
    "rsdt": table("RSDT", 1, struct.pack("<3I", 0x7FE1000, 0x7FE2000, 0x7FE3000)),
    "xsdt": table("XSDT", 1, struct.pack("<3Q", 0x7FE1000, 1 << 33, 0x7FE3000)),
    "xsdt-null-entry": table("XSDT", 1, struct.pack("<3Q", 0x7FE1000, 0, 0x7FE3000)),
    "rsdt-odd-bytes": table("RSDT", 1, struct.pack("<2I", 0x7FE1000, 0) + b"\x01\x02\x03"),
    "rsdt-too-many": table("RSDT", 1, struct.pack("<66I", *range(1, 67))),
    "xsdt-too-many": table("XSDT", 1, struct.pack("<66Q", *range(1, 67))),
}



def machine(revision, tables, listed=None, spoil=lambda data: data):
    """Memory with the RSDP at 0, then RSDT and XSDT with room for the list, then the tables."""
    count = len(tables) if listed is None else len(listed)
    rsdt_at, xsdt_at = 40, 40 + 40 + 4 * count
    at, places, body = xsdt_at + 40 + 8 * count, [], b""
    for data in tables:
        places.append(at + len(body))
        body += data
    if listed is not None:
        places = [places[i] if i is not None else 0 for i in listed]
    rsdt = table("RSDT", 1, struct.pack(f"<{count}I", *places)).ljust(xsdt_at - rsdt_at, b"\0")
    xsdt = table("XSDT", 1, struct.pack(f"<{count}Q", *places)).ljust(at - xsdt_at, b"\0")
    root = rsdp(revision, rsdt_at, xsdt_at).ljust(rsdt_at, b"\0")
    return spoil(root + rsdt + xsdt + body)


ALL_FOUR = [SRAT["two-nodes"], SLIT["two"], MADT["four"], HMAT["revision-2"]]
ROOT |= {
    "machine-rsdt": machine(0, ALL_FOUR),
    "machine-xsdt": machine(2, ALL_FOUR),
    "machine-null-entry": machine(2, ALL_FOUR, [0, None, 1]),
    "machine-table-twice": machine(2, ALL_FOUR, [0, 0, 1]),
    "machine-two-srats": machine(2, [SRAT["two-nodes"], SRAT["overlap"]]),
    "machine-short-srat-first": machine(2, [SRAT["only-a-header"], SRAT["overlap"]]),
    "machine-xsdt-leads-nowhere": machine(2, ALL_FOUR,
                                          spoil=lambda m: m.replace(b"XSDT", b"XXXX")),
    "machine-no-tables": machine(2, []),
}

# --- Several tables -----------------------------------------------------------------------------

TOPOLOGY = {f"srat-{name}": data for name, data in SRAT.items()}
TOPOLOGY |= {
    "two-nodes": SRAT["two-nodes"] + SLIT["two"] + MADT["four"],
    "sparse-slit-too-small": SRAT["sparse-domains"] + SLIT["asymmetric"] + MADT["four"],
    "domains-1-and-2": SRAT["x2apic"] + SLIT["asymmetric"] + MADT["x2apic"],
    "slit-larger": MADT["twice-each"] + SLIT["larger-than-srat"] + SRAT["interleaved"],
    "slit-breaks-its-rules": SRAT["two-nodes"] + SLIT["local-is-not-10"] + MADT["capable-only"],
    "slit-below-10": SRAT["two-nodes"] + SLIT["remote-below-10"],
    "slit-truncated": SRAT["two-nodes"] + SLIT["truncated"],
    "two-srats": SRAT["two-nodes"] + SRAT["sparse-domains"] + SRAT["overlap"],
    "no-srat": SLIT["two"] + MADT["four"],
    "cpus-srat-does-not-know": SRAT["overlap"] + MADT["x2apic"],
    "madt-broken": SRAT["overlap"] + MADT["entry-of-length-0"] + MADT["four"],
    "with-hmat": SRAT["two-nodes"] + HMAT["revision-2"] + HMAT["unknown-type"],
    "hmat-of-strangers": SRAT["overlap"] + HMAT["unreachable"] + HMAT["revision-3"],
    "initiators": srat(3, memory(0, 0, GIB), initiator(9), initiator(9, 0), initiator(2)),
    "madt-ids-above-254": SRAT["overlap"] + madt(lapic(0), madt_x2apic(255), madt_x2apic(256)),
    "srat-cpu-twice": srat(3, cpu(0, 1), cpu(1, 1), cpu(1, 1), memory(0, 0, GIB),
                           memory(1, GIB, 2 * GIB)) + MADT["four"],
    "no-memory-that-is-used": srat(3, memory(4, 0, GIB, 0), memory(5, GIB, GIB),
                                   memory(6, GIB, 2 * GIB, ENABLED | NONVOLATILE))
    + SLIT["two"] + HMAT["revision-2"],
    "nothing": b"",
}

# --- Multiboot2 ---------------------------------------------------------------------------------


def tag(kind, body):
    return struct.pack("<II", kind, 8 + len(body)) + body + bytes(-len(body) % 8)


def memory_map(*ranges, entry_bytes=24):
    entries = b"".join(struct.pack("<QQII", base, size, kind, 0).ljust(entry_bytes, b"\0")
                       for base, size, kind in ranges)  # fmt: skip
    return tag(6, struct.pack("<II", entry_bytes, 0) + entries)


def information(*tags, end=True):
    body = b"".join(tags) + (tag(0, b"") if end else b"")
    return struct.pack("<II", 8 + len(body), 0) + body


PC_MAP = [(0, 0x9FC00, 1), (0x9FC00, 0x400, 2), (0xF0000, 0x10000, 2), (MIB, 127 * MIB, 1),
          (0x7FE0000, 0x20000, 2), (0xFFFC0000, 0x40000, 2), (4 * GIB, GIB, 1)]  # fmt: skip

MULTIBOOT2 = {
    "pc": information(tag(1, b"test seed=7\0"), tag(2, b"GRUB 2.06\0"), memory_map(*PC_MAP),
                      tag(14, ROOT["rsdp-1"])),
    "uefi": information(tag(12, bytes(8)), tag(14, ROOT["rsdp-2"][:20]), tag(15, ROOT["rsdp-2"]),
                        memory_map((0, MIB, 1), (MIB, GIB, 7), (GIB, MIB, 3), entry_bytes=32)),
    "modules": information(tag(3, struct.pack("<II", MIB, 2 * MIB) + b"first\0"),
                           tag(3, struct.pack("<II", 2 * MIB, MIB) + b"upside-down\0"),
                           tag(3, struct.pack("<I", MIB))),
    "17-modules": information(*[tag(3, struct.pack("<II", i, i + 1) + b"m\0") for i in range(17)]),
    "overlapping-map": information(memory_map((0, GIB, 1), (MIB, MIB, 2), (1025, 4096, 1),
                                              (GIB - 5, 10, 5), (GIB // 2, GIB, 1))),
    "map-to-the-top": information(memory_map((0, (1 << 64) - 1, 1), (1 << 63, 1 << 63, 2),
                                             (1 << 46, 4096, 1))),
    "empty-ranges": information(memory_map((0, 0, 2), (5, 0, 1), (0, GIB, 1), (MIB + 7, 0, 2))),
    "short-map-entries": information(tag(6, struct.pack("<II", 16, 0) + bytes(32))),
    "map-entry-cut": information(tag(6, struct.pack("<II", 24, 0) + bytes(30))),
    "short-rsdp": information(tag(14, bytes(19)), tag(15, bytes(35))),
    "text-without-end": information(tag(1, b"no end"), tag(2, b"x" * 80)),
    "long-command-line": information(tag(1, b"a" * 2100 + b"\0")),
    "no-end": information(tag(2, b"GRUB\0"), end=False),
    "tag-of-size-0": information(struct.pack("<II", 6, 0), tag(2, b"GRUB\0")),
    "tag-past-the-end": information(struct.pack("<II", 6, 4000), bytes(16)),
    "257-ranges": information(memory_map(*[(i * MIB, 4096, 1) for i in range(257)])),
    "unknown-tags": information(tag(4, bytes(8)), tag(21, bytes(4)), tag(11, bytes(4))),
}

# --- Command lines ------------------------------------------------------------------------------

OPTIONS = {
    "test": b"test", "test-globs": b"test=mm_*,buddy seed=7", "run": b'run="numa; check" monitor',
    "quoted-as-grub-does": b'"run=numa; check" \\"loglevel=7\\"',
    "numbers": b"seed=0xffffffffffffffff loglevel=8 min_free_kbytes=4096 loglevel=3",
    "sizes": b"mem=512M mem=1T mem=4k mem=18446744073709551616 mem=0x10G",
    "choices": b"mm.profile=posted mm.fallback=before mm.critical=layered mm.capture=layered",
    "switch": b"numa=off numa=on numa=maybe numa", "unknown": b"nuna=off =x = loglevel lockcheck=1",
    "unclosed": b'run="numa; check', "backslash-at-the-end": b"run=a\\",
    "long-word": b"run=" + b"x" * 1100, "blanks": b" \t\r\n  test \t",
    "longest-text": b'run="' + b"; " * 511 + b'x"',
}  # fmt: skip

# --- Calls of memblock --------------------------------------------------------------------------


def scramble(seed, length):
    """Bytes without a pattern: Park and Miller's generator."""
    out = bytearray()
    for _ in range(length):
        seed = seed * 48271 % 0x7FFFFFFF
        out.append(seed >> 8 & 0xFF)
    return bytes(out)


MEMBLOCK = {f"scrambled-{i}": scramble(i, 60 * i) for i in range(1, 7)}
BOOT = {f"scrambled-{i}": scramble(i + 100, 16 * i) for i in range(1, 9)}

SEEDS = {
    "srat": SRAT | SRAT_LARGE, "slit": SLIT, "madt": MADT | MADT_LARGE, "hmat": HMAT, "root": ROOT,
    "topology": TOPOLOGY, "multiboot2": MULTIBOOT2, "options": OPTIONS, "memblock": MEMBLOCK,
    "boot": BOOT,
}  # fmt: skip

# Words that a target puts in as a whole; libFuzzer takes up to 64 bytes.
SRAT_WORDS = [cpu(0, 1), cpu(258, 2), memory(0, 0, GIB), memory(1, GIB, 2 * GIB),
              memory(2, GIB // 2, 3 * GIB), memory(3, 4 * GIB, 1 << 52), x2apic(1, 300),
              x2apic(7, 1), initiator(9), bytes([1, 0]), b"SRAT"]  # fmt: skip
SLIT_WORDS = [b"SLIT", struct.pack("<Q", 2), struct.pack("<Q", 3), b"\x0a\x14\x14\x0a"]
MADT_WORDS = [b"APIC", lapic(1), lapic(7, CAPABLE), madt_x2apic(300), madt_x2apic(2), ADDRESS,
              IOAPIC, bytes([0, 0])]  # fmt: skip
HMAT_WORDS = [b"HMAT", attributes(0, 1), latency([0], [1], [7]), latency(*TWO_BY_TWO),
              memory_cache(1, GIB, 0x12), struct.pack("<I", 32), b"\xff\xff"]  # fmt: skip
WORDS = {
    "srat": SRAT_WORDS, "slit": SLIT_WORDS, "madt": MADT_WORDS,
    "hmat": HMAT_WORDS,
    "root": [b"RSD PTR ", b"RSDT", b"XSDT", b"SRAT", b"SLIT", b"APIC", b"HMAT"],
    "topology": SRAT_WORDS + SLIT_WORDS + MADT_WORDS + HMAT_WORDS,
    "multiboot2": [tag(0, b""), tag(1, b"test\0"), tag(2, b"GRUB\0"), memory_map((0, GIB, 1)),
                   struct.pack("<QQII", MIB, GIB, 1, 0), struct.pack("<QQII", MIB, 4097, 2, 0),
                   tag(3, struct.pack("<II", 1, 2) + b"m\0"), tag(12, bytes(8)),
                   tag(14, ROOT["rsdp-1"]), tag(15, ROOT["rsdp-2"])],
    "options": [b"test=", b"run=", b"monitor", b"seed=", b"loglevel=", b"numa=off", b"numa=on",
                b"mem=", b"min_free_kbytes=", b"mm.profile=", b"mm.fallback=", b"mm.critical=",
                b"mm.pfmemalloc=", b"mm.capture=", b"before", b"posted", b"after", b"layered",
                b'"', b"\\", b"0x", b"18446744073709551615"],
}  # fmt: skip


def dictionary(words):
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)


def wanted():
    """{path: content} of all that is generated."""
    files = {}
    for target, seeds in SEEDS.items():
        for name, data in seeds.items():
            files[CORPUS / target / name] = data
    for target, words in WORDS.items():
        files[CORPUS / f"{target}.dict"] = dictionary(words).encode()
    return files


def main():
    files = wanted()
    present = {path for path in CORPUS.rglob("*") if path.is_file()}
    if "--check" in sys.argv[1:]:
        wrong = sorted(path.relative_to(CORPUS) for path in present | set(files)
                       if path not in present or files.get(path) != path.read_bytes())
        if wrong:
            print("not as seeds.py makes them:", *wrong, file=sys.stderr)
        return 1 if wrong else 0
    for path in present - set(files):
        path.unlink()
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
