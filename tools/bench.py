#!/usr/bin/env python3
"""`make bench`: the benchmark on its machines (bench/linux.toml), and a table beside Linux's figures.

The exit code is 0 if every case ran on every machine that it is for and none takes more than half
of what Linux takes (the gate). It is 1 if not, and for a run that is not whole.
"""

import argparse
import shlex
import sys
import tempfile

from hwlib import bench, guest, qemu

# Four seconds on an idle host.
LIMIT_SECONDS = 180


def run_machine(plan, machine, names, iso, limit_seconds, show=print):
    """Boots one machine with the cases; returns ({name: figures}, faults)."""
    cmdline = "bench=" + ",".join(bench.on_machine(plan, names, machine))

    def on_line(line):
        if line.startswith("MMBENCH"):
            show(line)

    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        command = ["qemu-system-x86_64", *plan.machines[machine],
                   *qemu.guest_arguments(iso, workdir, cmdline=cmdline)]  # fmt: skip
        show(shlex.join(command))
        outcome = guest.run(command, limit_seconds, test=False, on_line=on_line,
                            control=qemu.control_socket(workdir))
    results, faults = bench.judge(plan, names, machine, outcome.output)
    if outcome.code != guest.SUCCESS:
        faults.insert(0, outcome.reason)
    return results, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--iso", default="build/highwater.iso")
    parser.add_argument("--machine", action="append", help="only this one; more than once for more")
    parser.add_argument("--timeout", type=float, default=LIMIT_SECONDS, metavar="SECONDS",
                        help="for one machine (default %(default)s)")
    parser.add_argument("globs", nargs="?", default="", help="cases: globs, commas between")
    options = parser.parse_args()

    def show(line):
        print(line, flush=True)

    compared, faults = [], []
    try:
        plan = bench.load()
        names = bench.select(plan, options.globs)
        for machine in options.machine or plan.machines:
            if machine not in plan.machines:
                raise bench.BenchError(f"no machine '{machine}'; there are: {', '.join(plan.machines)}")
            show(f"--- {machine}")
            results, wrong = run_machine(plan, machine, names, options.iso, options.timeout, show)
            compared += bench.compare(plan, machine, results)
            faults += [f"{machine}: {fault}" for fault in wrong]
    except (bench.BenchError, qemu.SetupError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    show("--- instructions an op; Linux: the best of three configurations of 6.1")
    show(bench.table(compared))
    missed = [c for c in compared if not c.meets_gate]
    for fault in faults:
        show(f"bench: FAILED: {fault}")
    for c in missed:
        show(f"bench: MISSED: {c.case} on {c.machine} takes {c.ratio:.3f} of what Linux takes")
    return 1 if faults or missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
