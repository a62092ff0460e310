"""The benchmark's harness, with a stream that is far too small to tell anything; the time is not looked at."""

import json

import pytest

from bench import axes, profile, run
from bench.contenders.stages import BOUNDARIES, DETECTORS
from bench.events import Shape

SMALL = ["--events", "20000", "--partitions", "2", "--rounds", "1"]  # twenty seconds, of which a pane of ten closes


def test_contenders_read_everything_and_are_compared(kafka, tmp_path, capsys) -> None:
    out = tmp_path / "run.json"
    run.main([*SMALL, "--kafka", kafka.bootstrap, "--no-peers", "--only", "naive,pane", "--out", str(out)])
    told = json.loads(out.read_text())
    assert [row["contender"] for row in told["contenders"]] == ["naive", "pane"]
    for row in told["contenders"]:
        assert row["events_per_second"]["min"] > 0
        assert row["ratio_to"]["naive"]["min"] <= row["ratio_to"]["naive"]["median"] <= row["ratio_to"]["naive"]["max"]
        assert row["peak_mb"]["min"] > 10
    assert "streamcheck, its default monitors" in capsys.readouterr().out


def test_a_profile_names_every_stage(kafka, tmp_path) -> None:
    out = tmp_path / "profile.json"
    profile.main([*SMALL, "--kafka", kafka.bootstrap, "--out", str(out)])
    modes = json.loads(out.read_text())["modes"]
    for mode, stages in modes.items():
        took = {stage["stage"]: stage["cpu_us"] for stage in stages}
        # labels come after half a minute, and until then pane mode learns what is normal
        silent = {"labelled rows, windows", "fold" if mode == "row" else DETECTORS}
        assert {*BOUNDARIES.values(), DETECTORS} - silent - took.keys() == set()
        assert sum(stage["share"] for stage in stages) == pytest.approx(1.0)


def test_all_sides_find_the_same_drifts(kafka, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main([*SMALL, "--kafka", kafka.bootstrap, "--no-peers", "--only", "naive,row", "--verify"])
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    assert "the same for all" in said


def test_an_axis_is_measured_at_each_point(kafka, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(axes.AXES, "features", {n: Shape(features=n) for n in (10, 100)})
    out = tmp_path / "features.json"
    options = ["--events", "2000", "--partitions", "1", "--rounds", "1", "--only", "pane", "--kafka", kafka.bootstrap]
    axes.main(["features", *options, "--out", str(out)])
    told = json.loads(out.read_text())
    assert [row["features"] for row in told["rows"]] == [10, 100]
    assert told["ratios"]["pane"] > 0
