"""Many summaries of one monitor at once, as blocks of labelled rows come: as if they had come one after the other.

Between two of them nothing changes but sums, as long as no alert opens and no reference is given up.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.alerts import Finding
from streamcheck.core.blocks import against_growing, against_one, tells_growing
from streamcheck.core.detectors._course import Course
from streamcheck.core.detectors._steps import numbers, tabled
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.instances import Span
from streamcheck.core.measures.base import Measure
from streamcheck.core.monitors import Asked, Judged, PaneInstance
from streamcheck.core.references.base import Stage
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal

BLOCKS_MIN, BLOCKS_MAX = 4, 1_024


class Gone(NamedTuple):
    """How many summaries were taken, whether a detector saw one of them, and what the pane has found by now."""

    summaries: int
    stepped: bool
    found: Finding | None


def go(instance: PaneInstance, span: Span, summaries: Sequence[Any], found: Finding | None) -> Gone:
    """Take as many of the summaries as can be taken at once; none where each must be looked at."""
    if len(summaries) >= BLOCKS_MIN and _even(instance):
        stretch = _Stretch(instance, span, summaries[:BLOCKS_MAX], found)
        if stretch.returns:
            return stretch.go()
    return Gone(0, False, found)  # noqa: FBT003


def _even(instance: PaneInstance) -> bool:
    """Whether blocks of this monitor may be taken together."""
    normal, detectors = instance.normal, instance.detectors
    if normal is None or not normal.even(compared=instance.grant is not None):
        return False
    return len(detectors) == 1 and isinstance(detectors[0], Scan)


class _Stretch:
    """Some summaries of one monitor and pane."""

    def __init__(self, instance: PaneInstance, span: Span, summaries: Sequence[Any], found: Finding | None) -> None:
        assert instance.normal is not None, instance.spec.id
        self.instance, self._normal, self._reference = instance, instance.normal, instance.normal.reference
        self.span, self.summaries, self._found = span, summaries, found
        self.quiet = instance.quiet and found is None
        self._alerting = instance.may_alert()
        self._steady = self._reference.steady(span.start_ms, quiet=self.quiet)
        cuts = self._normal.stage is Stage.LEARNING and instance.grant is not None
        self._stop = self.quiet if self._alerting else cuts
        """Whether a step that drifts changes what comes after it."""

    @property
    def returns(self) -> bool:
        """Whether it is worth while: what a reference has learned can be taken back, if that should be too much."""
        if self._steady:
            return True
        return self.instance.watcher is None and len(self.summaries) >= self._reference.pools_max

    def go(self) -> Gone:
        """All of the summaries, or those up to the first that changes something."""
        kept = self._reference.export() if self._stop and not self._steady else None
        said = _steady(self) if self._steady else _learning(self)
        course = self._course(said.table) if len(said.places) else None
        number, ends = len(self.summaries), course is not None and self._stop and course.drifting >= 0
        if course is not None and ends:
            number = int(said.places[course.drifting])
        if self._steady or (kept is not None and ends):
            if kept is not None:
                self._reference.restore(kept)
            self._observe(number)
        found = self._take(said, course, number)
        if course is None or not ends:
            return Gone(number, course is not None, found)
        return Gone(number + 1, True, self._hear(number, said.signal(course.drifting), course, found))  # noqa: FBT003

    def _course(self, table: FloatArray) -> Course:
        detector = self.instance.detectors[0]
        assert isinstance(detector, Scan), self.instance.spec.id
        bank, chart = detector.chart
        return Course(bank, chart, tabled(table), self.span.start_ms, stop=self._stop)

    def _observe(self, number: int) -> None:
        """The reference learns from the first of the summaries, once it is known that nothing happens in them."""
        self._reference.observe_many(self.span.start_ms, self.summaries[:number], quiet=self.quiet)

    def _take(self, said: "_Said", course: Course | None, number: int) -> Finding | None:
        """So many summaries were judged, and none of them changed anything. What the pane has found by now."""
        judged = int(np.searchsorted(said.places, number))
        self._heed(said, course, number)
        if course is None or not judged:
            return self._found
        instance, span = self.instance, self.span
        for at in range(0 if instance.watcher is not None else judged - 1, judged):
            instance.tell(span, said.signal(at), course.verdict(at), said.content(at))
        if self._stop or not self._alerting or course.drifting < 0:
            return self._found
        at = course.drifting
        summary = self.summaries[int(said.places[at])]
        return instance.find(span, summary, said.content(at), said.signal(at), course.verdict(at))

    def _heed(self, said: "_Said", course: Course | None, number: int) -> None:
        """A successor learns from what may be after a change."""
        suspicious = self._suspicious(said, course)[:number]
        if number and (self._normal.succeeded or suspicious.any()):
            turns = (np.flatnonzero(suspicious[1:] != suspicious[:-1]) + 1).tolist()
            for start, stop in pairwise([0, *turns, len(suspicious)]):
                alike = bool(suspicious[start])
                self._normal.heed_many(self.span.start_ms, self.summaries[start:stop], suspicious=alike)

    def _suspicious(self, said: "_Said", course: Course | None) -> BoolArray:
        """Of each summary. One that says nothing is as suspicious as what was judged before it."""
        stage, many = self._normal.stage, len(self.summaries)
        if not self.quiet:
            return np.ones(many, np.bool_)
        before = self.instance.suspects(stage)
        if course is None:
            return np.full(many, before)
        over = np.full(course.done, False)  # noqa: FBT003
        if self.instance.grant is not None and stage is not Stage.BLIND:
            over = course.shown > course.h * self.instance.detectors[0].suspects
        newest = np.searchsorted(said.places[: course.done], np.arange(many), side="right") - 1
        return np.where(newest < 0, before, over[newest])

    def _hear(self, place: int, signal: Signal, course: Course, found: Finding | None) -> Finding | None:
        """What drifts and changes something is taken as any other."""
        instance, span, summary = self.instance, self.span, self.summaries[place]
        content = self._reference.baseline(span.start_ms)
        asked = Asked(summary, content, instance.parts, [(instance.detectors[0], signal)])
        return instance.hear(span, asked, [Judged(instance.parts[0], signal, course.verdict(course.drifting))], found)


class _Said(NamedTuple):
    """What summaries say against the reference: places (N,) of those that say something, rows of `numbers` of each."""

    places: IntArray
    table: FloatArray
    signal: Callable[[int], Signal]
    content: Callable[[int], Any]


def _steady(stretch: _Stretch) -> _Said:
    """All against the same content of the reference."""
    instance, summaries = stretch.instance, stretch.summaries
    assert instance.normal is not None, instance.spec.id
    measure, content = instance.measure, instance.normal.reference.baseline(stretch.span.start_ms)
    if content is None:
        return _said([None] * len(summaries), lambda _: None)
    told = against_one(measure, summaries, content)
    if told is None:
        return _said([measure.signal(summary, content) for summary in summaries], lambda _: content)
    return _Said(*told, lambda at: _signal(measure, summaries[int(told.places[at])], content), lambda _: content)


def _learning(stretch: _Stretch) -> _Said:
    """Each against what the reference has learned from those before it."""
    instance, at_ms = stretch.instance, stretch.span.start_ms
    assert instance.normal is not None, instance.spec.id
    reference, measure = instance.normal.reference, instance.measure
    if tells_growing(measure) and (grown := reference.grow(at_ms, stretch.summaries)) is not None:
        running = grown.before.from_panes(grown.enough)
        told = against_growing(measure, running)

        def signal(at: int) -> Signal:
            return _signal(measure, stretch.summaries[int(told.places[at])], running.before(at))

        return _Said(*told, signal, lambda _: running.content)
    signals: list[Signal | None] = []
    contents = []
    for summary in stretch.summaries:
        content = reference.baseline(at_ms)
        signals.append(None if content is None else measure.signal(summary, content))
        if signals[-1] is not None:
            contents.append(content)
        reference.observe(at_ms, summary, quiet=stretch.quiet)
    return _said(signals, contents.__getitem__)


def _signal(measure: Measure, summary: Any, content: Any) -> Signal:
    made = measure.signal(summary, content)
    assert made is not None, "it says something"
    return made


def _said(signals: Sequence[Signal | None], content: Callable[[int], Any]) -> _Said:
    said = [(place, signal) for place, signal in enumerate(signals) if signal is not None]
    places = np.array([place for place, _ in said], np.int64)
    return _Said(places, np.array([numbers(signal) for _, signal in said]), lambda at: said[at][1], content)
