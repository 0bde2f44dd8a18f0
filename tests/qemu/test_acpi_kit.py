"""The ACPI kit: every machine and every hostile variant gives exactly the topology stated for it,
on the host (numa-inspect under sanitizers) and, injected, in kernels that boot.
"""

import itertools
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
MATRIX += [(name, "uefi") for name in ("interleaved",)]


def firmware_lines(text):
    """The part of `numa` that is the firmware's account."""
    return text[text.index("\nfirmware ranges:") : text.index("\noddities:")]


@pytest.mark.parametrize("name, firmware", MATRIX, ids=["-".join(pair) for pair in MATRIX])
def test_boot_machine(name, firmware, build, boot_machine, tmp_path):
    machine = kit.load(name, build)
    output = boot_injected(machine, boot_machine, firmware)
    check_boot(machine, output, firmware)

    # Told what RAM the guest has, numa-inspect prints the lines that the guest printed.
    ram = ",".join(f"{base:#x}-{end:#x}" for base, end in Report(output).whole_ram())
    done = subprocess.run([str(build / "numa-inspect"), *BOOT_APIC_ID, "--ram", ram,
                           *map(str, machine.write(tmp_path))],
                          capture_output=True, text=True, timeout=60, check=True)
    assert firmware_lines(done.stdout) == firmware_lines(output)


def booted_rules():
    """Every rule once. What a broken SRAT or many nodes change, they change for all; but a rule for SLIT, one
    for the MADT and one for HMAT have little to do with each other, and share a machine."""
    about = {}
    for rule in derive.RULES:
        if not derive.is_file_only(rule):
            about.setdefault(rule.split("-")[0], []).append(rule)
    together = itertools.zip_longest(*(about.pop(table) for table in ("slit", "apic", "hmat")))
    return [[rule for rule in rules if rule] for rules in together] + [
        [rule] for rules in about.values() for rule in rules]


@pytest.mark.parametrize("rules", booted_rules(), ids="+".join)
def test_boot_rules(rules, build, boot_machine):
    """On the first machine to which they apply."""
    derived = (derive.derive(kit.load(name, build), *rules) for name in ("two", "hmat", *kit.names()))
    machine = next(machine for machine in derived if machine)
    check_boot(machine, boot_injected(machine, boot_machine))


# Under UEFI, where a boot takes seconds, one machine with several things wrong: in each kind of table, and
# what GRUB and OVMF might repair. And the largest one.
UEFI_RULES = {
    "all-tables": ("two", ["srat-entry-of-length-0-before-the-last", "srat-two-of-them",
                           "srat-bad-checksum", "slit-count-beyond-the-table",
                           "apic-cpu-unknown-to-srat"]),
    "many-64-nodes": ("two", ["many-64-nodes", "apic-bad-checksum"]),
}  # fmt: skip


@pytest.mark.parametrize("which", UEFI_RULES)
def test_boot_rules_under_uefi(which, build, boot_machine):
    name, rules = UEFI_RULES[which]
    machine = derive.derive(kit.load(name, build), *rules)
    assert machine, "each rule applies"
    check_boot(machine, boot_injected(machine, boot_machine, "uefi"), "uefi")


def boot_by_firmware(machine, boot_machine, write):
    """write(directory): the arguments of QEMU that bring the tables."""
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        return boot_machine(machine, write(workdir), workdir, q35="q35,acpi=off",
                            image="highwater.iso")


@pytest.mark.parametrize("signature", ["RSDT", "XSDT"])
def test_boot_with_null_entries_in_the_root(signature, build, boot_machine):
    machine = kit.load("two", build)
    machine.expect["notes"] = [f"{signature}: 2 null entries"]
    root = inject.Root(old=signature == "RSDT", null_entries=2)
    check_boot(machine, boot_by_firmware(
        machine, boot_machine, lambda where: inject.write_firmware_files(where, machine.tables, root)))


def test_boot_with_addresses_that_lead_nowhere(build, boot_machine):
    """One where nothing answers, one that no CPU can put on its bus, and the local APIC's registers:
    what was tried and is no table is as free for others as it was."""
    machine = kit.load("two", build)
    machine.expect["notes"] = [r"no table at 0xf00000000 .*left out",
                               r"no table at 0x400000000000 .length 0, cannot be mapped.: left out",
                               r"no table at 0xfee00000 .*left out"]
    root = inject.Root(old=False, nowhere=[15 << 32, 1 << 46, 0xFEE00000])
    output = boot_by_firmware(
        machine, boot_machine, lambda where: inject.write_firmware_files(where, machine.tables, root))
    check_boot(machine, output)
    assert "apic: xAPIC at 0xfee00000" in output


