"""Many monitors take one pane: measures and references one by one, charts all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamcheck.core.abreast import Abreast, Answer, Turn
from streamcheck.core.alerts import Change, Finding
from streamcheck.core.detectors.base import PaneDetector
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.instances import Span
from streamcheck.core.monitors import Judged, PaneInstance
from streamcheck.core.stretches import go
from streamcheck.core.types import Signal, Verdict

WORK_MAX = 4_096
"""Monitors that step together: their summaries are in memory at once, 2 kB each."""


@dataclass(slots=True)
class Work:
    """One monitor's pane: the summaries still to be judged, several where labels completed several blocks."""

    instance: PaneInstance
    left: Sequence[Any]
    found: Finding | None = None
    stepped: bool = False
    changes: list[Change] = field(default_factory=list)
    turn: Turn = Turn.ALONE
    answer: Answer | None = None


class Stepping:
    """Collects work for a pane; `finish` has done it all. Results stand in the order of `add`."""

    def __init__(self, span: Span, abreast: Abreast | None = None) -> None:
        self._span, self._abreast = span, abreast
        self._changes: list[list[Change]] = []
        self._waiting: list[Work] = []

    def add(self, instance: PaneInstance, summaries: Sequence[Any]) -> None:
        """A monitor's pane."""
        work = Work(instance, summaries)
        self._changes.append(work.changes)
        self._waiting.append(work)
        if len(self._waiting) == WORK_MAX:
            self._step()

    def put(self, changes: list[Change]) -> None:
        """What another kind of monitor has made of the pane."""
        self._changes.append(changes)

    def finish(self) -> list[Change]:
        """All alerts that changed."""
        self._step()
        return [change for changes in self._changes for change in changes]

    def _step(self) -> None:
        step(self._span, self._waiting, self._abreast)
        self._waiting = []


def step(span: Span, works: Sequence[Work], abreast: Abreast | None = None) -> None:
    """Each monitor's summaries in their order: many at once where that is the same, else the next of all monitors.

    abreast: the monitors that may rest; those that do are asked together.
    """
    works = works if abreast is None else abreast.take(span, works)
    alone = [work for work in works if work.turn is Turn.ALONE]
    for work in alone:
        work.instance.enter(span)
    active = [work for work in works if work.left]
    while active:
        for work in active:
            if work.turn is Turn.ALONE:
                gone = go(work.instance, span, work.left, work.found)
                work.left, work.found = work.left[gone.summaries :], gone.found
                work.stepped = work.stepped or gone.stepped
        active = [work for work in active if work.left]
        _step_next(span, active)
        active = [work for work in active if work.left]
    for work in works:
        if work.stepped or work.instance.tracker.accepted is not None:
            work.changes += work.instance.conclude(span, work.found)
    if abreast is not None:
        abreast.settle(span, [work for work in works if work.turn is not Turn.LEARNS])


def _step_next(span: Span, active: Sequence[Work]) -> None:
    """The next summary of each monitor, charts all at once."""
    alone = [work for work in active if work.turn is Turn.ALONE]
    asked = [work.instance.ask(span, work.left[0]) for work in alone]
    verdicts = iter(judge([pair for each in asked for pair in each.questions], span.start_ms))
    for work, each in zip(alone, asked, strict=True):
        named = zip(each.parts, each.questions, strict=True)
        work.answer = Answer(each, [Judged(part, signal, next(verdicts)) for part, (_, signal) in named])
    for work in active:
        if work.answer is None:
            work.instance.learn(span, work.left[0])
        else:
            work.found = work.instance.hear(span, *work.answer, work.found)
            work.stepped = work.stepped or bool(work.answer.judged)
        work.left = work.left[1:]


def judge(questions: Sequence[tuple[PaneDetector, Signal]], at_ms: int) -> list[Verdict]:
    """What detectors say, each to its own signal; charts of a bank in one step."""
    together = [at for at, (detector, _) in enumerate(questions) if isinstance(detector, Scan)]
    told: dict[int, Verdict] = {}
    if together:
        charts = [(questions[at][0].chart, questions[at][1]) for at in together]  # type: ignore[attr-defined]
        bank = charts[0][0][0]
        assert all(chart[0] is bank for chart, _ in charts), "charts of several banks"
        numbers = np.array([number for (_, number), _ in charts], np.int64)
        told = dict(zip(together, bank.step(numbers, [signal for _, signal in charts], at_ms), strict=True))
    return [told[at] if at in told else detector.step(signal, at_ms) for at, (detector, signal) in enumerate(questions)]
