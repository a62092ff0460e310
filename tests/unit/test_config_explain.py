"""Explanations say what the engine will do; the schema says what the loader takes."""

import json
from pathlib import Path

import pytest

from streamcheck.config.explain import MonitorView, explain
from streamcheck.config.kafka_options import OPTIONS
from streamcheck.config.load import load, loads
from streamcheck.config.models import Config
from streamcheck.config.schema import json_schema
from streamcheck.core.components import build
from streamcheck.core.rolls import Rolls
from streamcheck.core.segments import SegmentTable

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "streamcheck" / "config" / "streamcheck.schema.json"


def views() -> dict[str, MonitorView]:
    return {view.id: view for view in explain(load(ROOT / "configs" / "payments.yaml", {})).monitors}


def test_a_calibrated_monitor() -> None:
    view = views()["amount-mean_shift"]
    assert (view.detector, view.params["h"], view.params["side"]) == ("scan", None, "both")
    assert (view.input, view.threshold) == ("one value per pane", "chosen by its share of the budget")
    assert view.reference.startswith("first span=1h")
    assert view.share == pytest.approx(1 / 14 / 2.6)
    # one alarm per week over 60,480 panes a week, 14 columns, in each two monitors of drift and six that count a tenth
    assert view.panes_per_alarm == pytest.approx(60_480 * 14 * 2.6, abs=1)
    assert (view.alert_for, view.cooldown, view.severity, view.owner) == ("0s", "5m", "warning", "ml-platform")


def test_a_row_detector_with_parameters_gets_raw_rows_outside_the_budget() -> None:
    view = views()["amount-adwin-by-tier"]
    assert (view.segments, view.measure, view.params["delta"]) == ("tier", "rows", 0.002)
    assert (view.input, view.threshold, view.reference, view.share) == (
        "every row as it is",
        "the method's own, outside the budget",
        "none",
        0.0,
    )


def test_a_labelled_quality_has_window_and_block() -> None:
    view = views()["accuracy-scan-by-tier"]
    assert (view.window, view.block_rows, view.input) == ("1000 rows", 50, "one value per 50 labelled rows")
    floor = views()["accuracy-floor"]
    assert (floor.input, floor.threshold, floor.reference) == (
        "the window of 1000 rows",
        "as given, outside the budget",
        "none",
    )


def test_auto_standardises_numbers_and_never_errors() -> None:
    text = (
        "version: 1\nname: n\nreference: {rolling: 2d}\nstreams:\n"
        "  predictions: {topic: t, id: i, prediction: p, task: binary, features: {a: numeric}}\n"
        "  labels: {topic: l, id: i, label: y}\nmonitors:\n  - {on: [a, error], detector: adwin}\n"
        "  - {on: error, detector: ddm}\n"
    )
    numbers, errors, ddm = explain(loads(text, {})).monitors
    assert (numbers.input, numbers.reference.split()[:2]) == (
        "every row, standardised by the reference",
        ["rolling", "span=2d"],
    )
    assert numbers.threshold == "chosen by its share of the budget, after 100 panes of normal rows"
    assert errors.input == "every row as it is (0/1 and shares are never standardised)"
    assert (numbers.share, errors.share, ddm.share) == (1 / 2, 1 / 4, 1 / 4)
    assert ddm.input == "every row as it is (0/1 and shares are never standardised)"


@pytest.mark.parametrize("segments", [1, 10])
def test_the_threshold_of_a_segment_is_that_which_an_engine_gives_it(segments: int) -> None:
    """Part of the share is kept for segments that come later, where there is one as where there are ten."""
    text = (
        "version: 1\nname: n\nreference: {first: 1h}\nstreams:\n"
        "  predictions: {topic: p, time: {field: ts, unit: ms}, features: {a: numeric}, segments: [s]}\n"
        "monitors:\n  - {on: a, by: [s], measure: mean_shift}\n"
    )
    loaded = loads(text, {})
    table = SegmentTable(loaded.plan.segmentations[0], 100)
    rolls = Rolls(loaded.plan, {table.segmentation.name: table})
    for at in range(segments):
        table.number((f"v{at}",))
    by_segment = explain(loaded).monitors[1]
    spec = next(spec for spec in loaded.plan.monitors if spec.id == by_segment.id)
    detector = build("detector", "scan", {})
    detector.calibrate(rolls.grant(spec, 1, (("s", "v0"),)).steps)
    assert detector.limit == (by_segment.limit if segments == 1 else by_segment.limit_of_ten)


def test_the_rate_that_the_join_bears() -> None:
    facts = dict(explain(load(ROOT / "configs" / "payments.yaml", {})).facts)
    assert facts["join"].startswith(
        "138,524,989 predictions (20GiB of disk), 7,064,090 of them in memory (512MiB), and 1,000,000 early labels may "
        "wait; that bears 229.0 predictions/s over 7d, 11.7 in memory;"
    )
    split = "split equally over columns, then over monitors: what hardly ever happens counts 0.1"
    assert facts["budget"] == f"1 per week for 54 monitors; 12 outside it; {split}"
    assert facts["limits"] == "1,000 values per segmentation, 1,000,000 rows per partition and pane, 1MiB per event"


def test_an_explanation_is_json() -> None:
    explanation = explain(load(ROOT / "configs" / "payments.yaml", {}))
    read_back = json.loads(json.dumps(explanation.as_dict(), allow_nan=False))
    assert len(read_back["monitors"]) == 66


def test_the_schema_file_is_fresh() -> None:
    fresh = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text() == fresh, "run: streamcheck schema > streamcheck/config/streamcheck.schema.json"


def test_the_schema_says_what_the_loader_takes() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["additionalProperties"] is False
    assert set(OPTIONS) < set(schema["properties"]["kafka"]["properties"])
    delta = schema["$defs"]["detector"]["anyOf"][1]["properties"]["adwin"]["anyOf"][1]["properties"]["delta"]
    assert delta["default"] == 0.002
    assert delta["anyOf"][0] == {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert schema["$defs"]["Times"]["properties"]["pane"]["default"] == "10s"
    assert schema["$defs"]["LimitsSection"]["properties"]["join_memory"]["default"] == "512MiB"
    assert "x-" not in json.dumps(schema)


def described(part: object, path: str = "") -> list[str]:
    """Paths of properties without a description."""
    if isinstance(part, list):
        return [bare for item in part for bare in described(item, path)]
    if not isinstance(part, dict):
        return []
    bare = []
    for name, value in part.get("properties", {}).items() if isinstance(part.get("properties"), dict) else ():
        bare += [] if "description" in value or path.endswith("kafka") else [f"{path}.{name}"]
    return bare + [found for key, value in part.items() for found in described(value, f"{path}.{key}")]


def test_every_setting_is_described() -> None:
    assert described(json_schema()) == []