def test_boot_with_tables_above_4_gib(build, boot_machine):
    """
        0          2 GiB      4 GiB             5 GiB
        |   RAM    |   hole   |   RAM |tables|  |

    They stand in ordinary RAM, which the map calls available: nobody else may get those pages.
    """
    machine = kit.load("two", build)
    machine.guest["memory"] = "3G"
    base = (4 << 30) + (512 << 20)
    output = boot_by_firmware(machine, boot_machine,
                              lambda where: inject.write_high_tables(where, machine.tables, base))
    last = base + 4096 * len(machine.tables) - 1
    assert re.search(rf"^\[mem 0x{base:016x}-0x{last:016x}\] node \d+, \d+ pages?: ACPI tables$",
                     output, re.MULTILINE)
    check_boot(machine, output)


def with_checksum(table):
    return table[:9] + bytes([-sum(table) & 0xFF]) + table[10:]


def test_boot_with_tables_far_apart(build, boot_machine):
    """Above 4 GiB, 32 MiB from one to the next, and the first is as long as a table may be."""
    machine = kit.load("two", build)
    machine.guest["memory"] = "3G"
    longest = with_checksum(b"OEM0" + (16 << 20).to_bytes(4, "little") + bytes(28))
    other = with_checksum(b"OEM1" + (36).to_bytes(4, "little") + bytes(28))
    tables = [("longest", longest)] + [(f"other{number}", other) for number in range(12)]
    base = (4 << 30) + (512 << 20)
    check_boot(machine, boot_by_firmware(
        machine, boot_machine,
        lambda where: inject.write_high_tables(where, tables + machine.tables, base, 32 << 20)))


def test_boot_with_two_hundred_tables(build, boot_machine):
    """Servers have an SSDT for each socket and device; SRAT is found behind all of them."""
    machine = kit.load("two", build)
    ssdt = with_checksum(b"SSDT" + (36).to_bytes(4, "little") + bytes(28))
    tables = [(f"ssdt{number}", ssdt) for number in range(200)] + machine.tables
    check_boot(machine, boot_by_firmware(
        machine, boot_machine, lambda where: inject.write_firmware_files(where, tables)))


@pytest.mark.parametrize("rule", ["srat-two-of-them", "srat-bad-checksum", "apic-bad-checksum"])
def test_boot_by_firmware(rule, build, boot_machine):
    """What GRUB might have repaired: SeaBIOS places these as they are."""
    machine = derive.derive(kit.load("two", build), rule)
    check_boot(machine, boot_by_firmware(
        machine, boot_machine, lambda where: inject.write_firmware_files(where, machine.tables)))


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
    assert len(kit.names()) >= 18 and len(derive.RULES) >= 86


# --- The table of docs/kit.md -------------------------------------------------------------------


def survive_and_say():
    """Rows of the table, each a list of cells."""
    text = (ROOT / "docs/kit.md").read_text(encoding="utf-8")
    section = text.split("## Survive and say", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def cases_of_the_host():
    """suite.case, as the sources of tests/unit have them."""
    found = set()
    for path in ROOT.glob("tests/unit/test_*.c"):
        text = path.read_text(encoding="utf-8")
        suite = re.search(r"KTEST_SUITE\((\w+),", text)
        found |= {f"{suite[1]}.{case}" for case in re.findall(r"\bKTEST(?:_SLOW)?\((\w+)", text)
                  if suite}
    return found


def test_the_table_of_items_is_true():
    """Every name in it exists: a machine or rule, a boot, a case, a mutant."""
    boots = {name.removeprefix("test_") for name in globals() if name.startswith("test_boot_")}
    known = [set(kit.names()) | set(derive.RULES) | boots, cases_of_the_host(),
             {path.stem for path in ROOT.glob("tests/mutants/*.patch")}]
    named = [set(), set(), set()]
    rows = survive_and_say()
    assert len(rows) >= 35
    for row in rows:
        assert len(row) == 7, row
        for names, exists, cell in zip(named, known, row[4:]):
            words = re.findall(r"`([^`]+)`", cell)
            assert words, f"nothing shows: {row[0]}"
            assert set(words) <= exists, f"{row[0]}: {sorted(set(words) - exists)}"
            names.update(words)
    assert len(named[2]) >= 60
