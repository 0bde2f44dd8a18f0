"""The ACPI kit: every machine and every hostile variant gives exactly the topology stated for it,
on the host (numa-inspect under sanitizers) and, injected, in kernels that boot.
"""

import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import BOOT_LIMIT_SECONDS, ROOT

from hwlib import guest, qemu, topology

sys.path.insert(0, str(ROOT / "tests" / "acpi"))

import derive  # noqa: E402
import inject  # noqa: E402
import kit  # noqa: E402
import subject  # noqa: E402

# One CPU: most of those that the tables name are not there, and need not be waited for.
RUN = 'maxcpus=1 run="numa; memblock; check"'
# The firmware keeps this much of RAM for itself at most, under BIOS and UEFI.
FIRMWARE_MIB = {"bios": 1, "uefi": 64}
BOOT_APIC_ID = ("--boot-apic-id", str(kit.BOOT_APIC_ID))


@pytest.fixture
def inspect(build, tmp_path):
    """inspect(machine, *options): what numa-inspect, built with sanitizers, makes of it."""

    def run(machine, *options):
        return kit.inspect(build / "host" / "numa-inspect-asan", machine.write(tmp_path),
                           *options, *BOOT_APIC_ID)

    return run


def check(machine, seen):
    wrong = kit.differences(machine.expect, seen)
    assert not wrong, "\n".join([f"{machine.name}:", *wrong])


# --- On the host --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", kit.names())
def test_machine(name, build, inspect):
    machine = kit.load(name, build)
    check(machine, inspect(machine, "--json"))


@pytest.mark.parametrize("rule", derive.RULES)
def test_rule(rule, build, inspect):
    derived = [derive.derive(kit.load(name, build), rule) for name in kit.names()]
    derived = [machine for machine in derived if machine]
    assert derived, "applies to no machine"
    for machine in derived:
        check(machine, inspect(machine, "--json"))


@pytest.mark.parametrize("name", kit.names())
def test_ram(name, build, inspect):
    """The rule for RAM, as mm/numa.c has it and as kit.py states it."""
    machine = kit.load(name, build)
    ram = kit.guest_ram(topology.parse_size(machine.guest["memory"]))
    text = ",".join(f"{base:#x}-{end:#x}" for base, end in ram)
    seen = inspect(machine, "--json", "--ram", text)
    assert [(int(item["base"], 16), int(item["end"], 16), item["node"]) for item in seen["ram"]] \
        == kit.clip(machine.expect["ranges"], ram)
    machine.expect["notes"] += kit.ram_notes(machine.expect["ranges"], ram)
    check(machine, seen)


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


@pytest.mark.parametrize("name", kit.names())
def test_acpidump_text(name, build, tmp_path):
    """One file of text is as good as a file for each table."""
    machine = kit.load(name, build)
    path = tmp_path / "acpidump.txt"
    path.write_text(dump_text(machine), encoding="ascii")
    check(machine, kit.inspect(build / "host" / "numa-inspect-asan", [path], "--json",
                               *BOOT_APIC_ID))


