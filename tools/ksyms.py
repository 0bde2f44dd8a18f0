#!/usr/bin/env python3
"""Writes the kernel's symbol table as an assembly file, so that a panic can name addresses.

The kernel is linked twice:

    ksyms.py /dev/null -o empty.S        an empty table; link it: the first pass
    nm -n first.elf | ksyms.py - -o table.S    its addresses; link that: the second pass
    ksyms.py --verify first.nm second.nm       did any function move between the two?

The table grows between the passes. That moves nothing it describes, because linker.ld puts .ksyms
behind all text and the table holds text symbols only; --verify proves it at each build.

Layout (kernel/symbols.c reads it): ksyms_base, which is KERNEL_IMAGE_BASE; ksyms_count, then
ksyms_count + 1 offsets from that base in ascending order (the last one ends the last symbol), as
many offsets into ksyms_names, and the names, each ended by NUL.
"""

import argparse
import sys

KERNEL_IMAGE_BASE = 0xFFFFFFFF80000000
TEXT_TYPES = "tTwW"
TEXT_START, TEXT_END = "__text_start", "__text_end"  # of linker.ld


def read_symbols(lines):
    """(address, name) of each text symbol in the image, by address, one name an address."""
    symbols = {}
    for line in lines:
        fields = line.split()
        if len(fields) != 3 or fields[1] not in TEXT_TYPES:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if address < KERNEL_IMAGE_BASE:
            continue  # the 32-bit entry runs at its physical address
        # Of several names at one address a function's global one is what a reader knows.
        rank = (name in (TEXT_START, TEXT_END), kind == "t", name)
        if address not in symbols or rank < symbols[address]:
            symbols[address] = rank
    return [(address, rank[2]) for address, rank in sorted(symbols.items())]


def assembly(symbols):
    """The table as GNU assembler source."""
    end = symbols[-1][0] - KERNEL_IMAGE_BASE if symbols else 0
    if symbols and symbols[-1][1] == TEXT_END:
        symbols = symbols[:-1]
    out = [
        "# Written by tools/ksyms.py: the kernel's text symbols.",
        '\t.section .ksyms,"a"',
        "\t.balign 8",
        "\t.globl ksyms_base, ksyms_count, ksyms_offsets, ksyms_name_offsets, ksyms_names",
        f"ksyms_base:\n\t.quad {KERNEL_IMAGE_BASE:#x}",
        f"ksyms_count:\n\t.long {len(symbols)}",
        "ksyms_offsets:",
    ]
    out += [f"\t.long {address - KERNEL_IMAGE_BASE:#x}" for address, _ in symbols]
    out += [f"\t.long {end:#x}", "ksyms_name_offsets:"]
    position = 0
    for _, name in symbols:
        out.append(f"\t.long {position}")
        position += len(name) + 1
    out.append("ksyms_names:")
    out += [f'\t.asciz "{name}"' for _, name in symbols]
    out.append('\t.byte 0\n\t.section .note.GNU-stack,"",@progbits')
    return "\n".join(out) + "\n"


def verify(first, second):
    """Complains and returns 1 if a text symbol differs between the two passes."""
    for one, other in zip(first, second):
        if one != other:
            print(
                f"ksyms: moved between the passes: {one[1]} at {one[0]:#x}, "
                f"then {other[1]} at {other[0]:#x}",
                file=sys.stderr,
            )
            return 1
    if len(first) != len(second) or not first:
        print(f"ksyms: {len(first)} text symbols, then {len(second)}", file=sys.stderr)
        return 1
    return 0


def symbols_of(path):
    if path == "-":
        return read_symbols(sys.stdin)
    with open(path, encoding="ascii") as lines:
        return read_symbols(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nm", nargs="?", default="-", help="output of nm -n; '-': standard input")
    parser.add_argument("-o", "--output", default="-", help="assembly file; '-': standard output")
    parser.add_argument(
        "--verify", nargs=2, metavar=("FIRST", "SECOND"), help="compare the nm -n of both passes"
    )
    arguments = parser.parse_args()
    if arguments.verify:
        return verify(symbols_of(arguments.verify[0]), symbols_of(arguments.verify[1]))
    text = assembly(symbols_of(arguments.nm))
    if arguments.output == "-":
        sys.stdout.write(text)
    else:
        with open(arguments.output, "w", encoding="ascii") as out:
            out.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
