"""tools/layercheck.py: each rule is broken once, in a tree of two files, and must be named."""

import subprocess
import sys

import pytest

from conftest import ROOT


def check(tree):
    return subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "layercheck.py"), str(tree)],
                          capture_output=True, text=True, timeout=60, check=False)


def write(tree, path, text):
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


GUARD = "#ifndef ZONE_H\n#define ZONE_H\n#endif\n"

# what breaks a rule: (file, text, line)
WRONG = {
    "mm knows the kernel": ("mm/a.c", "#include <kernel/printk.h>\n", 1),
    "mm knows the architecture": ("mm/a.c", "int a;\n#include <asm/page.h>\n", 2),
    "mm knows the C library": ("mm/a.c", "#include <stdio.h>\n", 1),
    "mm reaches for a private header": ("mm/a.c", '#include "../kernel/private.h"\n', 1),
    "mm differs by #ifdef": ("mm/a.c", "int a;\n\n#ifdef HOST\n#endif\n", 3),
    "mm differs by #if": ("mm/a.c", "  # if HOST\n#endif\n", 1),
    "a header differs": ("mm/b.h", "#ifndef B_H\n#define B_H\n#ifndef HOST\n#endif\n#endif\n", 3),
    "the seam knows mm": ("include/arch/a.h", "#include <mm/page.h>\n", 1),
    "the API of mm knows boot": ("include/mm/a.h", "#include <boot/boot_info.h>\n", 1),
    "base knows the seam": ("include/base/a.h", "#include <arch/page.h>\n", 1),
    "a parser prints": ("kernel/acpi/srat.c", "#include <kernel/printk.h>\n", 1),
    "a parser knows mm": ("kernel/acpi/srat.c", "#include <mm/memblock.h>\n", 1),
    "the loader's parser knows the kernel": ("boot/multiboot2.c", "#include <kernel/panic.h>\n", 1),
    "the architecture knows mm": ("arch/x86_64/a.c", "#include <mm/page_alloc.h>\n", 1),
    "the kernel knows the tests": ("kernel/a.c", "#include <tests/host.h>\n", 1),
    "the host's tool knows the kernel": ("tools/numa-inspect/a.c", "#include <kernel/printk.h>\n", 1),
    "the example knows the kernel": ("examples/minimal/a.c", "#include <kernel/printk.h>\n", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_broken_rule(what, tmp_path):
    path, text, line = WRONG[what]
    write(tmp_path, "mm/zone.h", GUARD)
    write(tmp_path, path, text)
    done = check(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:{line}: ") and done.stderr.count("\n") == 1


def test_rules_kept(tmp_path):
    write(tmp_path, "mm/zone.h", GUARD)
    write(tmp_path, "mm/a.c", '#include <arch/page.h>\n#include <stdint.h>\n#include "zone.h"\n')
    write(tmp_path, "kernel/acpi/tables.c", "#include <kernel/printk.h>\n")
    write(tmp_path, "tests/host/os.c", "#include <stdio.h>\n#ifdef __linux__\n#endif\n")
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tree_itself():
    done = check(ROOT)
    assert done.returncode == 0, done.stderr


def test_an_empty_tree_is_no_success(tmp_path):
    assert check(tmp_path).returncode == 1
