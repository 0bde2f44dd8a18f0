#!/usr/bin/env python3
"""`make compare`: an experiment under each behaviour of its mechanism, as one table.

Each column is boots of its own: the same machine, seed and workload; only the policy that is installed
differs. Without -icount a seed fixes what is done, not how CPUs interleave: so each column is run
several times, and a cell is the median of its runs, with the smallest and the largest where they differ.

Read are the lines `experiment: NAME: phase=... key=value ...`. The exit code is 1 if a run fails, if its lines
are not what is expected, or if two runs were not on the same machine.
"""

import argparse
import re
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

from hwlib import guest, qemu, topology

LINE = re.compile(r"^experiment: (\w+): (phase=.*)$")
LIMIT_SECONDS = 300  # four on an idle host


class CompareError(Exception):
    """What was run cannot be compared; says why."""


class Mechanism:
    """What an experiment is about: the option that chooses, and its columns."""

    def __init__(self, option, *behaviours):
        self.option, self.behaviours = option, behaviours


EXPERIMENTS = {
    "fallback": Mechanism("mm.fallback", "before", "posted", "after"),
}


def parse(lines, name):
    """{(phase, key): value} of an experiment's lines, in their order; values are still text."""
    found = {}
    for line in lines:
        match = LINE.match(line)
        if not match or match[1] != name:
            continue
        words = match[2].split()
        if not all(re.fullmatch(r"[\w.]+=\S+", word) for word in words):
            raise CompareError(f"not made of key=value: {line}")
        pairs = [word.split("=", 1) for word in words]
        phase = pairs.pop(0)[1]
        if pairs and pairs[0][0] == "class":
            phase += "." + pairs.pop(0)[1]
        for key, value in pairs:
            if (phase, key) in found:
                raise CompareError(f"{phase}: {key} is said twice")
            found[phase, key] = value
    if not found:
        raise CompareError(f"no line of the experiment '{name}'")
    return found


def split(found, mechanism, behaviour):
    """(what must be the same in all columns, figures as numbers); complains of the wrong policy."""
    same, figures = {}, {}
    for (phase, key), value in found.items():
        if phase == "policies" and key == mechanism.option:
            if value != behaviour:
                raise CompareError(f"{key} is {value}, not {behaviour}")
        elif phase in ("machine", "policies") or key == "skipped":
            same[phase, key] = value
        elif not value.isdecimal():
            raise CompareError(f"{phase}: {key}={value} is no number")
        else:
            figures[phase, key] = int(value)
    for phase, key in (("machine", "seed"), ("policies", mechanism.option)):
        if (phase, key) not in found:
            raise CompareError(f"{phase}: {key} is missing")
    return same, figures


def join(runs, mechanism):
    """{(phase, key): {behaviour: [a value for each run]}}, of {behaviour: [parsed lines, ...]}."""
    first, table = None, {}
    for behaviour in mechanism.behaviours:
        for found in runs[behaviour]:
            same, figures = split(found, mechanism, behaviour)
            this = (same, set(figures))
            if first is None:
                first = this
                table = {name: {b: [] for b in mechanism.behaviours} for name in figures}
            for mine, others, what in zip(this, first, ("machine", "figures")):
                if mine != others:
                    wrong = sorted(set(mine) ^ set(others)) or [
                        name for name in mine if mine[name] != others[name]]
                    raise CompareError(f"{behaviour}: other {what} than the first run: " + ", ".join(
                        " ".join(name) for name in wrong))
            for name, value in figures.items():
                table[name][behaviour].append(value)
    return table


def cell(values):
    median = statistics.median_low(values)
    if min(values) == max(values):
        return str(median)
    return f"{median} ({min(values)}..{max(values)})"


def markdown(table, mechanism):
    """A phase is a row of its own, its figures come below; what is 0 in every run is left out."""
    rows, last = [["", *mechanism.behaviours]], None
    for (phase, key), values in table.items():
        if not any(sum(values.values(), [])):
            continue
        if phase != last:
            rows.append([f"**{phase}**", *[""] * len(mechanism.behaviours)])
        last = phase
        rows.append([key, *(cell(values[b]) for b in mechanism.behaviours)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def text(row):
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join([text(rows[0]), "| " + " | ".join(rule) + " |", *map(text, rows[1:])])


def boot(name, mechanism, behaviour, number, options, show):
    """One run: its lines, parsed."""
    shape = topology.load(options.topology)
    cmdline = (f'run="experiment {name} seed={options.seed}; check" {mechanism.option}={behaviour} '
               f"loglevel=3 {options.cmdline}").strip()
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        command = qemu.command(shape, options.iso, workdir, accel=options.accel, cmdline=cmdline)
        if number == 1:
            show(shlex.join(command))
        outcome = guest.run(command, options.timeout, test=False,
                            control=qemu.control_socket(workdir))
    log = options.logs / f"{name}-{options.topology}-{behaviour}-{number}.log"
    log.write_text(shlex.join(command) + "\n" + outcome.output + "\n", encoding="utf-8")
    show(f"compare: {name}, {behaviour}, run {number}: {outcome.reason} ({outcome.seconds:.1f} s; {log})")
    if outcome.code != guest.SUCCESS:
        raise CompareError(f"{behaviour}, run {number}: {outcome.reason}")
    return parse(outcome.output.splitlines(), name)


def compare(name, options, show):
    mechanism = EXPERIMENTS[name]
    runs = {behaviour: [] for behaviour in mechanism.behaviours}
    # In turn, so that what else the host does meets each column alike.
    for number in range(1, options.runs + 1):
        for behaviour in mechanism.behaviours:
            runs[behaviour].append(boot(name, mechanism, behaviour, number, options, show))
    table = join(runs, mechanism)
    machine = runs[mechanism.behaviours[0]][0]
    show(f"\n### experiment {name}, {options.topology}, seed {options.seed}: "
         f"{machine['machine', 'nodes']} nodes, {machine['machine', 'cpus']} CPUs, "
         f"{machine['machine', 'managed_pages']} pages; median of {options.runs}\n")
    show(markdown(table, mechanism) + "\n")
    for (phase, key), value in machine.items():
        if key == "skipped":
            show(f"{phase}: {value.replace('_', ' ')}")


def number_to(most, least=1):
    def read(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)
    return read


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--iso", default="build/highwater.iso")
    parser.add_argument("--accel", choices=qemu.ACCELS, default="tcg")
    parser.add_argument("--topology", default="four", metavar="NAME")
    parser.add_argument("--seed", type=number_to(2**64 - 1, 0), default=1)
    parser.add_argument("--runs", type=number_to(99), default=5, help="of each column (default 5)")
    parser.add_argument("--timeout", type=number_to(86400), default=LIMIT_SECONDS, metavar="SECONDS",
                        help="of each (default %(default)s)")
    parser.add_argument("--cmdline", default="", help="further words for the kernel")
    parser.add_argument("--logs", type=Path, default=Path("build/compare"))
    parser.add_argument("experiment", nargs="*", metavar="EXPERIMENT",
                        help=f"of {', '.join(EXPERIMENTS)} (default: all)")
    return parser.parse_args(argv)


def main(argv=None):
    options = arguments(argv)
    options.logs.mkdir(parents=True, exist_ok=True)

    def show(line):
        print(line, flush=True)

    try:
        for name in options.experiment or EXPERIMENTS:
            if name not in EXPERIMENTS:
                raise CompareError(f"'{name}' has no columns; there are: {', '.join(EXPERIMENTS)}")
            compare(name, options, show)
    except (CompareError, topology.TopologyError, qemu.SetupError) as error:
        print(f"compare: FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
