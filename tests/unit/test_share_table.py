"""More categories than have a place: those without one are part of the rest, wherever shares are compared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - both register their components
from streamcheck.core.components import build
from streamcheck.core.looks import Look
from streamcheck.core.measures._share_table import NAMES_MAX, ShareAccumulator
from streamcheck.core.measures.category_share import REST
from streamcheck.core.room import Room, unlimited
from streamcheck.core.summaries import fold_categorical
from streamcheck.core.zones import Timing

DAY_MS = 86_400_000
MONDAY_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z
MINUTES = 30
REFERENCES = [
    ("auto", {}),
    ("season", {"slots": "hour_of_day", "over_ms": 14 * DAY_MS}),
    ("season", {"slots": "hour_of_week", "over_ms": 14 * DAY_MS}),
    ("rolling", {"span_ms": DAY_MS}),
    ("first", {"span_ms": DAY_MS}),
]


def pane(names):
    """A pane of these rows."""
    held = list(dict.fromkeys(names))
    codes = np.array([held.index(name) for name in names], np.int32)
    return fold_categorical(codes, np.zeros(len(codes), np.uint8), tuple(held)).summary(0)


def drawn(rng, at, categories, rows=40):
    """Rows of one pane: a third of the categories come in some hours only."""
    hour = at * MINUTES // 60 % 24
    present = [k for k in range(categories) if k % 3 or k % 24 in (hour, (hour + 1) % 24)]
    return [f"s{k}" for k in rng.choice(present, rows).tolist()]


def bound(name, params, room=None):
    made = build("reference", name, params)
    measure = build("measure", "category_share", {})
    made.bind(measure.accumulator, room or unlimited(), Timing(MINUTES * 60_000))
    return measure, made


def shares_of(content, names):
    """The shares of names that are known, and of everything else."""
    known = tuple(name for name in names if content.knows(name))
    return [content.share(name).moment.mean for name in known], content.others(known).moment.mean


@pytest.mark.parametrize("reference", REFERENCES)
@settings(max_examples=5, deadline=None)
@given(categories=st.sampled_from([NAMES_MAX - 1, NAMES_MAX + 1, 70, 400]), seed=st.integers(0, 999))
def test_shares_add_up_to_one_with_any_number_of_categories(reference, categories, seed):
    """At every pane of three days, and of a reference that was stopped and restored just before it."""
    rng = np.random.default_rng(seed)
    measure, made = bound(*reference)
    names = [f"s{k}" for k in range(categories)]
    parts = ()
    for at in range(3 * 24 * 60 // MINUTES):
        start_ms = MONDAY_MS + at * MINUTES * 60_000
        summary = pane(drawn(rng, at, categories))
        if at % 40 == 0:
            _, restored = bound(*reference)
            restored.restore(made.export())
            made = restored
        content = made.baseline(start_ms)
        if content is not None and at % 7 == 0:
            parts = parts or measure.parts(content)
            shares, rest = shares_of(content, names)
            assert sum(shares) + rest == pytest.approx(1.0)
            assert all(share >= -1e-9 for share in (*shares, rest))
            assert len(content.names) <= NAMES_MAX
            signals = [signal for signal in measure.signals(summary, content, parts) if signal is not None]
            if parts[-1] == REST:
                assert sum(signal.value for signal in signals) == pytest.approx(1.0), "of the pane, too"
                assert sum(signal.baseline for signal in signals) == pytest.approx(1.0)
        made.observe(start_ms, summary, quiet=True)


@pytest.mark.parametrize("rows", [40, 4_000])
@pytest.mark.parametrize("reference", REFERENCES)
def test_a_category_that_finds_no_place_is_not_taken_for_one_that_never_comes(reference, rows):
    """Sixty categories, evenly likely: whatever is known of one is about a sixtieth, in every hour."""
    rng = np.random.default_rng(0)
    _, made = bound(*reference)
    names = [f"s{k}" for k in range(60)]
    for at in range(4 * 24 * 60 // MINUTES):
        start_ms = MONDAY_MS + at * MINUTES * 60_000
        content = made.baseline(start_ms)
        if content is not None and at % 5 == 0 and at > 150:
            shares, _ = shares_of(content, names)
            assert all(0.2 / 60 < share < 3 / 60 for share in shares) if rows > 40 else 0.0 not in shares
        made.observe(start_ms, pane([names[k] for k in rng.integers(60, size=rows).tolist()]), quiet=True)


@pytest.mark.parametrize("reference", REFERENCES)
def test_hours_and_parts_of_a_span_keep_the_places_of_those_before(reference):
    """Else what all of them know would shrink to nothing."""
    rng = np.random.default_rng(1)
    _, made = bound(*reference)
    for at in range(9 * 24 * 60 // MINUTES):
        made.observe(MONDAY_MS + at * MINUTES * 60_000, pane([f"s{k}" for k in rng.integers(60, size=100)]), quiet=True)
    assert len(made.baseline(MONDAY_MS + 9 * DAY_MS).names) == NAMES_MAX


def test_what_either_does_not_know_goes_with_the_rest():
    """The first has 49 names and x, no rest; the second has 50 others, and a rest that x is a part of."""
    room = Room(1_000_000)
    one, other = ShareAccumulator(), ShareAccumulator()
    one.attach(room)
    one.add(pane([*(f"s{k}" for k in range(49)), "x"]))
    other.add(pane([*(f"s{k}" for k in range(50)), "x", "y", "z"]))
    assert room.used == one.held_bytes - ShareAccumulator().held_bytes
    assert not other.knows("x")
    one.merge(other)
    assert one.counts == {f"s{k}": 2 for k in range(49)} | {"s49": 1}
    assert (one.n, one.rest) == (103, 4), "s49 was never seen before, which is known; x is not"
    assert room.used == one.held_bytes - ShareAccumulator().held_bytes
    one.add(pane(["x"] * 5))
    assert "x" not in one.names, "what came before is not known any more"
    restored = ShareAccumulator()
    restored.restore(one.export())
    assert restored.export().keys() == one.export().keys()
    assert restored.counts == one.counts


def test_a_category_without_a_place_has_no_signal_and_counts_among_all_others():
    measure = build("measure", "category_share", {})
    reference = measure.accumulator()
    for _ in range(40):
        reference.add(pane([f"s{k}" for k in range(60)]))
    signals = measure.signals(pane(["s1"] * 30 + ["s59"] * 30), reference, ("s1", "s59", REST))
    assert [signal and (signal.value, signal.baseline) for signal in signals] == [
        (0.5, pytest.approx(1 / 60)),
        None,
        (0.5, pytest.approx(59 / 60)),
    ]


def test_a_page_shows_it_among_all_others_on_both_sides():
    reference, look = ShareAccumulator(), Look()
    reference.add(pane([f"s{k}" for k in range(60)]))
    look.add(0, pane(["s1"] * 30 + ["s59"] * 30))
    shown = look.against(reference).bars
    assert "s59" not in shown.names
    assert (shown.names[-1], shown.now[-1]) == ("all others", 0.5)
