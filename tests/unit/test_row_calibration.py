"""Does `auto` feed a row detector what it should, once it is calibrated, and nothing before?"""

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from river import drift

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core.detectors.base import Normal
from streamcheck.core.detectors.ddm import DDM
from streamcheck.core.plan import (
    Budget,
)
from streamcheck.core.summaries import Layout
from tests.unit.row_streams import (
    CALIBRATION_PANES,
    DETECTORS,
    PANE_MS,
    as_records,
    by_hand,
    make_events,
    monitor,
    plan,
    run,
    seeded,
)

LONG = 400
"""Panes."""


def by_pane(events, column):
    """Usable values of each pane that has some, in canonical order."""
    panes = defaultdict(list)
    for e in sorted(events, key=lambda e: e.key):
        if e.value(column) is not None:
            panes[e.key[0] // PANE_MS].append(float(e.value(column)))
    return dict(sorted(panes.items()))


def watched(panes, transform=lambda values, reference: values):
    """What a calibrated detector sees of these panes' values: all after 40 panes of reference, and the calibration."""
    first, reference, frozen, seen, fed = min(panes), [], False, 0, []
    for pane, values in panes.items():
        if frozen:
            seen += 1
            fed += transform(values, reference) if seen > CALIBRATION_PANES else []
        frozen = frozen or pane - first >= 40
        reference += [] if frozen else values
    return fed


def in_sd(values, reference):
    mean = math.fsum(reference) / len(reference)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in reference) / len(reference))
    return [max(-5.0, min(5.0, (v - mean) / sd)) for v in values]


def scored(panes):
    """The panes behind those that gave the column's bins, as scores of these."""
    first_values = []
    later = list(panes.items())
    while len(first_values) < 1_000:
        first_values += later.pop(0)[1]
    layout = Layout.build(np.array(first_values))
    return {pane: layout.weights[layout.bins(np.array(values)), 0].tolist() for pane, values in later}


@pytest.mark.parametrize(
    ("name", "river"), [("adwin", drift.ADWIN), ("page_hinkley", drift.PageHinkley), ("kswin", drift.KSWIN)]
)
def test_auto_feeds_numbers_as_scores_in_units_of_the_reference(name, river, recorded, soon):
    events = make_events(4, LONG)
    spec = replace(monitor(name, {}, "x", None, auto=True), share=1.0)
    run(plan([spec]), as_records([(e.key, e.json) for e in events]), seed=9)
    fed, expected = recorded[spec.id, ()], watched(scored(by_pane(events, "x")), in_sd)
    assert fed.values == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert fed.params, "calibrated"
    assert fed.drifts == by_hand(name, river(**fed.params, **seeded(name, spec.id, ())), fed.values)
    assert (fed.drifts != []) or name == "kswin", "which is too slow to see such a change at a promised rate"


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "ddm", "fhddm", "hddm_a", "hddm_w"])
def test_auto_leaves_errors_as_they_are(name, recorded, soon):
    """0 and 1 have a unit of their own: standardised, they would not be what these methods are about."""
    events = make_events(4, LONG)
    spec = replace(monitor(name, {}, "error", None, auto=True), share=1.0)
    made = replace(plan([spec]), budget=Budget(1.0, 4_000 * PANE_MS))
    engine = run(made, as_records([(e.key, e.json) for e in events]), seed=9)
    fed = recorded[spec.id, ()]
    assert fed.values == watched(by_pane(events, "error"))
    river = drift.ADWIN if name == "adwin" else drift.PageHinkley if name == "page_hinkley" else None
    river = river or next(d[1] for d in DETECTORS if d[0] == name)
    assert fed.drifts == by_hand(name, river(**fed.params), fed.values)
    assert engine.reading().monitors[0].status == "ready"


def test_nothing_is_judged_before_the_calibration_is_done(recorded):
    """The page says how far it is: the reference first, then a hundred panes; and a share waits for its events."""
    events = make_events(4, 160)
    specs = [
        replace(monitor(name, {}, column, None, auto=True), share=0.5)
        for name, column in (("adwin", "x"), ("ddm", "error"))
    ]
    quiet = [replace(e, label=e.said) for e in events]
    texts = [
        e.json.replace(b'"label": %d' % old.label, b'"label": %d' % e.label)
        for e, old in zip(quiet, events, strict=True)
    ]
    engine = run(plan(specs), as_records([(e.key, text) for e, text in zip(quiet, texts, strict=True)]), seed=9)
    x, error = engine.reading().monitors
    assert x.status.startswith("calibrating ")
    assert x.status.endswith(" of 100 panes")
    assert error.status == "calibrating 0 of 50 rows of either kind"
    assert [fed.values for fed in recorded.values()] == [[], []]


def test_a_share_of_zero_is_not_calibrated_and_says_so():
    assert DDM.tuned(Normal(0.0, 0.0, 1.0, shares=True), 1e6) is None
