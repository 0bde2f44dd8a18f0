"""Rules that spoil the MADT, whose signature is APIC."""

import struct

import kit
from subject import lapic_entry, rule, seal, x2apic_entry


@rule
def apic_missing(subject):
    """No MADT: only the CPU that boots is known."""
    del subject.parts["apic"]
    only_the_boot_cpu(subject)


@rule
def apic_entry_of_length_0(subject):
    """After all others: nothing is lost."""
    subject.apic.entries.append(bytearray(8))
    subject.note("MADT: 1 malformed .* 8 bytes not read")


@rule
def apic_entry_past_the_end(subject):
    """One that claims 255 bytes, at the end."""
    subject.apic.entries.append(bytearray([0, 255]) + bytes(6))
    subject.note("MADT: 1 malformed .* 8 bytes not read")


@rule
def apic_entries_too_short(subject):
    """CPUs whose entries are too short for their type: passed over."""
    subject.apic.entries[0:0] = [bytearray([0, 7]) + bytes([1] * 5),
                                 bytearray([9, 15]) + bytes([1] * 13)]
    subject.note("MADT: 2 malformed entries passed over, 0 bytes not read")


@rule
def apic_unknown_types(subject):
    """Types of other architectures and of none: nothing here asks for them."""
    subject.apic.entries[0:0] = [bytearray([11, 80]) + bytes(78), bytearray([200, 2])]


@rule
def apic_cpus_twice(subject):
    """Each CPU again."""
    if any(kit.is_of_madt(note) for note in subject.expect["notes"]):
        return False  # their counts would double
    enabled = len(subject.expect["cpus"])
    subject.apic.entries += [bytearray(entry) for entry in subject.apic.cpus()]
    subject.note(f"MADT lists {enabled} CPUs? more than once")


@rule
def apic_cpus_as_x2apic_too(subject):
    """Each CPU a second time, by the other type of entry."""
    ids = [cpu["apic_id"] for cpu in subject.expect["cpus"]]
    subject.apic.entries += [x2apic_entry(number, number) for number in ids]
    subject.note(f"MADT lists {len(ids)} CPUs? more than once")


@rule
def apic_disabled_cpus(subject):
    """Empty sockets, and one that could be filled: no CPUs."""
    if subject.name == "empty-sockets":
        return False  # it has some
    subject.apic.entries[0:0] = [lapic_entry(90, 90, 0), lapic_entry(91, 91, 2),
                                 x2apic_entry(92, 500, 0)]
    subject.note("MADT: 1 CPU could be plugged in: left out")


@rule
def apic_broadcast_ids(subject):
    """Ids that stand for all CPUs are none's."""
    subject.apic.entries[0:0] = [lapic_entry(90, 255), x2apic_entry(91, 0xFFFFFFFF)]


@rule
def apic_cpu_unknown_to_srat(subject):
    """A CPU that SRAT does not name: node 0."""
    subject.apic.entries.append(lapic_entry(90, 90))
    subject.expect["cpus"].append({"apic_id": 90, "node": 0})
    subject.note("1 CPU not in SRAT .first: APIC id 90.: put on node 0")


@rule
def apic_lacks_the_boot_cpu(subject):
    """The MADT has the CPU that boots disabled: it is there all the same."""
    for entry in subject.apic.cpus():
        if entry[0] == 0 and entry[3] == 0:
            entry[4] = 0
    subject.note("MADT does not list the boot CPU .APIC id 0. as enabled")


@rule
def apic_lacks_the_last_cpu(subject):
    """SRAT names a CPU that the MADT has disabled: it does not count, its node stays."""
    if len(subject.expect["cpus"]) < 2:
        return False
    last = subject.expect["cpus"].pop()["apic_id"]
    for entry in subject.apic.cpus():
        if entry[0] == 0 and entry[3] == last:
            entry[4] = 0
        elif entry[0] == 9 and entry[4:8] == struct.pack("<I", last):
            entry[8] = 0
    subject.note(f"1 CPU of SRAT not enabled in MADT .first: APIC id {last}.: left out")


@rule
def apic_bad_checksum(subject):
    """Used all the same."""
    data = bytearray(subject.bytes("apic"))
    data[9] ^= 0x55
    subject.raw["apic"] = data
    subject.note("APIC .*wrong checksum")


@rule
def apic_header_only(subject):
    """No fixed part: as if there were no MADT."""
    subject.raw["apic"] = seal(subject.apic.fixed[:36])
    subject.note("APIC .*too short.*left out")
    only_the_boot_cpu(subject)


def only_the_boot_cpu(subject):
    subject.expect["cpus"] = [cpu for cpu in subject.expect["cpus"] if cpu["apic_id"] == 0]
    subject.expect["notes"] = [note for note in subject.expect["notes"]
                               if not kit.is_of_madt(note)]
    subject.note("no MADT")
