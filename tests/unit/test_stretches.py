"""Are many blocks at once judged as one after the other: alerts, notes, readings and state, byte for byte?"""

from typing import Any

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core import stepping
from streamcheck.core.budgets import Grant
from streamcheck.core.codec import encode
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors._course import Course
from streamcheck.core.detectors._steps import columns
from streamcheck.core.instances import Span
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.plan import AlertRule, ComponentSpec, MonitorSpec, Target, Task
from streamcheck.core.room import unlimited
from streamcheck.core.stepping import Work, step
from streamcheck.core.stretches import Gone, go
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.zones import Timing
from tests.unit.test_scan import mean, scan, share

PANE_MS, BLOCK = 1_800_000, 20
REFERENCES = {
    "first": ComponentSpec("first", (("span_ms", 5 * PANE_MS),)),
    "auto": ComponentSpec("auto"),
    "rolling": ComponentSpec("rolling", (("span_ms", 20 * PANE_MS),)),
    "season": ComponentSpec("season", (("slots", "hour_of_day"), ("over_ms", 2 * 86_400_000))),
}
MEASURES = {
    "accuracy": Task.BINARY,
    "precision": Task.BINARY,
    "f1": Task.BINARY,
    "brier": Task.BINARY,
    "mae": Task.REGRESSION,
    "rmse": Task.REGRESSION,
}


class Seen:
    """A watcher that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def judged(self, made: Any) -> None:
        self.told.append((made.rows, made.level, made.baseline, made.usual, made.score, made.threshold, made.drifting))

    def stepped(self, span: Any, instance: Any, changes: Any) -> None:
        self.told.append((span, changes))


def state(of: Any) -> bytes:
    return encode("test", 1, of.export())


def made(measure: str, reference: str, *, watched: bool, granted: bool) -> LabelledInstance:
    spec = MonitorSpec(
        measure, Target.LABELLED, measure, ComponentSpec("scan"), ComponentSpec(measure), block_rows=BLOCK,
        reference=REFERENCES[reference], share=1.0 if granted else 0.0, rule=AlertRule(cooldown_ms=3 * PANE_MS),
    )  # fmt: skip
    instance = LabelledInstance(spec, (), Grant(3_000.0, 1.0), unlimited(), Timing(PANE_MS), None, Bank())
    instance.notes = []
    instance.watcher = Seen() if watched else None  # type: ignore[assignment]
    return instance


def labelled(rng: np.random.Generator, rows: int, error: float, task: Task) -> LabelledRows:
    truth = (rng.random(rows) < 0.2).astype(np.float64)
    if task is Task.REGRESSION:
        return LabelledRows(truth + rng.normal(0.0, 0.1 + error, rows), truth, None, task)
    score = np.clip(np.abs(truth - 0.2) + rng.normal(0.0, 0.1, rows), 0.0, 1.0)
    wrong = rng.random(rows) < error
    return LabelledRows(np.where(wrong, 1.0 - truth, truth), truth, np.where(wrong, 1.0 - score, score), task)


CASES = [(measure, reference, False) for measure in MEASURES for reference in REFERENCES]
CASES += [("accuracy", "first", True), ("mae", "auto", True)]


@pytest.mark.parametrize(("measure", "reference", "watched"), CASES)
def test_a_stretch_is_as_good_as_its_blocks(
    measure: str, reference: str, watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, fired, cut = 0, 0, 0

    def counted(*args: Any) -> Gone:
        nonlocal taken
        gone = go(*args)
        taken += gone.summaries
        return gone

    def never(_instance: Any, _span: Any, _left: Any, found: Any) -> Gone:
        return Gone(0, False, found)

    for seed in range(2):
        rng = np.random.default_rng(seed)
        pair = [made(measure, reference, watched=watched, granted=seed == 0) for _ in range(2)]
        error = 0.1
        panes = 125 if reference in ("auto", "season") else 25
        for number in range(panes):
            if number == panes - 12 or rng.random() < 3 / panes:
                error = float(rng.choice([0.1, 0.5, 0.7]))
            blocks = 2 if number < panes - 22 else int(rng.choice([0, 1, 5, 12, 30]))
            rows = labelled(rng, blocks * BLOCK + 7, error, MEASURES[measure])
            span = Span(number * PANE_MS, (number + 1) * PANE_MS)
            changes = []
            for instance, way in zip(pair, (counted, never), strict=True):
                monkeypatch.setattr(stepping, "go", way)
                work = Work(instance, instance.blocks(rows))
                step(span, [work])
                changes.append(work.changes)
            assert changes[0] == changes[1]
            fired += len(changes[0])
            assert state(pair[0]) == state(pair[1]), f"after pane {number}"
            assert pair[0].reading() == pair[1].reading()
            assert pair[0].notes == pair[1].notes
        cut += len(pair[0].notes)
        if watched:
            assert pair[0].watcher.told == pair[1].watcher.told  # type: ignore[union-attr]
    assert fired or cut, "nothing has happened"
    assert watched or taken > 80, f"only {taken} blocks were taken together"


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("lag1", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["mean", "share"])
def test_a_course_is_as_good_as_its_steps(kind: str, lag1: float, *, settled: bool) -> None:
    rng, ended, opened = np.random.default_rng(7), 0, 0
    for rows in (1, 50):
        shift, signals = 0.0, []
        for _ in range(1_500 if settled else 600):
            shift = float(rng.choice([0.0, 1.5, -1.5])) if rng.random() < 0.02 else shift
            events = int(rng.binomial(rows, 0.3 + 0.15 * shift))
            is_mean = kind == "mean"
            signals.append(mean(rng.normal() + shift, 50, rows, lag1) if is_mean else share(events, 0.3, rows))
        alone, together = scan(arl=200), scan(arl=200)
        for each in (alone, together):
            each.settle(settled=settled)
        bank, chart = together.chart
        at = 0
        while at < len(signals):
            stop, some = bool(rng.random() < 0.4), signals[at : at + int(rng.integers(1, 300))]
            course = Course(bank, chart, columns(some), 1_000 * at, stop=stop)
            verdicts = [alone.step(signal, 1_000 * at) for signal in some[: course.done]]
            drifting = [place for place, verdict in enumerate(verdicts) if verdict.drifting]
            assert course.shown.tolist() == [verdict.score for verdict in verdicts]
            assert course.drifting == (drifting[-1] if drifting else -1)
            assert course.done == (drifting[0] + 1 if stop and drifting else len(some))
            for place in {course.drifting, course.done - 1} - {-1}:
                if place == course.drifting or not verdicts[place].drifting:
                    assert course.verdict(place) == verdicts[place]
            at += course.done
            assert state(alone) == state(together)
            opened += bool(drifting)
            ended += bool(drifting) and not verdicts[-1].drifting
    assert opened > 5
    assert ended
