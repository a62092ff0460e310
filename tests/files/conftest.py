"""What tests of files share: one small stream, as rows, and a config for it."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

START_MS = 1_772_359_200_000
CONFIG = """
version: 1
name: bt
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    prediction: fraud
    task: binary
    features: {amount: numeric, country: categorical}
    segments: [tier]
  labels: {topic: l, id: id, label: truth, time: {field: known, unit: ms}, horizon: 1h}
time: {pane: 1s, lateness: 500ms, idle_after: 30s}
reference: {first: 30s}
monitors:
  - {name: shift, on: amount, by: [tier], measure: mean_shift, alert: {cooldown: 5s}}
  - {name: adwin, on: amount, detector: {adwin: {delta: 0.01}}, alert: {for: 2s, cooldown: 5s}}  # every row
  - {name: floor, on: accuracy, window: {rows: 100}, detector: {threshold: {below: 0.8}}, alert: {cooldown: 3s}}
  - {on: volume}
alerts: {owner: nobody}
"""


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Predictions of three minutes; amounts triple in the second half, some fields are missing or odd."""
    rng, made = random.Random(4), []
    for at in range(3_600):
        amount = round(rng.gauss(10, 1) * (3 if at > 2_000 else 1), 3)
        made.append(
            {
                "id": f"event-number-{at:04}" if at % 2 else f"e{at}",
                "ts": START_MS + at * 50 + rng.randrange(200) - (60_000 if at % 500 == 7 else 0),
                "amount": None if at % 97 == 5 else amount,
                "country": rng.choice(["DE", "FR", "Österreich", None]),
                "tier": rng.choice("ab"),
                "fraud": rng.random() < 0.2,
            }
        )
    return made


@pytest.fixture
def labels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Their labels, half a minute later, wrong in the last minute; some never come, some come twice."""
    rng, made = random.Random(5), []
    for at, row in enumerate(rows):
        if at % 13:
            wrong = rng.random() < (0.5 if at > 2_400 else 0.05)
            made.append(
                {"id": row["id"], "known": row["ts"] + 30_000 + rng.randrange(300), "truth": row["fraud"] != wrong}
            )
        if at % 111 == 3:
            made.append({"id": row["id"], "known": row["ts"] + 31_000, "truth": True})
    return made


@pytest.fixture
def write_lines(tmp_path: Path) -> Any:
    """Rows as a file of JSON Lines; its path."""

    def write(name: str, of: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in of))
        return path

    return write
