"""Streams for tests of row monitors, run through decoders and an engine, and what their detectors got and said."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from river import drift
from river.drift import binary

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core import saving
from streamcheck.core.alerts import digest
from streamcheck.core.engine import Engine
from streamcheck.core.plan import (
    Column,
    ComponentSpec,
    JoinRules,
    Kind,
    MonitorSpec,
    Plan,
    Role,
    Schema,
    Segmentation,
    Target,
    Task,
    TimeRules,
)
from streamcheck.core.row_monitors import RowInstance
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

PANE_MS, LATENESS_MS, PARTITIONS = 1_000, 2_000, 3
PANES, ROWS_PER_PANE = 120, 25
CALIBRATION_PANES = 20
TIER = Segmentation(("tier",))
TIERS = ("premium", "general")

COLUMNS = (
    Column("x", ("x",), Kind.NUMERIC, Role.FEATURE),
    Column("score", ("score",), Kind.NUMERIC, Role.SCORE),
    Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT),
    Column("prediction", ("said",), Kind.BINARY, Role.PREDICTION),
    Column("label", ("label",), Kind.BINARY, Role.LABEL),
)
PREDICTIONS = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, COLUMNS, 1 << 20, 300_000)
WITHOUT_LABEL = replace(PREDICTIONS, columns=COLUMNS[:4])
LABELS = Schema(StreamRole.LABELS, ("l",), ("id",), None, (COLUMNS[4],), 1 << 20, 300_000)

# Detector, river's own class, parameters, the column it watches.
DETECTORS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("adwin", drift.ADWIN, {"delta": 0.05}, "x"),
    ("adwin", drift.ADWIN, {"delta": 0.3, "clock": 4}, "prediction"),
    ("page_hinkley", drift.PageHinkley, {"threshold": 20.0, "min_instances": 20}, "x"),
    ("kswin", drift.KSWIN, {"alpha": 0.001, "window_size": 60, "stat_size": 20}, "x"),
    ("ddm", binary.DDM, {"drift_threshold": 2.5}, "error"),
    ("eddm", binary.EDDM, {"beta": 0.9}, "error"),
    ("fhddm", binary.FHDDM, {"sliding_window_size": 60, "confidence_level": 0.001}, "error"),
    ("hddm_a", binary.HDDMA, {"drift_confidence": 0.01, "warning_confidence": 0.05}, "score"),
    ("hddm_w", binary.HDDMW, {"two_sided_test": True}, "score"),
    ("hddm_w", binary.HDDMW, {"drift_confidence": 0.01, "warning_confidence": 0.05}, "error"),
]


@dataclass
class Fed:
    """What a row instance's detector got and said: values, positions of drifts among them, with which parameters."""

    values: list[float] = field(default_factory=list)
    drifts: list[int] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)


def recording(monkeypatch):
    """Every row detector that an engine makes, by monitor and segment."""
    seen = defaultdict(Fed)
    make = RowInstance._made

    def made(self, params):
        detector, fed = make(self, params), seen[self.spec.id, self.segment]
        step, fed.params = detector.step, params

        def recorded_step(values):
            verdict = step(values)
            fed.drifts += [len(fed.values) + int(at) for at in verdict.drifts]
            fed.values += values.tolist()
            return verdict

        detector.step = recorded_step
        return detector

    monkeypatch.setattr(RowInstance, "_made", made)
    return seen


@dataclass
class Event:
    """One prediction as the test knows it; x and score are None where the JSON does not carry a usable number."""

    key: tuple[int, str, int, int]
    json: dict[str, Any] | bytes
    id: str
    x: float | None
    score: float | None
    tier: str
    said: int
    label: int
    label_key: tuple[int, str, int, int] = (0, "", 0, 0)

    def value(self, column):
        return {"x": self.x, "score": self.score, "prediction": self.said, "error": int(self.said != self.label)}[
            column
        ]


BROKEN = [b'"text"', b"null", b"1e999", b"[1]", b"true"]


