"""The benchmark's output: what it must hold, and the table beside Linux's figures.

A line of the kernel's:

    MMBENCH name=page_hot_o0 ops=65536 tsc=6226304 per_op=95.01 min=95.01 med=95.01 max=95.01
            batches=16 cpu=0 fail=0

A run counts only as a whole: every case that the machine is there for, each line complete and
consistent in itself, no allocation failed, MMBENCH_DONE last. Anything else is a list of faults.
"""

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from .topology import tomllib

FIGURES = Path(__file__).resolve().parents[2] / "bench" / "linux.toml"
CALIBRATION = "calib_insn"
# What a batch may take beside its work: two rdtsc, the call through a pointer, the empty body.
EMPTY_BATCH_TICKS = 16

LINE = re.compile(
    r"MMBENCH name=(?P<name>\w+) ops=(?P<ops>\d+) tsc=(?P<tsc>\d+) per_op=(?P<per_op>\d+\.\d\d)"
    r" min=(?P<min>\d+\.\d\d) med=(?P<med>\d+\.\d\d) max=(?P<max>\d+\.\d\d)"
    r"(?: alloc=(?P<alloc>\d+\.\d\d) free=(?P<free>\d+\.\d\d))?"
    r" batches=(?P<batches>\d+) cpu=(?P<cpu>\d+) fail=(?P<fail>\d+)"
)


class BenchError(Exception):
    """What was asked for does not exist, or the file of figures does not fit itself."""


@dataclass
class Case:
    name: str
    machines: list
    ops: int
    batches: int = 16
    loop: str = ""
    linux_loop: int = 0
    linux: dict = field(default_factory=dict)  # machine: {configuration: instructions an op}

    def best(self, machine):
        """Linux's best on the machine, or None."""
        return min(self.linux[machine].values()) if machine in self.linux else None


@dataclass
class Plan:
    machines: dict  # name: QEMU's arguments
    cases: dict  # name: Case


def load(path=FIGURES):
    raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    try:
        plan = Plan({name: shlex.split(text) for name, text in raw["machines"].items()},
                    {name: Case(name, **case) for name, case in raw["cases"].items()})
    except (KeyError, TypeError) as error:
        raise BenchError(f"{path}: {error}") from error
    for case in plan.cases.values():
        unknown = {*case.machines, *case.linux} - {*plan.machines}
        if unknown:
            raise BenchError(f"{path}: {case.name} is on {', '.join(sorted(unknown))}, no machine here")
        loop = plan.cases.get(case.loop)
        if case.loop and (not loop or not set(case.machines) <= set(loop.machines)):
            raise BenchError(f"{path}: {case.name}'s loop {case.loop} is not on all its machines")
    return plan


def select(plan, globs):
    """The names that match one of the globs, and what is needed to judge them."""
    wanted = [glob for glob in (globs or "*").split(",") if glob]
    names = {name for name in plan.cases for glob in wanted if fnmatch.fnmatchcase(name, glob)}
    if not names:
        raise BenchError(f"no case matches '{globs}'; there are: {', '.join(plan.cases)}")
    names |= {plan.cases[name].loop for name in names if plan.cases[name].loop}
    return names | {CALIBRATION}


def on_machine(plan, names, machine):
    """Of these cases those of the machine, in the order of the file."""
    return [name for name, case in plan.cases.items() if name in names and machine in case.machines]


def read(output):
    """({name: figures}, faults) of one run's output."""
    results, faults = {}, []
    lines = [line.strip() for line in output.splitlines()]
    done = [at for at, line in enumerate(lines) if line == "MMBENCH_DONE"]
    if len(done) != 1:
        faults.append("no MMBENCH_DONE: the run is cut short" if not done
                      else f"{len(done)} times MMBENCH_DONE")
    for at, line in enumerate(lines):
        if "MMBENCH " not in line:
            continue
        match = LINE.fullmatch(line)
        if not match:
            faults.append(f"not a whole line: {line}")
            continue
        if done and at > done[0]:
            faults.append(f"after MMBENCH_DONE: {line}")
        if match["name"] in results:
            faults.append(f"{match['name']}: twice")
        results[match["name"]] = {
            key: text if key == "name" else float(text) if "." in text else int(text)
            for key, text in match.groupdict().items() if text is not None
        }
    return results, faults


def faults_of(result, case):
    """What is wrong with one case's figures, by themselves and by the case's definition."""
    found = []
    batches, ops, tsc = result["batches"], result["ops"], result["tsc"]
    if result["fail"]:
        found.append(f"{result['fail']} allocations failed")
    if batches != case.batches or ops != case.ops * case.batches:
        found.append(f"{ops} ops in {batches} batches, and not {case.batches} of {case.ops}")
    elif abs(result["per_op"] * ops - tsc) > ops * 0.0051:
        found.append(f"per_op={result['per_op']} is not {tsc} / {ops}")
    if not result["min"] <= result["med"] <= result["max"]:
        found.append("min, med and max are not in order")
    if case.name == CALIBRATION and not 0 <= tsc - ops <= EMPTY_BATCH_TICKS * batches:
        found.append(f"{tsc} ticks for {ops} instructions: a tick is not an instruction")
    return [f"{case.name}: {fault}" for fault in found]


def judge(plan, names, machine, output):
    """({name: figures}, faults) of a machine's run that was to have these cases."""
    results, faults = read(output)
    expected = on_machine(plan, names, machine)
    faults += [f"{name}: missing" for name in expected if name not in results]
    faults += [f"{name}: not asked for" for name in results if name not in expected]
    for name in expected:
        if name in results:
            faults += faults_of(results[name], plan.cases[name])
    return results, faults


# --- The table ----------------------------------------------------------------------------------

HEADINGS = ["case", "machine", "ours", "loop", "ours-loop", "Linux", "Linux-loop", "ratio",
            "gate 1/2", "goal 1/4"]  # fmt: skip


@dataclass
class Comparison:
    case: str
    machine: str
    ours: float
    loop: float = None  # None: there is nothing to subtract
    linux: int = None
    linux_loop: int = 0

    @property
    def ratio(self):
        """Ours to Linux's, each less its own loop if it has one; None without Linux's figure."""
        if self.linux is None:
            return None
        return (self.ours - (self.loop or 0)) / (self.linux - self.linux_loop)

    @property
    def meets_gate(self):
        return self.ratio is None or self.ratio <= 1 / 2

    @property
    def meets_goal(self):
        return self.ratio is None or self.ratio <= 1 / 4

    def cells(self):
        subtracted = ["", ""] if self.loop is None else [
            f"{self.loop:.2f}", f"{self.ours - self.loop:.2f}"]
        compared = ["", "", "", "", ""] if self.ratio is None else [
            str(self.linux), "" if self.loop is None else str(self.linux - self.linux_loop),
            f"{self.ratio:.3f}",
            "met" if self.meets_gate else "MISSED", "met" if self.meets_goal else "missed"]
        return [self.case, self.machine, f"{self.ours:.2f}", *subtracted, *compared]


def compare(plan, machine, results):
    """A Comparison for each case of the machine that has results, in the order of the file."""
    compared = []
    for name in on_machine(plan, results.keys(), machine):
        case = plan.cases[name]
        loop = results[case.loop]["per_op"] if case.loop in results else None
        compared.append(Comparison(name, machine, results[name]["per_op"], loop,
                                   case.best(machine), case.linux_loop))
    return compared


def table(comparisons):
    rows = [HEADINGS] + [comparison.cells() for comparison in comparisons]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]

    def line(row):
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        return "  ".join(cells).rstrip()

    return "\n".join(line(row) for row in rows)
