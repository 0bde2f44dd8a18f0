"""The launcher tells failure from success: with guests that are scripts, then with real ones.

The real ones are the kernel's crash_* suites, which run only when asked for by name.
"""

import os
import re
import subprocess
import sys

import pytest

from conftest import AHEAD, ROOT
from hwlib import qemu, topology

GOOD = "KTAP version 1\\n1..1\\n  KTAP version 1\\n  1..1\\n  ok 1 case\\nok 1 suite\\n"
SHORT = "KTAP version 1\\n1..2\\nok 1 suite\\n"
NESTED_SHORT = "KTAP version 1\\n1..1\\n  KTAP version 1\\n  1..2\\n  ok 1 case\\nok 1 suite\\n"
NOT_OK = "KTAP version 1\\n1..2\\nnot ok 1 broken\\nok 2 suite\\n"
GARBAGE = GOOD.replace("1..1\\n  K", "1..1\\n\\033[0m noise ok 7\\n  K").replace("se\\n", "se\\nx\\n")

# What those that hang have for what they do before.
HANG_SECONDS = 4

# name: (the guest, as a shell script; the launcher's exit code; what it must say)
FAKES = {
    "success": (f"printf '{GOOD}'; exit 33", 0, "passed"),
    "garbage between lines": (f"printf '{GARBAGE}'; exit 33", 0, "passed"),
    "last line unfinished": (f"printf '{GOOD}' | head -c -1; exit 33", 0, "passed"),
    "triple fault after a full plan": (f"printf '{GOOD}'; exit 0", 1, "without a word"),
    "failure after a full plan": (f"printf '{GOOD}'; exit 35", 1, "reports failure"),
    "panic after a full plan": (f"printf '{GOOD}Kernel panic: oh\\n'; exit 37", 2, "panic: oh"),
    "hang after a full plan": (f"printf '{GOOD}'; exec sleep 60", 124, f"no end within {HANG_SECONDS} s"),
    "short plan": (f"printf '{SHORT}'; exit 33", 1, "1 results of 2 planned"),
    "nested plan short": (f"printf '{NESTED_SHORT}'; exit 33", 1, "1 results of 2 planned"),
    "not ok": (f"printf '{NOT_OK}'; exit 33", 1, "1 failed: broken"),
    "no output": ("exit 33", 1, "no KTAP"),
    "no plan": ("echo KTAP version 1; exit 33", 1, "no plan"),
    "hang": ("exec sleep 60", 124, "no output"),
    "hang in a suite": (f"printf '{NESTED_SHORT}' | head -n 5; exec sleep 60", 124,
                        f"no end within {HANG_SECONDS} s, in suite ? after 1 of 2 results"),
    "hang, deaf to SIGTERM": ("trap '' TERM; while :; do sleep 1; done", 124, "no end"),
    "hang with its output closed": ("exec sleep 60 >&- 2>&-", 124, "no end"),
    "panic": ("echo 'panic: no memory'; exit 37", 2, "panic: no memory"),
    "endless output": ("while :; do echo y; done", 124, "no end within"),
    "killed": ("kill -SEGV $$", 1, "SIGSEGV"),
    "usage error": ("echo 'bad option' >&2; exit 1", 1, "bad option"),
}


@pytest.mark.parametrize("what", FAKES)
def test_fake_guest(what, launch, tmp_path):
    script, code, words = FAKES[what]
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\n" + script + "\n", encoding="utf-8")
    fake.chmod(0o755)
    image = tmp_path / "empty.iso"
    image.touch()
    done = launch("--test", "--qemu", str(fake), image=image, limit_seconds=HANG_SECONDS if code == 124 else 60)
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == code, last
    assert last.startswith("launch: ") and words in last
    assert done.stdout.startswith(str(fake)), "the command line is printed"


