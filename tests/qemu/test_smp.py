"""Many CPUs, from outside: machines that boot with them, CPUs that do not come, that are not wanted, that
hang, panic or run over their stack. What holds inside one kernel is tests/kernel/test_smp.c.
"""

import re
import struct
import sys
import tempfile

import pytest

from conftest import AHEAD, BOOT_LIMIT_SECONDS, ROOT

from hwlib import guest, qemu, topology

sys.path.insert(0, str(ROOT / "tests" / "acpi"))

import inject  # noqa: E402

RUN = 'run="cpus; irqs; check"'
FRAME = r"  \[\w{16}\] [\w.]+\+0x\w+/0x\w+\n"


@pytest.fixture
def boot_cpus(build, request, log_path):
    """boot_cpus(count, cmdline, extra=, ahead=, **how): a flat machine with so many CPUs."""

    def run(count, cmdline, *, extra=(), ahead=False, image="highwater.iso", test=False,
            limit_seconds=BOOT_LIMIT_SECONDS, **how):
        shape = topology.Topology("flat", "", smp=str(count), memory="512M")
        with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
            args = qemu.command(shape, build / image, workdir, cmdline=cmdline,
                                accel=request.config.getoption("--accel"),
                                extra=inject.extra([*extra, *(AHEAD.split() if ahead else [])]), **how)
            outcome = guest.run(args, limit_seconds, test=test)
        log_path.write_text(f"{args}\n{outcome.output}\n", encoding="utf-8")
        print(outcome.output[-6000:])
        return outcome

    return run


def cpus(output):
    """What `cpus` says: number -> (apic id, node, heartbeat, state)."""
    table = output.partition(" heartbeat  thread")[2].partition(" timer ")[0]
    rows = re.findall(r"^ *(\d+) +(\d+) +(\d+) +(\d+)  .{16}  (.*)$", table, re.MULTILINE)
    return {int(cpu): (int(apic), int(node), int(beat), state)
            for cpu, apic, node, beat, state in rows}


def check_boot(outcome, online, known):
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert f"{online} of {known} CPUs online" in outcome.output
    table = cpus(outcome.output)
    assert list(table) == list(range(known))
    assert [row[3] for row in table.values()].count("online") == online
    words = "in use" if known == 1 else "all in use" if online == known else f"{online} in use"
    assert f"{known} CPU{'s' if known > 1 else ''}, {words}, " in outcome.output
    assert re.search(r"^check: all \d+ invariants hold", outcome.output, re.MULTILINE)
    return table


# 64 are those of test_more_cpus_than_there_is_room_for(); under UEFI test_kernel.py boots four.
@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_boot(count, boot_cpus):
    check_boot(boot_cpus(count, RUN), count, count)


def test_boot_pc(boot_cpus):
    """The other chipset, all features, and APIC ids with a gap."""
    outcome = boot_cpus("6,sockets=2,cores=3", RUN, machine="pc", cpu="max")
    assert [row[0] for row in check_boot(outcome, 6, 6).values()] == [0, 1, 2, 4, 5, 6]


def test_areas_on_a_node_without_memory(boot):
    outcome = boot("memoryless", RUN)
    assert outcome.code == guest.SUCCESS, outcome.reason
    shape = topology.load("memoryless")
    bare = [cpu for node in shape.expect.nodes if not node["ranges"] for cpu in node["cpus"]]
    assert bare, "the machine has a CPU on a node without memory"
    assert all(cpus(outcome.output)[cpu][3] == "online" for cpu in bare)


# --- CPUs that are left out ---------------------------------------------------------------------


def test_maxcpus(boot_cpus):
    outcome = boot_cpus(4, f"maxcpus=2 {RUN}")
    table = check_boot(outcome, 2, 4)
    assert [row[3] for row in table.values()] == ["online", "online", "maxcpus", "maxcpus"]
    assert "smp: CPUs 2 to 3 (APIC ids 2 to 3) left out: maxcpus" in outcome.output


