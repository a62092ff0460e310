"""Does every registered reference keep the contract, over accumulators of every kind?"""

import inspect

import numpy as np
import pytest

import streamcheck.core.measures
import streamcheck.core.references
from streamcheck.core.codec import decode, encode
from streamcheck.core.components import build, components
from streamcheck.core.references.base import Readiness, Stage
from streamcheck.core.room import Room, unlimited
from streamcheck.core.summaries import Layout, StreamSummary, fold_categorical, fold_numeric
from streamcheck.core.zones import Timing
from streamcheck.errors import ParameterError

assert streamcheck.core.measures  # importing registers them
assert streamcheck.core.references

NAMES = tuple(components("reference"))
HOUR_MS = 3_600_000
HOURLY = Timing(HOUR_MS)
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z, a Sunday
LAYOUT = Layout.build(np.random.default_rng(0).normal(0.0, 1.0, 1_000))
MEASURES = ("mean_shift", "missing_rate", "psi", "category_shift", "volume")
ORDER = [Readiness.WARMING_UP, Readiness.PROVISIONAL, Readiness.READY]

each = pytest.mark.parametrize("name", NAMES)
over = pytest.mark.parametrize("measure", MEASURES)


def make(name, measure="volume", **params):
    """A reference at its beginning; one that learns nothing has been given the content of 40 panes."""
    reference = build("reference", name, params)
    accumulator = build("measure", measure, {}).accumulator
    reference.bind(accumulator, unlimited(), HOURLY)
    if not reference.learns:
        given = accumulator()
        taken = sum(given.add(pane(measure, number)) for number in range(40))
        reference.fill(taken, given.export())
    return reference


def pane(measure, number):
    """The hour's pane: it depends on its number only, with a season of a day in it."""
    rng = np.random.default_rng(number)
    n, level = int(rng.integers(5, 15)), np.sin(2 * np.pi * number / 24)
    if measure == "volume":
        return StreamSummary(n)
    if measure == "category_shift":
        codes = rng.integers(0, 4, n).astype(np.int32)
        return fold_categorical(codes, np.zeros(n, np.uint8), ("a", "b", "c", "d")).summary(0)
    status = (rng.random(n) < 0.2).astype(np.uint8)
    return fold_numeric(np.where(status == 0, rng.normal(level, 1.0, n), 0.0), status, LAYOUT).summary(0)


def hours(days):
    """Hourly panes, with a night's silence now and then and one of two days."""
    return [h for h in range(24 * days) if not (h // 24 % 9 == 5 and h % 24 < 6) and not 500 <= h < 548]


def content(reference, start_ms):
    """The baseline as bytes."""
    found = reference.baseline(start_ms)
    return None if found is None else encode("content", 1, found.export())


def quiet(number):
    return number % 50 > 3


@each
def test_documented(name):
    cls = components("reference")[name]
    assert inspect.getdoc(inspect.getmodule(cls))
    assert "?" in inspect.getdoc(cls).splitlines()[0]
    for declared in cls.params:
        assert declared.doc.endswith("."), f"{name}.{declared.name}: a sentence says what it is"


@each
def test_refuses_bad_parameters(name):
    for declared in components("reference")[name].params:
        bad = [None, 1 if declared.choices or declared.type is str else "a text", [1], 0.5, True, -1]
        bad += ["hour_of_year"] if declared.choices else [0]
        for value in bad:
            with pytest.raises(ParameterError, match=f"{declared.name} must be") as caught:
                build("reference", name, {declared.name: value})
            assert caught.value.parameter == declared.name
    with pytest.raises(ParameterError, match="has no parameter 'nonsense'"):
        build("reference", name, {"nonsense": 1})


@each
@over
def test_restored_mid_stream_equals_uninterrupted(name, measure):
    whole, stopped = make(name, measure), make(name, measure)
    for number in hours(33):
        start_ms = START_MS + number * HOUR_MS
        if number % 5 == 0:
            assert content(whole, start_ms) == content(stopped, start_ms)
            state = encode(name, 1, stopped.export())
            assert encode(name, 1, whole.export()) == state
            stopped = make(name, measure)
            stopped.restore(decode(name, state)[1])
        assert whole.progress() == stopped.progress()
        for reference in (whole, stopped):
            reference.observe(start_ms, pane(measure, number), quiet=quiet(number))
    assert content(whole, start_ms) is not None


def spoil(state):
    """Overwrite everything in a state that can be overwritten."""
    if isinstance(state, np.ndarray):
        state[...] = 0
    elif isinstance(state, list | dict):
        for item in list(state.values() if isinstance(state, dict) else state):
            spoil(item)
        state.clear()


@each
@over
def test_shares_no_memory_with_exports(name, measure):
    reference, again = make(name, measure), make(name, measure)
    for number in hours(17):
        reference.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=True)
    before = encode(name, 1, reference.export())
    spoil(reference.export())
    state = reference.export()
    again.restore(state)
    spoil(state)
    assert encode(name, 1, reference.export()) == before
    assert encode(name, 1, again.export()) == before


@each
@over
def test_asking_changes_nothing(name, measure):
    reference = make(name, measure)
    for number in hours(17):
        reference.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=True)
    before = encode(name, 1, reference.export())
    answers = [content(reference, START_MS + h * HOUR_MS) for h in (400, 410, 10_000, 400)]
    reference.progress()
    assert answers[0] == answers[3]
    assert encode(name, 1, reference.export()) == before


