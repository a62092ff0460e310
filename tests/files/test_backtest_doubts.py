"""Does a backtest say so when files, units or ids are not what its config takes them for?"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from tests.files.conftest import CONFIG

Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path, write_lines: Any) -> Run:
    """Run it over rows, and the sentences that page, JSON and terminal have of doubts."""
    (tmp_path / "config.yaml").write_text(CONFIG)

    def backtest(rows: list[Any], labels: list[Any] | None = None, *more: str) -> list[str]:
        html, result = tmp_path / "out.html", tmp_path / "out.json"
        args = [
            tmp_path / "config.yaml",
            "--predictions",
            write_lines("p.jsonl", rows),
            "--html",
            html,
            "--json",
            result,
        ]
        args += [] if labels is None else ["--labels", write_lines("l.jsonl", labels)]
        done = CliRunner().invoke(main, ["backtest", *map(str, args), *more])
        assert done.exit_code == 0, done.output
        found: list[str] = json.loads(result.read_bytes())["doubts"]
        for doubt in found:
            assert doubt in done.output
            assert f"<strong>{doubt}" in html.read_text()
        return found

    return backtest


def test_all_is_well(run: Run, rows: Any, labels: Any) -> None:
    assert run(rows, labels) == []


def test_nothing_counts(run: Run, rows: Any) -> None:
    assert run([]) == ["No prediction counted: the input holds none, or none between --from and --to"]
    assert run(rows, None, "--from", "2030-01-01T00:00:00Z")[0].startswith(
        "No prediction counted: the input holds none"
    )


def test_times_in_another_unit_than_declared(run: Run, rows: Any) -> None:
    [said] = run([{**row, "ts": row["ts"] // 1000} for row in rows])
    assert said.startswith("Event times begin at 1970-01-21 12:19:19, in unit: ms; in unit: s they would begin")
    assert said.endswith("Is streams.predictions.time.unit right?")
    [said] = run([{**row, "ts": row["ts"] * 1000} for row in rows])
    assert said.startswith("No prediction counted: 3,600 events rejected (bad time 3,600); is streams.predictions.time")


def test_ids_that_never_meet(run: Run, rows: Any, labels: Any) -> None:
    [said] = run(rows, [{**label, "id": f"other-{label['id']}"} for label in labels])
    assert said.startswith("None of 3,356 labels met its prediction: are streams.predictions.id and streams.labels.id")
    assert said.endswith("within the horizon (1 h)?")


def test_columns_without_a_usable_value(run: Run, rows: Any, labels: Any) -> None:
    found = run([{**row, "amount": {"value": row["amount"]}, "country": None} for row in rows], labels)
    assert found == [
        "No value of amount could be used: 3,592 of a wrong type",
        "No value of country could be used: 3,592 missing",
    ]


def test_a_history_too_short_for_the_reference(run: Run, rows: Any, labels: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    text = config.read_text()
    assert "reference: {first" in text
    config.write_text(re.sub(r"reference: \{first[^}]*\}", "reference: auto", text))
    [said] = run(rows, labels)
    assert "could not alarm: their references were not ready by the end (provisional" in said
    assert "reference: {first: 1h} is ready sooner than auto" in said


def test_what_is_not_auto_is_not_told_to_be(run: Run, rows: Any, labels: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(re.sub(r"reference: \{first[^}]*\}", "reference: {rolling: 7d}", config.read_text()))
    [said] = run(rows, labels)
    assert "could not alarm: their references were not ready by the end (warming up" in said
    assert "auto" not in said
