#!/usr/bin/env python3
"""`make soak`: boots machines with the suite `soak` for a long time, and judges what came of it.

The minutes are shared out among the machines, one after the other; each boot gets a seed of its own,
the given one and those after it. A boot succeeds by the launcher's rules (exit code and complete KTAP
plan), and if the figures at its end are there and say that nothing was wrong. What a guest prints is kept in
build/soak/TOPOLOGY-SEED.log, its figures in build/soak/TOPOLOGY-SEED.csv; shown are the table and what
is no figure. Exit code: 0 if all boots succeeded; the last line says how it went.
"""

import argparse
import csv
import re
import shlex
import sys
import tempfile
from pathlib import Path

from hwlib import guest, qemu, topology

NOTE = re.compile(r"^\s*# everything_at_once: (.*)$")
FIGURES = re.compile(r"^figures: t=(\d+) of=(\w+)((?: \w+=\d+)+)$")
ROUND_SECONDS = 300
# Beside the load: the boot, and for each round its warm-up, reading back, giving back, and `check`.
BOOT_SLACK_SECONDS = 300
ROUND_SLACK_SECONDS = 240
MUST_BE_ZERO = ("wrong", "bad", "outside")
SUMMED = ("reads", "writes", "blocks", "oom_kills", "kswapd_reclaimed", "direct_reclaimed", "resent",
          "acks_dropped")


class Figures:
    """What the lines of a run say: {(seconds, of what): {name: value}}, in their order."""

    def __init__(self):
        self.rows = {}

    def feed(self, note):
        """True: it was a line of figures."""
        match = FIGURES.match(note)
        if match:
            row = self.rows.setdefault((int(match[1]), match[2]), {})
            row.update((name, int(value)) for name, value in re.findall(r"(\w+)=(\d+)", match[3]))
        return match is not None

    def last(self):
        """Those of the whole run; None: it did not come to its end."""
        whole = [row for (_, what), row in self.rows.items() if what == "all"]
        return whole[-1] if whole else None

    def faults(self, seconds):
        whole = self.last()
        if whole is None:
            return ["no figures of the whole run"]
        found = [f"{name}={whole.get(name, 'missing')}" for name in MUST_BE_ZERO if whole.get(name) != 0]
        if max(at for at, _ in self.rows) < seconds:
            found.append(f"the figures are not of {seconds} s")
        return found

    def write(self, path):
        names = []
        for row in self.rows.values():
            names += [name for name in row if name not in names]
        with path.open("w", encoding="utf-8", newline="") as out:
            table = csv.DictWriter(out, ["seconds", "of", *names], restval="")
            table.writeheader()
            for (seconds, what), row in self.rows.items():
                table.writerow({"seconds": seconds, "of": what, **row})


def limit_of(minutes):
    rounds = -(-minutes * 60 // ROUND_SECONDS)
    return minutes * 60 + rounds * ROUND_SLACK_SECONDS + BOOT_SLACK_SECONDS


def share(minutes, count):
    """60 among 3: 20, 20, 20; none has less than one."""
    return [max(1, minutes // count + (i < minutes % count)) for i in range(count)]


def run_boot(name, seed, minutes, options, show):
    """Returns (its figures, what was wrong in words)."""
    shape = topology.load(name)
    figures = Figures()
    stem = options.logs / f"{name}-{seed}"
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir, \
            stem.with_suffix(".log").open("w", encoding="utf-8") as log:
        command = qemu.command(
            shape, options.iso, workdir, accel=options.accel,
            cmdline=f"test=soak seed={seed} soak_minutes={minutes} loglevel=3 {options.cmdline}".strip())
        show(shlex.join(command))
        log.write(shlex.join(command) + "\n")

        def on_line(line):
            log.write(line + "\n")
            log.flush()
            note = NOTE.match(line)
            if note and not figures.feed(note[1]):
                show(note[1])
            elif "panic: " in line or "invariant" in line:
                show(line)

        outcome = guest.run(command, limit_of(minutes), test=True, on_line=on_line,
                            control=qemu.control_socket(workdir))
    figures.write(stem.with_suffix(".csv"))
    faults = [] if outcome.code == guest.SUCCESS else [outcome.reason]
    faults += figures.faults(minutes * 60)
    show(f"soak: {name}, seed {seed}, {minutes} min: " + ("; ".join(faults) or outcome.reason)
         + f" ({outcome.seconds:.0f} s; {stem}.log)")
    return figures, faults


def number(least, most):
    def parse(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)
    return parse


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--iso", default="build/highwater.iso")
    parser.add_argument("--accel", choices=qemu.ACCELS, default="tcg",
                        help="tcg: QEMU's threads by the CPUs of machine and host (default)")
    parser.add_argument("--minutes", type=number(1, 1440), default=60)
    parser.add_argument("--seed", type=number(0, 2**64 - 1), default=1)
    parser.add_argument("--topologies", default="eight", metavar="NAME[,NAME]")
    parser.add_argument("--cmdline", default="", help="further words for the kernel")
    parser.add_argument("--logs", type=Path, default=Path("build/soak"))
    return parser.parse_args(argv)


def main(argv=None):
    options = arguments(argv)
    names = [name for name in re.split(r"[, ]+", options.topologies) if name]
    options.logs.mkdir(parents=True, exist_ok=True)

    def show(line):
        print(line, flush=True)

    total, failed, ran = dict.fromkeys(SUMMED, 0), [], 0
    try:
        for i, (name, minutes) in enumerate(zip(names, share(options.minutes, max(1, len(names))))):
            figures, faults = run_boot(name, options.seed + i, minutes, options, show)
            ran += 1
            if faults:
                failed.append(f"{name} with seed {options.seed + i}")
            for figure in SUMMED:
                total[figure] += (figures.last() or {}).get(figure, 0)
    except (topology.TopologyError, qemu.SetupError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    figures = ", ".join(f"{value} {figure.replace('_', ' ')}" for figure, value in total.items())
    verdict = "FAILED: " + ", ".join(failed) if failed else "passed" if ran else "FAILED: no machine"
    show(f"soak: {verdict}; {figures}")
    return 0 if ran and not failed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
