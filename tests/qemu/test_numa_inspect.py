"""numa-inspect as a program: the forms of files that it takes, what it refuses, its text and its
JSON."""

import json
import re
import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "acpi"))

import kit  # noqa: E402
import schema  # noqa: E402
import subject  # noqa: E402

SCHEMA = json.loads((ROOT / "tools/numa-inspect/schema.json").read_text(encoding="utf-8"))
BOOT_APIC_ID = ("--boot-apic-id", str(kit.BOOT_APIC_ID))


def run_inspect(build, *arguments):
    return subprocess.run([str(build / "host" / "numa-inspect-asan"), *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False)


def check(machine, build, *files):
    seen = kit.inspect(build / "host" / "numa-inspect-asan", files, "--json", *BOOT_APIC_ID)
    wrong = kit.differences(machine.expect, seen)
    assert not wrong, "\n".join([f"{machine.name}:", *wrong])


# --- Forms of files -----------------------------------------------------------------------------


def dump_text(machine):
    """The tables as acpidump prints them."""
    lines = []
    for number, (_, data) in enumerate(machine.tables):
        lines.append(f"{data[:4].decode()} @ 0x{0xBFF70000 + number * 4096:016X}")
        for offset in range(0, len(data), 16):
            row = data[offset : offset + 16]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            lines.append(f"    {offset:04X}: {row.hex(' ').upper():<48} {text}")
        lines.append("")
    return "\n".join(lines) + "\n"


# What tools on other systems make of the same text.
VARIANTS = {
    "as it is": lambda text: text,
    "lines of Windows": lambda text: text.replace("\n", "\r\n"),
    "no line at the end": lambda text: text.rstrip("\n"),
    "offsets of four blanks and eight digits": lambda text: text.replace("    00", "    000000"),
    "hexadecimal in small letters": lambda text: re.sub(
        r"(?<=: )(?:[0-9A-F]{2} )+", lambda match: match[0].lower(), text),
    "a short address": lambda text: text.replace("@ 0x00000000", "@ 0x"),
    "something above and between": lambda text: "# acpidump of a machine\n" + text.replace(
        "\n\n", "\n\nand the next:\n\n"),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["two", "sparse", "hmat"])
def test_acpidump_text(name, variant, build, tmp_path):
    """One file of text is as good as a file for each table."""
    machine = kit.load(name, build)
    path = tmp_path / "acpidump.txt"
    path.write_text(VARIANTS[variant](dump_text(machine)), encoding="ascii", newline="")
    check(machine, build, path)


@pytest.mark.parametrize("names", [
    ("srat.dat", "slit.dat", "apic.dat"), ("SRAT1.dat", "SLIT1.dat", "APIC1.dat"),
    ("SRAT.dat", "SLIT.dat", "APIC.dat"), ("SRAT", "SLIT", "APIC"), ("s", "l", "madt"),
], ids="-".join)  # fmt: skip
def test_directory(names, build, tmp_path):
    """As acpidump -b and acpixtract leave it, and with whatever else lies there: a file's content
    decides, not its name."""
    machine = kit.load("two", build)
    kinds = {"SRAT": names[0], "SLIT": names[1], "APIC": names[2]}
    for _, data in machine.tables:
        (tmp_path / kinds[data[:4].decode()]).write_bytes(data)
    (tmp_path / "notes.txt").write_text("from a machine\n", encoding="ascii")
    (tmp_path / "dsdt.dat").write_bytes(subject.seal(b"DSDT" + bytes(40)))
    (tmp_path / "more").mkdir()
    check(machine, build, tmp_path)
    check(machine, build, f"{tmp_path}/")


def test_a_directory_and_a_file(build, tmp_path):
    """Two of a kind: the first named counts."""
    machine = kit.load("two", build)
    other = kit.load("sparse", build)
    for name, data in machine.tables:
        (tmp_path / name).write_bytes(data)
    machine.expect["notes"] = ["another SRAT .*the first one is used"]
    path = tmp_path.parent / "another.dat"
    path.write_bytes(other.tables[0][1])
    check(machine, build, tmp_path, path)


def test_directory_of_no_tables(build, tmp_path):
    (tmp_path / "notes.txt").write_text("from a machine\n", encoding="ascii")
    done = run_inspect(build, tmp_path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.endswith(": no file in it holds a table\n")


# --- What it prints -----------------------------------------------------------------------------


def test_text(build, tmp_path):
    """The text has the layout of the monitor's `numa`."""
    machine = kit.load("two", build)
    done = run_inspect(build, *machine.write(tmp_path))
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("""\
available: 2 nodes (0-1)
node 0 cpus: 0 1
node 0 size: 511 MB
node 1 cpus: 2 3
node 1 size: 512 MB
node distances:
node   0   1 \n  0:  10  21 \n  1:  21  10 \n
memory ranges (RAM or not):
node 0: [mem 0x0000000000000000-0x000000000009ffff] 160 pages
""")
    assert "oddities: none\n" in done.stdout


@pytest.mark.parametrize("name, options, lines", [
    ("hotplug", ["--ram", "0-0xa0000,0x100000-0x40000000"], """\
firmware ranges:
domain 0: [mem 0x0000000000000000-0x000000001fffffff], 523904 of 524288 KiB are RAM
domain 1: [mem 0x0000000020000000-0x000000003fffffff], 524288 of 524288 KiB are RAM
domain 1: [mem 0x0000000200000000-0x00000003ffffffff] hot-pluggable, 0 of 8388608 KiB are RAM
domain 1: [mem 0x0000000800000000-0x00000008ffffffff] non-volatile, 0 of 4194304 KiB are RAM
domain 2: [mem 0x0000000a00000000-0x0000000affffffff] non-volatile, 0 of 4194304 KiB are RAM
"""),
    ("hmat", [], """\
firmware ranges:
domain 0: [mem 0x0000000000000000-0x000000001fffffff], 524288 KiB
domain 1: [mem 0x0000000020000000-0x000000003fffffff], 524288 KiB
hmat: revision 2
hmat: memory of domain 0 is local to domain 0
hmat: memory of domain 1 is local to domain 1
hmat: read latency from domain 0: 0=80 1=140 ns
hmat: read latency from domain 1: 0=140 1=80 ns
hmat: read bandwidth from domain 0: 0=20000 1=9000 MB/s
hmat: read bandwidth from domain 1: 0=9000 1=20000 MB/s
hmat: memory of domain 1 has a cache, level 1 of 1, 65536 KiB, lines of 64
"""),
], ids=["hotplug", "hmat"])  # fmt: skip
def test_text_of_the_firmware(name, options, lines, build, tmp_path):
    """What the tables say, next to what was made of it."""
    paths = kit.load(name, build).write(tmp_path)
    text = run_inspect(build, *options, *paths).stdout
    assert text[text.index("firmware ranges:") : text.index("oddities:")] == lines


@pytest.mark.parametrize("options", [[], ["--ram", "0-0xa0000,0x100000-0x40000000"]],
                         ids=["tables", "ram"])
@pytest.mark.parametrize("name", kit.names())
def test_json_keeps_its_schema(name, options, build, tmp_path):
    paths = kit.load(name, build).write(tmp_path)
    seen = kit.inspect(build / "host" / "numa-inspect-asan", paths, "--json", *options)
    assert schema.violations(seen, SCHEMA) == []
    assert ("ram" in seen) == bool(options)


def test_a_wrong_document_is_noticed(build, tmp_path):
    """The schema is no sieve."""
    seen = kit.inspect(build / "host" / "numa-inspect-asan",
                       kit.load("two", build).write(tmp_path), "--json")
    for change in ({"nodes": 0}, {"nodes": "2"}, {"more": 1}, {"notes": [7]},
                   {"ranges": [{"base": "0", "end": "0x1", "node": 0}]},
                   {"ranges": [{"base": "0x0", "node": 0}]}, {"distances": [[9]]}):
        assert len(schema.violations({**seen, **change}, SCHEMA)) == 1, change
    del seen["cpus"]
    assert schema.violations(seen, SCHEMA) == ["$: cpus is missing"]


def test_the_plain_build_says_the_same(build, tmp_path):
    paths = kit.load("sparse", build).write(tmp_path)
    for options in ([], ["--json"], ["--raw"]):
        plain = subprocess.run([str(build / "numa-inspect"), *options, *map(str, paths)],
                               capture_output=True, text=True, timeout=60, check=True)
        assert plain.stdout == run_inspect(build, *options, *paths).stdout


# --- What it refuses ----------------------------------------------------------------------------


# what: (content of the file, a part of the line)
BAD_FILES = {
    "empty": (b"", "neither a table"),
    "binary": (bytes(range(256)), "neither a table"),
    "prose": (b"no tables here\n", "neither a table"),
    "signature without a table": (b"SRAT @ 0x0\n\n", "without even a signature"),
    "no hex": (b"SRAT @ 0x0\n    0000: 53 52 41 54\n    what is this\n", ":3: no line of"),
    "a gap": (b"SRAT @ 0x0\n    0000: 53 52 41 54\n    0010: 53\n", ":3: the offset"),
    "half a byte": (b"SRAT @ 0x0\n    0000: 5\n", ":2: no line of"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_bad_file(what, build, tmp_path):
    content, message = BAD_FILES[what]
    path = tmp_path / "file"
    path.write_bytes(content)
    done = run_inspect(build, path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.count("\n") == 1 and message in done.stderr


@pytest.mark.parametrize("arguments", [
    [], ["--json"], ["no/such/file"], ["/"], ["--nonsense", "x"], ["--boot-apic-id"],
    ["--boot-apic-id", "x", "f"], ["--boot-apic-id", "4294967296", "f"], ["--json", "--raw", "f"],
    ["--ram", "1-0", "f"], ["--ram", "0x0", "f"], ["--ram", "0-4096,", "f"],
], ids=" ".join)  # fmt: skip
def test_bad_arguments(arguments, build):
    done = run_inspect(build, *arguments)
    assert done.returncode == 1 and not done.stdout and done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["--boot-apic-id", "4294967296", "f"], "numa-inspect: '4294967296': not understood"),
    (["--boot-apic-id", "7x", "f"], "numa-inspect: '7x': not understood"),
    (["no/such/file"], "numa-inspect: no/such/file: No such file"),
])  # fmt: skip
def test_the_bad_argument_is_named(arguments, said, build):
    assert run_inspect(build, *arguments).stderr.startswith(said)


def test_help(build):
    done = run_inspect(build, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and not done.stderr
