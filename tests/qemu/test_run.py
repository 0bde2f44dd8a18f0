"""run.py, which has the last word of `make test`: what it counts, and when it fails."""

import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

KTAP = 'record_property("ktap", {"passed": 5, "failed": 0, "skipped": 2})'

# what: (a test file, the last line, success)
RUNS = {
    "passes": ("def test_a(): pass\ndef test_b(): pass", "2 passed, 0 failed, 0 skipped", True),
    "fails": ("def test_a(): assert 0\ndef test_b(): pass", "1 passed, 1 failed, 0 skipped", False),
    "skips": ("import pytest\ndef test_a(): pytest.skip()\ndef test_b(): pass",
              "1 passed, 0 failed, 1 skipped", True),
    "only skips": ("import pytest\ndef test_a(): pytest.skip()", "0 passed, 0 failed, 1 skipped",
                   False),
    "is empty": ("", "0 passed, 0 failed, 0 skipped", False),
    "does not import": ("import no_such_module\ndef test_a(): pass",
                        "0 passed, 1 failed, 0 skipped", False),
    "kills its worker": ("import os\ndef test_a(): os._exit(0)", "0 passed, 1 failed, 0 skipped",
                         False),
    "fails in its fixture": ("import pytest\n@pytest.fixture\ndef f(): assert 0\n"
                             "def test_a(f): pass", "0 passed, 1 failed, 0 skipped", False),
    "fails after itself": ("import pytest\n@pytest.fixture\ndef f():\n yield\n assert 0\n"
                           "def test_a(f): pass", "1 passed, 1 failed, 0 skipped", False),
    "carries cases": (f"def test_a(record_property): {KTAP}", "5 passed, 0 failed, 2 skipped",
                      True),
    "fails beside its cases": (f"def test_a(record_property):\n {KTAP}\n assert 0",
                               "5 passed, 1 failed, 2 skipped", False),
}  # fmt: skip


@pytest.mark.parametrize("what", RUNS)
def test_a_run_that(what, tmp_path):
    source, last_line, success = RUNS[what]
    for name in ("run.py", "pytest.ini"):
        shutil.copy(ROOT / "tests" / "qemu" / name, tmp_path)
    (tmp_path / "test_it.py").write_text(source + "\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-B", str(tmp_path / "run.py"), "-n", "1"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=120, check=False)
    assert done.stdout.splitlines()[-1] == last_line
    assert (done.returncode == 0) == success
