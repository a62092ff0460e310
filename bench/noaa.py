"""Does `streamcheck run` find a known drift in real data, and nothing there that the undrifted twin does not have?

    python -m bench noaa [--data DIR] [--kafka HOST:PORT]        about ten seconds

18,159 days of weather and whether it rained (NOAA). The drifted file equals its twin in its first 12,000 rows; from
there on its feature columns are turned by one (each holds its neighbour's values) and its labels are not altered.
Both are published row by row, with the predictions of a model that was fitted to the first rows and then frozen, and
run with one config: configs/examples/noaa.yaml.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from kafka import KafkaAdminClient, KafkaProducer

from bench.measure import ROOT
from bench.streams import broker, read_alerts

DATA = ROOT.parent / "shared" / "data"
CONFIG = ROOT / "configs" / "examples" / "noaa.yaml"
TWIN, DRIFTED = "noaa_weather.csv.gz", "noaa_weather_drifted_at_12000.csv.gz"
FEATURES = (
    *("temperature", "dew_point", "sea_level_pressure", "visibility"),
    *("wind_speed", "wind_speed_max", "temperature_min", "temperature_max"),
)
DRIFT_ROW, WITHIN_ROWS = 12_000, 500
MODEL_ROWS = 2_000
LABEL_DELAY_ROWS = 200
START_MS = 1_767_228_000_000  # 2026-01-01T00:40:00Z, where a pane of 50 minutes begins: row 12,000 begins one, too
STEP_MS = 60_000
DECIMALS = 6  # the twin is standardised here, the drifted file was elsewhere: equal but for the last bits
RUN_S_MAX = 120

Floats = npt.NDArray[np.float64]
Rows = tuple[Floats, npt.NDArray[np.int64]]


def available(folder: Path = DATA) -> bool:
    """Whether the two files are there."""
    return all((folder / name).exists() for name in (TWIN, DRIFTED))


def read(folder: Path = DATA) -> dict[str, Rows]:
    """Features (n, 8), standardised as in the drifted file, and rain (n,), of both."""
    twin, drifted = (_table(folder / name) for name in (TWIN, DRIFTED))
    drifted = drifted[:, 1:]  # a row number
    features = (twin[:, :8] - twin[:, :8].mean(axis=0)) / twin[:, :8].std(axis=0)
    return {
        "twin": (np.round(features, DECIMALS), twin[:, 8].astype(np.int64)),
        "drifted": (np.round(drifted[:, :8], DECIMALS), drifted[:, 8].astype(np.int64)),
    }


def _table(path: Path) -> Floats:
    with gzip.open(path, "rt") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1)


def altered(rows: dict[str, Rows]) -> tuple[str, ...]:
    """The features that differ between the two. Raises AssertionError where the files are not what they should be."""
    (twin, rain), (drifted, rain_drifted) = rows["twin"], rows["drifted"]
    assert np.array_equal(rain, rain_drifted), "the drift has altered labels"
    assert np.array_equal(twin[:DRIFT_ROW], drifted[:DRIFT_ROW]), f"the files differ before row {DRIFT_ROW}"
    return tuple(name for name, differs in zip(FEATURES, (twin != drifted).any(axis=0), strict=True) if differs)


def fit(features: Floats, labels: npt.NDArray[np.int64], steps: int = 20) -> Floats:
    """Weights (9,) of a logistic regression, intercept last: Newton's method with a small ridge."""
    design = np.column_stack([features, np.ones(len(features))])
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        chance = probability(features, weights)
        gradient = design.T @ (labels - chance) - 1e-3 * weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, gradient)
    return weights


def probability(features: Floats, weights: Floats) -> Floats:
    """The model's probability of rain (n,)."""
    logit = np.clip(features @ weights[:-1] + weights[-1], -30, 30)
    return np.asarray(1 / (1 + np.exp(-logit)))


def events(rows: Rows) -> Iterator[tuple[str, int, bytes]]:
    """(topic's last name, record timestamp in ms, JSON), in the order in which they are published."""
    features, rain = rows
    chance = np.round(probability(features, fit(features[:MODEL_ROWS], rain[:MODEL_ROWS])), DECIMALS)
    labels = rain.tolist()
    count = len(labels)
    given = zip(features.tolist(), chance.tolist(), strict=True)
    for row in range(count + LABEL_DELAY_ROWS):  # each row is a record
        time_ms = START_MS + row * STEP_MS
        if row < count:
            values, score = next(given)
            event = {"id": f"day-{row:05d}", **dict(zip(FEATURES, values, strict=True))}
            event |= {"prediction": int(score >= 0.5), "probability": score}
            yield "predictions", time_ms, json.dumps(event).encode()
        if row >= LABEL_DELAY_ROWS:
            known = row - LABEL_DELAY_ROWS
            yield "labels", time_ms, json.dumps({"id": f"day-{known:05d}", "rain": labels[known]}).encode()


