#!/usr/bin/env python3
"""Runs the fuzz targets (`make fuzz`; `make test` for a moment each) and says what they covered.

Each target is a libFuzzer program, started with the seed corpus of tests/fuzz/corpus/NAME. What it
learns stays in build/fuzz/corpus/NAME for the next run, unless --forget. A finding fails the
run; the input is kept in build/fuzz/findings, and the line that replays it is printed. A run that
executed less than it was told to is a failure, too.

What once found something is in tests/fuzz/regressions, and replayed (replay.c). It is no seed: a
mutant that the fuzzer shall find would be found by them.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_AN_INPUT = 20  # more is a hang, which is a finding
SECONDS_A_REPORT = 15
SECONDS_SHORT = 240  # no short run takes so long: see "short" below
RSS_LIMIT_MIB = 2048


@dataclass
class Target:
    """How a target is run, and the files whose coverage is its business."""

    max_bytes: int
    short: int = 10_000  # executions in `make test`: 3 to 5 seconds
    files: list = field(default_factory=list)


HEADER = "kernel/acpi/header.c"
TARGETS = {
    "srat": Target(20700, 100_000, ["kernel/acpi/srat.c", HEADER]),
    "slit": Target(4096, 100_000, ["kernel/acpi/slit.c", HEADER]),
    "madt": Target(4200, 80_000, ["kernel/acpi/madt.c", HEADER]),
    "hmat": Target(12000, 30_000, ["kernel/acpi/hmat.c", HEADER]),
    "root": Target(1600, 50_000, [f"kernel/acpi/{name}.c" for name in
                                  ("rsdp", "find", "describe")] + [HEADER]),
    "multiboot2": Target(6400, 60_000, ["boot/multiboot2.c", "kernel/memory_map.c"]),
    "topology": Target(4096, 30_000, [f"kernel/acpi/{name}.c" for name in
                             ("topology", "ranges", "cpus", "distances", "coverage", "notes")]),
    "options": Target(2400, 20_000,
                      ["kernel/options.c", "kernel/options_line.c", "kernel/lib/parse.c"]),
    "memblock": Target(400, 60_000, ["mm/memblock.c", "mm/numa.c"]),
    "boot": Target(160, 1_000, ["mm/memmap.c", "mm/zone.c", "mm/zonelist.c", "mm/mm_init.c"]),
}

STATUS = re.compile(r"^#(\d+)\s+(\w+).*?cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s+(\d+)")
# The lines of a report that say what happened.
TELLING = re.compile(r"FUZZ_CHECK|panic: |runtime error|^SUMMARY|ERROR: ")

print_lock = threading.Lock()


def say(text):
    with print_lock:
        print(text, flush=True)


@dataclass
class Result:
    name: str
    runs: int = 0      # so far, by the last status line
    executed: int = 0  # in all, by libFuzzer's statistics at the end
    cov: int = 0
    ft: int = 0
    corpus: str = "0"
    seconds: float = 0.0
    status: int = 0
    telling: list = field(default_factory=list)
    kept: list = field(default_factory=list)


class Run:
    """One target, from its start to its end. options: build, runs (None: short), seed, forget."""

    def __init__(self, name, options):
        self.name = name
        self.options = options
        self.runs = options.runs or TARGETS[name].short
        self.program = options.build / "asan" / f"fuzz-{name}"
        self.findings = options.build / "findings"
        self.corpus = options.build / "corpus" / name
        self.result = Result(name)

    def command(self, corpus):
        target = TARGETS.get(self.name, Target(4096))
        args = [str(self.program), f"-runs={self.runs}", f"-seed={self.options.seed}",
                f"-max_len={target.max_bytes}", f"-timeout={SECONDS_AN_INPUT}",
                f"-rss_limit_mb={RSS_LIMIT_MIB}", "-reload=0", "-print_final_stats=1",
                f"-artifact_prefix={self.findings}/{self.name}-"]  # fmt: skip
        words = HERE / "corpus" / f"{self.name}.dict"
        if words.exists():
            args.append(f"-dict={words}")
        if self.options.runs is None:
            args.append(f"-max_total_time={SECONDS_SHORT}")
        seeds = HERE / "corpus" / self.name
        return [*args, str(corpus), *([str(seeds)] if seeds.is_dir() else [])]

    def run(self):
        self.findings.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="highwater-fuzz-") as scratch:
            corpus = Path(scratch) if self.options.forget else self.corpus
            corpus.mkdir(parents=True, exist_ok=True)
            begin = time.time()
            self.follow(self.command(corpus), begin)
        self.result.seconds = time.time() - begin
        if not self.result.status and self.result.executed < self.runs:
            self.result.status = 1
            self.result.telling.append(f"{self.result.executed} of {self.runs} executions")
        if self.result.status:
            self.result.kept = sorted(path for path in self.findings.glob(f"{self.name}-*")
                                      if path.stat().st_mtime >= begin - 1)
        return self.result

    def follow(self, command, begin):
        # A small quarantine: these programs free what they allocated, and nothing stays.
        environment = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=8:detect_leaks=0")
        log = self.options.build / f"{self.name}.log"
        reported = begin
        with log.open("w", encoding="utf-8") as out, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, text=True, errors="replace") as child:  # fmt: skip
            try:
                for line in child.stdout:
                    out.write(line)
                    self.read(line)
                    if time.time() - reported >= SECONDS_A_REPORT:
                        reported = time.time()
                        self.progress(reported - begin)
            except BaseException:
                child.kill()
                raise
            self.result.status = child.wait()

    def read(self, line):
        status, executed = STATUS.match(line), EXECUTED.match(line)
        if executed:
            self.result.executed = int(executed[1])
        elif status:
            self.result.runs, self.result.cov = int(status[1]), int(status[3])
            self.result.ft, self.result.corpus = int(status[4]), f"{status[5]}/{status[6]}"
        elif TELLING.search(line):
            self.result.telling.append(line.strip())

    def progress(self, seconds):
        say(f"  {self.name:10} {self.result.runs:>9} runs, {self.result.runs / seconds:7.0f}/s, "
            f"cov {self.result.cov}, ft {self.result.ft}")


def show(result, options):
    word = "FAILED" if result.status else "ok"
    say(f"  {word:6} {result.name:10} {result.executed or result.runs:>9} runs in "
        f"{result.seconds:6.1f} s, {figures(result)}")
    if result.status:
        say("\n".join(f"         {line}" for line in finding(result, options)))


def figures(result):
    return f"cov {result.cov}, ft {result.ft}, corpus {result.corpus}"


def finding(result, options):
    """What a failed run says: the report's telling lines, where all of it is, how to replay it."""
    return [*result.telling[:6], f"all of it: {options.build / result.name}.log",
            *(f"replay: {options.build}/asan/fuzz-{result.name} {path}" for path in result.kept)]


