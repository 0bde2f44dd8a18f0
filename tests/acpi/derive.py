#!/usr/bin/env python3
"""Hostile tables, derived from the kit's machines by rule (rules_*.py).

    derive.py BUILD DIRECTORY     writes all of them: DIRECTORY/MACHINE.RULE/*.aml and expect.json
    derive.py --list              the rules, with what they do
"""

import json
import sys
from pathlib import Path

import kit
import rules_hmat
import rules_madt
import rules_size
import rules_slit
import rules_srat
from subject import RULES, Subject

MODULES = (rules_srat, rules_slit, rules_madt, rules_hmat, rules_size)  # each registers its rules


def derive(machine, *names):
    """The machine as these rules make it, one after the other, or None if one does not apply."""
    subject = Subject(machine)
    if any(RULES[name](subject) is False for name in names):
        return None
    return subject.machine("+".join(names))


def is_file_only(name):
    return getattr(RULES[name], "file_only", False)


def write_all(build, directory):
    for machine in (kit.load(name, build) for name in kit.names()):
        for name in RULES:
            derived = derive(machine, name)
            if derived is None:
                continue
            place = Path(directory) / derived.name
            place.mkdir(parents=True, exist_ok=True)
            derived.write(place)
            text = json.dumps(derived.expect, indent=1)
            (place / "expect.json").write_text(text + "\n", encoding="utf-8")


def main():
    if sys.argv[1:] == ["--list"]:
        for name, function in RULES.items():
            print(f"{name:40} {' '.join(function.__doc__.split())}")
    elif len(sys.argv) == 3:
        write_all(*sys.argv[1:])
    else:
        print(__doc__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
