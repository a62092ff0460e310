"""Is what happened lately remembered as it was, within its bounds, and without a trace in what is judged?"""

from types import SimpleNamespace

import numpy as np
import pytest

from streamcheck.core import trails
from streamcheck.core.alerts import AlertState
from streamcheck.core.instances import Span
from streamcheck.core.intervals import Interval
from streamcheck.core.readings import NUMBERS
from streamcheck.core.trails import PIECES_PER_SIZE, SIZES_MAX, TrailBook


def monitor(name="m", segment=(), level=1.0, score=0.5):
    made = SimpleNamespace(
        spec=SimpleNamespace(id=name), segment=segment, trail=None, level=level, baseline=2.0, score=score,
        threshold=8.0, tracker=SimpleNamespace(state=AlertState.QUIET),
    )  # fmt: skip
    made.usual = lambda _: Interval(made.level - 1, made.level + 1)
    return made


def pane(number):
    return Span(1_000 * number, 1_000 * number + 1_000)


def test_every_extreme_is_kept_however_old():
    book, one = TrailBook(), monitor()
    for number in range(3_000):
        one.level, one.score = (-50.0, 7.0) if number == 1_234 else (float(number % 7), 1.0)
        book.add(pane(number), [one])
    trail = book.reading().of("m", ())
    assert trail["low"].min() == -50.0
    assert trail["high"].max() == 6.0
    assert trail["score"].max() == 7.0
    assert trail.starts[0] == 0
    assert trail.ends[-1] == 3_000_000
    assert (trail.starts[1:] == trail.ends[:-1]).all(), "no pane is missing"


def test_pieces_grow_with_age_and_their_number_does_not():
    book, one = TrailBook(), monitor()
    panes = 2 * PIECES_PER_SIZE * (2**SIZES_MAX - 1)
    for number in range(panes):
        book.add(pane(number), [one])
    pieces = book.reading().pieces
    assert len(pieces) <= (PIECES_PER_SIZE + 1) * SIZES_MAX
    assert [p.panes for p in pieces] == sorted((p.panes for p in pieces), reverse=True)
    assert pieces[-1].panes == 1
    assert pieces[0].panes == 2 ** (SIZES_MAX - 1)
    assert sum(p.panes for p in pieces) < panes, "the oldest are forgotten"


def test_who_judged_nothing_has_no_number_there():
    book, always, seldom = TrailBook(), monitor("always"), monitor("seldom", (("tier", "a"),))
    for number in range(10):
        book.add(pane(number), [always, seldom] if number == 4 else [always])
    shown = book.reading()
    assert len(shown.of("always", ())) == 10
    assert shown.of("seldom", (("tier", "a"),)).starts.tolist() == [4_000]
    assert shown.of("seldom", ()) is None
    assert len(shown.of("always", (), newest=3)) == 3


def test_a_reading_never_changes():
    book, one = TrailBook(), monitor()
    book.add(pane(0), [one])
    before = book.reading()
    for number in range(1, 200):
        book.add(pane(number), [one, monitor(f"m{number}")])
    assert len(before.pieces) == 1
    assert before.of("m", ())["low"].tolist() == [1.0]
    assert before.of("m7", ()) is None


def test_no_more_monitors_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(trails, "MONITORS_MAX", 3)
    book = TrailBook()
    book.add(pane(0), [monitor(f"m{number}") for number in range(10)])
    assert book.reading().pieces[0].numbers.shape == (3, len(NUMBERS))


def test_usual_ranges_are_worked_out_by_turns(monkeypatch):
    monkeypatch.setattr(trails, "USUAL_MAX", 2)
    book, many = TrailBook(), [monitor(f"m{number}", level=float(number)) for number in range(4)]
    book.add(pane(0), many)
    book.add(pane(1), many)
    lows = [book.reading().of(f"m{number}", ())["usual_low"].tolist() for number in range(4)]
    assert lows[0] == [-1.0, -1.0], "those of the pane before stay"
    assert np.isnan(lows[2][0])
    assert lows[2][1] == 1.0


@pytest.mark.parametrize("value", [None, float("inf"), -1e300, 1e-320])
def test_numbers_of_any_kind(value):
    book, one = TrailBook(), monitor()
    one.baseline, one.threshold, one.score = value, value, value
    book.add(pane(0), [one])
    assert len(book.reading().of("m", ())) == 1
