"""`make compare`: that its tool joins only what belongs together, and the columns of the experiment `fallback`."""

import collections

import compare
import pytest

MECHANISM = compare.EXPERIMENTS["fallback"]

LINES = """[    0.1] slab: BUG: something else
experiment: fallback: phase=machine nodes=4 cpus=4 managed_pages=1000 seed=3
experiment: fallback: phase=policies mm.fallback=before mm.capture=after
experiment: fallback: phase=one requests=10 failed=4
experiment: fallback: phase=one pgscan=7
experiment: fallback: phase=two skipped=needs_two_nodes_with_memory
experiment: fallback: phase=three class=GFP_KERNEL requests=5
experiment: other: phase=one requests=11
""".splitlines()


def said(behaviour, old="", new="", lines=LINES):
    return compare.parse([line.replace("mm.fallback=before", f"mm.fallback={behaviour}").replace(
        old or "\0", new) for line in lines], "fallback")


def runs_of(**columns):
    return {b: columns.get(b, [said(b)]) for b in MECHANISM.behaviours}


def test_lines_are_read():
    found = said("before")
    assert found["one", "failed"] == "4" and found["one", "pgscan"] == "7"
    assert found["three.GFP_KERNEL", "requests"] == "5"
    same, figures = compare.split(found, MECHANISM, "before")
    assert figures == {("one", "requests"): 10, ("one", "failed"): 4, ("one", "pgscan"): 7,
                       ("three.GFP_KERNEL", "requests"): 5}
    assert same["two", "skipped"] == "needs_two_nodes_with_memory"


def test_columns_are_joined():
    table = compare.join(runs_of(posted=[said("posted"), said("posted", "pgscan=7", "pgscan=9"),
                                         said("posted", "pgscan=7", "pgscan=8")]), MECHANISM)
    assert table["one", "pgscan"] == {"before": [7], "posted": [7, 9, 8], "after": [7]}
    text = compare.markdown(table, MECHANISM).splitlines()
    assert [cell.strip() for cell in text[0].split("|")[2:-1]] == ["before", "posted", "after"]
    row = next(line for line in text if "pgscan" in line)
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["pgscan", "7", "8 (7..9)", "7"]
    assert len({len(line) for line in text}) == 1
    nothing = {name: dict.fromkeys(MECHANISM.behaviours, [0, 0]) for name in table}
    assert len(compare.markdown(nothing, MECHANISM).splitlines()) == 2


@pytest.mark.parametrize("lines, message", [
    ([], "no line of the experiment"),
    (["experiment: fallback: phase=one requests"], "not made of key=value"),
    (["experiment: fallback: phase=one requests=1", "experiment: fallback: phase=one requests=2"],
     "requests is said twice"),
])
def test_no_lines(lines, message):
    with pytest.raises(compare.CompareError, match=message):
        compare.parse(lines, "fallback")


@pytest.mark.parametrize("old, new, message", [
    ("mm.fallback=after", "mm.fallback=posted", "mm.fallback is posted, not after"),
    (" mm.fallback=after", "", "policies: mm.fallback is missing"),
    ("mm.capture=after", "mm.capture=before", "other machine than the first run: policies mm.capture"),
    ("nodes=4", "nodes=2", "other machine than the first run: machine nodes"),
    ("seed=3", "seed=4", "other machine than the first run: machine seed"),
    (" seed=3", "", "seed is missing"),
    ("skipped=needs_two_nodes_with_memory", "failed=0", "other"),
    ("failed=4", "failure=4", "other figures than the first run: one failed, one failure"),
    ("failed=4", "failed=-4", "failed=-4 is no number"),
])
def test_what_does_not_belong_together(old, new, message):
    with pytest.raises(compare.CompareError, match=message):
        compare.join(runs_of(after=[said("after", old, new)]), MECHANISM)


@pytest.mark.parametrize("args", [["--runs", "0"], ["--seed", "x"], ["--timeout", "0"]])
def test_bad_arguments(args):
    with pytest.raises(SystemExit) as end:
        compare.main(args)
    assert end.value.code == 2


@pytest.mark.parametrize("args, message", [
    (["reclaim"], "'reclaim' has no columns"), (["--topology", "no-such"], "no-such")])
def test_nothing_to_compare(args, message, tmp_path, capsys):
    assert compare.main(["--logs", str(tmp_path), *args]) == 1
    assert message in capsys.readouterr().err


def test_a_run_that_fails(tmp_path, iso, capsys):
    """Its time is over: no table, and not 0."""
    assert compare.main(["--logs", str(tmp_path), "--iso", str(iso), "--runs", "1", "--timeout", "1"]) == 1
    out = capsys.readouterr()
    assert "FAILED: before, run 1: no end within 1 s" in out.err
    assert "| before" not in out.out


def columns(name, iso, tmp_path, capsys, record_property):
    """The table of one run each: {(phase, key): [before, posted, after]}."""
    code = compare.main(["--logs", str(tmp_path), "--iso", str(iso), "--runs", "1", "--topology", name,
                         "--seed", "3", "fallback"])
    out = capsys.readouterr().out
    print(out)
    assert code == 0
    table, phase = collections.defaultdict(lambda: [0, 0, 0]), None
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].startswith("**"):
            phase = cells[0].strip("*")
        elif phase and len(cells) == 4:
            table[phase, cells[0]] = [int(cell) for cell in cells[1:]]
    record_property("figures", f"failed of full_cache: {table['full_cache', 'failed']}")
    return table, out


def test_four_nodes(iso, tmp_path, capsys, record_property):
    table, _ = columns("four", iso, tmp_path, capsys, record_property)
    for phase in ("full_cache", "remote_free", "cpuset", "overflow"):
        assert len(set(table[phase, "requests"])) == 1 or phase == "overflow"
    failed = table["full_cache", "failed"]
    assert failed[0] > table["full_cache", "requests"][0] // 2 and failed[1:] == [0, 0]
    assert all(steal > 1000 for steal in table["full_cache", "pgsteal"][1:])
    assert table["remote_free", "failed"] == [0, 0, 0]
    needless = table["remote_free", "needless_slabs"]
    assert needless[0] > 50 > needless[1] > needless[2] == 0
    assert table["remote_free", "active_permille"][2] == 1000
    slabs = table["cpuset", "slabs_grown"]
    assert slabs[0] == slabs[2] and slabs[1] == table["cpuset", "requests"][1] > 10 * slabs[2]
    assert min(table["overflow", "active_permille"]) >= 990
    assert table["overflow", "failed"] == [0, 0, 0]
    for phase in ("full_cache", "remote_free", "cpuset", "overflow"):
        atomic = table[phase, "slept_irqs_off"]
        assert atomic[0] == atomic[2] == 0 < atomic[1]
        assert table[phase, "retries"] == [0, 0, 0]


def test_one_node(iso, tmp_path, capsys, record_property):
    table, out = columns("one", iso, tmp_path, capsys, record_property)
    assert {phase for phase, _ in table} == {"full_cache"}
    assert table["full_cache", "failed"][0] > 0
    assert out.count(": needs two nodes with memory") == 3
