#!/usr/bin/env python3
"""Who may know whom: checks every #include against the rooms' rules, and mm/ for #ifdefs.

    tests, labs -> kernel -> mm -> { include/arch, include/mm/os.h } -> include/base

A room is a set of files, its rule the headers that they may include: a header by its name, or
all of a directory by its name and a slash. A quoted header is a private one: it must stand in
the file's own directory. The first room that a file fits into counts. Prints file:line and the
rule that is broken; the exit code is 1 if there was one. Usage: layercheck.py [TREE]
"""

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
DIRECTORIES = ("arch", "bench", "boot", "examples", "include", "kernel", "mm", "tests", "tools")

# What a freestanding compiler brings.
COMPILER = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdalign.h", "stdnoreturn.h"}
EVERYTHING = None

# What a program that runs on the host has besides.
C_LIBRARY = ["ctype.h", "dirent.h", "stdio.h", "stdlib.h", "string.h", "sys/stat.h"]

# (room, files, what it may include)
ROOMS = [
    ("include/base stands on nothing", ["include/base/*"], ["base/"]),
    ("the seam include/arch knows only include/base", ["include/arch/*"],
     ["base/", "arch/", "asm/"]),
    ("the API of mm/ knows the seams and include/base", ["include/mm/*"],
     ["base/", "arch/", "mm/"]),
    ("boot_info is plain data", ["include/boot/*"], ["base/"]),
    ("the kernel's API", ["include/kernel/*"], ["base/", "arch/", "mm/", "boot/", "kernel/"]),
    ("mm/ knows the seams, its API and its own headers", ["mm/*"], ["base/", "arch/", "mm/"]),
    ("the multiboot2 parser is pure", ["boot/*"], ["base/", "boot/"]),
    ("finding ACPI tables", ["kernel/acpi/tables.c"],
     ["base/", "arch/", "mm/numa.h", "boot/", "kernel/", "x86/"]),
    ("ACPI parsers are pure", ["kernel/acpi/*"], ["base/", "kernel/acpi.h", "mm/numa.h"]),
    ("kernel/lib is pure", ["kernel/lib/*"], ["base/", "kernel/glob.h", "kernel/parse.h"]),
    ("the test runner runs on the host, too", ["kernel/test_runner.c"], ["base/", "kernel/glob.h", "kernel/test.h"]),
    ("options are parsed on the host, too", ["kernel/options.c", "kernel/options_line.c"],
     ["base/", "kernel/options.h", "kernel/parse.h", "kernel/printk.h", "mm/policy.h"]),
    ("lines are edited on the host, too", ["kernel/line_editor.c", "kernel/line_complete.c"],
     ["base/", "kernel/line_editor.h", "line_internal.h"]),
    ("symbols are looked up on the host, too", ["kernel/symbols.c"],
     ["base/", "kernel/panic.h"]),
    ("the page cache runs on the host, too", ["kernel/cache/*"],
     ["base/", "arch/", "mm/", "kernel/page_cache.h", "kernel/netblk.h", "kernel/printk.h"]),
    ("the kernel", ["kernel/*"], ["base/", "arch/", "mm/", "boot/", "kernel/", "x86/"]),
    ("the benchmark", ["bench/*"], ["base/", "arch/", "mm/", "kernel/", "x86/"]),
    ("asm/ is the seam's other half", ["arch/*/include/asm/*"], ["base/", "arch/", "asm/"]),
    ("the architecture's API", ["arch/*/include/x86/*"], ["base/", "arch/", "asm/", "x86/"]),
    ("the architecture asks the kernel for printk, panic and threads only", ["arch/*"],
     ["base/", "arch/", "asm/", "x86/", "kernel/printk.h", "kernel/panic.h", "kernel/thread.h"]),
    ("the example takes mm/ and nothing of kernel/", ["examples/*"],
     ["base/", "arch/", "mm/", "boot/", "asm/", "x86/"]),
    ("numa-inspect runs the ACPI parsers and what they need of mm/ on the host",
     ["tools/numa-inspect/*"],
     ["base/", "kernel/acpi.h", "mm/memblock.h", "mm/numa.h", "mm/os.h", *C_LIBRARY]),
    ("tests may know all", ["tests/*"], EVERYTHING),
]  # fmt: skip

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
CONDITION = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif)\b\s*(.*)")


def room_of(path):
    for name, patterns, allowed in ROOMS:
        if any(fnmatch(path, pattern) for pattern in patterns):
            return name, allowed
    return "no room of the tree", []


def allows(allowed, header):
    return header in COMPILER or any(
        header.startswith(entry) if entry.endswith("/") else header == entry for entry in allowed
    )


def check_include(path, bracket, header):
    """What is wrong with this include, or None."""
    room, allowed = room_of(path)
    if allowed is EVERYTHING:
        return None
    if bracket == '"':
        if "/" in header or not (ROOT / path).with_name(header).is_file():
            return f'"{header}" is no private header of this directory'
        return None
    return None if allows(allowed, header) else f"<{header}>: {room}"


def check_condition(path, line_number, lines):
    """mm/ is one body of code: the only condition is a header's guard, its first directive."""
    if not path.startswith("mm/"):
        return None
    directives = [i for i, line in enumerate(lines, 1) if re.match(r"\s*#", line)]
    guard = re.fullmatch(r"\s*#ifndef \w+_H\s*", lines[line_number - 1])
    if path.endswith(".h") and guard and directives[0] == line_number:
        return None
    return "no #if in mm/: the host and the kernel compile the same text"


def check_file(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    problems = []
    for number, line in enumerate(lines, 1):
        problem = None
        include = INCLUDE.match(line)
        if include:
            problem = check_include(path, include[1], include[2])
        elif CONDITION.match(line):
            problem = check_condition(path, number, lines)
        if problem:
            problems.append(f"{path}:{number}: {problem}")
    return problems


def main():
    paths = [
        str(path.relative_to(ROOT))
        for directory in DIRECTORIES
        for path in sorted((ROOT / directory).rglob("*.[ch]"))
    ]
    problems = [problem for path in paths for problem in check_file(path)]
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
