"""Several configs in one pass give what each gives by itself; incidents are judged; sweeps change what they name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamcheck.adapters.files import jsonl
from streamcheck.cli import main, replay
from streamcheck.config.edit import change, find
from streamcheck.config.load import loads
from streamcheck.errors import ParameterError
from tests.files.conftest import CONFIG

OTHER = CONFIG.replace("pane: 1s, lateness: 500ms", "pane: 2s, lateness: 2s").replace("horizon: 1h", "horizon: 20s")
NARROW = CONFIG.replace("{amount: numeric, country: categorical}", "{amount: numeric}").replace(
    "name: bt", "name: narrow"
)
LINES = """  - name: lines            # one setting a line
    on: accuracy
    detector: {threshold: {below: 0.8}}
"""
INCIDENTS = """
version: 1
tolerance: 10s
incidents:
  - {start: 2026-03-01T10:01:38Z, end: 2026-03-01T10:02:00Z, columns: amount, note: amounts tripled}
  - {start: 2026-03-01T10:02:30Z, end: 2026-03-01T10:03:00Z, monitors: floor}
  - {start: 2026-03-01T10:00:30Z, end: 2026-03-01T10:00:40Z, monitors: [adwin, floor], segment: {tier: a}}
"""


@pytest.fixture
def run(tmp_path: Path, write_lines: Any, rows: Any, labels: Any) -> Any:
    files = "--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", labels)
    for name, text in (("one", CONFIG), ("other", OTHER), ("narrow", NARROW)):
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "incidents.yaml").write_text(INCIDENTS)

    def command(config: str, *args: object, code: int = 0) -> tuple[Any, str]:
        out = tmp_path / "out.json"
        given = [str(tmp_path / f"{config}.yaml"), *files, "--json", out, *args]
        done = CliRunner().invoke(main, ["backtest", *map(str, given)])
        assert done.exit_code == code, done.output
        return json.loads(out.read_bytes()) if out.exists() else None, done.output

    return command


def plain(result: Any) -> Any:
    """Without what is only told of the first config."""
    left_out = ("timing", "input", "events", "doubts", "name", "compare", "others", "config_text")
    recorded = ("series", "series_left_out", "columns", "labelled")
    found = {key: value for key, value in result.items() if key not in (*left_out, *recorded)}
    found["alerts"] = [{k: v for k, v in alert.items() if k != "samples"} for alert in found["alerts"]]
    return found


def test_one_pass_gives_what_each_config_gives_by_itself(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {name: run(name)[0] for name in ("one", "other", "narrow")}
    window = "--from", "2026-03-01T10:00:10Z", "--to", "2026-03-01T10:02:40Z"
    bounded = {name: run(name, *window)[0] for name in ("one", "other", "narrow")}
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 5_000)
    monkeypatch.setattr(replay, "OPEN_BYTES_MAX", 20_000)
    against = [arg for name in ("other", "narrow") for arg in ("--against", tmp_path / f"{name}.yaml")]
    together, told = run("one", *against)
    assert [each["name"] for each in together["compare"]] == ["one", "other", "narrow"]
    found = [plain(together), *map(plain, together["others"])]
    assert found == [plain(alone[name]) for name in ("one", "other", "narrow")]
    assert {len(each["alerts"]) > 0 for each in found} == {True}
    within, _ = run("one", *against, *window)
    assert [plain(within), *map(plain, within["others"])] == [plain(bounded[n]) for n in ("one", "other", "narrow")]
    _, other, _ = together["compare"]
    assert other["same"] + len(other["vanished"]) == together["fired"]
    assert other["same"] + len(other["appeared"]) == alone["other"]["fired"]
    assert "vanishs" not in told
    assert "\nnarrow\t" in told


def test_the_same_files_give_the_same_result_bytes(run: Any, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        run("one", "--incidents", tmp_path / "incidents.yaml", "--against", tmp_path / "narrow.yaml")
        text = (tmp_path / "out.json").read_text()
        start = text.index('  "timing": {')
        made.append(text[:start] + text[text.index("}", start) :])
    assert made[0] == made[1]


def test_a_sweep_tries_every_combination(run: Any) -> None:
    sweeps = "--sweep", "floor.detector.below=0.2,0.9", "--sweep", "adwin.detector.delta=0.01,1e-9"
    found, told = run("one", *sweeps)
    names = [each["name"] for each in found["compare"]]
    assert names == ["one"] + [
        f"floor.detector.below={below}, adwin.detector.delta={delta}"
        for below in ("0.2", "0.9")
        for delta in ("0.01", "1e-9")
    ]
    by_monitor = [each["by_monitor"] for each in found["compare"]]
    assert [of.get("floor", 0) > 0 for of in by_monitor] == [True, False, False, True, True]
    assert [of.get("shift") for of in by_monitor] == [by_monitor[0]["shift"]] * 5
    vanished = {alert["monitor"] for alert in found["compare"][1]["vanished"]}
    assert vanished == {"floor"}
    assert "floor.detector.below=0.2, adwin.detector.delta=0.01: vanishes: " in told
    assert "{below: 0.2}" in found["others"][0]["config_text"]
    assert "# every row" in found["others"][0]["config_text"]


def test_incidents_are_judged_and_told(run: Any, tmp_path: Path) -> None:
    found, told = run("one", "--incidents", tmp_path / "incidents.yaml", "--sweep", "floor.detector.below=0.1")
    tripled, wrong, nothing = (
        next(i for i in found["truth"]["incidents"] if i["start"][14:19] == at) for at in ("01:38", "02:30", "00:30")
    )
    assert tripled["found_by"] in ("shift", "shift-by-tier", "adwin")
    assert 0 < tripled["delay_ms"] <= 22_000
    assert tripled["delay_rows"] == pytest.approx(tripled["delay_ms"] / 50, abs=25)
    assert wrong["found_by"] == "floor" or wrong["found_by"] is None
    assert nothing["found_by"] is None
    scores = {score["name"]: score for score in found["truth"]["scores"]}
    assert scores["never"]["recall"] == 0
    assert len([name for name in scores if name.startswith("every ")]) == 1
    assert {alert["verdict"] for alert in found["alerts"]} <= {"found", "repeat", "false"}
    assert "amounts tripled" in told
    assert "\nnever\t0\t0 of 3\t0.0 %\t–" in told
    judged = [row["truth"]["incidents"] for row in found["compare"]]
    assert judged == [3, 3]


def test_what_cannot_be_swept_is_told(run: Any, tmp_path: Path) -> None:
    for sweep, said in (
        ("flor.detector.below=1", "did you mean 'floor'?"),
        ("floor.detector.below", "expected NAME.detector.PARAMETER=VALUE"),
        ("floor.detector.beloww=1", "unknown parameter of detector threshold 'beloww'"),
    ):
        assert said in run("one", "--sweep", sweep, code=2)[1]
    (tmp_path / "elsewhere.yaml").write_text(CONFIG.replace("topic: p", "topic: q"))
    assert "reads other topics" in run("one", "--against", tmp_path / "elsewhere.yaml", code=1)[1]


# ------------------------------------------------------------------ one setting in a text
@pytest.mark.parametrize(
    ("dotted", "value", "line"),
    [
        ("floor.detector.below", "0.7", "detector: {threshold: {below: 0.7}}, alert"),
        ("floor.detector.rows_min", "50", "detector: {threshold: {below: 0.8, rows_min: 50}}"),
        ("shift.detector.cusum.k", "2", "cooldown: 5s}, detector: {cusum: {k: 2}}}"),
        ("floor.alert.severity", "page", "alert: {cooldown: 3s, severity: page}}"),
        ("time.lateness", "1s", "time: {pane: 1s, lateness: 1s, idle_after: 30s}"),
        ("alarm_budget", "2 per day", "alarm_budget: 2 per day"),
        ("floor.block", "10", "alert: {cooldown: 3s}, block: 10}"),
        ("lines.block", "10", "  - block: 10"),
        ("lines.detector.below", "0.7", "    detector: {threshold: {below: 0.7}}"),
    ],
)
def test_a_setting_is_changed_in_place(dotted: str, value: str, line: str) -> None:
    text = CONFIG.replace("alerts: {", f"{LINES}alerts: {{")
    text += "alarm_budget: 1 per week\n" if dotted == "alarm_budget" else ""
    changed = change(text, find(text, dotted), value)
    before, after = (set(each.splitlines()) for each in (text, changed))
    assert any(line in each for each in after - before)
    assert len(before - after) <= 1
    if not dotted.endswith(".block"):
        loads(changed, {})


@pytest.mark.parametrize(
    ("dotted", "value", "said"),
    [
        ("alarm_budget", "1 per month", lambda plan: plan.budget.period_ms == 30 * 86_400_000),
        ("time.pane", "1m", lambda plan: plan.time.pane_ms == 60_000),
        ("reference", "auto", lambda plan: plan.monitors[0].reference.name == "auto"),
        ("reference.rolling", "2d", lambda plan: plan.monitors[0].reference.name == "rolling"),
        ("reference", "{season: hour_of_day, over: 2w}", lambda plan: plan.monitors[0].reference.name == "season"),
    ],
)
@pytest.mark.parametrize("written", ["", "auto", "{rolling: 1d}", "\n  rolling: 1d\n"])
def test_a_setting_that_has_its_default_is_written_in(dotted: str, value: str, written: str, said: Any) -> None:
    text = re.sub(r"(?m)^reference: .*\n", f"reference: {written}\n" if written else "", CONFIG)
    assert ("\nreference" in text) == bool(written)
    assert said(loads(change(text, find(text, dotted), value), {}).plan)


def test_an_unknown_setting_has_a_nearest_name() -> None:
    with pytest.raises(ParameterError, match="did you mean 'adwin'"):
        find(CONFIG, "adwn.detector.delta")
