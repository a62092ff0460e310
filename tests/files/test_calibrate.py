"""`streamcheck calibrate`: parameters that keep to a budget, a patch that applies, no more said than is known."""

import json
import math
import random
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.config.knobs import knobs
from streamcheck.config.load import load, loads
from streamcheck.core.intervals import poisson
from streamcheck.core.plan import AlertRule
from streamcheck.report.calibration import Steps, choose, limit_for

START_MS = 1_772_359_200_000
ROWS, STEP_MS = 12_000, 500
CONFIG = """\
version: 1
name: cal
streams:
  predictions:
    topic: p
    time: {field: ts, unit: ms}
    prediction: fraud
    task: binary
    label: truth
    features: {amount: numeric, items: numeric}
    segments: [tier]
time: {pane: 10s, lateness: 1s}
reference: {first: 5m}
monitors:
  - on: defaults
  - name: level            # of amounts
    on: amount
    by: [tier]
    measure: mean_shift
    detector: {threshold: {above: 10.6, below: 2, rows_min: 5}}
    alert: {cooldown: 1m}
  - {name: adwin, on: [amount, items], detector: {adwin: {delta: 0.5}}, alert: {cooldown: 1m}}
  - {name: auto, on: items, detector: {adwin: auto}}
  - name: floor
    on: accuracy
    window: {rows: 200}
    detector:
      threshold: {below: 0.95, rows_min: 200}
alerts: {owner: me}
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour and forty minutes, quiet but for five minutes of high amounts."""
    rng, folder = random.Random(11), tmp_path_factory.mktemp("history")
    with (folder / "p.jsonl").open("w") as file:
        for at in range(ROWS):
            high = 9_000 <= at < 9_600
            row = {"ts": START_MS + at * STEP_MS, "amount": rng.gauss(20 if high else 10, 2), "items": rng.gauss(3, 1)}
            row |= {"tier": rng.choice("ab"), "fraud": rng.random() < 0.3}
            file.write(json.dumps(row | {"truth": row["fraud"] != (rng.random() < 0.08)}) + "\n")
    (folder / "cal.yaml").write_text(CONFIG)
    (folder / "incidents.yaml").write_text(
        "version: 1\ntolerance: 1m\nincidents:\n"
        "  - {start: 2026-03-01T11:15:00Z, end: 2026-03-01T11:20:00Z, columns: amount}\n"
    )
    return folder


def run(history: Path, *args: object, code: int = 0) -> Any:
    given = [history / "cal.yaml", "--predictions", history / "p.jsonl", *args]
    done = CliRunner().invoke(main, ["calibrate", *map(str, given)])
    assert done.exit_code == code, done.output
    return done


