"""Rules that spoil SRAT: lengths, content, and who has what."""

import struct

import kit
from subject import (ENABLED, HOTPLUG, NONVOLATILE, Table, cpu_apic_id, cpu_domain, cpu_enabled,
                     cpu_entry, file_only, initiator_entry, memory_entry, memory_fields, rule, seal,
                     x2apic_cpu_entry)

PHYS_LIMIT = 1 << 52


def lose_last_memory(subject):
    """The table's last entry is not read. Only where that is a range of its own, and of a node
    that has something else."""
    last = subject.srat.entries[-1]
    if last[0] != 1 or subject.expect["notes"] or subject.srat.fixed[8] < 2:
        return False
    domain, base, length, flags = memory_fields(last)
    lost = [item for item in subject.expect["ranges"]
            if (int(item["base"], 16), int(item["end"], 16)) == (base, base + length)]
    others = [memory_fields(entry) for entry in subject.srat.memory()[:-1]]
    kept = any(d == domain and f & ENABLED for d, _, _, f in others)
    kept |= any(cpu_domain(entry) == domain for entry in subject.srat.cpus() if cpu_enabled(entry))
    if flags != ENABLED or not lost or not kept or len(others) == 0:
        return False
    subject.expect["ranges"].remove(lost[0])
    return True


def ram_entries(subject):
    return [entry for entry in subject.srat.memory()
            if memory_fields(entry)[2] and memory_fields(entry)[3] == ENABLED]


def last_domain(subject):
    """The domain of the highest range, and its node: what lies above is not between others."""
    domain = memory_fields(max(ram_entries(subject), key=lambda entry: memory_fields(entry)[1]))[0]
    if subject.srat.fixed[8] < 2:
        domain &= 0xFF
    return domain, subject.expect["domains"].index(domain)


def first_cpu_of_srat(subject):
    return next(entry for entry in subject.srat.cpus() if cpu_enabled(entry))


# --- SRAT: lengths ------------------------------------------------------------------------------


@rule
def srat_entry_of_length_0_at_the_end(subject):
    """An entry of length 0 after all others: nothing is lost."""
    subject.srat.entries.append(bytearray([1, 0]) + bytes(38))
    subject.note("SRAT: 1 malformed .* 40 bytes not read")


@rule
def srat_entry_of_length_0_before_the_last(subject):
    """What stands behind an entry of length 0 cannot be found."""
    if not lose_last_memory(subject):
        return False
    subject.srat.entries.insert(-1, bytearray([0, 0]) + bytes(14))
    subject.note("SRAT: 1 malformed .* 56 bytes not read")


@rule
def srat_entry_of_length_1_before_the_last(subject):
    """Nor behind one of length 1."""
    if not lose_last_memory(subject):
        return False
    subject.srat.entries.insert(-1, bytearray([0, 1]))
    subject.note("SRAT: 1 malformed .* 42 bytes not read")


@rule
def srat_last_entry_past_the_end(subject):
    """The last entry claims 255 bytes."""
    if not lose_last_memory(subject):
        return False
    subject.srat.entries[-1][1] = 255
    subject.note("SRAT: 1 malformed .* 40 bytes not read")


@rule
def srat_cut_in_the_last_entry(subject):
    """Half of the last entry is missing; length and checksum agree."""
    if not lose_last_memory(subject):
        return False
    del subject.srat.entries[-1][20:]
    subject.note("SRAT: 1 malformed .* 20 bytes not read")


@rule
def srat_one_byte_behind_the_entries(subject):
    """A byte that is no entry."""
    subject.srat.entries.append(bytearray([0]))
    subject.note("SRAT: 1 malformed .* 1 byte not read")


@rule
def srat_entries_too_short_for_their_type(subject):
    """Entries whose length is good but below their type's: passed over, the next one is read."""
    for kind, length in ((0, 15), (1, 39), (2, 23)):
        subject.srat.entries.insert(0, bytearray([kind, length]) + bytes([255]) * (length - 2))
    subject.note("SRAT: 3 malformed entries passed over, 0 bytes not read")


@rule
def srat_entries_longer_than_their_type(subject):
    """Eight bytes more in each: a later revision may have added some."""
    for entry in subject.srat.entries:
        entry[1] += 8
        entry += bytes([255]) * 8


@rule
@file_only
def srat_length_beyond_the_file(subject):
    """The header's length is past the end of what there is."""
    data = bytearray(subject.bytes("srat"))
    data[4:8] = struct.pack("<I", len(data) + 100)
    subject.raw["srat"] = data
    subject.flat("no table at .*left out", "without SRAT")


