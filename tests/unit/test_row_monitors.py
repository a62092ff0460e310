"""Do row monitors drift at exactly the rows at which river's detectors do, fed by hand in canonical order?

Raw JSON goes through decoder and engine: several partitions, out of order within lateness, absent and broken values,
batches of any size, stops and resumes. By hand, the usable values are sorted and fed to a river object, one by one.
"""

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core.plan import (
    ComponentSpec,
)
from tests.unit.row_streams import (
    DETECTORS,
    PANE_MS,
    TIER,
    TIERS,
    as_records,
    by_hand,
    make_events,
    monitor,
    plan,
    run,
    seeded,
)


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


def test_a_detector_of_shares_sees_no_row_that_is_no_share(recorded):
    """A score of 1.7 is a broken score; a detector whose bounds need [0, 1] is not given it."""
    scores = [0.2, 1.7, -0.5, 0.9, 1.0, 0.0] * 40
    keyed = [
        ((10**12 + 100 * i, "p", 0, i), b'{"id": "e%d", "score": %f}' % (i, score)) for i, score in enumerate(scores)
    ]
    run(plan([monitor("hddm_w", {}, "score", None)]), as_records(keyed), seed=1)
    assert recorded["score-hddm_w", ()].values == [s for s in scores if 0 <= s <= 1]


@pytest.mark.parametrize("params", [{"delta": 0.002}, {}], ids=["raw", "auto"])
def test_enormous_values_neither_stop_the_engine_nor_enter_its_state_as_nan(params, recorded, soon):
    """Sums of 1e308 are infinite, and the difference of two infinite sums is a NaN: no state may hold one."""
    values = [1.0, 2.0] * 1_200 + [1.7e308] * 200 + [-1.7e308] * 200 + [3.0] * 400
    keyed = [
        ((10**12 + 100 * i, "p", 0, i), b'{"id": "e%d", "x": %b}' % (i, repr(value).encode()))
        for i, value in enumerate(values)
    ]
    spec = monitor("adwin", params, "x", None, auto=not params)
    reference = ComponentSpec("first", (("panes_min", 30), ("span_ms", 30 * PANE_MS)))
    spec = replace(spec, reference=reference, share=0.0 if params else 1.0)
    engine = run(plan([spec]), as_records(keyed), seed=1)
    assert recorded[spec.id, ()].drifts
    assert all(math.isfinite(value) for value in recorded[spec.id, ()].values)
    (reading,) = engine.reading().monitors
    assert math.isfinite(reading.value)
