"""Does what is committed hold exactly what a restart needs, however far event time jumps between two commits?"""

import json
from dataclasses import replace

import numpy as np

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

PLAN = loads(
    """
version: 1
name: n
streams:
  predictions: {topic: p, id: id, prediction: y, task: binary, features: {x: numeric}}
  labels: {topic: l, id: id, label: y, horizon: 1m}
time: {pane: 10s, lateness: 1s}
""",
    {},
).plan
PREDICTIONS, LABELS = SourcePartition("p", 0), SourcePartition("l", 0)
SCHEMAS = {"p": PLAN.predictions, "l": PLAN.labels}


def feed(engine: Engine, source: SourcePartition, first: int, seconds: range) -> None:
    """One event a second, its id the second."""
    values = [json.dumps({"id": str(at), "y": at % 2, "x": at}).encode() for at in seconds]
    offsets, stamps = np.arange(first, first + len(values)), np.array(seconds) * 1000 + 1_767_225_600_000
    raw = RawBatch(source, offsets, stamps, [None] * len(values), values, first + len(values))
    engine.feed(Decoder(SCHEMAS[source.topic], PLAN.task).decode(raw))


def test_panes_that_expire_between_two_commits_are_neither_written_nor_deleted() -> None:
    engine = Engine(PLAN, "lineage")
    engine.open({PREDICTIONS: 0, LABELS: 0})
    saver = saving.Saver(engine)
    store: dict[str, bytes] = {}
    for first, last in ((0, 30), (30, 400), (400, 430)):  # the second commit covers six horizons
        feed(engine, PREDICTIONS, first, range(first, last))
        feed(engine, LABELS, first, range(first, last))
        change = saver.take()
        assert not change.put.keys() & change.delete
        assert change.delete <= store.keys()
        store = {key: value for key, value in {**store, **change.put}.items() if key not in change.delete}
        again = saving.restore(PLAN, store).engine
        assert again.closing.export() == engine.closing.export()
    assert 0 < sum(key.startswith("join/") for key in store) <= 8


def test_a_smaller_share_of_the_budget_restarts_no_monitor() -> None:
    engine = Engine(PLAN, "lineage")
    engine.open({PREDICTIONS: 0, LABELS: 0})
    feed(engine, PREDICTIONS, 0, range(100))
    feed(engine, LABELS, 0, range(100))
    saved = dict(saving.Saver(engine).take().put)
    smaller = replace(PLAN, monitors=tuple(replace(m, share=m.share / 2) for m in PLAN.monitors))
    other = replace(PLAN, monitors=tuple(replace(m, block_rows=m.block_rows + 1) for m in PLAN.monitors))
    assert saving.restore(smaller, saved).restarted == ()
    assert saving.restore(other, saved).restarted
