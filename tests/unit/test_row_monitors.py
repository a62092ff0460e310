"""Do row monitors drift at exactly the rows at which river's detectors do, fed by hand in canonical order?

Raw JSON goes through decoder and engine: several partitions, out of order within lateness, absent and broken values,
batches of any size, stops and resumes. By hand, the usable values are sorted and fed to a river object, one by one.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from river import drift
from river.drift import binary

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core import monitors, saving
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
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

PANE_MS, LATENESS_MS, PARTITIONS = 1_000, 2_000, 3
PANES, ROWS_PER_PANE = 120, 25
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
    """What a row instance's detector got and said: values, and positions of drifts among them."""

    values: list[float] = field(default_factory=list)
    drifts: list[int] = field(default_factory=list)


@pytest.fixture
def recorded(monkeypatch):
    """Every row detector that an engine makes, by monitor and segment."""
    seen = defaultdict(Fed)
    init = monitors.RowInstance.__init__

    def recording(self, spec, segment, *rest):
        init(self, spec, segment, *rest)
        step, fed = self.detector.step, seen[spec.id, segment]

        def recorded_step(values):
            verdict = step(values)
            fed.drifts += [len(fed.values) + int(at) for at in verdict.drifts]
            fed.values += values.tolist()
            return verdict

        self.detector.step = recorded_step

    monkeypatch.setattr(monitors.RowInstance, "__init__", recording)
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


def make_events(seed):
    """A stream whose level, error rate and spread change, in three partitions, shuffled within lateness."""
    rng = np.random.default_rng(seed)
    n = PANES * ROWS_PER_PANE
    time = np.sort(rng.integers(0, PANES * PANE_MS, n)) + 10**12
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


@pytest.mark.parametrize(("name", "river", "params", "column"), DETECTORS, ids=[f"{d[0]}-{d[3]}" for d in DETECTORS])
@pytest.mark.parametrize("by", [None, TIER], ids=["all", "by-tier"])
def test_the_engine_drifts_where_river_does(name, river, params, column, by, recorded):
    events = make_events(1)
    spec = monitor(name, params, column, by)
    run(plan([spec]), as_records([(e.key, e.json) for e in events]), seed=5)
    total = 0
    for segment in [(("tier", tier),) for tier in TIERS] if by else [()]:
        mine = sorted((e for e in events if not by or e.tier == segment[0][1]), key=lambda e: e.key)
        values = [float(v) for e in mine if (v := e.value(column)) is not None]
        fed = recorded[spec.id, segment]
        assert fed.values == values
        assert fed.drifts == by_hand(name, river(**params, **seeded(name, spec.id, segment)), values)
        total += len(fed.drifts)
    assert total, "a stream without drifts shows nothing"
    assert len(recorded) == (2 if by else 1)


def labels_of(events, seed):
    """Label records for the events, in two partitions: from three seconds before to nine after, in order of arrival."""
    rng = np.random.default_rng(seed)
    known = [e.key[0] + int(rng.integers(-3_000, 9_000)) for e in events]
    next_offset, keyed = [0, 0], []
    for i in np.argsort(known, kind="stable").tolist():
        partition = int(rng.integers(0, 2))
        events[i].label_key = (known[i], "l", partition, next_offset[partition])
        next_offset[partition] += 1
        keyed.append((events[i].label_key, b'{"id": "%b", "label": %d}' % (events[i].id.encode(), events[i].label)))
    return keyed


