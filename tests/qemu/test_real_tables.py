"""Tables of real machines, which are not part of the project: a directory for each, with srat.dat,
slit.dat and apic.dat as far as there are, and expected.json, which says entry by entry what
another decoder (iasl -d) found in them.

They are looked for in $HIGHWATER_ACPI_DIR, else in ../shared/acpi beside the repository.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import BOOT_LIMIT_SECONDS, ROOT

from hwlib import guest, qemu, topology
from test_acpi_kit import Report

sys.path.insert(0, str(ROOT / "tests" / "acpi"))

import inject  # noqa: E402
import kit  # noqa: E402

PLACE = Path(os.environ.get("HIGHWATER_ACPI_DIR", ROOT.parent / "shared" / "acpi"))
MACHINES = sorted(path.parent.name for path in PLACE.glob("*/expected.json"))

needs_tables = pytest.mark.skipif(not MACHINES, reason=f"no tables of real machines in {PLACE}")
# Without machines the tests are still there, and skip.
each = pytest.mark.parametrize("name", MACHINES or ["none"])


def files(name):
    return [path for kind in ("srat", "slit", "apic") if (path := PLACE / name / f"{kind}.dat").exists()]


def expected(name):
    return json.loads((PLACE / name / "expected.json").read_text(encoding="utf-8"))


def inspect(build, name, *options):
    return kit.inspect(build / "host" / "numa-inspect-asan", files(name), *options)


def check_header(header, stated, path):
    data = path.read_bytes()
    assert hashlib.md5(data).hexdigest() == stated["md5"], f"{path} is another file"
    assert len(data) == stated["file_bytes"]
    for key in ("signature", "length", "revision", "checksum_ok", "oem_id", "oem_table_id"):
        assert header[key] == stated[key], key


def check_srat(srat, stated):
    assert srat["cpus"] == [
        {"x2apic": cpu["kind"] != "apic", "apic_id": cpu["id"], "domain": cpu["pxm"],
         "enabled": cpu["enabled"]} for cpu in stated["cpus"]]  # fmt: skip
    assert srat["memory"] == [
        {"domain": item["pxm"], "base": hex(item["base"]), "length": hex(item["length"]),
         "enabled": item["enabled"], "hotplug": item["hotplug"],
         "nonvolatile": item["nonvolatile"]} for item in stated["memory"]]  # fmt: skip
    assert srat["unknown"] + len(srat["initiators"]) == len(stated["other_srat_entries"])


def check_madt(madt, stated):
    assert madt["cpus"] == [
        {"x2apic": cpu["kind"] != "apic", "apic_id": cpu["id"], "uid": cpu["uid"],
         "enabled": cpu["enabled"], "online_capable": cpu["online_capable"]}
        for cpu in stated["madt_cpus"]]  # fmt: skip
    counts = stated["madt_entry_type_counts"]
    assert len(madt["cpus"]) == counts.get("0", 0) + counts.get("9", 0)


@needs_tables
@each
def test_entries(name, build):
    """Each entry as the other decoder read it, each field that the kernel reads."""
    stated, raw = expected(name), inspect(build, name, "--raw")
    assert ("slit" in raw) == ("slit" in stated)
    for kind in raw:
        header = stated["madt_header" if kind == "apic" else f"{kind}_header"]
        check_header(raw[kind]["header"], header, PLACE / name / f"{kind}.dat")
        # Oddities of these machines are in what they say, not in how their bytes are laid out.
        assert not raw[kind].get("dropped") and not raw[kind].get("malformed"), kind
    check_srat(raw["srat"], stated)
    check_madt(raw["apic"], stated)
    if "slit" in raw:
        assert raw["slit"]["distances"] == stated["slit"]


def by_domain(seen):
    """Bytes of each domain in the ranges of the topology."""
    total = dict.fromkeys(seen["domains"], 0)
    for item in seen["ranges"]:
        total[seen["domains"][item["node"]]] += int(item["end"], 16) - int(item["base"], 16)
    return total


@needs_tables
@each
def test_topology(name, build):
    """Nodes, memory, CPUs and distances against the sums that expected.json has by domain."""
    stated, seen = expected(name), inspect(build, name, "--json")
    domains = stated["domains"]
    assert seen["domains"] == domains and seen["nodes"] == stated["domain_count"]
    assert by_domain(seen) == {d: stated["memory_bytes_by_domain"].get(str(d), 0) for d in domains}
    assert max(int(item["end"], 16) for item in seen["ranges"]) == stated["highest_address"]
    assert {d for d, size in by_domain(seen).items() if size} == set(stated["domains_with_memory"])

    assert {cpu["apic_id"]: domains[cpu["node"]] for cpu in seen["cpus"]} == {
        cpu["id"]: stated["cpu_to_domain"][str(cpu["id"])] for cpu in stated["madt_cpus"]
        if cpu["enabled"]}  # fmt: skip
    assert len(seen["cpus"]) == stated["cpus_enabled_in_both"]

    slit = stated.get("slit")
    assert seen["distances"] == (
        [[slit[i][j] for j in domains] for i in domains] if slit and len(slit) > max(domains)
        else kit.default_distances(len(domains)))  # fmt: skip


@needs_tables
@each
def test_boot(name, build, request, log_path):
    """The kernel that boots with a machine's tables says what numa-inspect says. The guest has less
    memory than the machine: what is clipped is all above."""
    seen = inspect(build, name, "--json", "--boot-apic-id", "0")
    tables = [(path.name, path.read_bytes()) for path in files(name)]
    with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
        drive = Path(workdir) / "tables.tar"
        inject.write_drive(drive, tables)
        args = qemu.command(topology.Topology(name, "", smp="1", memory="1G"),
                            build / "acpi-kit.iso", workdir, cmdline='maxcpus=1 run="numa; memblock; check"',
                            accel=request.config.getoption("--accel"),
                            extra=inject.extra(inject.drive_arguments(drive)))
        outcome = guest.run(args, BOOT_LIMIT_SECONDS, test=False)
    log_path.write_text(outcome.output, encoding="utf-8")
    assert outcome.code == guest.SUCCESS, outcome.reason
    report = Report(outcome.output)
    said = report.topology()
    assert {key: said[key] for key in kit.FACTS} == {key: seen[key] for key in kit.FACTS}
    assert kit.clip(seen["ranges"], report.whole_ram()) == report.ram()
    # Besides the notes of the tables, those on what of the ranges is RAM.
    notes = [note for note in said["notes"]
             if not any(words in note for words in ("RAM in", "has no RAM", "have no RAM", "without RAM"))]
    assert notes == seen["notes"]
    assert "in the firmware's map: exact" in outcome.output
    assert re.search(r"^check: all \d+ invariants hold", outcome.output, re.MULTILINE)


@needs_tables
@each
def test_directory(name, build):
    """The text report takes a machine's directory, and says something of each table."""
    done = subprocess.run([str(build / "numa-inspect"), str(PLACE / name)], text=True,
                          capture_output=True, timeout=60, check=True)
    assert done.stdout.startswith("available: ") and "firmware ranges:\n" in done.stdout
    tables = done.stdout.partition("tables:\n")[2]
    assert sorted(re.findall(r": (\w+), ", tables)) == sorted(
        path.stem.upper() for path in files(name))