def test_maxcpus_of_one(boot_cpus):
    check_boot(boot_cpus(2, f"maxcpus=1 {RUN}"), 1, 2)


def test_more_cpus_than_there_is_room_for(boot_cpus):
    outcome = boot_cpus(66, RUN)
    check_boot(outcome, 64, 66)
    assert "smp: CPUs 64 to 65 (APIC ids 64 to 65) left out: there is room for 64" in outcome.output


def test_no_apic(boot_cpus):
    """The PIT ticks, and everything works on one CPU."""
    outcome = boot_cpus(1, "test=boot,smp", cpu="qemu64,-apic", test=True)
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert "no local APIC to use, so one CPU and the PIT's tick" in outcome.output


def madt(apic_ids, flags):
    """A MADT of local APICs: what the firmware would have to say for CPUs that are not there."""
    entries = b"".join(struct.pack("<BBBBI", 0, 8, number, apic_id, flag)
                       for number, (apic_id, flag) in enumerate(zip(apic_ids, flags)))
    body = struct.pack("<II", 0xFEE00000, 1) + entries
    header = struct.pack("<4sIBB6s8sI4sI", b"APIC", 36 + len(body), 1, 0, b"HIGHWT", b"SMP TEST", 1,
                         b"KIT ", 1)
    table = bytearray(header + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


ENABLED, PLUGGABLE = 1, 2


@pytest.fixture
def boot_with_madt(boot_cpus, tmp_path):
    def run(count, table, cmdline, **how):
        drive = tmp_path / "tables.tar"
        inject.write_drive(drive, [("apic.aml", table)])
        return boot_cpus(count, cmdline, extra=inject.drive_arguments(drive),
                         image="acpi-kit.iso", **how)

    return run


def test_a_cpu_that_does_not_answer(boot_with_madt):
    """Two that QEMU does not have, one of them in the middle: named, left out, no longer a wait."""
    outcome = boot_with_madt(3, madt([0, 77, 1, 2, 99], [ENABLED] * 5), RUN, ahead=True)
    table = check_boot(outcome, 3, 5)
    assert {cpu: row[3] for cpu, row in table.items()} == {
        0: "online", 1: "does not answer", 2: "online", 3: "online", 4: "does not answer"}
    for cpu, apic_id in ((1, 77), (4, 99)):
        assert f"smp: CPU {cpu} (APIC id {apic_id}) left out: does not answer" in outcome.output
    took = int(re.search(r"3 CPUs online after (\d+) ms", outcome.output)[1])
    assert 5000 <= took < 10000, "one wait for both"


def test_a_disabled_cpu_is_not_started(boot_with_madt):
    """QEMU has it, and the table says not to: so it stays asleep."""
    outcome = boot_with_madt(4, madt([0, 1, 2, 3], [ENABLED, 0, ENABLED, PLUGGABLE]), RUN)
    table = check_boot(outcome, 2, 2)
    assert [row[0] for row in table.values()] == [0, 2]
    assert "1 CPU could be plugged in: left out" in outcome.output


# --- CPUs that end badly ------------------------------------------------------------------------


def report(outcome):
    """Of a panic: its message, and the report's part for each CPU but the one it is about."""
    assert outcome.code == guest.PANIC, outcome.reason
    text = outcome.output
    messages = re.findall(r"^\[.*\] panic: (.*)$", text, re.MULTILINE)
    assert len(messages) == 1, messages
    assert text.count("end of panic") == 1
    own, _, rest = text.partition("backtrace:\n")
    return messages[0], own, rest


def others(rest):
    """CPU -> its frames, by function."""
    head = r"^CPU (\d+): RSP \w+  RFLAGS \w+  thread '[^']+'\n"
    found = re.findall(rf"{head}((?:{FRAME})+)", rest, re.MULTILINE)
    return {int(cpu): re.findall(r"\] ([\w.]+)\+", frames) for cpu, frames in found}


@pytest.mark.parametrize("count", [1, 4, 16])
def test_a_panic_shows_every_cpu(count, boot_cpus):
    message, _, rest = report(boot_cpus(count, 'run="crash panic_cpu"'))
    assert message == f"asked for on CPU {count - 1}"
    assert sorted(others(rest)) == list(range(count - 1))
    if count > 1:
        assert "crash_panic_cpu" in others(rest)[0], "CPU 0 waits for its call"
    assert "did not answer" not in rest


def test_a_panic_on_many_cpus_is_one(boot_cpus):
    """One reports; what the others wanted to say is in its report."""
    message, _, rest = report(boot_cpus(8, 'run="crash panic_cpus"'))
    first = int(re.fullmatch(r"asked for on CPU (\d)", message)[1])
    assert sorted(others(rest)) == [cpu for cpu in range(8) if cpu != first]
    for cpu, text in re.findall(r"^CPU (\d+): in a panic of its own: (.*)$", rest, re.MULTILINE):
        assert text == f"asked for on CPU {cpu}" and int(cpu) != first


def test_an_nmi_on_many_cpus(boot_cpus):
    """As of a launcher that asks where they are. In an NMI none can be stopped by another one."""
    message, _, rest = report(boot_cpus(4, 'run="crash nmi_cpus"'))
    assert message == "all others are in an NMI"
    assert "did not answer" not in rest
    assert sorted(others(rest)) == [1, 2, 3]
    assert rest.count("in a panic of its own: non-maskable interrupt (vector 2") >= 1


def test_a_cpu_that_hangs(boot_cpus):
    """On a clock that goes as on a real machine, and with CPUs that run at the same time."""
    message, own, rest = report(boot_cpus(4, 'run="crash hang_cpu"'))
    assert re.fullmatch(r"CPU 3 hangs: no timer interrupt for 1\d\.\d s", message)
    assert "CPU 3, noticed by CPU 2" in own
    assert re.match(rf"(?:{FRAME})*  \[\w+\] hang_here\+", rest), "where it hangs"
    assert {0, 1} <= set(others(rest)) and 3 not in others(rest)


def test_the_boot_cpu_hangs(boot_cpus):
    message, _, rest = report(boot_cpus(2, 'run="crash hang"', ahead=True))
    assert re.fullmatch(r"CPU 0 hangs: no timer interrupt for 1\d\.\d s", message)
    assert re.match(r"  \[\w+\] crash_hang\+", rest)


def test_one_cpu_alone_hangs(launch):
    """Nobody is there to see it but the launcher."""
    done = launch("--run", "--topology", "two", cmdline='maxcpus=1 run="crash hang"',
                  limit_seconds=8)
    assert done.returncode == 124 and "no end within" in done.stdout


def test_a_call_that_is_not_done(boot_cpus):
    message, own, rest = report(boot_cpus(3, 'run="crash hang_call"', ahead=True))
    assert re.fullmatch(r"CPU 2 hangs: a call not answered for 15\.0 s", message)
    assert "CPU 2, noticed by CPU 0" in own
    assert re.match(rf"(?:{FRAME})*  \[\w+\] (?:cpu_is_alive|never_answer)\+", rest)


def test_a_stack_of_another_cpu_overflows(boot_cpus):
    message, own, _ = report(boot_cpus(4, 'run="crash stack_cpu"'))
    assert re.match(r"stack overflow in stack slot 15, of CPU 3 \(guard hit at 0x\w+\)", message)
    assert re.search(r"^CR2 .*  CPU 3$", own, re.MULTILINE)


# --- The console --------------------------------------------------------------------------------


def test_lines_of_many_cpus_stay_whole(boot_cpus):
    outcome = boot_cpus(8, "test=smp_chorus", test=True)
    assert outcome.code == guest.SUCCESS, outcome.reason
    line = (r"^\[ *\d+\.\d{6}\] chorus: CPU (\d), line (\d+) of 20: "
            r"the quick brown fox jumps over the lazy dog$")
    seen = re.findall(line, outcome.output, re.MULTILINE)
    assert sorted(seen) == sorted((str(cpu), str(number))
                                  for cpu in range(1, 8) for number in range(20))