def completed(events):
    """The events in the order in which the join completes them: pane by pane, first predictions, then labels."""
    done = []
    panes = sorted({key[0] // PANE_MS for e in events for key in (e.key, e.label_key)})
    by_pane, labels_by_pane = defaultdict(list), defaultdict(list)
    for e in events:
        by_pane[e.key[0] // PANE_MS].append(e)
        labels_by_pane[e.label_key[0] // PANE_MS].append(e)
    predicted, labelled = set(), set()
    for pane in panes:
        for e in sorted(by_pane[pane], key=lambda e: e.key):
            predicted.add(e.id)
            if e.id in labelled:
                done.append(e)
        for e in sorted(labels_by_pane[pane], key=lambda e: e.label_key):
            labelled.add(e.id)
            if e.id in predicted:
                done.append(e)
    assert len(done) == len(events)
    return done


@pytest.mark.parametrize("name", ["ddm", "hddm_w"])
def test_errors_of_joined_labels_come_in_the_order_of_completion(name, recorded):
    _, river, params, column = next(d for d in DETECTORS if d[0] == name and d[3] == "error")
    events = make_events(2)
    keyed = [(e.key, e.json) for e in events] + labels_of(events, 3)
    spec = monitor(name, params, column, None)
    engine = run(plan([spec], joined=True), as_records(keyed), seed=7)
    books = engine.closing.join_reading()
    assert (books.labels_matched, books.predictions_matched) == (len(events), len(events))
    values = [float(e.value("error")) for e in completed(events)]
    fed = recorded[spec.id, ()]
    assert fed.values == values != [float(e.value("error")) for e in sorted(events, key=lambda e: e.key)]
    assert fed.drifts == by_hand(name, river(**params), values) != []


def standardised(events, column):
    """What `auto` feeds: rows of each pane in units of all reference panes before it; nothing before 30 of them."""
    panes, reference, fed, frozen = defaultdict(list), [], [], False
    for e in sorted(events, key=lambda e: e.key):
        if e.value(column) is not None:
            panes[e.key[0] // PANE_MS].append(float(e.value(column)))
    first = min(panes)
    for seen, pane in enumerate(sorted(panes)):
        values = panes[pane]
        if seen >= 30:
            mean = math.fsum(reference) / len(reference)
            sd = math.sqrt(math.fsum((v - mean) ** 2 for v in reference) / len(reference))
            fed += [(v - mean) / sd for v in values]
        frozen = frozen or pane - first >= 40
        if not frozen:
            reference += values
    return fed


@pytest.mark.parametrize(
    ("name", "river", "column"),
    [
        ("adwin", drift.ADWIN, "x"),
        ("adwin", drift.ADWIN, "prediction"),
        ("page_hinkley", drift.PageHinkley, "x"),
        ("kswin", drift.KSWIN, "x"),
    ],
)
def test_auto_feeds_rows_in_units_of_the_reference(name, river, column, recorded):
    events = make_events(4)
    spec = monitor(name, {}, column, None, auto=True)
    run(plan([spec]), as_records([(e.key, e.json) for e in events]), seed=9)
    fed, expected = recorded[spec.id, ()], standardised(events, column)
    assert fed.values == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert fed.drifts == by_hand(name, river(**seeded(name, spec.id, ())), fed.values) != []


@pytest.mark.parametrize("name", ["ddm", "eddm", "fhddm", "hddm_a", "hddm_w"])
def test_auto_leaves_errors_as_they_are(name, recorded):
    """0 and 1 have no unit: standardised, they would not be what these methods are about."""
    events = make_events(4)
    spec = monitor(name, {}, "error", None, auto=True)
    run(plan([spec]), as_records([(e.key, e.json) for e in events]), seed=9)
    fed = recorded[spec.id, ()]
    assert fed.values == [float(e.value("error")) for e in sorted(events, key=lambda e: e.key)]
    river = next(d[1] for d in DETECTORS if d[0] == name)
    assert fed.drifts == by_hand(name, river(), fed.values)


def test_a_detector_of_shares_sees_no_row_that_is_no_share(recorded):
    """A score of 1.7 is a broken score; a detector whose bounds need [0, 1] is not given it."""
    scores = [0.2, 1.7, -0.5, 0.9, 1.0, 0.0] * 40
    keyed = [
        ((10**12 + 100 * i, "p", 0, i), b'{"id": "e%d", "score": %f}' % (i, score)) for i, score in enumerate(scores)
    ]
    run(plan([monitor("hddm_w", {}, "score", None)]), as_records(keyed), seed=1)
    assert recorded["score-hddm_w", ()].values == [s for s in scores if 0 <= s <= 1]


@pytest.mark.parametrize("params", [{"delta": 0.002}, {}], ids=["raw", "auto"])
def test_enormous_values_neither_stop_the_engine_nor_enter_its_state_as_nan(params, recorded):
    """Sums of 1e308 are infinite, and the difference of two infinite sums is a NaN: no state may hold one."""
    values = [1.0, 2.0] * 400 + [1.7e308] * 200 + [-1.7e308] * 200 + [3.0] * 400
    keyed = [
        ((10**12 + 100 * i, "p", 0, i), b'{"id": "e%d", "x": %b}' % (i, repr(value).encode()))
        for i, value in enumerate(values)
    ]
    spec = monitor("adwin", params, "x", None, auto=not params)
    spec = replace(spec, reference=ComponentSpec("first", (("panes_min", 30), ("span_ms", 30 * PANE_MS))))
    engine = run(plan([spec]), as_records(keyed), seed=1)
    assert recorded[spec.id, ()].drifts
    assert all(math.isfinite(value) for value in recorded[spec.id, ()].values)
    (reading,) = engine.reading().monitors
    assert math.isfinite(reading.value)
