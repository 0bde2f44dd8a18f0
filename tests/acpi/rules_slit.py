"""Rules that spoil SLIT."""

import struct

from subject import Table, file_only, rule, seal


def localities(subject):
    return struct.unpack_from("<Q", subject.slit.fixed, 36)[0] if subject.slit else 0


def refused_slit(subject, why):
    """Not used at all: 20 between any two, and the notes about what it lacked are void."""
    subject.default_distances()
    subject.forget("SLIT")
    subject.note(f"SLIT of .* is not used: {why}")


@rule
def slit_missing(subject):
    """As if the machine had none."""
    if not subject.slit:
        return False
    del subject.parts["slit"]
    subject.default_distances()
    subject.forget("SLIT")
    if subject.expect["nodes"] > 1:
        subject.note("no SLIT")


@rule
def slit_diagonal_not_10(subject):
    """The last locality is 11 from itself."""
    if not subject.slit:
        return False
    subject.slit.entries[0][-1] = 11
    refused_slit(subject, "a distance to itself is not 10")


@rule
def slit_remote_below_10(subject):
    """The last locality is 9 from the first."""
    if localities(subject) < 2:
        return False
    subject.slit.entries[0][-localities(subject)] = 9
    refused_slit(subject, "a distance to another is 10 or less")


@rule
def slit_remote_10(subject):
    """Another node cannot be as near as the own."""
    if localities(subject) < 2:
        return False
    subject.slit.entries[0][1] = 10
    refused_slit(subject, "a distance to another is 10 or less")


def slit_of_count(subject, count):
    if not subject.slit:
        return False
    subject.slit.fixed[36:44] = struct.pack("<Q", count)
    return True


@rule
def slit_count_beyond_the_table(subject):
    """1000 localities in a matrix of a few."""
    if not slit_of_count(subject, 1000):
        return False
    refused_slit(subject, "it is shorter than its matrix")


@rule
def slit_count_whose_square_wraps(subject):
    """2^32 localities: the square is 0 in 64 bits."""
    if not slit_of_count(subject, 1 << 32):
        return False
    refused_slit(subject, "it is shorter than its matrix")


@rule
def slit_count_of_all_ones(subject):
    """2^64 - 1 localities."""
    if not slit_of_count(subject, (1 << 64) - 1):
        return False
    refused_slit(subject, "it is shorter than its matrix")


@rule
def slit_count_1(subject):
    """A count of 1 before a larger matrix: padding, and only domain 0 is in it. Seen on a machine."""
    padding = localities(subject) ** 2 - 1
    if padding < 3 or not slit_of_count(subject, 1):
        return False
    subject.default_distances()
    subject.forget("SLIT")
    subject.note(f"SLIT: {padding} bytes after its 1 locality")
    outside = sum(domain > 0 for domain in subject.expect["domains"])
    if outside:
        subject.note(f"SLIT: {outside} nodes? not in it")
    if outside == subject.expect["nodes"]:
        subject.note("SLIT: 1 of its 1 locality without a node")


@rule
def slit_padded(subject):
    """Bytes behind the matrix."""
    if not subject.slit:
        return False
    subject.slit.entries.append(bytearray(64))
    subject.note(f"SLIT: 64 bytes after its {localities(subject)} localit")


@rule
def slit_with_more_localities(subject):
    """Three localities that no domain has, 99 from all."""
    count = localities(subject)
    if not count:
        return False
    matrix = subject.slit.entries[0]
    rows = [matrix[i * count : (i + 1) * count] + bytes([99] * 3) for i in range(count)]
    rows += [bytes([99] * (count + i) + [10] + [99] * (2 - i)) for i in range(3)]
    subject.slit.entries = [bytearray(b"".join(rows))]
    inside = sum(domain < count for domain in subject.expect["domains"])
    subject.forget("localities without a node")
    subject.note(f"SLIT: {count + 3 - inside} of its {count + 3} localities without a node")
    return slit_of_count(subject, count + 3)


@rule
def slit_of_no_localities(subject):
    """A count of 0: nothing is in it."""
    if not slit_of_count(subject, 0):
        return False
    refused_slit(subject, "it is empty")


@rule
def slit_unreachable(subject):
    """255, which says that there is no way: used as the largest distance there is."""
    if subject.name != "two":
        return False
    subject.slit.entries[0][1:3] = bytes([255, 255])
    subject.expect["distances"] = [[10, 255], [255, 10]]
    subject.note("SLIT: 2 distances of 255")


@rule
def slit_not_symmetric(subject):
    """The first pair of nodes: 77 there, 88 back."""
    if subject.name != "two":
        return False
    subject.slit.entries[0][1:3] = bytes([77, 88])
    subject.expect["distances"] = [[10, 77], [88, 10]]
    subject.note("SLIT: 1 pair not symmetric .node 0 to 1: 77, back: 88")


@rule
def slit_bad_checksum(subject):
    """Used all the same."""
    if not subject.slit:
        return False
    data = bytearray(subject.bytes("slit"))
    data[9] ^= 0x55
    subject.raw["slit"] = data
    subject.note("SLIT .*wrong checksum")


@rule
@file_only
def slit_file_cut_off(subject):
    """The file ends in the middle of the matrix."""
    if not subject.slit:
        return False
    subject.raw["slit"] = subject.bytes("slit")[:-1]
    slit_left_out(subject, "no table at .*left out")


@rule
def slit_header_only(subject):
    """No room for the count of localities."""
    if not subject.slit:
        return False
    subject.raw["slit"] = seal(subject.slit.fixed[:36])
    slit_left_out(subject, "SLIT .*too short.*left out")


def slit_left_out(subject, note):
    subject.default_distances()
    subject.forget("SLIT")
    subject.note(note)
    if subject.expect["nodes"] > 1:
        subject.note("no SLIT")


@rule
def slit_two_of_them(subject):
    """A second SLIT: the first one counts."""
    if not subject.slit:
        return False
    other = Table("slit", subject.bytes("slit"))
    other.entries[0][1:2] = bytes([77])
    subject.raw["slit2"] = other.bytes()
    subject.note("another SLIT .*the first one is used")
