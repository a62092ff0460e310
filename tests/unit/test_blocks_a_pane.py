"""Is the budget of labelled rows counted in panes, however many blocks of labels these complete?"""

from typing import Any

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.budgets import granted
from streamcheck.core.detectors._windows import threshold
from streamcheck.core.detectors.scan import SAFETY
from streamcheck.core.engine import Engine
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.types import Batch, Dictionary, SourcePartition, StreamRole

PANE_MS, START_MS, REFERENCE = 10_000, 1_772_323_200_000, 60
SOURCE = SourcePartition("t", 0)
PLAN = loads(
    """
version: 1
name: n
streams: {predictions: {topic: t, prediction: said, label: truth, task: binary}}
time: {lateness: 1ms}
reference: {first: 600s}
alarm_budget: 1 per day
monitors: [{on: accuracy}]
""",
    {},
).plan
ACCURACY = PLAN.monitors[0]


def fed(engine: Engine, rows: int, panes: tuple[int, int]) -> None:
    """Panes (from, to) of so many labelled rows each, a tenth of them wrong."""
    offsets = np.arange(panes[0] * rows, panes[1] * rows)
    wrong = np.random.default_rng(panes[0]).random(len(offsets)) < 0.1
    codes = np.stack([np.zeros(len(offsets)), wrong]).astype(np.int32)
    binary = Dictionary(("0", "1"))
    batch = Batch(
        SOURCE, StreamRole.PREDICTIONS, offsets, START_MS + offsets * PANE_MS // rows,
        np.repeat(NO_KEYS[:0], 0, axis=0), np.empty((0, len(offsets))), codes,
        np.zeros((2, len(offsets)), np.uint8), (binary, binary), int(offsets[-1]) + 1,
    )  # fmt: skip
    engine.feed(batch)


def opened() -> Engine:
    engine = Engine(PLAN, "lineage")
    engine.open({SOURCE: 0})
    return engine


def limit(engine: Engine) -> float:
    found = next(each.threshold for each in engine.reading().monitors if each.score is not None)
    assert found is not None
    return found


def expected(blocks: float) -> float:
    """accuracy alarms on one side."""
    return threshold(SAFETY * 0.5 * granted(ACCURACY, PLAN.budget, PANE_MS).steps * blocks)


@pytest.mark.parametrize("rows", [10, 50, 500])
def test_the_threshold_is_of_so_many_blocks_as_panes_complete(rows: int) -> None:
    engine = opened()
    for at in range(0, 6 * REFERENCE, 10):
        fed(engine, rows, (at, at + 10))
    found = limit(engine)
    # 1 % of blocks is a hundredth of a standard error
    assert found == pytest.approx(expected(rows / 50), abs=0.01)


def test_it_stays_once_the_reference_is_ready_and_after_a_restart() -> None:
    engine = opened()
    fed(engine, 500, (0, REFERENCE + 5))
    before = limit(engine)
    fed(engine, 50, ((REFERENCE + 5) * 10, (REFERENCE + 5) * 10 + 20))
    assert limit(engine) == before
    again = saving.restore(PLAN, dict(saving.Saver(engine).take().put)).engine
    fed(again, 50, ((REFERENCE + 5) * 10 + 19, (REFERENCE + 5) * 10 + 30))
    assert limit(again) == before


def test_a_state_of_before_goes_on_as_if_panes_completed_one_block() -> None:
    old: dict[str, Any] = {"instance": {"block": 1}}
    from streamcheck.core.migrations import MIGRATIONS  # noqa: PLC0415

    step = MIGRATIONS[11, "monitor"]
    assert step(old)["instance"]["pace"] == [None, 0, 1.0, False]
    assert step({"instance": {}}) == {"instance": {}}