@rule
@file_only
def srat_file_cut_off(subject):
    """The file ends in the middle of the table."""
    subject.raw["srat"] = subject.bytes("srat")[:-50]
    subject.flat("no table at .*left out", "without SRAT")


@rule
def srat_length_below_the_header(subject):
    """A length of 20 is no table's."""
    data = bytearray(subject.bytes("srat"))
    data[4:8] = struct.pack("<I", 20)
    subject.raw["srat"] = data
    subject.flat("length 20.*left out", "without SRAT")


def srat_of_length(subject, length):
    data = bytearray(subject.bytes("srat"))
    data[4:8] = struct.pack("<I", length)
    subject.raw["srat"] = data
    subject.flat(f"no table at .*length {length}, longer than any table.: left out", "without SRAT")


@rule
def srat_length_above_any_table(subject):
    """16 MiB and a byte: more than is mapped for any table."""
    srat_of_length(subject, (16 << 20) + 1)


@rule
def srat_length_of_all_ones(subject):
    """2^32 - 1, as where no memory answers."""
    srat_of_length(subject, 0xFFFFFFFF)


@rule
def srat_header_only(subject):
    """Header, and not even the fixed part."""
    subject.raw["srat"] = seal(subject.srat.fixed[:36])
    subject.flat("SRAT .*too short.*left out", "without SRAT")


@rule
def srat_without_entries(subject):
    """The fixed part and nothing else."""
    subject.srat.entries = []
    subject.flat("SRAT names no memory that is used: one node")


# --- SRAT: content ------------------------------------------------------------------------------


@rule
def srat_bad_checksum(subject):
    """The bytes do not add up to 0: used all the same, as Linux does."""
    data = bytearray(subject.bytes("srat"))
    data[9] ^= 0x55
    subject.raw["srat"] = data
    subject.note("SRAT .*wrong checksum")


@rule
def srat_missing(subject):
    """No SRAT at all."""
    del subject.parts["srat"]
    subject.flat("without SRAT")


@rule
def srat_unknown_types(subject):
    """Entries of types 3 and 4 (other architectures') and of one that does not exist."""
    for kind, length in ((3, 18), (4, 12), (127, 200)):
        subject.srat.entries.insert(1, bytearray([kind, length]) + bytes([1]) * (length - 2))
    subject.note("SRAT: 3 entries of unknown type passed over .first: type 127.")


@rule
def srat_reversed(subject):
    """Entries from last to first: node numbers come from domains, not from their order."""
    subject.srat.entries.reverse()


@rule
def srat_ranges_in_halves(subject):
    """Each range as two that touch: merged again."""
    halves = []
    for entry in subject.srat.entries:
        domain, base, length, flags = memory_fields(entry) if entry[0] == 1 else (0, 0, 0, 0)
        if flags != ENABLED or length == 0:
            halves.append(entry)
            continue
        middle = length // 2
        halves += [memory_entry(domain, base + middle, length - middle),
                   memory_entry(domain, base, middle)]
    subject.srat.entries = halves


@rule
def srat_disabled_memory(subject):
    """A disabled range over all there is, of a domain of its own: it does not exist."""
    subject.srat.entries.insert(0, memory_entry(77, 0, 1 << 40, flags=HOTPLUG))
    subject.note("mem 0x0, 0x10000000000 bytes. of domain 77 is disabled: not used")


@rule
def srat_empty_memory(subject):
    """An enabled range of length 0, of a domain of its own."""
    subject.srat.entries.insert(0, memory_entry(77, 1 << 20, 0))
    empty = [entry for entry in subject.srat.memory()
             if memory_fields(entry)[2] == 0 and memory_fields(entry)[3] & ENABLED]
    subject.forget("of length 0")
    subject.note(f"SRAT: {len(empty)} enabled ranges? of length 0")


@rule
def srat_disabled_cpus(subject):
    """Disabled CPUs of domains of their own, one with the boot CPU's id."""
    subject.srat.entries[0:0] = [cpu_entry(77, 0, flags=0), x2apic_cpu_entry(78, 1, flags=0)]


@rule
def srat_initiators(subject):
    """A disabled generic initiator of a domain of its own, and enabled ones of the first domain, with
    handles of all types."""
    if subject.name == "initiator":
        return False
    domain = subject.expect["domains"][0]
    subject.srat.entries[1:1] = [
        initiator_entry(77, 0, flags=0), initiator_entry(domain, 0), initiator_entry(domain, 1),
        initiator_entry(domain, 9)]
    subject.note("SRAT: 3 generic initiators: a node for each domain")


