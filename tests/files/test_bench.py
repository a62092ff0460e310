"""The benchmark over files, with a stream that is far too small to tell anything; the time is not looked at."""

import json
from collections.abc import Iterator

import pytest

from bench import checks, files, run, targets
from bench.measure import Figures


def test_every_format_gives_the_same_rows_and_alerts_with_any_number_of_processes(tmp_path) -> None:
    out = tmp_path / "files.json"
    files.main(["--events", "20000", "--rounds", "1", "--out", str(out)])
    cases = json.loads(out.read_text())["cases"]
    assert [(case["format"], case["workers"]) for case in cases] == [
        (kind, workers) for kind in ("parquet", "jsonl", "csv") for workers in (1, 2)
    ]
    assert all(case["rows_per_second"]["min"] > 0 for case in cases)


def test_targets_name_what_is_reached_and_what_is_not(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(targets, "RESULTS", tmp_path)
    (tmp_path / "abc").mkdir()
    join = {"joins_per_s": 250_000, "joins_per_cpu_s": 900_000, "resident_bytes_each": 70, "pending": 10_000_000}
    (tmp_path / "abc" / "join.json").write_text(json.dumps(join))
    told = targets.shown("abc").splitlines()
    joins, each = (line for line in told if line.startswith("| label join"))
    assert joins.endswith("| 200,000 |  | 250,000 | 900,000 | 10,000,000 | reached |")
    assert each.endswith("| ≤ 64.0 |  | 70.0 |  | 10,000,000 | NOT reached |")
    assert sum("not measured: python -m bench run" in line for line in told) == 5


def stopped_after(count: int) -> Iterator[Figures]:
    for number in range(count):
        yield Figures(f"{number}", 1, 1.0, 1.0, 1.0, 1.0)
    raise SystemExit("a contender ended with exit code 1")


def test_complete_rounds_are_kept_when_a_later_one_fails(capsys) -> None:
    assert [figures.key for figures in run.complete(stopped_after(5), 2)] == ["0", "1", "2", "3"]
    assert "STOPPED before the end: a contender ended with exit code 1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run.complete(stopped_after(1), 2)


def test_checks_are_set_beside_drift_in_turns(tmp_path, capsys) -> None:
    out = tmp_path / "checks.json"
    checks.main(["--hours", "0.2", "--rounds", "2", "--out", str(out)])
    found = json.loads(out.read_text())
    assert found.keys() >= {"events", "cpu_s", "ratios", "remains"}
    assert [len(seconds) for seconds in found["cpu_s"].values()] == [2, 2]
    assert "throughput that remains" in capsys.readouterr().out