def test_proposals_keep_to_the_budget_and_the_patch_applies(history: Path, tmp_path: Path) -> None:
    budget = "--budget", "1000 per week", "--incidents", history / "incidents.yaml"
    done = run(history, *budget, "--json", "--diff", tmp_path / "p.diff")
    found = json.loads(done.stdout)
    by_name = {each["name"]: each for each in found["proposals"]}
    assert list(by_name) == ["level.above", "level.below", "adwin.delta", "floor.below"]
    allowed = int(1_000 / 4 * found["weeks"])
    assert allowed >= 2
    for each in found["proposals"]:
        assert each["counted"] <= allowed
        assert each["low_per_week"] <= each["counted"] / found["weeks"] <= each["high_per_week"]
    assert by_name["level.above"]["false_now"] > allowed
    assert by_name["level.above"]["proposed"] > 10.8
    assert 2 < by_name["level.below"]["proposed"] < 9.2, "there is room for a closer limit"
    assert by_name["adwin.delta"]["monitors"] == ["adwin-amount", "adwin-items"]
    assert by_name["floor.below"]["proposed"] < 0.95
    (tmp_path / "cal.yaml").write_text(CONFIG)
    patched = subprocess.run(
        ["patch", "-p0", "-i", "p.diff"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert patched.returncode == 0, patched.stdout
    changed = (tmp_path / "cal.yaml").read_text()
    assert "name: level            # of amounts" in changed
    assert f"below: {by_name['floor.below']['proposed']:g}, rows_min: 200" in changed
    load(tmp_path / "cal.yaml", {})
    again = CliRunner().invoke(
        main,
        ["backtest", str(tmp_path / "cal.yaml"), "--predictions", str(history / "p.jsonl"),
         "--incidents", str(history / "incidents.yaml"), "--json", str(tmp_path / "r.json")],
    )  # fmt: skip
    assert again.exit_code == 0, again.output
    result = json.loads((tmp_path / "r.json").read_bytes())
    false = [alert for alert in result["alerts"] if alert["verdict"] == "false"]
    for names in (("level.above", "level.below"), ("adwin.delta",), ("floor.below",)):
        alarms = sum(alert["monitor"] in by_name[names[0]]["monitors"] for alert in false)
        assert alarms == sum(by_name[name]["counted"] for name in names), names
    assert result["truth"]["scores"][0]["recall"] == 1.0


def test_a_short_history_is_not_said_to_prove_a_budget(history: Path) -> None:
    said = run(history, "--incidents", history / "incidents.yaml").stdout
    assert "level.above: 0 false alarms in 0.01 weeks cannot prove 0.25 a week" in said
    assert "that takes 14.8 weeks without one" in said
    assert "--- cal.yaml\n+++ cal.yaml\n" in said
    assert "-    detector: {threshold: {above: 10.6, below: 2, rows_min: 5}}" in said


def test_a_history_that_is_hardly_quiet_is_named_so(history: Path) -> None:
    text = (history / "cal.yaml").read_text()
    (history / "busy.yaml").write_text(text.replace("above: 10.6", "above: -9").replace("below: 2, ", ""))
    given = [str(history / "busy.yaml"), "--predictions", str(history / "p.jsonl")]
    said = CliRunner().invoke(main, ["calibrate", *given]).stdout
    assert "level.above: as it is, its alarms go on for 99.8 %" in said
    assert "adwin.delta: as it is" not in said


def test_where_there_is_nothing_to_turn_it_says_so(history: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(CONFIG.split("  - name: level", maxsplit=1)[0] + "alerts: {owner: me}\n")
    done = CliRunner().invoke(
        main, ["calibrate", str(tmp_path / "plain.yaml"), "--predictions", str(history / "p.jsonl")]
    )
    assert (done.exit_code, "there is nothing to calibrate" in done.output) == (1, True)


# ------------------------------------------------------------------ parts
def test_knobs_are_the_parameters_that_decide() -> None:
    text = CONFIG.replace("{adwin: {delta: 0.5}}", "{ddm: {}}").replace("[amount, items]", "error")
    text = text.replace("- {on: defaults}", "").replace("{adwin: auto}", "{kswin: {alpha: 0.004, window_size: 90}}")
    found = knobs(loads(text, {}), text, lambda each: loads(each, {}))
    assert [(knob.name, knob.now) for knob in found] == [
        ("level.above", 10.6), ("level.below", 2.0), ("auto.alpha", 0.004), ("floor.below", 0.95),
    ]  # fmt: skip
    assert found[2].values[:3] == (0.01, 0.004, 0.002)
    assert found[0].monitors == {"level", "level-by-tier"}


def test_values_that_do_not_go_with_another_parameter_are_not_tried() -> None:
    detector = "{hddm_a: {drift_confidence: 0.001}}"
    text = CONFIG.replace("{adwin: {delta: 0.5}}", detector).replace("[amount, items]", "error")
    found = next(knob for knob in knobs(loads(text, {}), text, lambda each: loads(each, {})) if "adwin." in knob.name)
    assert found.name == "adwin.drift_confidence"
    assert found.values == (0.002, 0.001, 5e-4, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12), "a warning comes at 0.005"


def test_rates_have_exact_intervals() -> None:
    assert poisson(10, 1.0).low == pytest.approx(4.795, abs=1e-3)
    assert poisson(10, 1.0).high == pytest.approx(18.39, abs=1e-2)
    assert poisson(0, 2.0) == (0.0, pytest.approx(3.689 / 2, abs=1e-3))


def test_a_value_is_chosen_from_which_on_all_keep_to_the_budget() -> None:
    assert [choose([5, 0, 2, 0, 0], allowed) for allowed in (0, 1, 2, 5)] == [3, 3, 1, 0]
    assert choose([], 0) is None


def test_a_limit_that_is_nearly_always_passed_is_no_limit() -> None:
    rule, ends = AlertRule(cooldown_ms=30_000), range(10_000, 10_010_000, 10_000)
    values = [5.0 + (at * 7919 % 1_000) / 1_000 + (4.0 if at in (300, 700) else 0.0) for at in range(1_000)]
    steps = Steps("m", "x", (), rule, 10_000, 1, array("q", ends), array("d", values), array("q", [9] * 1_000))
    assert len(steps.fired(0.0, 1)) == 1, "it alarms once, and never rests"
    limit, alarms = limit_for([steps], 1, 0, lambda _: True) or (0.0, 1)
    assert (limit, alarms) == (math.ceil(max(values) * 1_000) / 1_000, 0)
    limit, alarms = limit_for([steps], 1, 2, lambda _: True) or (0.0, 1)
    assert alarms == 2
    assert 5.99 <= limit <= 6.01
    below, _ = limit_for([steps], -1, 0, lambda _: True) or (0.0, 1)
    assert below == 5.0
    assert limit_for([], 1, 0, lambda _: True) is None
