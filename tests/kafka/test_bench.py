"""The benchmark's harness, with a stream that is far too small to tell anything; the time is not looked at."""

import json

import pytest

from bench import run

SMALL = ["--events", "12000", "--partitions", "2", "--rounds", "2", "--no-peers"]


def test_contenders_read_everything_and_are_compared(kafka, tmp_path, capsys) -> None:
    out = tmp_path / "run.json"
    run.main([*SMALL, "--kafka", kafka.bootstrap, "--out", str(out)])
    told = json.loads(out.read_text())
    assert [row["contender"] for row in told["contenders"]] == ["naive", "naive-orjson", "row", "pane"]
    for row in told["contenders"]:
        assert row["events_per_second"]["min"] > 0
        assert row["ratio_to"]["naive"]["min"] <= row["ratio_to"]["naive"]["median"] <= row["ratio_to"]["naive"]["max"]
        assert row["peak_mb"]["min"] > 10
    assert "streamcheck, its default monitors" in capsys.readouterr().out


def test_all_sides_find_the_same_drifts(kafka, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main([*SMALL, "--kafka", kafka.bootstrap, "--only", "naive,row", "--verify"])
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    assert "the same for all" in said
