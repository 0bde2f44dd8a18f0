"""The generated reference is what the kernel says of itself today."""

import subprocess
import sys

from conftest import ROOT


def test_reference_is_current(iso, request):
    done = subprocess.run(
        [sys.executable, "-B", str(ROOT / "tools" / "gendocs.py"), "--check", "--iso", str(iso),
         "--accel", request.config.getoption("--accel")],
        capture_output=True, text=True, timeout=400, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
