#!/usr/bin/env python3
"""`make docs`: writes docs/reference/ from what the kernel says of itself.

The kernel's tables of options, commands and invariants are printed by its monitor; here they become
pages. --check writes nothing and fails if a page is not what it would be.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from hwlib import guest, qemu, topology

DIRECTORY = Path(__file__).resolve().parents[1] / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from the kernel's own tables. -->\n"


def ask(options, commands):
    """What the monitor answers to these commands, one text."""
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        command = qemu.command(topology.load("two"), options.iso, workdir, accel=options.accel,
                               cmdline=f'run="{"; ".join(commands)}"')
        outcome = guest.run(command, 120, test=False)
    if outcome.code != guest.SUCCESS:
        sys.exit(f"gendocs: {outcome.reason}")
    return outcome.output


def escape(text):
    return text.replace("|", "\\|").replace("<", "\\<")


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def options_page(text):
    found = re.findall(r"^([\w.]+) +(\S.*); default: (.*)\n {10,}(\S.*)$", text, re.MULTILINE)
    rows = [[f"`{name}`", escape(kind), default, escape(sentence)]
            for name, kind, default, sentence in found]
    return (f"{NOTE}# Options\n\nWords of the kernel's command line: `key` or `key=value`, quotes "
            "keep blanks together. A later one wins.\n\n"
            + table(["option", "values", "default", "what it does"], rows)), len(rows)


def monitor_page(text, names):
    rows = []
    for name in names:
        match = re.search(rf"^{name}( .*)?\n  (\S.*)$", text, re.MULTILINE)
        arguments = escape((match[1] or "").strip()) if match else ""
        rows.append([f"`{name}`", arguments, escape(match[2]) if match else ""])
    return (f"{NOTE}# Monitor\n\nCommands at the prompt `hw> `, and in `run=\"one; another\"`.\n\n"
            + table(["command", "arguments", "what it does"], rows)), len(rows)


def invariants_page(text):
    found = re.findall(r"^([A-Z]+-\d+) +(\S.*)$", text, re.MULTILINE)
    rows = [[name, escape(sentence)] for name, sentence in found]
    return (f"{NOTE}# Invariants\n\nWhat `check` executes. The same ids stand above the structs "
            "and in the tests.\n\n" + table(["id", "what holds"], rows)), len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--iso", default="build/highwater.iso")
    parser.add_argument("--accel", default="tcg")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()

    text = ask(options, ["help", "help options", "check list"])
    names = re.findall(r"^  ([a-z]+) +\S", text.split("`help COMMAND`")[0], re.MULTILINE)
    details = ask(options, [f"help {name}" for name in names if name != "options"])
    # `help options` is the table of options; the command's own line is in the list.
    line = re.search(r"^  options +(\S.*)$", text, re.MULTILINE)
    details += f"\noptions\n  {line[1]}\n" if line else ""
    pages = {"options.md": options_page(text), "monitor.md": monitor_page(details, names),
             "invariants.md": invariants_page(text)}
    stale = []
    for name, (page, rows) in pages.items():
        path = DIRECTORY / name
        if not rows:
            sys.exit(f"gendocs: the kernel said nothing for {name}")
        if not options.check:
            DIRECTORY.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
            print(f"  DOCS    {os.path.relpath(path)} ({rows} rows)")
        elif not path.exists() or path.read_text(encoding="utf-8") != page:
            stale.append(name)
    if stale:
        sys.exit(f"docs/reference: {', '.join(stale)} not as the kernel says: make docs")


if __name__ == "__main__":
    main()