@rule
def srat_all_disabled(subject):
    """No memory entry is enabled: each is named, then what follows."""
    for entry in subject.srat.memory():
        entry[28] = 0
    subject.flat(*subject.unused(), "SRAT names no memory that is used: one node")


@rule
def srat_all_hotpluggable(subject):
    """Whole machines are marked so: RAM is where the map has it."""
    if subject.name == "hotplug":
        return False
    entries = [entry for entry in subject.srat.memory() if memory_fields(entry)[3] & ENABLED]
    for entry in entries:
        entry[28] |= HOTPLUG
    counted = sum(memory_fields(entry)[2] != 0 for entry in entries)
    subject.note(f"SRAT: {counted} hot-pluggable range")


@rule
def srat_all_nonvolatile(subject):
    """No range is RAM: each is named, then what follows."""
    for entry in subject.srat.memory():
        entry[28] |= NONVOLATILE
    subject.flat(*subject.unused(), "SRAT names no memory that is used: one node")


@rule
def srat_two_of_them(subject):
    """A second SRAT says something else: the first one counts."""
    other = Table("srat", subject.srat.fixed)
    other.entries = [cpu_entry(9, 0), memory_entry(9, 0, 1 << 40)]
    subject.raw["srat2"] = other.bytes()
    subject.note("another SRAT .*the first one is used")


@rule
def srat_revision_1(subject):
    """Domains have 8 bits in revision 1. Where that makes two of one, the rule does not apply."""
    if any(entry[0] == 2 for entry in subject.srat.cpus()) or subject.name == "revision-1":
        return False
    subject.srat.fixed[8] = 1
    if max(subject.expect["domains"]) > 255:
        return False


@rule
def srat_revision_1_cuts_domains(subject):
    """Domain 300 is 44 in revision 1, and 70000 is 112 where it names memory."""
    if subject.name != "sparse":
        return False
    subject.srat.fixed[8] = 1
    subject.expect["domains"] = [1, 4, 44, 112, 70000]
    subject.expect["nodes"] = 5
    subject.expect["cpus"][3]["node"] = 4  # by type 2, which has 32 bits in every revision
    subject.default_distances()
    subject.expect["distances"][0][1] = subject.expect["distances"][1][0] = 16
    subject.forget("nodes not in it")
    subject.note("SLIT.* 3 nodes not in it")


# --- SRAT: who has what -------------------------------------------------------------------------