def make_events(seed, panes=PANES):
    """A stream whose level, error rate and spread change, in three partitions, shuffled within lateness."""
    rng = np.random.default_rng(seed)
    n = panes * ROWS_PER_PANE
    time = np.sort(rng.integers(0, panes * PANE_MS, n)) + 10**12
    progress = np.arange(n) / n
    level = np.select([progress < 0.4, progress < 0.7], [0.0, 1.5], -1.0)
    x, score = rng.normal(level, 1.0), np.clip(rng.normal(0.3 + 0.2 * level, 0.1), 0.0, 1.0)
    label = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < np.where(progress > 0.5, 0.4, 0.05), 1 - label, label)
    said = np.where(progress > 0.8, 1, said)
    arrival = np.argsort(time + rng.integers(0, LATENESS_MS - 1, n), kind="stable")
    events, next_offset = [], [0] * PARTITIONS
    for i in arrival.tolist():
        partition = int(rng.integers(0, PARTITIONS))
        offset, next_offset[partition] = next_offset[partition], next_offset[partition] + 1
        tier = TIERS[int(rng.random() < 0.7)]
        broken = rng.random() < 0.05
        x_text = BROKEN[int(rng.integers(0, len(BROKEN)))] if broken else repr(float(x[i])).encode()
        text = b'{"id": "e%d", "x": %b, "score": %b, "tier": "%b", "said": %d, "label": %d}' % (
            i,
            x_text,
            b"null" if rng.random() < 0.03 else repr(float(score[i])).encode(),
            tier.encode(),
            said[i],
            label[i],
        )
        events.append(
            Event(
                (int(time[i]), "p", partition, offset),
                text,
                f"e{i}",
                None if broken else float(x[i]),
                None if b'"score": null' in text else float(score[i]),
                tier,
                int(said[i]),
                int(label[i]),
            )
        )
    return events


def plan(specs, *, joined=False):
    time = TimeRules(PANE_MS, LATENESS_MS, 30_000, 10**9)
    join = JoinRules(horizon_ms=10**9) if joined else None
    predictions, labels = (WITHOUT_LABEL, LABELS) if joined else (PREDICTIONS, None)
    return Plan("rows", predictions, labels, Task.BINARY, time, join, (TIER,), tuple(specs))


def monitor(name, params, column, by, *, auto=False):
    target = Target.LABELLED if column == "error" else Target.COLUMN
    detector = ComponentSpec(name, tuple(params.items()), auto=auto)
    reference = ComponentSpec("first", (("panes_min", 30), ("span_ms", 40 * PANE_MS)))
    return MonitorSpec(f"{column}-{name}", target, column, detector, by=by, reference=reference)


def run(made_plan, records, seed, *, resumes=True):
    """All records ({source: [(offset, time, bytes)]}) through decoders and an engine; batches and turns are random."""
    rng = np.random.default_rng(seed)
    engine = Engine(made_plan, "lineage")
    engine.open(dict.fromkeys(records, 0))
    schemas = [s for s in (made_plan.predictions, made_plan.labels) if s is not None]
    decoders = {topic: Decoder(s, made_plan.task) for s in schemas for topic in s.topics}
    saver, stored = saving.Saver(engine), {}
    while True:
        left = [s for s in records if engine.partitions[s].next_offset < len(records[s])]
        if not left:
            break
        source = left[int(rng.integers(0, len(left)))]
        start = engine.partitions[source].next_offset
        part = records[source][start : start + int(rng.integers(1, 200))]
        raw = raw_batch(
            source.topic,
            source.partition,
            [value for _, _, value in part],
            first_offset=start,
            times_ms=[time for _, time, _ in part],
        )
        engine.feed(decoders[source.topic].decode(raw))
        if resumes and rng.random() < 0.2:
            change = saver.take()
            stored = {k: v for k, v in (stored | dict(change.put)).items() if k not in change.delete}
            engine = saving.restore(made_plan, stored).engine
            saver = saving.Saver(engine)
            saver.resume(stored)
    engine.finish()
    return engine


def as_records(keyed):
    """Texts by (time, topic, partition, offset) as records by source partition."""
    records = defaultdict(list)
    for (time, topic, partition, offset), text in sorted(keyed, key=lambda item: item[0][1:]):
        records[SourcePartition(topic, partition)].append((offset, time, text))
    return dict(records)


def by_hand(name, river, values):
    found = []
    for at, value in enumerate(values):
        river.update(1 - value if name == "fhddm" else value)
        if river.drift_detected:
            found.append(at)
    return found


def seeded(name, spec_id, segment):
    """KSWIN is random: its seed is the digest of the monitor and its segment."""
    texts = [text for pair in segment for text in pair]
    return {"seed": int(digest(spec_id, *texts)[:8], 16)} if name == "kswin" else {}