def publish(bootstrap: str, stream: str, rows: Rows) -> None:
    """Make the stream's two topics and fill them."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    # event times lie in the past: with the default retention the broker would delete the segments at once
    spec = {"num_partitions": 1, "configs": {"retention.ms": "-1"}}
    admin.create_topics({f"{stream}.{last}": spec for last in ("predictions", "labels")}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20)
    sent = [
        producer.send(f"{stream}.{last}", value, partition=0, timestamp_ms=time_ms)
        for last, time_ms, value in events(rows)
    ]
    producer.flush()
    for future in sent:
        future.get(timeout=0)
    producer.close()


def run(bootstrap: str, stream: str, folder: Path) -> list[dict[str, Any]]:
    """All alert transitions of a run over the stream, as they are in the alerts topic."""
    command = ["-c", "from streamcheck.cli import main; main()", "run", str(CONFIG), "--until-end", "--json"]
    environment = {**os.environ, "KAFKA_BOOTSTRAP": bootstrap, "NOAA_STREAM": stream, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, *command],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return read_alerts(bootstrap, f"{stream}.alerts")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the two runs have to do with one another. Transitions without their lineage, which is each state's own.

    before: transitions of panes that end by row 12,000, of both; found: firing in the drifted run within 500 rows
    from there on altered features, and not in the twin's; extra: the twin's in the same rows that the other has not.
    """

    before: dict[str, list[dict[str, Any]]]
    found: list[dict[str, Any]]
    extra: list[dict[str, Any]]
    features: tuple[str, ...]

    @property
    def first_row(self) -> dict[str, int]:
        """Per altered feature with a find, the last row of the pane of its first."""
        rows: dict[str, int] = {}
        for alert in self.found:
            rows.setdefault(alert["column"], row_of(alert["pane_end"]))
        return rows


def row_of(time: str) -> int:
    """The row at an event time."""
    return round(datetime.fromisoformat(time).timestamp() * 1000 - START_MS) // STEP_MS


def compare(alerts: dict[str, list[dict[str, Any]]], features: tuple[str, ...]) -> Comparison:
    """Set the two alert logs side by side."""
    own = {
        name: [{key: value for key, value in alert.items() if key != "lineage"} for alert in found]
        for name, found in alerts.items()
    }
    before = {name: [a for a in found if row_of(a["pane_end"]) <= DRIFT_ROW] for name, found in own.items()}
    after = {
        name: [
            a for a in found
            if DRIFT_ROW < row_of(a["pane_end"]) <= DRIFT_ROW + WITHIN_ROWS and a["state"] == "firing"
        ]
        for name, found in own.items()
    }  # fmt: skip
    ids = {name: {alert["id"] for alert in found} for name, found in after.items()}
    found = [a for a in after["drifted"] if a["id"] not in ids["twin"] and a["column"] in features]
    extra = [a for a in after["twin"] if a["id"] not in ids["drifted"]]
    return Comparison(before, found, extra, features)


def report(alerts: dict[str, list[dict[str, Any]]], outcome: Comparison) -> None:
    """The numbers, for people."""
    same = outcome.before["twin"] == outcome.before["drifted"]
    count = len(outcome.before["twin"])
    print(f"transitions up to row {DRIFT_ROW:,}: {count} in both, {'equal' if same else 'DIFFERENT'}")
    print(f"transitions in all: {len(alerts['twin'])} of the twin, {len(alerts['drifted'])} of the drifted file")
    fired = Counter(a["monitor"] for a in outcome.before["twin"] if a["state"] == "firing")
    print(f"  fired before, both: {dict(fired)}")
    print(f"\nfired within {WITHIN_ROWS} rows after row {DRIFT_ROW:,}, in the drifted file only: {len(outcome.found)}")
    print("(ADWIN compares with the weeks before and so sees every season: by itself a find of its own may be chance)")
    print(f"{'feature':20s} {'first at row':>12s} {'rows late':>9s}  monitors")
    for feature in outcome.features:
        at = outcome.first_row.get(feature)
        if at is None:
            print(f"{feature:20s} {'none':>12s}")
            continue
        monitors = [f"{a['monitor']}@{row_of(a['pane_end'])}" for a in outcome.found if a["column"] == feature]
        print(f"{feature:20s} {at:12,d} {at - DRIFT_ROW:9d}  {', '.join(monitors)}")
    print(f"in the twin only, same rows: {len(outcome.extra)} {[a['monitor'] for a in outcome.extra]}")


def both(bootstrap: str, folder: Path, data: Path = DATA, prefix: str = "noaa") -> dict[str, list[dict[str, Any]]]:
    """Publish and run both files; the alerts of each."""
    alerts = {}
    for name, rows in read(data).items():
        publish(bootstrap, f"{prefix}-{name}", rows)
        alerts[name] = run(bootstrap, f"{prefix}-{name}", folder)
    return alerts


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench noaa", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the two files (default: %(default)s)")
    parser.add_argument("--kafka", default=os.environ.get("STREAMCHECK_TEST_KAFKA"), help="broker (default: start one)")
    chosen = parser.parse_args(arguments)
    if not available(chosen.data):
        sys.exit(f"{chosen.data} has no {TWIN} and {DRIFTED}: name their folder with --data")
    features = altered(read(chosen.data))
    with broker(chosen.kafka) as bootstrap, tempfile.TemporaryDirectory(prefix="streamcheck-noaa-") as folder:
        # the folder's name makes topics of this run's own, on a broker that has others
        alerts = both(bootstrap, Path(folder), chosen.data, Path(folder).name)
    outcome = compare(alerts, features)
    report(alerts, outcome)
    raise SystemExit(0 if outcome.found and outcome.before["twin"] == outcome.before["drifted"] else 1)