def run_inspect(build, *arguments):
    return subprocess.run([str(build / "host" / "numa-inspect-asan"), *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False)


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


def test_the_plain_build_says_the_same(build, tmp_path):
    paths = kit.load("sparse", build).write(tmp_path)
    for options in ([], ["--json"], ["--raw"]):
        plain = subprocess.run([str(build / "numa-inspect"), *options, *map(str, paths)],
                               capture_output=True, text=True, timeout=60, check=True)
        assert plain.stdout == run_inspect(build, *options, *paths).stdout


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


def test_no_table(build, tmp_path):
    """A machine whose tables say nothing of nodes: one node, and why."""
    machine = kit.load("two", build)
    fadt = bytearray(machine.tables[0][1])
    fadt[:4], fadt[9] = b"FACP", (fadt[9] + sum(b"SRAT") - sum(b"FACP")) & 0xFF
    lonely = kit.Machine("lonely", [("facp.dat", bytes(fadt))],
                         kit.flat(machine.expect, "without SRAT", "no MADT"))
    lonely.expect["cpus"] = [{"apic_id": 0, "node": 0}]
    check(lonely, kit.inspect(build / "host" / "numa-inspect-asan", lonely.write(tmp_path),
                              "--json"))


@pytest.mark.parametrize("signature, width", [("RSDT", 4), ("XSDT", 8)])
def test_null_entries_of_the_root(signature, width, build, inspect):
    machine = kit.load("two", build)
    root = struct.pack("<4sIBB26x", signature.encode(), 0, 1, 0) + bytes(2 * width)
    machine.tables.append(("root.dat", bytes(subject.seal(root + b"\x01" * width))))
    machine.expect["notes"] = [f"{signature}: 2 null entries"]
    check(machine, inspect(machine, "--json"))


# --- In kernels that boot -----------------------------------------------------------------------


class Report:
    """What the monitor's `numa` says, in the shape of numa-inspect --json."""

    def __init__(self, output):
        self.text = output[output.index("available: ") :]
        self.log = output[: output.index("available: ")]

    def lines(self, pattern):
        return [tuple(int(group, 0) for group in found)
                for found in re.findall(pattern, self.text, re.MULTILINE)]

    def distances(self, count):
        rows = self.text.split("node distances:\n")[1].split("\n")[1 : count + 1]
        return [[int(word) for word in row.split(":")[1].split()] for row in rows]

    def ranges(self):
        """As the log has them: before they are cut to RAM."""
        found = []
        for nid, line in re.findall(r"numa: node (\d+): domain \d+, ranges (.*)$", self.log,
                                    re.MULTILINE):
            found += [(int(base, 16), int(last, 16) + 1, int(nid))
                      for base, last in re.findall(r"\[mem 0x(\w+)-0x(\w+)\]", line)]
        return [kit.topology_range(*item) for item in sorted(found)]

    def topology(self):
        domains = self.lines(r"^node (\d+): proximity domain (\d+)$")
        cpus = self.lines(r"^cpu (\d+): apic id (\d+), node (\d+)$")
        assert [nid for nid, _ in domains] == list(range(len(domains)))
        assert [cpu for cpu, *_ in cpus] == list(range(len(cpus)))
        return {
            "nodes": int(re.match(r"available: (\d+) nodes", self.text)[1]),
            "domains": [domain for _, domain in domains],
            "ranges": self.ranges(),
            "cpus": [{"apic_id": apic_id, "node": nid} for _, apic_id, nid in cpus],
            "distances": self.distances(len(domains)),
            "notes": self.notes(),
            "notes_dropped": 0,
        }

    def notes(self):
        after = re.split(r"^oddities:.*\n", self.text, maxsplit=1, flags=re.MULTILINE)[1]
        return [line.strip() for line in re.match(r"(?:  .*\n)*", after)[0].splitlines()]

    def ram(self):
        """RAM by node: (base, end, node)."""
        found = re.findall(r"^node (\d+): \[mem 0x(\w+)-0x(\w+)\] \d+ pages$", self.text,
                           re.MULTILINE)
        return [(int(base, 16), int(last, 16) + 1, int(nid)) for nid, base, last in found]

    def whole_ram(self):
        """RAM, whosever it is: (base, end)."""
        merged = []
        for base, end, _ in self.ram():
            if merged and merged[-1][1] == base:
                base = merged.pop()[0]
            merged.append((base, end))
        return merged


def check_ram(seen, expect, slack_mib):
    """All that was seen is as expected; no more is missing than what the firmware keeps."""
    for base, end, node in seen:
        assert any(low <= base and end <= high and node == owner for low, high, owner in expect), (
            f"[{base:#x}, {end:#x}) on node {node}, but RAM is {expect}")
    missing = sum(end - base for base, end, _ in expect) - sum(end - base for base, end, _ in seen)
    assert 0 <= missing <= slack_mib << 20, f"{missing >> 10} KiB of RAM are missing"


@pytest.fixture
def boot_machine(build, request, log_path):
    """boot_machine(machine, arguments, firmware=): its guest, with these arguments for QEMU."""

    def run(machine, arguments, workdir, *, firmware="bios", image="acpi-kit.iso", q35="q35"):
        shape = topology.Topology(machine.name, "", machine=q35, smp=str(machine.guest["smp"]),
                                  memory=machine.guest["memory"])
        args = qemu.command(shape, build / image, workdir, firmware=firmware, cmdline=RUN,
                            accel=request.config.getoption("--accel"),
                            extra=inject.extra(arguments))
        outcome = guest.run(args, BOOT_LIMIT_SECONDS, test=False)
        log_path.write_text(f"{args}\n{outcome.output}\n", encoding="utf-8")
        print(outcome.output[-6000:])
        assert outcome.code == guest.SUCCESS, outcome.reason
        return outcome.output

    return run


def check_boot(machine, output, firmware="bios"):
    report = Report(output)
    ram = kit.guest_ram(topology.parse_size(machine.guest["memory"]))
    # The firmware takes some of it away, so where RAM ends is asked and not stated.
    machine.expect["notes"] += kit.ram_notes(machine.expect["ranges"], report.whole_ram())
    check(machine, report.topology())
    check_ram(report.ram(), kit.clip(machine.expect["ranges"], ram), FIRMWARE_MIB[firmware])
    assert re.search(r"^check: all \d+ invariants hold", output, re.MULTILINE)
    assert "in the firmware's map: exact" in output


def boot_injected(machine, boot_machine, firmware="bios"):
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        drive = Path(workdir) / "tables.tar"
        inject.write_drive(drive, machine.tables)
        return boot_machine(machine, inject.drive_arguments(drive), workdir, firmware=firmware)


MATRIX = [(name, "bios") for name in kit.names()]
MATRIX += [(name, "uefi") for name in ("sparse", "interleaved", "hole")]


@pytest.mark.parametrize("name, firmware", MATRIX, ids=["-".join(pair) for pair in MATRIX])
def test_boot_machine(name, firmware, build, boot_machine):
    machine = kit.load(name, build)
    check_boot(machine, boot_injected(machine, boot_machine, firmware), firmware)


# One machine for each: "two" if the rule applies to it.
BOOTED_RULES = [rule for rule in derive.RULES if not derive.is_file_only(rule)]


@pytest.mark.parametrize("rule", BOOTED_RULES)
def test_boot_rule(rule, build, boot_machine):
    derived = (derive.derive(kit.load(name, build), rule) for name in ("two", *kit.names()))
    machine = next(machine for machine in derived if machine)
    check_boot(machine, boot_injected(machine, boot_machine))


def boot_by_firmware(machine, boot_machine, null_entries=0):
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        files = inject.write_firmware_files(workdir, machine.tables, null_entries)
        return boot_machine(machine, files, workdir, q35="q35,acpi=off", image="highwater.iso")


def test_boot_with_null_entries_in_the_rsdt(build, boot_machine):
    machine = kit.load("two", build)
    machine.expect["notes"] = ["RSDT: 2 null entries"]
    check_boot(machine, boot_by_firmware(machine, boot_machine, null_entries=2))


@pytest.mark.parametrize("rule", ["srat-two-of-them", "srat-bad-checksum", "apic-bad-checksum"])
def test_boot_by_firmware(rule, build, boot_machine):
    """What GRUB might have repaired: SeaBIOS places these as they are."""
    machine = derive.derive(kit.load("two", build), rule)
    check_boot(machine, boot_by_firmware(machine, boot_machine))


def test_boot_with_a_second_srat_beside_qemus(build, boot_machine):
    """-acpitable adds to what QEMU makes: its own SRAT comes first, and counts."""
    machine = kit.load("two", build)
    machine.expect["distances"] = [[10, 20], [20, 10]]
    machine.expect["notes"] = ["another SRAT .*the first one is used", "no SLIT"]
    nodes = ["-object", "memory-backend-ram,id=ram0,size=512M", "-numa", "node,memdev=ram0,cpus=0-1",
             "-object", "memory-backend-ram,id=ram1,size=512M", "-numa", "node,memdev=ram1,cpus=2-3"]
    other = subject.Table("srat", machine.tables[0][1])
    other.entries = [subject.memory_entry(9, 0, 1 << 40)]
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        path = Path(workdir) / "srat.aml"
        path.write_bytes(other.bytes())
        output = boot_machine(machine, [*nodes, "-acpitable", f"file={qemu.quote(path)}"], workdir,
                              image="highwater.iso")
    check_boot(machine, output)


def test_the_kit_is_whole():
    """What was asked for is there: a machine or a rule that is lost is not noticed otherwise."""
    assert len(kit.names()) >= 16 and len(derive.RULES) >= 65
