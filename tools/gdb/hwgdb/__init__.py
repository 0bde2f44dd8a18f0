"""gdb commands and pretty printers for a Highwater kernel, one file a topic.

    command.py   what a command is: arguments, and errors that are one line
    kernel.py    types, enums, variables and layout, all from the debug info; is the kernel there?
    lists.py     linked lists that may be broken                     hw-list
    pages.py     struct page, frame numbers, addresses               hw-page
    zones.py     nodes and zones                                     hw-nodes, hw-zones
    buddy.py     free blocks                                         hw-buddy
    slabs.py     object caches                                   hw-slab, hw-cache
    memblock.py  early memory                                        hw-memblock
    boot.py      attaching, running to a function                    hw-attach, hw-boot
    printers.py  pretty printers
    unwind.py    backtraces that go on through an interrupt

Three rules hold everywhere. What the kernel defines is read from its debug info and not repeated
here. Every walk is bounded (`set hw-limit`). Whatever the kernel's memory holds, or if there is
none, a command ends with a sentence, never with a Python traceback.

To add a topic: a file with the commands, each a class with @register, and its name in TOPICS; a
printer is a class in printers.py with @printer("tag of the struct").
"""

import importlib

TOPICS = ("boot", "zones", "buddy", "pages", "slabs", "memblock", "lists", "printers", "unwind")


def load():
    for topic in TOPICS:
        importlib.import_module(f"{__name__}.{topic}")


def attach(where):
    """For `make gdb`: attaches, or leaves gdb with one line."""
    importlib.import_module(f"{__name__}.boot").attach_or_quit(where)