@each
def test_warms_up_then_is_provisional_then_ready_and_stays_so(name):
    reference = make(name)
    seen, previous = [], None
    for number in range(24 * 40):
        start_ms = START_MS + number * HOUR_MS
        progress = reference.progress()
        assert 0 <= progress.have <= progress.want
        assert progress.unit in {"panes", "hours", "minutes", "seconds", "ms"}
        assert (content(reference, start_ms) is None) == (progress.readiness is Readiness.WARMING_UP)
        if progress.readiness is not previous:
            seen.append(progress.readiness)
            previous = progress.readiness
        reference.observe(start_ms, pane("volume", number), quiet=True)
    assert seen in ((ORDER, [ORDER[0], ORDER[2]]) if reference.learns else ([ORDER[2]],))


@each
def test_its_stage_goes_with_its_readiness(name):
    """Blind or learning while it warms up and is provisional, ready once it is; one pane's difference at most."""
    reference = make(name)
    behind = 0
    for number in range(24 * 40):
        start_ms = START_MS + number * HOUR_MS
        ready = reference.progress().readiness is Readiness.READY
        behind += ready is not (reference.stage(start_ms) >= Stage.READY)
        reference.observe(start_ms, pane("volume", number), quiet=True)
    assert behind <= 1
    assert (reference.learning_ms > 0) == reference.learns


@each
@over
def test_says_what_it_holds_of_the_room(name, measure):
    room = Room(10**9)
    reference = build("reference", name, {})
    reference.bind(build("measure", measure, {}).accumulator, room, HOURLY)
    for number in range(24 * 20):
        reference.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=quiet(number))
        assert reference.held_bytes == room.used
    reference.restore(reference.export())
    assert reference.held_bytes == room.used


@each
def test_panes_that_hold_nothing_do_not_count(name):
    reference = make(name, "mean_shift")
    empty = fold_numeric(np.zeros(3), np.ones(3, np.uint8), LAYOUT).summary(0)
    for number in range(24 * 40):
        reference.observe(START_MS + number * HOUR_MS, empty, quiet=True)
    if not reference.learns:  # nothing counts here, neither empty panes nor others
        assert reference.progress().have == 40
        return
    assert reference.baseline(START_MS + 24 * 40 * HOUR_MS) is None
    assert (reference.progress().readiness, reference.progress().have) == (Readiness.WARMING_UP, 0)


@each
@over
def test_state_stays_bounded(name, measure):
    reference = make(name, measure)
    sizes = []
    for number in range(24 * 70):
        reference.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=True)
        if number in (24 * 35, 24 * 70 - 1):
            sizes.append(len(encode(name, 1, reference.export())))
    assert sizes[1] < 1.1 * sizes[0]
    assert sizes[1] < 500_000


@over
def test_a_profile_without_content_says_nothing_for_ever(measure):
    reference = build("reference", "profile", {})
    reference.bind(build("measure", measure, {}).accumulator, unlimited(), HOURLY)
    for number in range(24 * 10):
        reference.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=True)
    assert reference.baseline(START_MS) is None
    assert reference.progress().readiness is Readiness.WARMING_UP


@over
def test_a_profile_is_judged_like_the_reference_that_made_it(measure):
    """Content of the first 40 panes, learned or given: the same signals, bit for bit."""
    learned, given, made = (
        make("first", measure, span_ms=10**14),
        make("profile", measure),
        build("measure", measure, {}),
    )
    for number in range(40):
        learned.observe(START_MS + number * HOUR_MS, pane(measure, number), quiet=True)
    assert encode("content", 1, learned.learned.content.export()) == content(given, START_MS)
    for number in range(40, 60):
        signals = [made.signal(pane(measure, number), r.baseline(START_MS)) for r in (learned, given)]
        assert signals[0] == signals[1]
