"""Which settings were tuned to one false alarm per 100,000 rows? Chosen on seeds for tuning by tuning.py."""

import json
from collections.abc import Iterator
from typing import Any

from evaluate.kept import RESULTS

TUNED = RESULTS / "tuned.json"
PROMISED_ROWS = 100_000


def tuned() -> dict[str, dict[str, dict[str, Any]]]:
    """By stream and contender, what `python -m evaluate tune` has found."""
    return json.loads(TUNED.read_text())["settings"] if TUNED.exists() else {}


def settings(key: str, stream: str) -> Iterator[tuple[str, float | None]]:
    """How a contender comes, and its setting: its default (None), and tuned on this stream where that could be done."""
    yield "default", None
    found = tuned().get(stream, {}).get(key)
    if found is not None and found["reached"]:
        yield f"tuned on {stream}", found["setting"]