@pytest.mark.parametrize("arguments, words", [
    (["--topology", "nowhere"], "no topology 'nowhere'; there are: "),
    (["--qemu", "no-such-program"], "no no-such-program"),
    (["--iso", "no-such.iso"], "no no-such.iso"),
], ids=["topology", "qemu", "iso"])  # fmt: skip
def test_cannot_start(arguments, words, launch, tmp_path):
    image = tmp_path / "empty.iso"
    image.touch()
    done = launch("--test", *arguments, image=image)
    assert done.returncode == 1
    assert words in done.stdout


@pytest.mark.parametrize("guest_cpus, host, accel", [
    (2, 2, "tcg"), (3, 2, "tcg,thread=single"), (2, 1, "tcg,thread=single"), (1, 1, "tcg"),
    (8, 8, "tcg"), (64, 32, "tcg,thread=single")])
def test_one_thread_for_a_crowd(guest_cpus, host, accel):
    assert qemu.accel_for("tcg", guest_cpus, host=host) == accel
    for asked in ("tcg,thread=multi", "tcg,thread=single", "kvm"):
        assert qemu.accel_for(asked, guest_cpus, host=host) == asked, "what was asked for stays"


@pytest.mark.parametrize("smp, cpus", [("8", 8), ("cpus=4,maxcpus=8", 4), ("12,sockets=2", 12)])
def test_cpus_of_a_topology(smp, cpus):
    assert topology.Topology("t", "", smp=smp).nr_cpus() == cpus


def test_topology_without_cpus():
    with pytest.raises(topology.TopologyError):
        topology.Topology("t", "", smp="sockets=2").nr_cpus()


@pytest.mark.parametrize("asked", [None, "tcg,thread=multi", "tcg,thread=single"])
def test_threads_in_the_command_line(asked, launch, tmp_path):
    """What is printed is what runs."""
    fake = tmp_path / "qemu"
    fake.write_text(f"#!/bin/sh\nprintf '{GOOD}'; exit 33\n", encoding="utf-8")
    fake.chmod(0o755)
    image = tmp_path / "empty.iso"
    image.touch()
    done = launch("--test", "--topology", "sixtyfour", "--qemu", str(fake),
                  *(["--accel", asked] if asked else []), image=image)
    cpus = topology.load("sixtyfour").nr_cpus()
    expected = asked or ("tcg,thread=single" if cpus > qemu.host_cpus() else "tcg")
    assert f" -accel {expected} " in done.stdout.splitlines()[0]


def test_no_such_accelerator(launch):
    done = launch("--test", "--accel", "tcg,thread=double")
    assert done.returncode != 0 and "invalid choice" in done.stdout


def test_told_to_reboot(launch):
    """It ends QEMU as a triple fault does, but was asked for."""
    done = launch(cmdline='run="reboot"', limit_seconds=60)
    assert done.returncode == 1
    assert "launch: FAILED" in done.stdout and "told to reboot" in done.stdout
    assert "triple fault" not in done.stdout


def test_nobody_types(launch):
    """A monitor that nobody can reach would wait for ever: with nothing asked for none is started."""
    done = launch(limit_seconds=60)
    assert done.returncode == 1
    assert "nobody can type here" in done.stdout and "qemu-system" not in done.stdout


def test_a_pipe_has_an_end(tmp_path):
    """
    What is typed by a pipe cannot leave with Ctrl-A X: such a run has a limit. With a prompt that is there at once:
    a kernel's comes when the host lets it.
    """
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\nprintf 'hw> '; exec sleep 300\n", encoding="utf-8")
    fake.chmod(0o755)
    image = tmp_path / "empty.iso"
    image.touch()
    done = subprocess.run(
        [sys.executable, "-B", str(ROOT / "tools" / "launch.py"), "--iso", str(image),
         "--qemu", str(fake), "--timeout", str(HANG_SECONDS)],
        input="", text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=200, check=False,
        env=dict(os.environ, HIGHWATER_CMDLINE="", HIGHWATER_QEMUEXTRA=""))  # fmt: skip
    assert done.returncode == 124, done.stdout
    assert "hw> " in done.stdout and "no terminal to leave from" in done.stdout


