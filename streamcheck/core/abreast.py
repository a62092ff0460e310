"""How do many monitors at rest take one pane? What they ask as columns; what is said stays there until somebody looks.

A monitor rests while one more quiet pane changes nothing but figures: its reference is ready, no alert is open, nothing
looks like a change. Which ones rest is no part of the state: with it or without it everything comes out the same.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors._steps import named
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.instances import Shown, Span
from streamcheck.core.measures._compared import Compared, Figures
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._standing import Standing
from streamcheck.core.monitors import Asked, Judged, PaneInstance
from streamcheck.core.summaries import Moment
from streamcheck.core.terms import TERMS, mean_steps, mean_terms, share_steps, share_terms
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Verdict

if TYPE_CHECKING:
    from streamcheck.core.stepping import Work

SHOWN = len(Figures._fields) + 2
"""The figures, score and threshold of what was judged last."""
_BASELINE = Standing._fields.index("baseline")


class Turn(Enum):
    """What remains to be done with a monitor's pane."""

    ALONE = 0     # all of it
    ANSWERED = 1  # it is to hear what its detector has said, and to conclude
    LEARNS = 2    # its reference is to learn from it
    DONE = 3      # nothing


class Answer(NamedTuple):
    """What was asked, and what the detector has said."""

    asked: Asked
    judged: Sequence[Judged]


class Place:
    """One monitor's place in a rank."""

    __slots__ = ("content", "fixed", "instance", "learns", "measure", "moment", "number", "rank")

    def __init__(self, rank: "Rank", number: int, instance: PaneInstance, measure: Compared) -> None:
        self.rank, self.number, self.instance, self.measure = rank, number, instance, measure
        self.content: MomentAccumulator | None = None
        """What it is compared with, which stays as it is while that holds `moment`."""
        self.moment: Moment | None = None
        self.fixed = False
        """Whether it is compared with the same from now on, as long as it rests."""
        self.learns = True
        """Whether its reference is to see every pane."""

    def newest(self) -> Shown | None:
        """What was judged here since this was asked last; None if nothing was."""
        rank, number = self.rank, self.number
        if not rank.fresh[number]:
            return None
        assert self.content is not None, "it was compared with something"
        rank.fresh[number] = False
        rows, *figures, score, threshold = rank.shown[:, number].tolist()
        told = partial(self.measure.against, Figures(int(rows), *figures), self.content)
        baseline = float(rank.known[_BASELINE, number])
        return Shown(int(rows), figures[1], baseline, score, threshold, int(rank.judged_ms[number]), told)

    def finds(self, start_ms: int) -> bool:
        """Whether what this pane is compared with is at hand, and stays as it is whatever the pane holds."""
        normal = self.instance.normal
        assert normal is not None, self.instance.spec.id
        reference = normal.reference
        if reference.stage(start_ms) is not normal.stage or not reference.steady(start_ms, quiet=True):
            return False
        return self.compares(reference.baseline(start_ms))

    def compares(self, content: object) -> bool:
        """Whether this content can be taken as numbers; from now on they stand in the rank."""
        if content is self.content and self.content is not None and self.content.moment is self.moment:
            return True
        self.instance.catch_up()
        self.content = None
        if not isinstance(content, MomentAccumulator) or (standing := self.measure.standing(content)) is None:
            return False
        self.content, self.moment = content, content.moment
        self.rank.known[:, self.number], self.rank.rows[self.number] = standing, 0.0
        return True


