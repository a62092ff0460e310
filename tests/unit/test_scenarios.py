"""Scenario tests: the notation, what comes of it, exact comparison, and every mistake with its line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from streamcheck.cli import main
from streamcheck.config.draws import NotationError, draw, fields
from streamcheck.config.scenarios import load_suite
from streamcheck.errors import ConfigError
from streamcheck.runtime.scenario import events, made

ROOT = Path(__file__).parents[2]
CONFIG = """
version: 1
name: demo
streams:
  predictions:
    topic: p
    id: event.id
    time: {field: ts, unit: ms}
    prediction: fraud
    task: binary
    features: {amount: {path: features.amount, kind: numeric}, country: categorical}
    segments: [tier]
  labels: {topic: l, id: id, label: truth, time: {field: known, unit: s}, horizon: 1h}
time: {pane: 1s, lateness: 1s}
reference: {first: 30s}
monitors:
  - name: high
    on: amount
    by: [tier]
    measure: mean
    detector: {threshold: {above: 50, rows_min: 1}}
    alert: {cooldown: 3s, severity: page, owner: me}
  - {name: floor, on: accuracy, window: {rows: 50}, detector: {threshold: {below: 0.5}}, alert: {cooldown: 3s}}
  - {on: volume}
alerts: {owner: me}
"""
TESTS = """
version: 1
config: config.yaml
tests:
  - name: peak
    start: 2026-03-01T00:00:00Z
    predictions:
      - "2000x every 50ms: features.amount normal(10, 1), tier cycle(a, b), fraud 1, label right(1)"
      - 20x every 100ms: amount 90
      - 100x every 100ms: {amount: "normal(10, 1)"}
    labels: {after: 500ms}
    monitors: [high, high-by-tier]
    alerts:
ALERTS
"""
RIGHT = """
      - {at: 101s, monitor: high, resolved: 105s, severity: page, value: 90}
      - {at: 101s, monitor: high-by-tier, segment: {tier: a}, resolved: 105s}
      - {at: 2026-03-01T00:01:41Z, monitor: high-by-tier, segment: {tier: b}, resolved: 105s, rows: 5}
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    (tmp_path / "config.yaml").write_text(CONFIG)

    def file(text: str) -> Path:
        path = tmp_path / "a.test.yaml"
        path.write_text(text)
        return path

    return file


def command(*args: object) -> Result:
    return CliRunner().invoke(main, ["test", *map(str, args)])


# ------------------------------------------------------------------ what it is for
def test_what_comes_as_expected_passes(write: Any) -> None:
    path = write(TESTS.replace("ALERTS", RIGHT))
    done = command(path)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "1 passed, 0 failed")
    assert f"pass {path}:5: peak" in done.output
    shown = command(path, "--show").output
    assert "- {at: 101s, monitor: high-by-tier, segment: {tier: b}, resolved: 105s}" in shown


def test_what_differs_is_shown_and_fails(write: Any) -> None:
    wrong = RIGHT.replace("resolved: 105s, severity: page, value: 90", "resolved: 106s, severity: warning, value: 90.1")
    wrong = wrong.replace(
        "{at: 101s, monitor: high-by-tier, segment: {tier: a}, resolved: 105s}", "{at: 5s, monitor: floor}"
    )
    done = command(write(TESTS.replace("ALERTS", wrong)))
    assert done.exit_code == 1
    lines = [line.strip() for line in done.output.splitlines()]
    assert "- expected (line 16), and did not come: {at: 5s, monitor: floor}" in lines
    assert "~ resolved and severity and value differ (line 15):" in lines
    assert "came     {at: 101s, monitor: high, resolved: 105s, severity: page, value: 90}" in lines
    at = lines.index(
        "+ came, and was not expected: {at: 101s, monitor: high-by-tier, segment: {tier: a}, resolved: 105s}"
    )
    assert lines[at + 1].startswith("amount for tier=a is 90, above its limit 50")
    assert lines[-1] == "0 passed, 1 failed"
    [told] = json.loads(command(write(TESTS.replace("ALERTS", wrong)), "--json").output)
    assert (told["passed"], len(told["missing"]), len(told["unexpected"])) == (False, 1, 1)
    assert told["different"][0]["differs"] == ["resolved", "severity", "value"]


def test_an_expected_silence_is_broken_by_any_alert(write: Any) -> None:
    assert command(write(TESTS.replace("    alerts:\nALERTS", "    alerts: []"))).exit_code == 1


def test_silence_at_the_end_lets_time_go_on_and_labels_may_go_wrong(write: Any) -> None:
    path = write("""
version: 1
config: config.yaml
tests:
  - name: wrong
    predictions:
      - 600x every 100ms: amount 10, tier a, fraud chance(0.3), label right(1)
      - 300x every 100ms: label right(0)
    labels: {after: 10s}
    monitors: [floor]
    alerts:
      - {at: 73s, monitor: floor, value: 0.4}
  - name: silent
    predictions:
      - 900x every 100ms: amount 10, tier a, fraud 0
      - silence: 20s
    monitors: [volume-scan]
    alerts:
      - {at: 96s, monitor: volume-scan, value: 0}
""")
    done = command(path)
    assert done.exit_code == 0, done.output
    assert command(path, "--only", "silent").output.splitlines()[-1] == "1 passed, 0 failed"


