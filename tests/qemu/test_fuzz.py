"""Fuzzing for a moment: each target runs from its seed corpus with a fixed seed, and replays,
without libFuzzer, every input that ever found something. The long run is `make fuzz`.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

REPLAY_LIMIT_SECONDS = 120
SEED = 1


def load(name):
    """A program of tests/fuzz as a module; its name is not taken from those of tests/qemu."""
    path = ROOT / "tests/fuzz" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load("run")
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in ROOT.glob("tests/fuzz/fuzz_*.c")
                 if path.stem != "fuzz_common")  # fmt: skip


def inputs_of(name):
    return [ROOT / "tests/fuzz" / kind / name for kind in ("corpus", "regressions")]


def test_every_target_is_known():
    """One that run.py does not know would run with guesses; one without seeds finds little."""
    assert TARGETS == sorted(fuzz.TARGETS)
    for name in TARGETS:
        for place in inputs_of(name):
            assert any(place.iterdir()), place


def test_seeds_are_what_their_program_makes():
    done = subprocess.run([sys.executable, "-B", str(ROOT / "tests/fuzz/seeds.py"),
                           "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_short(name, build, record_property):
    """Some ten thousand inputs, no finding. What one leads to is kept, and its replay printed."""
    options = argparse.Namespace(build=build / "fuzz", runs=None, seed=SEED, forget=True)
    result = fuzz.Run(name, options).run()
    said = f"{result.executed} runs, {fuzz.figures(result)}"
    print(said)
    record_property("figures", said)
    assert result.status == 0, "\n".join(fuzz.finding(result, options))
    assert result.executed >= fuzz.TARGETS[name].short and result.cov > 0


@pytest.mark.parametrize("name", TARGETS)
def test_replay(name, build, log_path):
    """Each input of the tree once, in the host's own build: no clang is needed for that."""
    places = inputs_of(name)
    done = subprocess.run([str(build / "host" / "replay" / f"replay-{name}"), *map(str, places)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=REPLAY_LIMIT_SECONDS, check=False)
    log_path.write_text(done.stdout, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-4000:]
    files = sum(len(os.listdir(place)) for place in places)
    assert re.fullmatch(r"(\d+) inputs", done.stdout.splitlines()[-1])[1] == str(files)


def test_replay_of_nothing_fails(build, tmp_path):
    """An empty directory is no success, nor is one that does not exist."""
    for place in (tmp_path, tmp_path / "no-such-place"):
        done = subprocess.run([str(build / "host" / "replay" / "replay-slit"), str(place)],
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 1