class Rank:
    """Monitors whose figures are all of shares, or all of means, as columns by place (C,)."""

    def __init__(self, *, shares: bool) -> None:
        self._shares = shares
        self.places = 0
        self.chart: IntArray = np.zeros(0, np.int64)
        self.suspects: FloatArray = np.zeros(0)
        """Part of the threshold beyond which a change may have begun; infinite where nobody asks."""
        self.known: FloatArray = np.zeros((len(Standing._fields), 0))
        self.rows: FloatArray = np.zeros(0)
        """Of the panes that the terms are for; 0 where there are none yet."""
        self.terms: FloatArray = np.zeros((TERMS, 0))
        self.shown: FloatArray = np.zeros((SHOWN, 0))
        self.judged_ms: IntArray = np.zeros(0, np.int64)
        self.fresh: BoolArray = np.zeros(0, np.bool_)
        """Where nobody has seen yet what was judged last."""

    def enrol(self, instance: PaneInstance, measure: Compared) -> Place:
        """A place for it."""
        if self.places == len(self.rows):
            more = max(8, self.places // 2)
            for name in ("chart", "suspects", "known", "rows", "terms", "shown", "judged_ms", "fresh"):
                held = getattr(self, name)
                setattr(self, name, np.concatenate([held, np.zeros((*held.shape[:-1], more), held.dtype)], axis=-1))
        self.places += 1
        return Place(self, self.places - 1, instance, measure)

    def steps(self, places: IntArray, figures: FloatArray) -> tuple[FloatArray, BoolArray | None]:
        """What charts are to judge (NUMBERS, N), and which of it is too far away for that. figures: as columns (N,)."""
        rows, value, *_ = figures
        anew = np.flatnonzero(self.rows[places] != rows)
        if len(anew):
            some, fit = places[anew], share_terms if self._shares else mean_terms
            self.terms[:, some], self.rows[some] = fit(Standing(*self.known[:, some]), rows[anew]), rows[anew]
        terms = np.take(self.terms, places, axis=1)
        if self._shares:
            return share_steps(terms, value), None
        table, far = mean_steps(terms, Standing(*np.take(self.known, places, axis=1)), figures)
        return table, far if far.any() else None

    def show(self, places: IntArray, shown: FloatArray, at_ms: int) -> None:
        """What was judged of these. shown (SHOWN, N)."""
        self.shown[:, places], self.judged_ms[places], self.fresh[places] = shown, at_ms, True


class Asking(NamedTuple):
    """What monitors of one rank ask of a pane (N,): table (NUMBERS, N), and the figures behind it, also as columns."""

    rank: Rank
    resting: Sequence[tuple["Work", Place]]
    told: Sequence[Figures]
    places: IntArray
    figures: FloatArray
    table: FloatArray

    @staticmethod
    def of(rank: Rank, resting: Sequence[tuple["Work", Place]]) -> "Asking":
        """Of those that say something, as far as they are not to be asked one by one."""
        found = [place.measure.figures(work.left[0]) for work, place in resting]
        told = [figures for figures in found if figures is not None]
        if len(told) < len(found):
            resting = [each for each, figures in zip(resting, found, strict=True) if figures is not None]
        places = np.array([place.number for _, place in resting], np.int64)
        figures = np.array(told, np.float64).reshape(-1, len(Figures._fields)).T.copy()
        table, far = rank.steps(places, figures)
        if far is None:
            return Asking(rank, resting, told, places, figures, table)
        near = np.flatnonzero(~far)
        kept = near.tolist()
        some = [resting[at] for at in kept], [told[at] for at in kept]
        return Asking(rank, *some, places[near], figures[:, near], table[:, near])

    def leave(self, span: Span, quiet: BoolArray, scores: FloatArray) -> None:
        """Quiet ones (N,) are done, or have but to learn. scores (2, N): what is shown of them, and thresholds."""
        self.rank.show(self.places[quiet], np.concatenate([self.figures, scores])[:, quiet], span.start_ms)
        judged = []
        for (work, place), mine in zip(self.resting, quiet.tolist(), strict=True):
            if mine:
                judged.append(work.instance)
                work.turn = Turn.LEARNS if place.learns else Turn.DONE
        self.resting[0][0].instance.judged.extend(judged)


class Abreast:
    """The monitors of a board that rest, or may."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._ranks = {shares: Rank(shares=shares) for shares in (False, True)}

    def settle(self, span: Span, works: Iterable["Work"]) -> None:
        """These have been judged one by one: which of them rest from now on?"""
        for work in works:
            instance = work.instance
            instance.rests = instance.may_rest() and self._settled(span, instance)

    def _settled(self, span: Span, instance: PaneInstance) -> bool:
        """Give it a place; False where its measure does not compare figures, or not with what is at hand."""
        measure, normal, (detector,) = instance.measure, instance.normal, instance.detectors
        if not isinstance(measure, Compared) or not measure.together or normal is None:
            return False
        if instance.seat is None:
            instance.seat = self._ranks[measure.shares].enrol(instance, measure)
        place, rank = instance.seat, instance.seat.rank
        assert isinstance(detector, Scan), instance.spec.id
        rank.chart[place.number] = detector.chart[1]
        rank.suspects[place.number] = np.inf if instance.grant is None else detector.suspects
        place.fixed, place.learns = normal.settled, not normal.reference.frozen
        return not place.fixed or place.compares(normal.reference.baseline(span.start_ms))

    def take(self, span: Span, works: Sequence["Work"]) -> Sequence["Work"]:
        """Monitors at rest take their pane. All works that are not done by that, in their order."""
        if not works or works[0].instance.watcher is not None:
            return works
        resting: dict[bool, list[tuple[Work, Place]]] = {shares: [] for shares in self._ranks}
        for work in works:
            instance = work.instance
            if instance.rests and len(work.left) == 1:
                place = instance.seat
                if place is not None and (place.fixed or place.finds(span.start_ms)):
                    resting[place.measure.shares].append((work, place))
        parts = [Asking.of(self._ranks[shares], held) for shares, held in resting.items() if held]
        parts = [part for part in parts if part.resting]
        if parts:
            self._step(span, parts)
        return [work for work in works if work.turn is not Turn.DONE]

    def _step(self, span: Span, parts: Sequence[Asking]) -> None:
        """All of them in one step of the bank; those that must be told in full have heard it then."""
        bank = self._bank
        charts = np.concatenate([part.rank.chart[part.places] for part in parts])
        suspects = np.concatenate([part.rank.suspects[part.places] for part in parts])
        steps = named(np.concatenate([part.table for part in parts], axis=1))
        score, foremost = bank.judge(charts, steps, span.start_ms)
        h = bank.h[charts]
        odd = score > h * suspects
        odd[foremost.places] = True
        scores, start = np.stack([np.minimum(score, h), h]), 0
        for part in parts:
            stop = start + len(part.resting)
            part.leave(span, ~odd[start:stop], scores[:, start:stop])
            start = stop
        which = np.flatnonzero(odd)
        if len(which):
            some = foremost.among(which)
            verdicts = bank.told(charts[which], steps.taken(which), score[which], some, span.start_ms)
            asked = [(*each, figures) for part in parts for each, figures in zip(part.resting, part.told, strict=True)]
            for at, verdict in zip(which.tolist(), verdicts, strict=True):
                _answer(*asked[at], verdict)


def _answer(work: "Work", place: Place, figures: Figures, verdict: Verdict) -> None:
    """As if it had been asked, and had heard this, by itself."""
    instance = work.instance
    signal = place.measure.against(figures, place.content)
    assert signal is not None, "it was judged"
    (part,), (detector,) = instance.parts, instance.detectors
    asked = Asked(work.left[0], place.content, (part,), ((detector, signal),))
    work.answer, work.turn = Answer(asked, [Judged(part, signal, verdict)]), Turn.ANSWERED
