"""A machine taken apart for a rule to spoil, and the register of rules.

A rule takes a Subject, spoils something, and states what must come of it as a change to the
machine's own expectation: the topology, and for each oddity a note as a regular expression. Most
state "nothing changes but a note"; what a broken table loses is stated in one of a few ways:
flat(), default_distances(), lose_last_memory(). A rule returns False where it does not apply: to
a machine without SLIT, for example.
"""

import copy
import struct

import kit

MAX_NODES, MAX_ENTRIES = 64, 512  # MAX_NUMNODES; NUMA_MAX_CPUS and NUMA_MAX_RANGES
MAX_APIC_ID = 254  # ACPI_MAX_APIC_ID
ENABLED, HOTPLUG, NONVOLATILE = 1, 2, 4

RULES = {}


def rule(function):
    RULES[function.__name__.replace("_", "-")] = function
    return function


def file_only(function):
    """A rule about the end of a file: what stands behind a table in memory is anything."""
    function.file_only = True
    return function


# --- Tables as lists of entries -----------------------------------------------------------------


class Table:
    """Header and fixed part, and the entries behind. SLIT has none: its body is one piece."""

    FIXED = {"srat": 48, "apic": 44, "slit": 44, "hmat": 40}

    def __init__(self, kind, data):
        self.kind = kind
        self.fixed = bytearray(data[: self.FIXED[kind]])
        self.entries = []
        body = data[self.FIXED[kind] :]
        while body:
            length = self.entry_bytes(body)
            self.entries.append(bytearray(body[:length]))
            body = body[length:]

    def entry_bytes(self, body):
        if self.kind == "slit":
            return len(body)
        return body[1] if self.kind != "hmat" else struct.unpack_from("<I", body, 4)[0]

    def bytes(self):
        return seal(self.fixed + b"".join(self.entries))

    def memory(self):
        return [entry for entry in self.entries if entry[0] == 1]

    def cpus(self):
        """CPU entries of SRAT or MADT."""
        types = (0, 2) if self.kind == "srat" else (0, 9)
        return [entry for entry in self.entries if entry[0] in types]


def seal(data):
    """Length and checksum as they should be."""
    data = bytearray(data)
    data[4:8] = struct.pack("<I", len(data))
    data[9] = 0
    data[9] = -sum(data) & 0xFF
    return data


def memory_entry(domain, base, length, flags=ENABLED):
    return bytearray(struct.pack("<BBIHQQIIQ", 1, 40, domain, 0, base, length, 0, flags, 0))


def cpu_entry(domain, apic_id, flags=ENABLED):
    return bytearray(struct.pack("<BBBBIB3sI", 0, 16, domain & 0xFF, apic_id, flags, 0,
                                 (domain >> 8).to_bytes(3, "little"), 0))


def x2apic_cpu_entry(domain, apic_id, flags=ENABLED):
    return bytearray(struct.pack("<BBHIIIII", 2, 24, 0, domain, apic_id, flags, 0, 0))


def initiator_entry(domain, handle_type, flags=ENABLED):
    return bytearray(struct.pack("<BBBBI16sII", 5, 32, 0, handle_type, domain, b"ACPI0017", flags, 0))


def lapic_entry(uid, apic_id, flags=ENABLED):
    return bytearray(struct.pack("<BBBBI", 0, 8, uid, apic_id, flags))


def x2apic_entry(uid, apic_id, flags=ENABLED):
    return bytearray(struct.pack("<BBHIII", 9, 16, 0, apic_id, flags, uid))


def memory_fields(entry):
    """(domain, base, length, flags)"""
    domain, _, base, length, _, flags = struct.unpack_from("<IHQQII", entry, 2)
    return domain, base, length, flags


def cpu_apic_id(entry):
    """Of a CPU entry of SRAT."""
    return entry[3] if entry[0] == 0 else struct.unpack_from("<I", entry, 8)[0]


def cpu_domain(entry):
    """Of a CPU entry of a SRAT of revision 2 or later."""
    if entry[0] == 2:
        return struct.unpack_from("<I", entry, 4)[0]
    return entry[2] | entry[9] << 8 | entry[10] << 16 | entry[11] << 24


def cpu_enabled(entry):
    """Of a CPU entry of SRAT."""
    return bool(struct.unpack_from("<I", entry, 4 if entry[0] == 0 else 12)[0] & ENABLED)


class Subject:
    """A machine taken apart. What a rule leaves in `raw` replaces the table put together again."""

    def __init__(self, machine):
        self.name = machine.name
        self.guest = dict(machine.guest)
        self.expect = copy.deepcopy(machine.expect)
        tables = {name.removesuffix(".aml"): data for name, data in machine.tables}
        self.parts = {kind: Table(kind, data) for kind, data in tables.items()}
        self.raw = {}

    def __getattr__(self, kind):
        if kind not in Table.FIXED:
            raise AttributeError(kind)
        return self.parts.get(kind)

    def bytes(self, kind):
        return self.raw[kind] if kind in self.raw else self.parts[kind].bytes()

    def note(self, pattern):
        self.expect["notes"].append(pattern)

    def forget(self, *words):
        """Notes of the machine's own with one of these words are void."""
        self.expect["notes"] = [note for note in self.expect["notes"]
                                if not any(word in note for word in words)]

    def flat(self, *notes):
        """One node is left, and what speaks of several is not applied."""
        self.expect = kit.flat(self.expect, *notes)
        if self.slit and struct.unpack_from("<Q", self.slit.fixed, 36)[0] > 1:
            self.note("SLIT is not applied: there is one node")
        if self.hmat:
            self.note("HMAT is not applied: there is one node")

    def unused(self):
        """The notes on memory of SRAT that is not used, as kit.few() shortens them."""
        notes, empty = [], 0
        for entry in self.srat.memory():
            domain, base, length, flags = memory_fields(entry)
            if self.srat.fixed[8] < 2:
                domain &= 0xFF
            if length == 0:
                empty += flags & ENABLED
            elif not flags & ENABLED or flags & NONVOLATILE:
                why = "non-volatile" if flags & ENABLED else "disabled"
                notes.append(f"mem {base:#x}, {length:#x} bytes. of domain {domain} is {why}: "
                             "not used")
        notes = kit.few(notes, "ranges not used")
        return notes + ([f"SRAT: {empty} enabled ranges? of length 0"] if empty else [])

    def default_distances(self):
        self.expect["distances"] = kit.default_distances(self.expect["nodes"])

    def machine(self, rule_name):
        kinds = [*self.parts, *(kind for kind in self.raw if kind not in self.parts)]
        tables = [(f"{kind}.aml", bytes(self.bytes(kind))) for kind in kinds]
        return kit.Machine(f"{self.name}.{rule_name}", tables, self.expect, self.guest)
