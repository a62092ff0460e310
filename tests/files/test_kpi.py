"""A business figure from files: the same alerts for every form and number of workers, its line in every report."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as papq
import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.core.journal import Floored, from_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.testing import raw_batch
from tests.files.test_backtest import live

START_S = 1_772_323_200
HOURS, ROWS = 140, 40
CONFIG = """version: 1
name: shop
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: s}
    prediction: said
    task: binary
    features: {amount: numeric}
  labels: {topic: l, id: id, label: truth, time: {field: ts, unit: s}, horizon: 6h}
  kpi: {topic: k, value: eur, name: revenue, time: {field: ts, unit: s}, lags: 6}
time: {pane: 10m}
reference: {first: 2d}
alerts: {owner: shop}
"""


@pytest.fixture(scope="module")
def tables():
    """Revenue follows accuracy two hours later, and halves in the end; labels come an hour after predictions."""
    rng = np.random.default_rng(3)
    right = np.clip(0.85 + 0.12 * rng.normal(size=HOURS), 0.4, 1.0)
    n = HOURS * ROWS
    hour = np.arange(n) // ROWS
    ts = START_S + hour * 3_600 + np.arange(n) % ROWS * (3_600 // ROWS)
    truth = rng.random(n) < 0.5
    said = truth == (rng.random(n) < right[hour])
    ids = [f"e{k}" for k in range(n)]
    predictions = {"id": ids, "ts": ts, "said": said, "amount": np.round(rng.lognormal(3.0, 0.4, n), 2)}
    labels = {"id": ids, "ts": ts + 3_600, "truth": truth}
    revenue = 1_000.0 + 1_500.0 * (right[np.maximum(np.arange(HOURS) - 2, 0)] - 0.85) + 20.0 * rng.normal(size=HOURS)
    revenue *= np.where(np.arange(HOURS) > 110, 0.4, 1.0)
    kpi = {"ts": START_S + np.arange(HOURS) * 3_600, "eur": np.round(revenue, 2)}
    return {"predictions": predictions, "labels": labels, "kpi": kpi}


def lines(folder: Path, tables) -> dict[str, Path]:
    paths = {}
    for name, columns in tables.items():
        rows = pa.table(columns).to_pylist()
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def parquet(folder: Path, tables) -> dict[str, Path]:
    paths = {}
    for name, columns in tables.items():
        paths[name] = folder / f"{name}.parquet"
        papq.write_table(pa.table(columns), paths[name], row_group_size=500)
    return paths


def backtest(folder: Path, paths, workers=1):
    config = folder / f"config{workers}.yaml"
    config.write_text(CONFIG + f"workers: {workers}\n")
    out = {form: folder / f"out.{form}" for form in ("alerts", "json", "html")}
    files = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    outputs = [word for form, path in out.items() for word in (f"--{form}", str(path))]
    done = CliRunner().invoke(main, ["backtest", str(config), *files, *outputs])
    assert done.exit_code == 0, done.output
    return out["alerts"].read_bytes(), json.loads(out["json"].read_bytes()), out["html"].read_text(), done.output


def test_every_form_and_number_of_workers_gives_the_same(tables, tmp_path):
    alerts, told, page, printed = backtest(tmp_path, lines(tmp_path, tables))
    fired = {alert["monitor"] for alert in told["alerts"]}
    assert "kpi-mean" in fired
    (link,) = [each for each in told["kpi"] if each["against"] == "accuracy"]
    assert link["lag_ms"] == 2 * 3_600_000
    assert 0.1 < link["low"] < link["r"] < link["high"]
    assert link["said"].startswith("revenue follows accuracy by 2 h: r = 0.")
    assert link["said"] in printed.replace("\n", " ")
    assert "Revenue follows accuracy by 2 h" in page
    for paths, workers in ((parquet(tmp_path, tables), 1), (lines(tmp_path, tables), 2)):
        other = backtest(tmp_path, paths, workers)
        assert other[0] == alerts
        assert other[1]["kpi"] == told["kpi"]


def test_what_is_named_must_be_declared(tables, tmp_path):
    paths = lines(tmp_path, tables)
    config = tmp_path / "plain.yaml"
    config.write_text("\n".join(line for line in CONFIG.splitlines() if not line.startswith("  kpi:")))
    run = ["backtest", str(config), "--predictions", str(paths["predictions"]), "--kpi", str(paths["kpi"])]
    done = CliRunner().invoke(main, run)
    assert done.exit_code == 2
    assert "--kpi: " in done.output
    assert "has no kpi stream (streams.kpi)" in done.output


LIVE = """version: 1
name: shop
streams:
  predictions: {topic: p, time: {field: ts, unit: s}, features: {amount: numeric}}
  kpi: {topic: k, value: eur, time: {field: ts, unit: s}}
time: {pane: 10s, lateness: 2s, idle_after: 10m}
reference: {first: 10m}
monitors:
  - {on: kpi, alert: {cooldown: 1m}}
  - {on: volume, detector: {threshold: {below: 5, rows_min: 1}}, alert: {cooldown: 1m}}
alerts: {owner: shop}
"""
LATE = (40, 61, 75)
"""Values that are published a minute after the time that they carry."""


def minutes(clock):
    """A prediction a second and a value a minute, that falls; the clock goes as fast as events do."""
    rng, made = np.random.default_rng(8), []
    for minute in range(90):
        for half in range(2):
            first = minute * 60 + half * 30
            rows = [{"ts": START_S + at, "amount": 1.5} for at in range(first, first + 30)]
            made.append(raw_batch("p", 0, rows, first_offset=first, times_ms=[(START_S + first + 29) * 1_000] * 30))
            made.append(lambda: clock.advance(29.0))
        known = START_S + minute * 60 + 59 - (60 if minute in LATE else 0)
        value = {"ts": known, "eur": round(float(rng.normal(100.0, 4.0)) * (0.5 if minute > 60 else 1.0), 2)}
        stamp = (START_S + minute * 60 + 59) * 1_000
        made.append(raw_batch("k", 0, [value], first_offset=minute, times_ms=[stamp]))
    return [*made, lambda: clock.advance(5.0)]


def test_a_run_is_lived_again_from_its_journal_which_tells_of_late_values_alone(tmp_path):
    kept, source = live(minutes, LIVE)
    entries = [from_bytes(line) for line in kept.journal.values()]
    floors = [entry for entry in entries if isinstance(entry, Floored)]
    assert [(entry.source.topic, entry.offset) for entry in floors] == [("k", at) for at in LATE]
    (tmp_path / "journal.jsonl").write_bytes(b"".join(line + b"\n" for _, line in sorted(kept.journal.items())))
    (tmp_path / "live.yaml").write_text(LIVE)
    words = ["backtest", str(tmp_path / "live.yaml"), "--journal", str(tmp_path / "journal.jsonl")]
    for name, topic in (("predictions", "p"), ("kpi", "k")):
        path, log = tmp_path / f"{name}.jsonl", source._log[SourcePartition(topic, 0)]
        path.write_bytes(b"".join(value + b"\n" for batch in log for value in batch.values))
        words += [f"--{name}", str(path)]
    done = CliRunner().invoke(main, [*words, "--alerts", str(tmp_path / "again.jsonl")])
    assert done.exit_code == 0, done.output
    assert any(b'"monitor":"kpi-mean"' in line for line in kept.alerts)
    assert (tmp_path / "again.jsonl").read_bytes() == b"".join(line + b"\n" for line in kept.alerts)