# --- Coverage -----------------------------------------------------------------------------------


def llvm_tool(name):
    """llvm-cov, or the newest llvm-cov-N where only that is on PATH."""
    if shutil.which(name):
        return name
    found = [f"{name}-{n}" for n in range(30, 10, -1) if shutil.which(f"{name}-{n}")]
    if not found:
        raise SystemExit(f"fuzz: no {name} (make doctor says how to get it)")
    return found[0]


def coverage(name, options):
    """{file: (lines covered, lines)} of a target's business, by its corpus, seeds and learnt."""
    program = options.build / "coverage" / f"fuzz-{name}"
    dirs = [path for path in (options.build / "corpus" / name, HERE / "corpus" / name)
            if path.is_dir()]  # fmt: skip
    raw = options.build / "coverage" / f"{name}.profraw"
    profile = raw.with_suffix(".profdata")
    subprocess.run([str(program), "-runs=0", f"-max_len={TARGETS[name].max_bytes}",
                    *map(str, dirs)],
                   env=dict(os.environ, LLVM_PROFILE_FILE=str(raw)), check=True,
                   capture_output=True, timeout=600)  # fmt: skip
    subprocess.run([llvm_tool("llvm-profdata"), "merge", "-sparse", str(raw), "-o", str(profile)],
                   check=True, timeout=600)  # fmt: skip
    done = subprocess.run([llvm_tool("llvm-cov"), "export", "-summary-only",
                           f"-instr-profile={profile}", str(program)],
                          check=True, capture_output=True, text=True, timeout=600)  # fmt: skip
    files = json.loads(done.stdout)["data"][0]["files"]
    lines = {os.path.relpath(item["filename"]): item["summary"]["lines"] for item in files}
    return {path: (lines[path]["covered"], lines[path]["count"])
            for path in TARGETS[name].files if path in lines}


def show_coverage(names, options):
    say("\nLines covered, by the target whose business the file is:")
    for name in names:
        for path, (covered, count) in coverage(name, options).items():
            say(f"  {name:10} {path:26} {covered:4} of {count:4}  {100 * covered / count:5.1f} %")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--runs", type=int, default=10_000_000, help="executions of each")
    parser.add_argument("--short", dest="runs", action="store_const", const=None,
                        help="as many executions as in `make test`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--forget", action="store_true",
                        help="start from the seed corpus alone and keep nothing learnt")
    parser.add_argument("--coverage", action="store_true", help="measure the lines covered")
    parser.add_argument("targets", nargs="+")
    return parser.parse_args()


def main():
    options = arguments()
    lost = [name for name in options.targets
            if not (options.build / "asan" / f"fuzz-{name}").exists()]
    if lost:
        raise SystemExit(f"fuzz: no program for {', '.join(lost)}")
    say(f"fuzz: {len(options.targets)} targets, {options.runs or 'few'} runs each, "
        f"seed {options.seed}")
    failed = 0
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for result in pool.map(lambda name: Run(name, options).run(), options.targets):
            show(result, options)
            failed += result.status != 0
    if options.coverage and not failed:
        show_coverage(options.targets, options)
    say(f"fuzz: {len(options.targets) - failed} targets without a finding, {failed} with one")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
