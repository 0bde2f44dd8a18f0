"""Locks, from outside: what the checker's panics say, what `locks` shows, and that tests are checked.

What holds inside one kernel is tests/kernel/test_lock.c and test_lockcheck.c.
"""

import re

import pytest

from conftest import AHEAD

from hwlib import guest

SITE = r"(\w+)[\w.]*\+0x\w+/0x\w+"

# crash kind: (message, the functions at its sites)
REPORTS = {
    "lock_inversion": (
        rf"lock order: 'first' taken at {SITE} under 'second' \({SITE}\); "
        rf"the other way round, 'second' at {SITE} under 'first' \({SITE}\)",
        ["crash_lock_inversion", "crash_lock_inversion", "first_then_second", "first_then_second"]),
    "lock_chain": (
        rf"lock order: 'first' taken at {SITE} under 'third' \({SITE}\); "
        rf"the other way round in 2 steps, the first at {SITE}",
        ["crash_lock_chain", "crash_lock_chain", "first_then_second"]),
    "lock_irq": (
        rf"lock 'first' is taken in an interrupt at {SITE}, and held with interrupts on at {SITE}",
        ["take_and_release_here", "crash_lock_irq"]),
    "sleep_atomic": (
        rf"may sleep at {SITE} with spinlock 'first' held since {SITE}",
        ["crash", "crash_sleep_atomic"]),
    "assert_lock": (
        rf"lock 'taken twice' taken twice: at {SITE}, and held since {SITE}",
        ["crash_assert_lock", "crash_assert_lock"]),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_has_both_sites(kind, boot):
    message, functions = REPORTS[kind]
    outcome = boot("two", f'lockcheck=1 run="crash {kind}"')
    assert outcome.code == guest.PANIC, outcome.reason
    said = re.search(rf"panic: lockcheck: {message}$", outcome.output, re.MULTILINE)
    assert said and list(said.groups()) == functions
    assert outcome.output.count("lockcheck: ") == 1 + len(steps(outcome))


@pytest.mark.parametrize("kind, message", [
    ("lock_irq", rf"lockcheck: {REPORTS['lock_irq'][0]}"),
    ("sleep_interrupt", rf"may sleep at {SITE}, but must not: in an interrupt")],
    ids=["lock_irq", "sleep_interrupt"])
def test_one_cpu_has_interrupts_too(kind, message, boot):
    outcome = boot("two", f'maxcpus=1 run="crash {kind}"')
    assert outcome.code == guest.PANIC, outcome.reason
    assert re.search(rf"panic: {message}$", outcome.output, re.MULTILINE)


def test_a_crash_that_comes_back_is_a_failure(boot):
    """It is for the others, and there are none."""
    outcome = boot("two", 'maxcpus=1 run="crash panic_cpus"')
    assert outcome.code == guest.FAILURE, outcome.reason
    assert "in 'crash >panic_cpus<': it takes another CPU" in outcome.output


def steps(outcome):
    return re.findall(rf"lockcheck: step (\d): '(\w+)' taken at {SITE} under '(\w+)' \({SITE}\)$",
                      outcome.output, re.MULTILINE)


def test_a_chain_is_told_step_by_step(boot):
    outcome = boot("two", 'run="crash lock_chain"')
    assert steps(outcome) == [
        ("1", "second", "first_then_second", "first", "first_then_second"),
        ("2", "third", "second_then_third", "second", "second_then_third")]


@pytest.mark.parametrize("lockcheck, since", [(1, f"since {SITE}"), (0, "since an unknown place")])
def test_a_wait_without_end_names_the_owner(lockcheck, since, boot):
    outcome = boot("two", f'lockcheck={lockcheck} run="crash spin_forever"', extra=AHEAD)
    assert outcome.code == guest.PANIC, outcome.reason
    said = re.search(rf"panic: CPU 0 waits for lock 'first' for 5 s, at {SITE}; "
                     rf"CPU 3 has it, {since}$", outcome.output, re.MULTILINE)
    assert said and said[1] == "crash_spin_forever"
    assert re.search(r"^CPU 3: RSP ", outcome.output, re.MULTILINE), "where the owner is now"


def test_one_cpu_waits_for_itself(boot):
    """Without the checker the assertion says it."""
    outcome = boot("two", 'maxcpus=1 lockcheck=0 run="crash spin_forever"')
    assert outcome.code == guest.PANIC, outcome.reason
    assert "lock 'first' taken twice by CPU 0" in outcome.output


NAMES = re.compile(r"^(\S.*?) +(\d+) +(\d+) +(\d+) +(\d+)  (mutex|on|off|off, taken in one)$",
                   re.MULTILINE)


def test_locks_shows_the_order(boot):
    outcome = boot("two", 'lockcheck=1 run="check; locks"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    checked = re.search(r"^checked: (\d+) names, (\d+) orders, 0 reports, 0 without room$",
                        outcome.output, re.MULTILINE)
    names = {name: int(acquired) for name, acquired, *_ in NAMES.findall(outcome.output)}
    assert checked and int(checked[1]) == len(names) and int(checked[2]) > 0
    assert {"console", "zone", "page tables"} <= set(names) and all(names.values())
    assert re.search(rf"^  page tables \({SITE}\) -> zone \({SITE}\)$", outcome.output, re.MULTILINE)


def test_off_unless_tests_run(boot):
    """What had to wait is counted all the same."""
    outcome = boot("two", 'run="locks; test lock; locks"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    before, _, after = outcome.output.partition("KTAP version 1")
    assert "lockcheck is off: only what had to wait is known" in before
    assert re.search(r"^checked: \d+ names", after, re.MULTILINE)


def test_tests_can_do_without(boot):
    outcome = boot("two", "test=lock,lockcheck lockcheck=0", test=True)
    assert outcome.code == guest.SUCCESS, outcome.reason
    assert outcome.ktap.count("passed") == 5
    assert outcome.ktap.count("skipped") == outcome.output.count("SKIP asked for lockcheck=0") > 10