# suite: (the launcher's exit code, what the output must say)
CRASHES = {
    "crash_panic": (2, r"panic: asked for"),
    "crash_nested_panic": (2, r"panic: panic inside a panic; the first, of which no more is known: "
                              r"a message at a bad address: \n.*panic: the second: general prot"),
    "crash_debug": (2, r"panic: debug exception"),
    "crash_summary": (2, r"panic: panic inside a panic; the first: debug exception .*\n"
                         r".*panic: the second: debug exception .*\n.*running\n"
                         r"the second at .* zone_snapshot_unlocked\+0x0/.*\n"
                         r"the first  at .* crash_summary\+"),
    "crash_mute": (2, r"1\.\.1\nlaunch: FAILED .*panic; last line: 1\.\.1"),
    "crash_triple_fault": (1, r"launch: .*without a word from the guest"),
    "crash_hang": (2, r"panic: CPU 0 hangs: no timer interrupt"),
    "crash_watchdog": (2, r"panic: watchdog: test crash_watchdog\.watchdog ran over its limit"),
    "crash_short_plan": (1, r"launch: .*1 results of 2 planned"),
    "crash_after_plan": (1, r"launch: .*without a word from the guest"),
    "crash_stack": (2, r"panic: .*stack"),
    "crash_wx": (2, r"panic: .*[Ww]rite"),
    "crash_wx_alias": (2, r"panic: .*[Ww]rite"),
    "crash_null": (2, r"panic: .*page fault"),
    "crash_exec": (2, r"panic: .*page fault"),
    "crash_double_free": (2, r"panic: .*free"),
    "crash_wrong_order": (2, r"panic: .*order"),
    "crash_free_reserved": (2, r"panic: .*reserved"),
    "crash_out_of_memory": (2, r"panic: out of memory: order 3 for main, and nobody is left to kill"),
    "crash_assert_lock": (2, r"panic: lockcheck: lock 'taken twice' taken twice: "),
    "crash_lock_inversion": (2, r"panic: lockcheck: lock order: 'first' "),
    "crash_lock_chain": (2, r"panic: lockcheck: lock order: 'first' .* in 2 steps"),
    "crash_lock_irq": (2, r"panic: lockcheck: lock 'first' is taken in an interrupt "),
    "crash_sleep_atomic": (2, r"panic: lockcheck: may sleep .* spinlock 'first'"),
    "crash_sleep_irqs_off": (2, r"panic: may sleep at crash_sleep_irqs_off\+0x\S+, but must not: "
                                r"interrupts are off"),
    "crash_sleep_no_preempt": (2, r"panic: may sleep at crash_sleep_no_preempt\+0x\S+, but must "
                                  r"not: preemption is disabled, 1 deep"),
    "crash_sleep_interrupt": (2, r"panic: may sleep at sleep_here\+0x\S+, but must not: "
                                 r"in an interrupt"),
    "crash_mutex_twice": (2, r"thread 'main' waits for mutex 'had already', which it holds"),
    "crash_mutex_foreign": (2, r"thread 'culprit' gives up mutex 'another's', which 'main' holds"),
    "crash_exit_mutex": (2, r"thread 'culprit' ends and holds 1 mutex\n"),
    "crash_join_self": (2, r"thread 'main' waits for its own end"),
    "crash_stack_thread": (2, r"stack overflow in stack slot \d+, of thread 'culprit'"),
    "crash_canary": (2, r"thread 'culprit' has used up its stack: the word at its lower end is 0x0"),
    "crash_spin_forever": (2, r"panic: CPU 0 waits for lock 'first'"),
    "crash_slab_double_free": (2, r"slab:   allocated by crash_slab_double_free\+0x\S+, task 'main', CPU 0, "
                                  r"\d+ us ago(\n.*)+"
                                  r"panic: slab: double free by crash_slab_double_free\+0x\S+: "
                                  r"0x\w{16} is free already: object 0 of cache twice \(slab pfn "
                                  r"0x\w+, node 0\); allocated by crash_slab_double_free\+0x\S+; "
                                  r"freed last by crash_slab_double_free\+0x\S+"),
    "crash_slab_wrong_cache": (2, r"panic: slab: bad free to cache yours by crash_slab_wrong_cache\+0x\S+: "
                                  r"0x\w{16} is an object of another cache: object 0 of cache mine "),
    "crash_slab_inside": (2, r"panic: slab: bad free by crash_slab_inside\+0x\S+: 0x\w{16} "
                             r"is no object: 8 bytes into object 0 of cache inside "),
    "crash_slab_no_object": (2, r"panic: slab: bad free by crash_slab_no_object\+0x\S+: 0xffffc9\w{10} is "
                                r"no address of memory: a stack, of slot \d+"),
    "crash_slab_overrun": (2, r"slab:   0x\w{16}: .*41 .*cc(.*\n)+"
                              r".*panic: slab: overrun: byte 60 of 60 is 0x41, not 0xcc, seen when it "
                              r"was freed by crash_slab_overrun\+0x\S+: 0x\w{16} is object 0 of cache "
                              r"overrun \(.*\); allocated by crash_slab_overrun\+0x\S+; "
                              r"freed last by nobody"),
    "crash_slab_underrun": (2, r"panic: slab: underrun: byte -1 of 60 is 0x41, not 0xcc, "),
    "crash_slab_use_after_free": (2, r"panic: slab: use after free: byte 8 of 60 is 0x41, not 0x6b, seen "
                                     r"when it was allocated by crash_slab_use_after_free\+0x\S+: "
                                     r".*; freed last by crash_slab_use_after_free\+0x\S+"),
    "crash_accounting": (2, r"panic: acct: (\d+) pages in all, .* WRONG"),
}
# What waits for seconds before somebody notices.
SLOW = ("crash_hang", "crash_spin_forever", "crash_watchdog")
# Options without which the kernel survives it.
OPTIONS = {"crash_out_of_memory": "oom=panic"}
# A panic inside a panic prints both messages and leaves, a third nothing: no report is complete.
NESTED = {"crash_nested_panic", "crash_summary", "crash_mute"}
# The function that recurses, and the frame that a jump into data has not made.
NOT_BY_NAME = {"crash_stack": "recurse", "crash_exec": "crash", "crash_sleep_interrupt": "sleep_here",
               "crash_mutex_foreign": "unlock_mutex", "crash_exit_mutex": "thread_begin",
               "crash_stack_thread": "recurse", "crash_canary": "write_over_canary"}


