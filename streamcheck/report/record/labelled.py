"""How good was the model, over all and for each segment, by the time of the prediction; how late came the labels?"""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.intervals import Estimate, f1_interval, mean_interval, wilson
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.plan import Task
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.report.record.ages import Ages
from streamcheck.report.record.alerts import Label
from streamcheck.report.record.bins import Bins

NUMBERS = ("n", "right", "said", "true", "hits", "absolute", "square", "residual", "brier", "scored")
_AT = {name: place for place, name in enumerate(NUMBERS)}
SEGMENTS_MAX = 300
"""Segments whose quality is followed, by first appearance: 300 x (60 + 120) sums of 10 numbers = 4 MB."""
_STEPS_PER_OCTAVE = 4
_VALUE_MAX = 1e70


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What some labelled rows come to."""

    sums: FloatArray
    task: Task

    def __getitem__(self, name: str) -> float:
        return float(self.sums[_AT[name]]) if len(self.sums) else 0.0

    @property
    def n(self) -> int:
        """Rows."""
        return int(self["n"])

    def estimates(self) -> dict[str, Estimate]:
        """Every quality that these rows allow, the one that matters first, with 95 % intervals."""
        n = self.n
        if self.task is Task.REGRESSION:
            return self._of_numbers() if n >= 2 else {}
        found = {"accuracy": _share(self["right"], n)} if n else {}
        if self.task is Task.BINARY and n:
            hits, said, true = int(self["hits"]), int(self["said"]), int(self["true"])
            if said:
                found["precision"] = _share(hits, said)
            if true:
                found["recall"] = _share(hits, true)
            if said + true - hits:
                relevant = said + true - hits
                f1 = 2 * hits / (said + true)
                found["f1"] = Estimate(f1, *f1_interval(hits, relevant - hits, 0), relevant)
            found |= self.rates()
        return found

    def rates(self) -> dict[str, Estimate]:
        """How often the positive class was said, and was true (binary tasks)."""
        if self.task is not Task.BINARY or not self.n:
            return {}
        return {"said positive": _share(self["said"], self.n), "truly positive": _share(self["true"], self.n)}

    def _of_numbers(self) -> dict[str, Estimate]:
        n, square = self.n, self["square"] / self.n
        mae, bias = self["absolute"] / n, self["residual"] / n
        spread = {"mae": max(square - mae * mae, 0.0), "bias": max(square - bias * bias, 0.0)}
        return {
            name: Estimate(value, *mean_interval(n, value, spread[name]), n)
            for name, value in (("mae", mae), ("bias", bias))
        }


def _share(events: float, n: int) -> Estimate:
    return Estimate(events / n, *wilson(int(events), n), n)


class LabelledHistory:
    """Sums of labelled rows: by segment, by when they became known (`ages`), by when they were predicted (`bins`).

    delays: rows by label delay, from the prediction to the end of the pane in which its label came; four bins to each
    doubling. left_out: rows of segments that found no place.
    """

    def __init__(self, task: Task, pane_ms: int) -> None:
        self.task = task
        self.ages: dict[Label, Ages] = {}
        self.bins: dict[Label, Bins] = {}
        self.delays: dict[int, int] = {}
        self.delay_total_ms = 0
        self.left_out = 0
        self._pane_ms = pane_ms

    def add(self, end_ms: int, pane: LabelledPane, labels: dict[str, dict[int, Label]]) -> None:
        """The rows that one pane completed. labels: of each segmentation's numbers."""
        index = pane.usable(with_score=False)
        if not len(index):
            return
        values, times = self._values(pane, index), pane.joined.times[index]
        self._add(end_ms, (), times, values)
        for name in pane.segmentations:
            for number, rows in pane.split(name, with_score=False):
                at = np.searchsorted(index, rows)
                self._add(end_ms, labels[name][number], times[at], values[at])
        self._delay(end_ms - times)

    def _add(self, end_ms: int, label: Label, times: IntArray, values: FloatArray) -> None:
        if label not in self.ages:
            if len(self.ages) > SEGMENTS_MAX:
                self.left_out += len(times)
                return
            self.ages[label], self.bins[label] = Ages(), Bins(self._pane_ms)
        self.ages[label].add(end_ms - self._pane_ms, end_ms, values.sum(axis=0))
        self.bins[label].add(times, values)

    def _values(self, pane: LabelledPane, index: IntArray) -> FloatArray:
        rows = pane.rows(index)
        made = np.zeros((len(index), len(NUMBERS)))
        made[:, 0] = 1.0
        if self.task is Task.REGRESSION:
            residual = np.clip(rows.residual(), -_VALUE_MAX, _VALUE_MAX)
            made[:, _AT["absolute"]] = np.abs(residual)
            made[:, _AT["square"]] = residual * residual
            made[:, _AT["residual"]] = residual
            return made
        made[:, _AT["right"]] = rows.prediction == rows.label
        if self.task is Task.BINARY:
            said, true = rows.prediction == 1.0, rows.label == 1.0
            made[:, _AT["said"]], made[:, _AT["true"]], made[:, _AT["hits"]] = said, true, said & true
        if rows.score is not None and self.task is Task.BINARY:
            has = np.isfinite(rows.score)
            error = np.where(has, np.clip(np.where(has, rows.score, 0.0), 0.0, 1.0) - rows.label, 0.0)
            made[:, _AT["brier"]], made[:, _AT["scored"]] = error * error, has
        return made

    def _delay(self, delays: IntArray) -> None:
        """Delays in ms, at least 1."""
        held = np.maximum(delays, 1)
        self.delay_total_ms += int(held.sum())
        steps, rows = np.unique(np.floor(np.log2(held) * _STEPS_PER_OCTAVE).astype(np.int64), return_counts=True)
        for step, count in zip(steps.tolist(), rows.tolist(), strict=True):
            self.delays[step] = self.delays.get(step, 0) + count

    def delay_curve(self) -> tuple[list[float], list[int]]:
        """Delays in seconds and how many labels had come by then, ascending."""
        seconds, rows, total = [], [], 0
        for step in sorted(self.delays):
            total += self.delays[step]
            seconds.append(2.0 ** ((step + 1) / _STEPS_PER_OCTAVE) / 1000)
            rows.append(total)
        return seconds, rows

    def score(self, label: Label) -> Score:
        """Over everything."""
        return Score(self.ages[label].total if label in self.ages else np.zeros(0), self.task)