# ------------------------------------------------------------------ the notation
def test_fields_become_events_with_ids_times_and_labels(write: Any) -> None:
    path = write("""
version: 1
config: config.yaml
tests:
  - name: t
    seed: 4
    predictions:
      - 2x every 1s: amount linear(1, 2), country choice(DE 1, FR 0), tier missing, fraud 0, label right(0)
      - silence: 5s
      - 1x every 1s: country Ö
      - rows: [{amount: 7, event.id: own, ts: 5}]
    labels: {after: 1500ms}
    alerts: []
""")
    suite = load_suite(path)
    [scenario] = suite.scenarios
    predictions, labels, end_ms = events(scenario, suite.loaded.plan)
    begin = scenario.start_ms
    assert [(stamp - begin, json.loads(value)) for stamp, value in predictions] == [
        (0, {"features": {"amount": 1}, "country": "DE", "fraud": 0, "event": {"id": "e0"}, "ts": begin}),
        (1_000, {"features": {"amount": 2}, "country": "DE", "fraud": 0, "event": {"id": "e1"}, "ts": begin + 1_000}),
        (7_000, {"features": {"amount": 1}, "country": "Ö", "fraud": 0, "event": {"id": "e2"}, "ts": begin + 7_000}),
        (8_000, {"features": {"amount": 7}, "event": {"id": "own"}, "ts": 5}),
    ]
    assert [(stamp - begin, json.loads(value)) for stamp, value in labels] == [
        (1_500, {"id": "e0", "truth": 1, "known": (begin + 1_500) / 1000}),
        (2_500, {"id": "e1", "truth": 1, "known": (begin + 2_500) / 1000}),
        (8_500, {"id": "e2", "truth": 1, "known": (begin + 8_500) / 1000}),
    ]
    assert end_ms == begin + 9_000


def test_changing_one_field_changes_no_other(write: Any) -> None:
    def countries(amount: str) -> list[Any]:
        text = TESTS.replace("ALERTS", RIGHT).replace("fraud 1,", f"fraud 1, country choice(a, b), amount {amount},")
        suite = load_suite(write(text.replace("features.amount normal(10, 1), ", "")))
        return [json.loads(value)["country"] for _, value in events(suite.scenarios[0], suite.loaded.plan)[0][:2_000]]

    assert countries("normal(10, 1)") == countries("uniform(0, 9) missing 0.5")
    assert set(countries("5")) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("normal(100, 15)", lambda v: abs(v.mean() - 100) < 2 and abs(v.std() - 15) < 1),
        ("lognormal(0, 1)", lambda v: abs(np.log(v).mean()) < 0.1 and v.min() > 0),
        ("uniform(2, 3)", lambda v: v.min() >= 2 and v.max() < 3 and abs(v.mean() - 2.5) < 0.05),
        ("integer(1, 6)", lambda v: set(v) == {1, 2, 3, 4, 5, 6}),
        ("chance(0.25)", lambda v: abs(v.mean() - 0.25) < 0.03 and set(v) == {0, 1}),
        ("linear(5, 4)", lambda v: v[0] == 5 and v[-1] == 4 and (np.diff(v) < 0).all()),
        ("choice(1 3, 2 1)", lambda v: abs((v == 1).mean() - 0.75) < 0.03),
        ("cycle(1, 2, 3)", lambda v: list(v[:4]) == [1, 2, 3, 1]),
        ("-5.5", lambda v: set(v) == {-5.5}),
    ],
)
def test_what_a_draw_draws(text: str, check: Any) -> None:
    assert check(np.array(made(draw(text), 4_000, 0, np.random.default_rng(1))))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("norml(1, 2)", "unknown function 'norml'"),
        ("normal(1)", r"expected normal\(MEAN, SD\)"),
        ("uniform(3, 2)", "expected uniform"),
        ("chance(2)", "expected chance"),
        ("normal(a, 2)", "expected a number, got 'a'"),
        ("choice()", "expected choice"),
        ("choice(A 0, B 0)", "expected weights"),
        ("5 missing 7", "a share between 0 and 1"),
    ],
)
def test_what_is_no_draw_is_told(text: str, said: str) -> None:
    with pytest.raises(NotationError, match=said):
        draw(text)
    with pytest.raises(NotationError, match="expected FIELD VALUE"):
        fields("amount")


def test_every_mistake_is_told_with_its_line_and_the_nearest_name(write: Any) -> None:
    path = write("""
version: 1
config: config.yaml
tests:
  - name: t
    sed: 1
    predictions:
      - 10x every 1s: amout 5, tier nrmal(1, 2)
      - 10x each 1s: amount 5
      - {rows: [{amont: 1}, 5]}
      - {file: none.jsonl}
    labels: {aftr: 1s}
    monitors: hih
    alerts:
      - {at: soon, monitor: hgh, ownr: me}
  - predictions: 5
    alerts: []
""")
    with pytest.raises(ConfigError) as error:
        load_suite(path)
    found = [str(mistake) for mistake in error.value.mistakes]
    assert [line.split(":")[0] for line in found] == [
        f"line {n}" for n in (6, 8, 8, 9, 10, 10, 11, 12, 13, 15, 15, 15, 16, 16)
    ]
    for at, said in enumerate(
        (
            "sed: unknown key", "no field 'amout'", "unknown function 'nrmal'", "expected a block", "no field 'amont'",
            "expected a mapping of fields", "there is no file", "aftr: unknown key", "unknown monitor 'hih'",
            "expected a time, or a duration since start such as 90m, got 'soon'", "unknown monitor 'hgh'",
            "ownr: unknown key", "name is missing", "expected a list of blocks",
        )
    ):  # fmt: skip
        assert said in found[at]
    for hint in ("'seed'", "'amount'", "'normal'", "'after'", "'high'", "'owner'"):
        assert any(f"did you mean {hint}?" in line for line in found), hint
    done = command(path)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == len(found)


# ------------------------------------------------------------------ our own
@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.test.yaml")), ids=lambda path: path.name)
def test_our_configs_notice_what_they_are_to_notice(path: Path) -> None:
    done = command(path)
    assert done.exit_code == 0, done.output
