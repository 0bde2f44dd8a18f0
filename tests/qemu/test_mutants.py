"""tools/mutants.py: a mutant that changes nothing must be found alive, a useless one be refused."""

import subprocess
import sys

from conftest import ROOT

NOTHING = """\
Subject: nothing is broken
Killed-by: host:buddy

--- a/mm/buddy.c
+++ b/mm/buddy.c
@@ -1,1 +1,2 @@
+/* nothing */
 /*
"""
SYNTAX = NOTHING.replace("/* nothing */", "int 7;")
PLACE = NOTHING.replace("\n /*\n", "\n no such line\n")
NAMELESS = NOTHING.replace("Killed-by", "Killed")
MISSPELT = NOTHING.replace("host:buddy", "host:no_such_suite")


def mutants_py(*arguments):
    done = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "mutants.py"), *arguments],
                          cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    print(done.stdout + done.stderr)
    return done


def run(tmp_path, **mutants):
    files = []
    for name, text in mutants.items():
        # Names of their own: copies of the tree stand under build/mutants by name.
        files.append(tmp_path / f"test-mutants-{name}.patch")
        files[-1].write_text(text, encoding="utf-8")
    return mutants_py(*map(str, files))


def test_alive_and_broken(tmp_path):
    done = run(tmp_path, nothing=NOTHING, syntax=SYNTAX, place=PLACE, nameless=NAMELESS)
    assert done.returncode == 1
    assert "ALIVE   test-mutants-nothing" in done.stdout
    assert "BROKEN  test-mutants-syntax: does not compile" in done.stdout
    assert "BROKEN  test-mutants-place: does not apply" in done.stdout
    assert "BROKEN  test-mutants-nameless: the header lacks" in done.stdout
    assert done.stdout.endswith("4 mutants, 0 killed, 4 alive\n")


def test_misspelt_test_kills_nothing(tmp_path):
    done = run(tmp_path, misspelt=MISSPELT)
    assert done.returncode == 1
    assert "on the tree as it is, host:no_such_suite fails" in done.stdout
    assert done.stdout.endswith("1 mutants, 0 killed, 1 alive\n")


def test_none_is_no_success():
    assert mutants_py("no-such-mutant").returncode == 1
