"""`fill`, `pressure`, `netblk`, `experiment` and `top` under load: what they say, whom they spare, how
they end, and what is wrong with bad words."""

import re

import pytest

from hwlib import guest
from test_monitor import PROMPT, session

COLUMNS = 80
CLASSES = ["GFP_KERNEL", "GFP_NOWAIT", "GFP_ATOMIC", "entitled"]
PHASES = ["hot_set", "keeping_up", "burst"]


def free_pages(text):
    """MemFree of each meminfo in a text, in pages."""
    return [int(kib) // 4 for kib in re.findall(r"^MemFree: +(\d+) kB$", text, re.MULTILINE)]


# --- fill ----------------------------------------------------------------------------------------

def test_fill(boot):
    outcome = boot("pair", 'run="meminfo; fill 50; meminfo; fill 20 dirty; pressure; fill off; '
                           'meminfo; check"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output
    before, filled, after = free_pages(text)
    read = int(re.search(r"^fill: 50 % of memory: (\d+) pages read by 2 CPUs", text, re.M)[1])
    there, dirty = map(int, re.findall(r"^in the cache: (\d+), dirty (\d+);", text, re.M)[0])
    assert there == read and dirty == 0
    assert read <= before - filled <= read * 1.02 + 200  # its ledger, and lists of the CPUs
    written = int(re.search(r"^fill: 20 % of memory: (\d+) pages written", text, re.M)[1])
    there, dirty = map(int, re.findall(r"^in the cache: (\d+), dirty (\d+);", text, re.M)[1])
    assert there == written and abs(written / read - 0.4) < 0.01
    assert dirty > 0
    assert before - after < 600  # page tables, spare stacks, lists of the CPUs


def test_more_than_fits(boot):
    """What came first is gone again, and reclaim says so."""
    outcome = boot("small", 'run="fill 300; pressure; fill off; check"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output
    read = int(re.search(r"^fill: 300 % of memory: (\d+) pages read", text, re.M)[1])
    there, free, none, wrong = map(int, re.search(
        r"^in the cache: (\d+), dirty 0; free pages: (\d+); got none: (\d+); wrong: (\d+)", text,
        re.M).groups())
    assert (none, wrong) == (0, 0)
    assert there < read / 2.8
    reclaimed = sum(int(n) for n in re.findall(r"^ +0 (?:kswapd|direct) +\d+ +(\d+) ", text, re.M))
    assert reclaimed >= read - there
    assert free < there


# --- pressure ------------------------------------------------------------------------------------

def test_pressure(boot):
    outcome = boot("small", 'run="pressure; pressure on mixed seed=7; top count=4 every=1000; pressure;'
                            ' pressure off; pressure; fill off; check"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output
    assert text.count("pressure: off\n") == 2
    assert text.count("pressure: mixed by 1 thread, seed=7\n") == 2
    reads, writes, wrong = map(int, re.search(
        r"^pressure: (\d+) pages read and (\d+) written by 1 thread, .* (\d+) wrong$", text,
        re.M).groups())
    assert wrong == 0 and reads > writes > 0
    assert re.search(r"(\d+) verified, 0 wrong$", text, re.M)
    reports = re.findall(r"^ +0 (?:kswapd|direct) +(\d+) +(\d+) +\d+ %$", text, re.M)
    sums = [sum(int(n[0]) for n in reports[i : i + 2]) for i in (0, 2, 4)]
    assert sums[0] == 0 and 0 < sums[1] <= sums[2]
    frames = text[text.index("seed=7"):text.rindex("seed=7")].split("\nup ")[2:5]
    assert len(frames) == 3
    rates = [re.search(r"lru .*\n +0 +(\d+) +(\d+) .* (\w+) +(\w+) +(\w+)(?: +\d+%)?$", frame, re.M)
             for frame in frames]
    assert all(rates), frames
    assert rates[-1][4] != "0" and rates[-1][5] != "0"  # scanned and stolen a second
    assert max(len(line) for frame in frames for line in frame.splitlines()) < COLUMNS


def test_it_is_in_nobodys_way(boot):
    """Tests and experiments want memory to themselves, and say so."""
    outcome = boot("small", 'run="pressure on read; pressure on; test hoard; check; experiment reclaim; pressure '
                            'off; fill 10; test hoard; experiment reclaim; fill off; test hoard"')
    text = outcome.output
    assert "in 'pressure >on<': it is on: `pressure off` first" in text
    for command in ("test", "experiment", "check"):
        assert re.search(rf"in ' ?>{command}<.*': memory is under pressure: `pressure off` first", text)
    for command in ("test", "experiment"):
        assert re.search(rf"in ' ?>{command}<.*': memory is filled: `fill off` first", text)
    assert outcome.code == guest.FAILURE
    assert text.count("KTAP version 1") == 2  # of the last, and of its suite


# --- netblk --------------------------------------------------------------------------------------

def test_netblk(boot):
    outcome = boot("small", 'run="netblk; netblk delay=1-20 loss=250 resend=40 seed=9; fill 60 dirty; '
                            'fill 60 dirty; fill 150 dirty; netblk; fill off; netblk delay=2 loss=0; netblk"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    said = re.findall(r"^netblk: delay=(\S+) ms loss=(\d+) of 1000 resend=(\d+) ms resends=(\d+) max=\d+ "
                      r"seed=(\d+)$", outcome.output, re.M)
    assert len(said) == 5
    assert said[1] == said[2] and said[1][:3] == ("1-20", "250", "40") and said[1][4] == "9"
    assert said[3] == said[4] and said[3][:3] == ("2-2", "0", "40")
    completed = re.findall(r"^writes: .* (\d+) completed, 0 failed", outcome.output, re.M)
    lost, again = re.findall(r"^packets: \d+ sent, (\d+) lost, (\d+) sent again", outcome.output, re.M)[2]
    assert completed[0] == completed[1] == "0" and int(completed[2]) > 1000
    assert int(lost) > 100 and int(again) > 100


# --- Bad words -----------------------------------------------------------------------------------

BAD = {
    "fill 0": "'fill >0<': '0': allowed is 1..400, dirty or off",
    "fill dirt": "'dirt': allowed is",
    "fill 5 6": "'6' is too much: usage: fill [PERCENT] [dirty] | off",
    "fill dirty dirty": "'dirty' is too much",
    "fill off 1": "'1' is too much",
    "pressure up": "'pressure >up<': 'up' is too much: usage: pressure",
    "pressure on hard": "'hard': there is read, write, mixed, seed=N",
    "pressure on read write": "'write': a mode was given already",
    "pressure on seed=1 seed=2": "'seed=2': a seed was given already",
    "pressure on seed=x": "'pressure on seed=>x<': 'x' is no number",
    "pressure off now": "'now' is too much",
    "netblk speed=1": "'speed=1': Tab shows what can be set",
    "netblk loss=1001": "'netblk loss=>1001<': '1001': allowed is 0..1000 packets of a thousand",
    "netblk loss=1000": "netblk: no write would ever end: only with resends=",
    "netblk delay=5-1": "'5-1': allowed is MS or MS-MS, to 60000",
    "netblk delay=-": "'-': allowed is MS or MS-MS",
    "netblk resend=0": "'0': allowed is 1..60000 ms",
    "netblk seed=1 seed=1": "'seed=1': seed= was given already",
    "experiment nothing": "'experiment >nothing<': no experiment 'nothing': `experiment` lists them",
    "experiment reclaim 7": "'7': allowed is seed=N",
    "experiment reclaim seed=1 x": "'x' is too much",
}


def test_bad_words_are_named(boot):
    outcome = boot("small", f'run="{"; ".join(BAD)}; pressure"')
    for message in BAD.values():
        assert message in outcome.output, message
    assert outcome.code == guest.FAILURE
    assert "pressure: off" in outcome.output


# --- experiment ----------------------------------------------------------------------------------

def phases_of(text, name):
    """phase -> all its keys; those of a class under its name."""
    found = {}
    for line in re.findall(rf"^experiment: {name}: (.*)$", text, re.M):
        pairs = dict(word.split("=") for word in line.split())
        phase = found.setdefault(pairs.pop("phase"), {})
        phase.setdefault(pairs.pop("class"), {}).update(pairs) if "class" in pairs else phase.update(
            pairs)
    return found


def test_experiment_reclaim(boot, record_property):
    outcome = boot("two", 'run="meminfo; experiment; experiment reclaim seed=3; meminfo; check"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output
    assert re.search(r"^  reclaim +\S", text, re.M)
    found = phases_of(text, "reclaim")
    assert set(found) == {"machine", "policies", *PHASES}
    assert found["machine"]["seed"] == "3" and found["machine"]["cpus"] == "4"
    hot, gentle, burst = (found[phase] for phase in PHASES)
    assert int(hot["hit_permille"]) >= 900 and hot["wrong"] == "0"
    assert int(hot["kswapd_reclaimed"]) + int(hot["direct_reclaimed"]) >= 8 * int(hot["scan_pages"]) / 10
    assert int(gentle["kswapd_permille"]) >= 990 and gentle["allocstall"] == "0"
    assert int(burst["allocstall"]) > 0 and int(burst["direct_reclaimed"]) > 0
    for phase in (gentle, burst):
        for name in CLASSES:
            figures = {key: int(value) for key, value in phase[name].items()}
            assert figures["median_ticks"] <= figures["p99_ticks"] <= figures["max_ticks"]
            assert figures["requests"] > 500
    assert gentle["GFP_KERNEL"]["failed"] == burst["GFP_KERNEL"]["failed"] == "0"
    assert int(burst["GFP_NOWAIT"]["failed"]) > int(burst["GFP_ATOMIC"]["failed"]) \
        >= int(burst["entitled"]["failed"])
    before, after = free_pages(text)
    assert before - after < 600
    record_property("figures", f"hot set: {hot['hit_permille']} of 1000")


# --- At the prompt -------------------------------------------------------------------------------

@pytest.fixture
def console(iso, log_path):
    with session(iso, log_path, "--topology", "pair") as console:
        yield console


@pytest.mark.parametrize("command", ["fill 400", "experiment reclaim"])
def test_ctrl_c(command, console):
    """It ends within moments, and leaves nothing behind."""
    before = free_pages(console.ask("meminfo"))[0]
    console.child.send(command + "\r")
    console.child.expect_exact("phase=policies" if "reclaim" in command else command)
    console.child.send("\x03")
    console.child.expect_exact("^C")
    console.child.expect_exact(PROMPT)
    console.ask("fill off")
    assert before - free_pages(console.ask("meminfo"))[0] < 600
    assert "invariants hold" in console.ask("check")


def test_the_prompt_lives_under_pressure(console):
    assert "pressure: write by 2 threads" in console.ask("pressure on write")
    for _ in range(5):
        assert "available: 2 nodes" in console.ask("numa")
    assert "pressure: write by 2 threads" in console.ask("pressure")
    assert ", 0 wrong\n" in console.ask("pressure off")
    assert "pressure: off" in console.ask("pressure")
    assert "invariants hold" in console.ask("check")
    assert console.leave("poweroff\r") == 0


@pytest.mark.parametrize("typed, row", [
    ("pressure on m", "pressure on mixed"), ("pressure of", "pressure off"), ("fill d", "fill dirty"),
    ("fill 5 d", "fill 5 dirty"), ("netblk lo", "netblk loss="), ("expe", "experiment"),
    ("experiment r", "experiment reclaim"), ("experiment f", "experiment fallback"), ("experiment reclaim s", "experiment reclaim seed="),
])
def test_completion(typed, row, console):
    console.child.send(typed + "\t")
    console.child.expect_exact(row)


# One thread's stack and what belongs to it may be kept for the next.
KEPT_PAGES = 8


@pytest.mark.parametrize("command, off, fails, most", [
    ("pressure on", "pressure off", "pressure: no memory for its", 800),
    ("fill 5", "fill off", "fill: no memory to begin with", 60),
    ("experiment reclaim", "fill off", "experiment: no memory to begin with", 5),
], ids=["pressure", "fill", "experiment"])
def test_commands_without_memory(command, off, fails, most, console):
    """Each of the first requests fails, then some of those behind: it says so, and everything is back."""
    if most > 5:
        console.ask(command)
        console.ask(off)
    console.ask("slab all shrink")
    before, failed, managed, nth = free_pages(console.ask("meminfo"))[0], 0, 0, 1
    while nth <= most:
        console.ask(f"fault set nth={nth}")
        said, seen = console.ask(command), console.ask("fault")
        console.ask("fault off")
        console.ask(off)
        console.ask("slab all shrink")
        assert re.search(r" [1-9]\d* requests seen, 1 failed", seen) or fails not in said, said
        assert f"fails its request {nth}:" in said or fails not in said, said
        failed += fails in said
        managed += fails not in said
        after = free_pages(console.ask("meminfo"))[0]
        assert abs(before - after) <= KEPT_PAGES, f"{command}, {nth}: {before} pages, {after} after"
        nth += max(nth // 4, 1)
    assert failed >= 4 and (managed > 0 or most == 5)
    assert re.search(r"^check: all \d+ invariants hold", console.ask("check"), re.MULTILINE)
