"""Do blocks say in arrays, against a reference that stands or grows, what they say one after the other, bit for bit?"""

from typing import Any

import numpy as np
import pytest

import streamcheck.core.measures  # noqa: F401 - registers them
from streamcheck.core.blocks import against_growing, against_one
from streamcheck.core.codec import encode
from streamcheck.core.components import build
from streamcheck.core.detectors._steps import numbers
from streamcheck.core.measures._labelled_moments import Share
from streamcheck.core.measures._running import add_many
from streamcheck.core.summaries import Moment

ENOUGH = 30


def drawn(kind: str, rng: np.random.Generator, blocks: int, *, tied: bool) -> list[Any]:
    """Blocks of several sizes, some of them empty, one alike all others; tied: each like the one before it."""
    level = np.cumsum(rng.normal(0.0, 0.3, blocks)) if tied else np.zeros(blocks)
    sizes = [int(rows) for rows in rng.choice([0, 1, 20, 50], blocks, p=[0.05, 0.05, 0.1, 0.8])]
    if kind == "accuracy":
        chance = np.clip(0.1 + 0.05 * np.sin(level), 0.0, 1.0)
        return [Share(int(rng.binomial(rows, p)), rows) for rows, p in zip(sizes, chance.tolist(), strict=True)]
    values = [rng.normal(at, 1.0, rows) for at, rows in zip(level.tolist(), sizes, strict=True)]
    return [Moment.of(each) for each in values]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", ["accuracy", "mae"])
def test_a_growing_reference_is_learned_in_one_go(kind: str, tied: bool) -> None:
    visible = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        measure: Any = build("measure", kind, {})
        alone, together = measure.accumulator(), measure.accumulator()
        for first in drawn(kind, rng, int(rng.integers(1, 40)), tied=tied):
            alone.add(first)
            together.add(first)
        for _ in range(3):
            blocks = drawn(kind, rng, int(rng.integers(1, 200)), tied=tied)
            running = add_many(together, blocks)
            assert running is not None
            late = running.from_panes(ENOUGH)
            told = against_growing(measure, late)
            expected = []
            for place, block in enumerate(blocks):
                signal = measure.signal(block, alone) if alone.panes >= ENOUGH else None
                if signal is not None:
                    expected.append((place, numbers(signal)))
                    at = len(expected) - 1
                    assert measure.signal(block, late.before(at)) == signal
                    visible += signal.background.lag1 > 0.0
                alone.add(block)
            assert told.places.tolist() == [place for place, _ in expected]
            assert told.table.tolist() == [list(row) for _, row in expected]
            assert encode("test", 1, together.export()) == encode("test", 1, alone.export())
    assert visible > 100 if tied else visible < 2_000


@pytest.mark.parametrize("kind", ["accuracy", "mae"])
def test_a_reference_that_stands_is_asked_in_one_go(kind: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        measure: Any = build("measure", kind, {})
        content = measure.accumulator()
        for block in drawn(kind, rng, 60, tied=bool(seed % 2)):
            content.add(block)
        blocks = drawn(kind, rng, 100, tied=True)
        told = against_one(measure, blocks, content)
        assert told is not None
        signals = [(place, measure.signal(block, content)) for place, block in enumerate(blocks)]
        expected = [(place, list(numbers(signal))) for place, signal in signals if signal is not None]
        assert list(zip(told.places.tolist(), told.table.tolist(), strict=True)) == expected


def test_what_is_seen_from_another_place_is_taken_one_by_one() -> None:
    content = build("measure", "mae", {}).accumulator()
    content.add(Moment(10, 3.0, 2.0))
    assert add_many(content, [Moment(10, 3.0, 2.0, 5.0)]) is None
    assert content.panes == 1
