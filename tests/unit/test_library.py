"""The engine as a library: five lines, any iterable or table, the alerts of a backtest of the same rows."""

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from click.testing import CliRunner

import streamcheck
from streamcheck import Watch, replay
from streamcheck.adapters.simulate import LABELS, PREDICTIONS, PaymentsStream
from streamcheck.cli import main
from streamcheck.core.types import FieldStatus, StreamRole
from streamcheck.errors import ConfigError, StreamcheckError

CONFIG = {
    "version": 1,
    "name": "library",
    "streams": {
        "predictions": {
            "topic": PREDICTIONS, "id": "event_id", "time": {"field": "ts", "unit": "ms"}, "prediction": "fraud",
            "task": "binary", "features": {"amount": "numeric", "country": "categorical"}, "segments": ["tier"],
        },
        "labels": {
            "topic": LABELS, "id": "event_id", "label": "is_fraud", "horizon": "12h",
            "time": {"field": "ts", "unit": "ms"},
        },
    },
    "time": {"pane": "1m", "lateness": "10s"},
    "reference": {"first": "1h"},
}  # fmt: skip
HOURS = 4.5


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """The demo's payments with amounts in cents in the fourth hour, in the order of their time."""
    found: dict[str, list[dict[str, Any]]] = {PREDICTIONS: [], LABELS: []}
    for record in PaymentsStream(rate=1.0, duration_ms=int(HOURS * 3_600_000)).records():
        found[record.topic].append(json.loads(record.value))
    return {topic: sorted(events, key=lambda event: event["ts"]) for topic, events in found.items()}