@pytest.mark.parametrize("suite", CRASHES)
def test_real_guest(suite, launch):
    code, words = CRASHES[suite]
    done = launch("--test", cmdline=f"test={suite} {OPTIONS.get(suite, '')}", limit_seconds=120,
                  extra=AHEAD if suite in SLOW else "")
    assert f"# Subtest: {suite}" in done.stdout, "the suite began"
    assert done.returncode == code, done.stdout.splitlines()[-1]
    assert re.search(words, done.stdout)
    if suite == "crash_hang":  # an NMI has asked
        assert re.search(r"^  \[\w{16}\] crash_hang\+0x", done.stdout, re.MULTILINE)
    if code == 2 and suite not in NESTED:
        # The report names the function that did it, and is complete.
        culprit = NOT_BY_NAME.get(suite, suite)
        frame = rf"^  \[\w{{16}}\] {culprit}[\w.]*\+0x\w+/0x\w+"
        assert re.search(frame, done.stdout, re.MULTILINE)
        assert re.search(r"^  Node 0, zone +DMA free \d+", done.stdout, re.MULTILINE)
        assert "end of panic" in done.stdout
        # Registers as an exception has them, whether it was one or not: rsp and rip stand in them.
        assert re.search(r"^(vector \d+, error code 0x\w+|no exception), CS 0008, SS 0010\n"
                         r"RIP ffffffff8\w{7}  RSP ffffc9\w{10}  RBP \w{16}$", done.stdout,
                         re.MULTILINE) or suite == "crash_exec"
        name = suite.removeprefix("crash_")
        assert f"while test {suite}.{name} was running" in done.stdout