@rule
def srat_overlap_within_a_node(subject):
    """A domain names the second half of its first range again: merged."""
    domain, base, length, _ = memory_fields(ram_entries(subject)[0])
    subject.srat.entries.append(memory_entry(domain, base + length // 2, length - length // 2))
    subject.note("SRAT: 1 range across others of the same node: merged")


@rule
def srat_overlap_between_nodes(subject):
    """A range begins in the middle of the one below it: the shorter of the two keeps what both claim."""
    ranges = sorted((memory_fields(entry)[1], entry) for entry in ram_entries(subject))
    for (_, lower), (_, upper) in zip(ranges, ranges[1:]):
        (domain, base, length, _), (other, start, more, flags) = map(memory_fields, (lower, upper))
        if base + length == start and domain != other and length // 2 + more > length:
            break
    else:
        return False
    middle = base + length // 2
    upper[:] = memory_entry(other, middle, start + more - middle, flags)
    subject.note(f"mem {middle:#x}-{start - 1:#x}. is claimed by nodes")


@rule
def srat_one_range_over_all(subject):
    """A domain of its own, number 0xfffffffe, claims 4 GiB from 0 on: each part stays with the
    shorter range, and it gets the gap and the rest."""
    if subject.name != "two":
        return False
    subject.srat.entries.append(memory_entry(0xFFFFFFFE, 0, 4 << 30))
    kept = subject.expect["ranges"]
    expect = [kept[0], kit.topology_range(0xA0000, 0x100000, 2), *kept[1:],
              kit.topology_range(1 << 30, 4 << 30, 2)]
    subject.expect.update(nodes=3, domains=[0, 1, 0xFFFFFFFE], ranges=expect,
                          distances=[[10, 21, 20], [21, 10, 20], [20, 20, 10]])
    subject.note(r"mem 0x0-0x9ffff. is claimed by nodes 0 and 2")
    subject.note(r"mem 0x100000-0x1fffffff. is claimed by nodes 0 and 2: it is 0's")
    subject.note(r"mem 0x20000000-0x3fffffff. is claimed by nodes 1 and 2: it is 1's")
    subject.note("2 nodes .first: 0. with others' memory between")
    subject.note("SLIT.* 1 node not in it")


@rule
def srat_range_within_another(subject):
    """A short range in the middle of a long one: its own node's."""
    if subject.name != "two":
        return False
    low, first, second = subject.expect["ranges"]
    subject.srat.entries.append(memory_entry(1, 0x8000000, 0x8000000))
    subject.expect["ranges"] = [
        low, {**first, "end": "0x8000000"}, kit.topology_range(0x8000000, 0x10000000, 1),
        {**first, "base": "0x10000000"}, second]
    subject.note(r"mem 0x8000000-0xfffffff. is claimed by nodes 0 and 1: it is 1's")
    subject.note("2 nodes .first: 0. with others' memory between")


@rule
def srat_edge_inside_a_page(subject):
    """Two nodes meet 123 bytes into a page, which cannot be shared: it is the lower one's."""
    if subject.name != "two":
        return False
    first, second = ram_entries(subject)[-2:]
    domain, base, length, flags = memory_fields(first)
    first[:] = memory_entry(domain, base, length + 123, flags)
    domain, base, length, flags = memory_fields(second)
    second[:] = memory_entry(domain, base + 123, length - 123, flags)
    subject.expect["ranges"][-2]["end"] = hex(base + 123)
    subject.expect["ranges"][-1]["base"] = hex(base + 123)
    subject.note("2 ranges with an edge inside a page: it is the lower node's")


@rule
def srat_range_that_wraps(subject):
    """Base plus length is past 2^64: cut at the highest physical address, 2^52."""
    if subject.srat.fixed[8] < 2 or subject.name == "hotplug":
        return False
    domain, node = last_domain(subject)
    base = 1 << 51
    subject.srat.entries.append(memory_entry(domain, base, (1 << 64) - base + kit.PAGE))
    subject.expect["ranges"].append(kit.topology_range(base, PHYS_LIMIT, node))
    subject.note("1 range beyond any physical address: cut")


@rule
def srat_range_beyond_physical_addresses(subject):
    """A range that starts at 2^52 or above, up to the last byte of 64 bits."""
    domain, _ = last_domain(subject)
    subject.srat.entries.append(memory_entry(domain, PHYS_LIMIT, 1 << 30))
    subject.srat.entries.append(memory_entry(domain, (1 << 64) - kit.PAGE, kit.PAGE))
    subject.note("0x10000000000000, 0x40000000 bytes. .*beyond any physical address: not used")
    subject.note("0xfffffffffffff000, 0x1000 bytes. .*beyond any physical address: not used")


@rule
def srat_range_up_to_the_limit(subject):
    """A range that ends at 2^52 exactly is whole."""
    if subject.srat.fixed[8] < 2:
        return False
    domain, node = last_domain(subject)
    subject.srat.entries.append(memory_entry(domain, 1 << 51, 1 << 51))
    subject.expect["ranges"].append(kit.topology_range(1 << 51, PHYS_LIMIT, node))


@rule
def srat_cpu_twice(subject):
    """The same CPU twice, in the same domain."""
    subject.srat.entries.append(bytearray(first_cpu_of_srat(subject)))
    subject.note("SRAT names 1 CPU more than once, in the same domain")


@rule
def srat_cpu_in_two_domains(subject):
    """The same CPU again in another domain: the first entry counts."""
    cpu = first_cpu_of_srat(subject)
    if len(subject.expect["domains"]) < 2 or subject.srat.fixed[8] < 2:
        return False
    other = next(d for d in subject.expect["domains"] if d != cpu_domain(cpu))
    subject.srat.entries.append(x2apic_cpu_entry(other, cpu_apic_id(cpu)))
    subject.note(f"SRAT: APIC id {cpu_apic_id(cpu)} is in domains {cpu_domain(cpu)} and {other}")


@rule
def srat_lacks_a_cpu(subject):
    """The MADT's last CPU is not in SRAT: node 0."""
    if subject.name not in ("two", "asymmetric", "interleaved", "no-slit"):
        return False
    last = subject.expect["cpus"][-1]
    subject.srat.entries = [entry for entry in subject.srat.entries
                            if entry[0] == 1 or cpu_apic_id(entry) != last["apic_id"]]
    last["node"] = 0
    subject.note(f"1 CPU not in SRAT .first: APIC id {last['apic_id']}.: put on node 0")