@pytest.fixture(scope="module")
def expected(rows: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `streamcheck backtest` says of the same rows in files."""
    found = backtested(tmp_path_factory.mktemp("library"), CONFIG, rows[PREDICTIONS], rows[LABELS])
    assert {alert["column"] for alert in found} >= {"amount"}
    return found


def backtested(folder: Path, config: Any, predictions: list[Any], labels: list[Any]) -> list[dict[str, Any]]:
    (folder / "c.yaml").write_text(json.dumps(config))
    command = ["backtest", str(folder / "c.yaml"), "--alerts", str(folder / "alerts.jsonl")]
    for name, events in (("predictions", predictions), ("labels", labels)):
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, events)) + b"\n")
        command += [f"--{name}", str(folder / f"{name}.jsonl")]
    assert CliRunner().invoke(main, command).exit_code == 0
    return [bare(json.loads(line)) for line in (folder / "alerts.jsonl").read_text().splitlines()]


def bare(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in alert.items() if name != "lineage"}


def test_events_give_the_alerts_of_a_backtest(rows: Any, expected: Any) -> None:
    assert [bare(alert) for alert in replay(CONFIG, rows[PREDICTIONS], rows[LABELS])] == expected


def test_tables_give_the_same(rows: Any, expected: Any) -> None:
    tables = {topic: pa.Table.from_pylist(events) for topic, events in rows.items()}
    assert [bare(alert) for alert in replay(CONFIG, tables[PREDICTIONS], tables[LABELS])] == expected


def steady(minutes: int, begin: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions every six seconds, and their labels 20 minutes later; all is well."""
    ids = range(10 * begin, 10 * (begin + minutes))
    at = {i: 1_772_323_200_000 + i * 6_000 for i in ids}
    amounts = {"country": "DE", "tier": "gold", "fraud": 0}
    predictions = [{"event_id": f"e{i}", "ts": at[i], "amount": i * 7 % 13, **amounts} for i in ids]
    return predictions, [{"event_id": f"e{i}", "ts": at[i] + 1_200_000, "is_fraud": i % 5 == 0} for i in ids]


def test_predictions_that_end_before_their_labels_are_not_silent(tmp_path: Path) -> None:
    """As in a backtest: nobody knows how they went on."""
    predictions, labels = steady(180)
    expected = backtested(tmp_path, CONFIG, predictions, labels)
    assert not [alert for alert in expected if alert["column"] in ("volume", "freshness")]
    assert [bare(alert) for alert in replay(CONFIG, predictions, labels)] == expected
    watch = Watch(CONFIG)
    assert [bare(alert) for alert in [*watch.run(predictions, labels), *watch.finish()]] == expected


def test_predictions_that_go_on_after_a_history_may_be_silent_again() -> None:
    watch = Watch(CONFIG)
    assert not [a for a in watch.run(*steady(180)) if a["column"] in ("volume", "freshness")]
    predictions, labels = steady(60, begin=200)
    found = watch.predictions(predictions) + watch.labels(labels) + watch.labels(steady(60, begin=260)[1])
    assert {"freshness"} <= {alert["column"] for alert in found}


def test_an_endless_history_is_read_as_it_goes(rows: Any) -> None:
    """Alerts come before the rows have ended, and the streams are kept in step."""
    read: list[dict[str, Any]] = []

    def told() -> Iterator[dict[str, Any]]:
        for row in rows[PREDICTIONS]:
            read.append(row)
            yield row

    watch = Watch({**CONFIG, "reference": {"first": "30m"}})
    first = next(iter(watch.run(itertools.chain(told()), rows[LABELS])))
    assert first["state"] in ("pending", "firing")
    assert len(read) <= len(rows[PREDICTIONS])


def test_rows_as_they_come_need_no_labels_to_go_on(rows: Any) -> None:
    """A stream of labels that is silent holds nothing back for longer than `time.idle_after`."""
    watch, found = Watch(CONFIG), []
    for start in range(0, len(rows[PREDICTIONS]), 500):
        found += watch.predictions(rows[PREDICTIONS][start : start + 500])
    assert any(alert["column"] == "amount" for alert in found), "before finish()"
    found += watch.labels(rows[LABELS]) + watch.finish()
    sequence = [alert["sequence"] for alert in found]
    assert sequence == list(range(1, len(found) + 1))
    assert any(reading.measure == "accuracy" and reading.value for reading in watch.monitors())


def test_what_cannot_be_read_is_counted() -> None:
    watch = Watch(CONFIG)
    watch.predictions([{"event_id": "a", "ts": "yesterday", "amount": 1}, b"nonsense"])
    assert sum(watch.rejected().values()) == 2


def columns(amounts: list[Any]) -> tuple[list[int], list[float]]:
    """Status and value of each amount, as the engine is given them."""
    rows = [{"event_id": f"e{i}", "ts": 1_772_323_200_000 + i, "amount": v} for i, v in enumerate(amounts)]
    [batch] = Watch(CONFIG)._input(StreamRole.PREDICTIONS).batches(rows)
    return batch.status[0].tolist(), batch.numeric[0].tolist()


def test_numbers_that_are_not_finite_are_broken_not_missing() -> None:
    """As in the bytes that Python's json writes, and so as from Kafka."""
    broken = [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf"), Decimal("NaN"), 10**400]
    status, _ = columns([*broken, None, 1.5])
    assert status == [FieldStatus.NON_FINITE] * len(broken) + [FieldStatus.MISSING, FieldStatus.OK]
    rows = [{"event_id": str(i), "ts": i, "amount": v, "list": [v, {"x": v}]} for i, v in enumerate(broken[:3])]
    same = Watch(CONFIG)._input(StreamRole.PREDICTIONS)
    assert [same._json(row, 0) for row in rows] == [json.dumps(row, separators=(",", ":")).encode() for row in rows]


def test_decimals_and_large_numbers_are_numbers() -> None:
    amounts = [Decimal("1.5"), Decimal("1E+2"), 10**30, np.int64(3), np.float32(0.5), -(2**70)]
    assert columns(amounts) == ([FieldStatus.OK] * 6, [1.5, 100.0, 1e30, 3.0, 0.5, -float(2**70)])


def test_events_may_be_mappings_of_any_kind() -> None:
    event = {"event_id": "a", "ts": 1_772_323_200_000, "inner": MappingProxyType({"x": 1})}
    watch = Watch(CONFIG)
    watch.predictions([MappingProxyType(event)])
    assert watch.rejected() == {}


@pytest.mark.parametrize("value", [{1}, 1j, object()])
def test_a_value_that_no_event_can_hold_is_named_with_field_and_row(value: Any) -> None:
    watch = Watch(CONFIG)
    watch.predictions([{"event_id": "a", "ts": 1_772_323_200_000}])
    rows = [{"event_id": "b", "ts": 1_772_323_200_000}, {"event_id": "c", "more": [0, {"amount": value}]}]
    told = rf"predictions: row 2, field more\.1\.amount: .* got {type(value).__name__}"
    with pytest.raises(StreamcheckError, match=told):
        watch.predictions(rows)


@pytest.mark.parametrize("rows", [[3], ["text"], [None]])
def test_rows_that_are_no_events(rows: list[Any]) -> None:
    with pytest.raises(StreamcheckError, match="expected mappings"):
        Watch(CONFIG).predictions(rows)


def test_mistakes_in_a_config_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Watch({"version": 1, "name": "x", "streams": {"predictions": {"topik": "p"}}, "alarm_bugdet": "1 per week"})
    told = " ".join(map(str, caught.value.mistakes))
    assert "topik" in told
    assert "alarm_bugdet" in told


def test_without_a_time_field_there_is_no_time() -> None:
    config = {"version": 1, "name": "x", "streams": {"predictions": {"topic": "p", "features": {"x": "numeric"}}}}
    with pytest.raises(StreamcheckError, match="name the field with their time"):
        Watch(config)
    config["streams"]["predictions"]["time"] = {"step": "1s"}  # type: ignore[index]
    watch = Watch(config)
    watch.predictions({"x": float(i)} for i in range(100))
    watch.predictions({"x": float(i)} for i in range(100))
    assert watch.engine.reading().partitions[0].accepted > 100


def test_labels_that_the_config_does_not_know() -> None:
    config = dict(CONFIG)
    config["streams"] = {"predictions": CONFIG["streams"]["predictions"]}  # type: ignore[index]
    with pytest.raises(StreamcheckError, match=r"no streams\.labels"):
        Watch(config).labels([])


def test_a_path_will_do(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(CONFIG))
    assert Watch(path).loaded.plan == Watch(str(path)).loaded.plan == Watch(CONFIG).loaded.plan


def test_import_stays_light() -> None:
    code = "import streamcheck, sys; assert streamcheck.__version__; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError):
        _ = streamcheck.nothing
