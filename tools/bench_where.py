#!/usr/bin/env python3
"""Where a case's instructions go: instructions an op by function of mm/ and bench/.

Two runs of machine i1 on which QEMU executes and logs one instruction at a time, one with the case
and one without: what is in the second, too, belongs to the boot. Takes about a minute.
"""

import argparse
import bisect
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

from hwlib import bench, guest, qemu

LIMIT_SECONDS = 600
WARM_UPS = 4  # BENCH_WARM_UPS
ROOMS = ("bench", "mm")


def symbols(elf):
    """[(address, name)] of the functions, in order of address."""
    listed = subprocess.run(["nm", "-n", elf], capture_output=True, text=True, check=True).stdout
    words = (line.split() for line in listed.splitlines())
    return [(int(word[0], 16), word[2]) for word in words if len(word) == 3 and word[1] in "tT"]


def ranges(functions, wanted):
    """[(first, last)] of the wanted functions' addresses, neighbours as one."""
    found = []
    for (start, name), (after, _) in zip(functions, functions[1:]):
        if name in wanted and found and found[-1][1] == start - 1:
            found[-1] = (found[-1][0], after - 1)
        elif name in wanted:
            found.append((start, after - 1))
    return found


def by_function(lines, functions):
    """Counts QEMU's lines 'Trace 0: 0x7f... [cs_base/pc/...]' by the function that pc is in."""
    at = collections.Counter(line.split("/", 2)[1] for line in lines
                             if line.startswith("Trace ") and line.count("/") > 1)
    addresses = [address for address, _ in functions]
    counts = collections.Counter()
    for pc, count in at.items():
        counts[functions[bisect.bisect_right(addresses, int(pc, 16)) - 1][1]] += count
    return counts


def run(plan, cases, iso, functions, only):
    """Counts by function of one run; the guest must have succeeded."""
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        words = ["qemu-system-x86_64", *plan.machines["i1"],
                 *qemu.guest_arguments(iso, workdir, cmdline="bench=" + ",".join(cases)),
                 "-singlestep", "-d", "exec,nochain",
                 "-dfilter", ",".join(f"{first:#x}..{last:#x}" for first, last in only)]  # fmt: skip
        words = ["timeout", str(LIMIT_SECONDS), *words]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True,
                              preexec_fn=guest.die_with_parent) as child:
            counts = by_function(child.stderr, functions)
    if child.returncode != qemu.EXIT_SUCCESS:
        raise bench.BenchError(f"{cases}: QEMU ended with {child.returncode}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", type=Path)
    parser.add_argument("case")
    options = parser.parse_args()
    try:
        plan = bench.load()
        if "i1" not in plan.cases.get(options.case, bench.Case("", [], 0)).machines:
            raise bench.BenchError(f"machine i1 has no case '{options.case}'")
        functions = symbols(options.build / "highwater.elf")
        objects = [path for room in ROOMS for path in (options.build / "kernel" / room).glob("*.o")]
        listed = subprocess.run(["nm", "--defined-only", *objects], capture_output=True, text=True,
                                check=True).stdout  # fmt: skip
        only = ranges(functions, {line.split()[-1] for line in listed.splitlines() if line})
        iso = options.build / "highwater.iso"
        counts = run(plan, [options.case], iso, functions, only)
        counts.subtract(run(plan, ["timer"], iso, functions, only))
    except (bench.BenchError, qemu.SetupError, subprocess.CalledProcessError) as error:
        print(f"bench_where: {error}", file=sys.stderr)
        return 1
    case = plan.cases[options.case]
    ops = case.ops * (case.batches + WARM_UPS)
    shown = [(name, count / ops) for name, count in counts.most_common() if count / ops >= 0.05]
    for name, each in shown:
        print(f"{name:28} {each:8.2f}")
    print(f"{'all':28} {sum(counts.values()) / ops:8.2f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
