"""The soak for a moment, and that its tool takes nothing for success that is none."""

import pytest
import soak

LIMIT_SECONDS = 300  # half a minute on an idle host

ROWS = """figures: t=20 of=load reads=10 writes=4
figures: t=20 of=load wrong=0 bad=0 outside=0
figures: t=60 of=all reads=30 writes=14
figures: t=60 of=all wrong=0 bad=0 outside=0
""".splitlines()


def read(lines):
    figures = soak.Figures()
    fed = [figures.feed(line) for line in lines]
    return figures, fed


def test_figures_are_read(tmp_path):
    figures, fed = read(ROWS)
    assert all(fed)
    assert figures.last() == {"reads": 30, "writes": 14, "wrong": 0, "bad": 0, "outside": 0}
    assert figures.faults(60) == []
    figures.write(tmp_path / "figures.csv")
    assert (tmp_path / "figures.csv").read_text().splitlines() == [
        "seconds,of,reads,writes,wrong,bad,outside", "20,load,10,4,0,0,0", "60,all,30,14,0,0,0"]


@pytest.mark.parametrize("old, new, fault", [
    ("t=60 of=all", "t=60 of=load", "no figures of the whole run"),
    ("wrong=0", "wrong=1", "wrong=1"),
    ("bad=0", "bad=7", "bad=7"),
    (" outside=0", "", "outside=missing"),
    ("t=60", "t=50", "the figures are not of 60 s"),
])
def test_what_is_no_success(old, new, fault):
    figures, _ = read([line.replace(old, new) for line in ROWS])
    assert fault in figures.faults(60)


@pytest.mark.parametrize("line", ["figures: t=60 of=all reads=", "figures: t=60 of=all", "round: seed=1",
                                  "figures: t=60 of=all reads=1 oops"])
def test_no_figures(line):
    assert read([line])[1] == [False]


def test_time_is_shared():
    assert soak.share(60, 1) == [60] and soak.share(60, 3) == [20, 20, 20]
    assert soak.share(5, 2) == [3, 2] and soak.share(1, 2) == [1, 1]
    assert soak.limit_of(60) > 60 * 60


@pytest.mark.parametrize("args", [["--minutes", "0"], ["--minutes", "x"], ["--seed", "-1"],
                                  ["--minutes", "1441"]])
def test_bad_arguments(args):
    with pytest.raises(SystemExit) as end:
        soak.main(args)
    assert end.value.code == 2


def test_no_machine_is_no_success(tmp_path, capsys):
    assert soak.main(["--topologies", ",", "--logs", str(tmp_path)]) == 1
    assert "FAILED: no machine" in capsys.readouterr().out
    assert soak.main(["--topologies", "no-such", "--logs", str(tmp_path)]) == 1


@pytest.mark.parametrize("name", ["eight", "two"])
def test_soak(name, boot, check_ktap, record_property):
    outcome = boot(name, "test=soak loglevel=3", test=True, limit_seconds=LIMIT_SECONDS)
    figures = soak.Figures()
    for line in outcome.output.splitlines():
        note = soak.NOTE.match(line)
        if note:
            figures.feed(note[1])
    check_ktap(outcome)
    assert figures.faults(20) == []
    record_property("figures", ", ".join(f"{figures.last()[n]} {n}" for n in soak.SUMMED))
