#!/usr/bin/env python3
"""`make mutants`: breaks the code on purpose, one patch of tests/mutants/ at a time, and demands
that the tests notice.

A mutant is a patch with a header:

    Subject: buddy: the split keeps the upper half twice
    Killed-by: host:buddy,page_alloc kernel:page_alloc.* qemu:bad_input
    Topology: four                    (for kernel:, default two)

`host:` names suites or cases of the host's test binary, `kit:` machines, rules and tests of the ACPI
kit's half on the host, `fuzz:` targets of tests/fuzz, which get a short run, `kernel:` suites or cases
inside the kernel, `qemu:` tests of tests/qemu by a part of their name. The mutant is applied to a
copy of the tree with its built objects, built, and the named tests are run, in this order. It is
killed when one of them fails, panics, or does not end in time; it lives when all pass. A patch that does not apply or compile is an error as bad as one that lives. The same
tests must pass in a copy of the tree as it is: otherwise a misspelt name would kill everything, and
so would a test that wants what no copy has.

Arguments choose among them, by name or as files.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATCHES = ROOT / "tests" / "mutants"
AREA = ROOT / "build" / "mutants"
PARALLEL = 2
WHERE = ["host", "kit", "fuzz", "kernel", "qemu"]
BUILD_LIMIT, HOST_LIMIT, KERNEL_LIMIT, QEMU_LIMIT = 600, 300, 120, 300
FUZZ_LIMIT = 300

# What a copy needs. build/ goes along so that only what the patch touches is compiled again, without
# ThreadSanitizer's objects: no mutant is tried under it.
PARTS = ["Makefile", "arch", "bench", "boot", "build/highwater.elf", "build/highwater.iso", "build/host",
         "build/iso", "build/kernel", "include", "iso", "kernel", "linker.ld", "mk", "mm", "tests",
         "tools"]  # fmt: skip
BUILT_FOR = {"kit": ["build/acpi", "build/numa-inspect"], "fuzz": ["build/fuzz/asan"],
             "qemu": ["build/acpi", "build/acpi-kit.iso", "build/iso-kit", "build/numa-inspect"]}


class Broken(Exception):
    """The mutant is not usable: it does not say what it must, apply or compile."""


@dataclass
class Mutant:
    path: Path
    subject: str
    killers: list  # of (where, globs)
    topology: str

    @property
    def name(self):
        return self.path.stem


def read(path):
    header = path.read_text(encoding="utf-8").split("\n--- ", 1)[0]
    fields = dict(re.findall(r"^([A-Z][\w-]*): *(.+)$", header, re.MULTILINE))
    killers = [tuple(item.split(":", 1)) for item in fields.get("Killed-by", "").split()]
    if "Subject" not in fields or not killers:
        raise Broken("the header lacks Subject: or Killed-by:")
    if any(len(item) != 2 or item[0] not in WHERE for item in killers):
        raise Broken(f"Killed-by: is one of {', '.join(WHERE)}, and after a colon names with "
                     "commas between")
    killers.sort(key=lambda item: WHERE.index(item[0]))  # what takes least time first
    return Mutant(path, fields["Subject"], killers, fields.get("Topology", "two"))


def run(tree, args, limit, **environment):
    """Exit code and output; 124 for one that did not end."""
    outer_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    inherited = {key: value for key, value in os.environ.items() if key not in outer_make}
    try:
        done = subprocess.run(args, cwd=tree, env={**inherited, **environment}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT, errors="replace", timeout=limit)
    except subprocess.TimeoutExpired:
        return 124, f"no end within {limit} s"
    return done.returncode, done.stdout


def make(tree, *targets):
    code, output = run(tree, ["make", "-j2", "V=0", *targets], BUILD_LIMIT)
    if code:
        errors = [line for line in output.splitlines() if "error" in line] or output.splitlines()
        raise Broken("does not compile: " + " | ".join(errors[:2]))


def pytest(tree, expression, limit):
    return run(tree, [sys.executable, "-B", "tests/qemu/run.py", "-n", "1", "-k", expression],
               limit)  # fmt: skip


def build(tree, where, globs):
    """What the tests named are run with."""
    make(tree, *{
        "host": ["build/host/tests-asan"],
        "kit": ["kit-tables"],
        "fuzz": [f"build/fuzz/asan/fuzz-{target}" for target in globs.split(",")],
        "kernel": ["build/highwater.iso"],
        "qemu": ["build/highwater.iso", "build/host/tests-asan", "kit"],
    }[where])  # fmt: skip


def passes(tree, where, globs, topology, patience=1):
    """Runs the tests named; returns whether all passed, and how they ended."""
    kernel_limit = KERNEL_LIMIT * patience
    build(tree, where, globs)
    if where == "host":
        code, output = run(tree, ["build/host/tests-asan", globs], HOST_LIMIT * patience)
    elif where == "kit":
        code, output = pytest(tree, "(test_acpi_kit or test_numa_inspect) and not boot and "
                              f"({globs.replace(',', ' or ')})", QEMU_LIMIT * patience)
    elif where == "fuzz":
        code, output = run(tree, [sys.executable, "-B", "tests/fuzz/run.py", "--short", "--forget",
                                  *globs.split(",")], FUZZ_LIMIT * patience)  # fmt: skip
    elif where == "qemu":
        code, output = pytest(tree, globs.replace(",", " or "), QEMU_LIMIT * patience)
    else:
        code, output = run(
            tree,
            [sys.executable, "-B", "tools/launch.py", "--test", "--topology", topology,
             "--accel", "tcg,thread=multi",  # a race shows where two instructions happen at once
             "--timeout", str(kernel_limit)],
            kernel_limit + 30, HIGHWATER_CMDLINE=f"test={globs}", HIGHWATER_QEMUEXTRA="",
        )  # fmt: skip
    failed = re.findall(r"^\s*(?:not ok \d+|FAILED) +(?:\S+: )?(\S+)", output, re.MULTILINE)
    return code == 0, failed[0] if failed else f"exit {code}"


def copy(tree, places):
    if tree.exists():
        shutil.rmtree(tree)
    for part in PARTS + [part for where in places for part in BUILT_FOR.get(where, [])]:
        source, target = ROOT / part, tree / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("tsan"),
                            dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, target)


def apply(mutant, tree):
    copy(tree, [where for where, _ in mutant.killers])
    # The copy is inside the repository; git must take it for a plain directory.
    code, output = run(tree, ["git", "apply", "--recount", str(mutant.path)], 60,
                       GIT_CEILING_DIRECTORIES=str(tree.parent))
    if code:
        raise Broken("does not apply: " + output.strip().splitlines()[0])


def attempt(path):
    """Returns (killed, one line about it)."""
    begin = time.monotonic()
    tree = AREA / path.stem
    try:
        mutant = read(path)
        apply(mutant, tree)
        for where, globs in mutant.killers:
            passed, how = passes(tree, where, globs, mutant.topology)
            if not passed:
                shutil.rmtree(tree)
                took = time.monotonic() - begin
                return True, f"killed  {mutant.name} by {where}:{globs} ({how}, {took:.1f} s)"
        return False, f"ALIVE   {mutant.name}: {mutant.subject} (in {tree.relative_to(ROOT)})"
    except Broken as error:
        return False, f"BROKEN  {path.stem}: {error}"


def baseline(paths):
    """The tests named must pass in a copy of the tree. Returns what does not, in words."""
    wanted = {}
    for path in paths:
        try:
            mutant = read(path)
        except Broken:
            continue  # attempt() will say so
        for where, globs in mutant.killers:
            place = (where, mutant.topology if where == "kernel" else "")
            wanted.setdefault(place, set()).update(globs.split(","))
    for (where, _), globs in wanted.items():
        build(ROOT, where, ",".join(globs))  # here, once: each copy has it then
    problems = []
    tree = AREA / f"unchanged-{os.getpid()}"  # `make test` runs several of us
    copy(tree, {where for where, _ in wanted})
    for (where, topology), globs in sorted(wanted.items()):
        # All mutants' tests in one go take longer than one's.
        passed, how = passes(tree, where, ",".join(sorted(globs)), topology, patience=6)
        if not passed:
            problems.append(f"on the tree as it is, {where}:{','.join(sorted(globs))} fails: {how}")
    shutil.rmtree(tree)
    return problems


def main():
    chosen = sys.argv[1:]
    paths = sorted(path for path in PATCHES.glob("*.patch") if not chosen or path.stem in chosen)
    paths += [Path(name).resolve() for name in chosen if name.endswith(".patch")]
    AREA.mkdir(parents=True, exist_ok=True)
    print(f"{len(paths)} mutants; first the tests they name, on the tree as it is", flush=True)
    try:
        problems = baseline(paths)
    except Broken as error:
        problems = [f"the tree {error}"]
    for problem in problems:
        print(problem, flush=True)
    killed = 0
    if not problems:
        with ThreadPoolExecutor(PARALLEL) as pool:
            for number, (dead, line) in enumerate(pool.map(attempt, paths), 1):
                killed += dead
                print(f"  {number:3}/{len(paths)} {line}", flush=True)
    print(f"{len(paths)} mutants, {killed} killed, {len(paths) - killed} alive", flush=True)
    return 0 if paths and killed == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
