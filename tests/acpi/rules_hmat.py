"""Rules that spoil HMAT. It decides nothing, so the topology stays; what is odd is said."""

import struct

from subject import rule, seal


def wide_entry(kind, length, body):
    """An entry as HMAT has them: a type of 16 bits, a length of 32."""
    return bytearray(struct.pack("<HHI", kind, 0, length) + body)


@rule
def hmat_revision_1(subject):
    """Revision 1 has other units."""
    if not subject.hmat:
        return False
    subject.hmat.fixed[8] = 1


@rule
def hmat_of_an_unknown_revision(subject):
    """Revision 9 may mean anything."""
    if not subject.hmat:
        return False
    subject.hmat.fixed[8] = 9
    subject.note("HMAT is of revision 9, not 1 or 2: not read")


@rule
def hmat_entry_of_length_0(subject):
    """After all others: nothing is lost."""
    if not subject.hmat:
        return False
    subject.hmat.entries.append(wide_entry(0, 0, bytes(32)))
    subject.note("HMAT: 1 malformed .* 40 bytes not read")


@rule
def hmat_entry_past_the_end(subject):
    """A length of 2^32 - 1."""
    if not subject.hmat:
        return False
    subject.hmat.entries.append(wide_entry(0, 0xFFFFFFFF, bytes(32)))
    subject.note("HMAT: 1 malformed .* 40 bytes not read")


@rule
def hmat_entries_too_short(subject):
    """Below their type's length: passed over, the next one is read."""
    if not subject.hmat:
        return False
    for kind, length in ((0, 39), (1, 31), (2, 31)):
        subject.hmat.entries.insert(0, wide_entry(kind, length, bytes(length - 8)))
    subject.note("HMAT: 3 malformed entries passed over, 0 bytes not read")


@rule
def hmat_unknown_type(subject):
    """A type that is still to come."""
    if not subject.hmat:
        return False
    subject.hmat.entries.insert(0, wide_entry(3, 8, b""))
    subject.note("HMAT: 1 entry of unknown type passed over .first: type 3.")


@rule
def hmat_matrix_beyond_its_entry(subject):
    """2^31 rows and columns: the product of the two wraps in 64 bits with their sizes."""
    if not subject.hmat:
        return False
    body = struct.pack("<BBHIIIQ", 0, 1, 0, 1 << 31, 1 << 31, 0, 1000) + bytes(16)
    subject.hmat.entries.append(wide_entry(1, 8 + len(body), body))
    subject.note("HMAT: 1 malformed entry passed over, 0 bytes not read")


@rule
def hmat_of_strangers(subject):
    """Memory of a domain that is no node."""
    if not subject.hmat:
        return False
    subject.hmat.entries.append(wide_entry(0, 40, struct.pack("<HHIIIQQ", 1, 0, 77, 78, 0, 0, 0)))
    subject.note("HMAT names domains that are no nodes, ")


@rule
def hmat_header_only(subject):
    """No fixed part."""
    if not subject.hmat:
        return False
    subject.raw["hmat"] = seal(subject.hmat.fixed[:36])
    subject.note("HMAT .*too short.*left out")


@rule
def hmat_two_of_them(subject):
    """A second one: the first counts."""
    if not subject.hmat:
        return False
    subject.raw["hmat2"] = subject.hmat.bytes()
    subject.note("another HMAT .*the first one is used")