def test_the_report_comes_before_the_panic(launch):
    done = launch("--test", cmdline="test=crash_out_of_memory oom=panic")
    assert done.returncode == 2
    report, _, rest = done.stdout.partition("panic: out of memory")
    assert "end of panic" in rest
    asked = re.search(r"oom: main invoked oom-killer: gfp_mask=0x\w+\(GFP_KERNEL\), order=3, ", report)
    for line in (r"oom: .* asked by crash_out_of_memory\+0x", r"oom: Mem-Info", r"oom: Node 0 active:",
                 r"oom: Node 0 DMA +free:\d+ min:\d+", r"oom: Victims "):
        assert asked and re.search(line, report[asked.end():]), line


def test_without_oom_panic_the_request_fails(launch):
    done = launch("--run", cmdline='run="crash out_of_memory; alloc 3; check"')
    assert "Out of memory: order 3 for main, and nobody is left to kill" in done.stdout
    assert "panic" not in done.stdout
    assert re.search(r"^id 0: pfn 0x\w+, .* order 3", done.stdout, re.MULTILINE)
    assert re.search(r"^check: all \d+ invariants hold", done.stdout, re.MULTILINE)


def test_misuse_names_the_caller(launch):
    done = launch("--run", cmdline='run="crash wrong_order"')
    assert re.search(r"panic: wrong order: .* freed with order 1 by crash_wrong_order\+0x",
                     done.stdout)


def test_every_crash_is_here():
    """A new suite of tests/kernel/test_crash.c belongs into the table above."""
    source = (ROOT / "tests" / "kernel" / "test_crash.c").read_text(encoding="utf-8")
    suites = re.findall(r"^CRASH_SUITE\((\w+)\)", source, re.MULTILINE)
    suites += re.findall(r"^KTEST_SUITE_BY_NAME\(crash_(\w+),", source, re.MULTILINE)
    assert {f"crash_{name}" for name in suites} == set(CRASHES)


@pytest.mark.parametrize("globs", ["no_such_suite", ",", ",,"])
def test_nothing_chosen_is_a_failure(globs, launch):
    done = launch("--test", cmdline=f"test={globs}")
    assert done.returncode == 1
    assert "1 failed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("level", [0, 2])
def test_a_panic_is_never_mute(level, launch):
    done = launch("--run", cmdline=f'run="crash double_free" loglevel={level}')
    assert done.returncode == 2
    assert re.search(r"panic: .*double free", done.stdout)
    assert "end of panic" in done.stdout


# commands: (the launcher's exit code, what its last line says)
RUNS = {
    "test list; test string": (0, "7 passed"),
    "test list,": (0, "2 passed"),
    "test ,": (1, "failure"),
    "test crash_short_plan": (1, "1 results of 2 planned"),
    "test crash_short_plan; test list": (1, "1 results of 2 planned"),
    "test crash_after_plan": (1, "without a word"),
    "no-such-command; poweroff": (1, "failure"),
    "alloc 99; numa; poweroff": (1, "failure"),
    "numa; poweroff": (0, "passed"),
}


@pytest.mark.parametrize("commands", RUNS)
def test_commands(commands, launch):
    """--run: tests that commands ran are judged too, and a failure is not forgotten."""
    code, words = RUNS[commands]
    done = launch("--run", cmdline=f'run="{commands}"')
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == code, last
    assert words in last


def test_run_mode(launch):
    """--run: success is the guest's exit code, as long as no KTAP says otherwise."""
    done = launch("--run", cmdline='run="numa; check"')
    assert done.returncode == 0 and "available: 2 nodes" in done.stdout
    done = launch("--run", cmdline='run="crash panic"')
    assert done.returncode == 2


def test_an_open_quote_is_one_line():
    """What QEMUEXTRA cannot mean is said, and nothing is started."""
    environment = dict(os.environ, HIGHWATER_CMDLINE="", HIGHWATER_QEMUEXTRA='"-m 1G')
    done = subprocess.run([sys.executable, "-B", str(ROOT / "tools" / "launch.py"), "--run"],
                          text=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"launch: QEMUEXTRA is not a line of words .*\n", done.stdout)
