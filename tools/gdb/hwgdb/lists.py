"""Linked lists, followed without trusting them; hw-list.

A list of the kernel's is a circle through its head. Someone debugs because something is broken,
so each step is checked: the entry can be read, its prev is where one came from, it has not been
seen before; and the number of steps is bounded.
"""

import re
import struct
from dataclasses import dataclass, field

import gdb

from .command import Command, HwError, limit, register
from .kernel import WORD, constant, lookup_type, read, require_kernel, u64

LINKS = struct.Struct("<QQ")  # next, prev


@dataclass
class Walk:
    entries: list = field(default_factory=list)  # addresses of the links that are sound
    problem: str = ""  # what is broken after them
    more: bool = False  # the bound was reached before the end

    def fault(self):
        """What is broken and where, or ""."""
        return f"after {self.count()}, {self.problem}" if self.problem else ""

    def count(self):
        return f"{len(self.entries)} entr{'y' if len(self.entries) == 1 else 'ies'}"

    def summary(self):
        count = self.count()
        if self.problem:
            return f"BROKEN list: {self.fault()}"
        if self.more:
            return f"list of more than {count}"
        return f"list of {count}" if self.entries else "empty list"


def links_at(address):
    return LINKS.unpack(read(address, LINKS.size))


def bad_link(address):
    """Why no entry can be at this address, or ""."""
    if address == 0:
        return "is null"
    for name in ("LIST_POISON_NEXT", "LIST_POISON_PREV"):
        if address == constant(name):
            return f"is {name}: it was removed from its list"
    return ""


def walk_list(head, most=None):
    """Follows the list whose head is at this address."""
    most = limit() if most is None else most
    found = Walk()
    where, previous, seen = "the head", head, set()
    try:
        address, head_prev = links_at(head)
    except HwError as error:
        found.problem = f"the head: {error}"
        return found
    while address != head:
        reason = bad_link(address)
        if reason:
            found.problem = f"next of {where} {reason}"
        elif address in seen:
            found.problem = f"next of {where} leads back to {address:#x}: a cycle without the head"
        elif len(found.entries) == most:
            found.more = True
        if found.problem or found.more:
            return found
        try:
            following, prev = links_at(address)
        except HwError as error:
            found.problem = f"next of {where}: {error}"
            return found
        if prev != previous:
            found.problem = (f"{address:#x} has prev {prev:#x}, not {previous:#x}, whose next "
                             "it is")
            return found
        seen.add(address)
        found.entries.append(address)
        where, previous, address = f"{address:#x}", address, following
    if head_prev != previous:
        found.problem = f"the head has prev {head_prev:#x}, not the last entry, {previous:#x}"
    return found


def member_offset(type_name, member):
    """Where in the struct its link is."""
    try:
        link = gdb.parse_and_eval(f"&(({type_name} *)0)->{member}")
    except gdb.error as error:
        raise HwError(f"{type_name}, {member}: {error}") from None
    kind = link.type.target().strip_typedefs()
    if kind.tag != "list_head":
        raise HwError(f"{member} of {type_name} is {kind}, no link of a list")
    return u64(link)


def containers(entries, type_name, member):
    """The structs around links, as values; nothing is read yet."""
    offset = member_offset(type_name, member)
    pointer = lookup_type(type_name).pointer()
    return [gdb.Value((address - offset) & WORD).cast(pointer) for address in entries]


def head_address(text):
    """Of an expression that is a struct list_head, or points to one."""
    value = gdb.parse_and_eval(text)
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        value, kind = value, kind.target().strip_typedefs()
    elif value.address is not None:
        value = value.address
    if kind.tag != "list_head":
        raise HwError(f"'{text}' is {kind}, no struct list_head and no pointer to one")
    return u64(value)


@register
class List(Command):
    """hw-list: the structs on a list.
Usage: hw-list HEAD TYPE MEMBER

HEAD is a struct list_head or a pointer to one, TYPE the struct that the list
holds, MEMBER its link. A list that is broken is followed up to where it is,
and what is wrong there is said. `set hw-limit` bounds the walk.

Example, the free blocks of 8 pages in node 0's second zone:
  hw-list node_data[0]->zones[1].free[1].area[3].list struct page free_link"""

    name = "hw-list"

    def run(self, text):
        match = re.fullmatch(r'(.+?)\s+"?((?:(?:struct|union)\s+)?\w+)"?\s+([\w.]+)', text)
        if not match:
            raise HwError("usage: hw-list HEAD TYPE MEMBER")
        require_kernel()
        head, type_name, member = match[1], match[2], match[3]
        walk = walk_list(head_address(head))
        for i, pointer in enumerate(containers(walk.entries, type_name, member)):
            print(f"[{i}] {u64(pointer):#x} {pointer.dereference()}")
        print(walk.summary())
