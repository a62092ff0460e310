"""What chance of the positive class does a score stand for? Learned once, on labelled rows, for each model version."""

from collections.abc import Callable, Mapping

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.joining import UNUSABLE
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan, Role, Task
from streamcheck.core.room import Room
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.summaries.estimated import BINS, FINE, EstimatedPane, fold_estimated
from streamcheck.core.types import FloatArray, IntArray

ROWS = 4_000
"""Labelled rows that a calibration learns from: an accuracy of 0.9 is then known to 0.005 (one standard error)."""
VERSIONS_MAX = 100
"""Model versions that get a calibration, the first to come; 64 kB each while it learns, 1 kB from then on."""
CALIBRATION_BYTES = 16 * ROWS + 2_000
CALIBRATED = ("estimated_accuracy", "estimate_gap", "entropy")
"""Measures that need calibrated scores."""
_VERSION = "model_version"


class Calibration:
    """Isotonic: the shares of positive labels in BINS groups of equally many rows, made to rise, lines in between.

    Zadrozny, Elkan (2002), KDD. Frozen once it has learned from ROWS rows; before, it says nothing.

    >>> calibration = Calibration()
    >>> score = np.linspace(0.0, 1.0, ROWS)
    >>> calibration.learn(score, (np.arange(ROWS) % 10 < 10 * score**2).astype(float))
    >>> calibration.chance(np.array([0.0, 0.5, 1.0])).round(2).tolist()
    [0.1, 0.3, 1.0]
    """

    def __init__(self) -> None:
        self._rows: FloatArray = np.empty((2, 0))
        self.knots: FloatArray | None = None
        """(3, B <= BINS): score, chance, rows behind it; None while it learns."""

    @property
    def learned(self) -> int:
        """Rows that it has learned from."""
        return self._rows.shape[1] if self.knots is None else ROWS

    def learn(self, score: FloatArray, label: FloatArray) -> None:
        """Rows with score (in [0, 1]) and label (0 or 1), in canonical order; those beyond ROWS are not needed."""
        if self.knots is not None:
            return
        self._rows = np.concatenate([self._rows, np.stack([score, label])], axis=1)[:, :ROWS]
        if self._rows.shape[1] == ROWS:
            self.knots, self._rows = _knots(*self._rows), np.empty((2, 0))

    def chance(self, score: FloatArray) -> FloatArray:
        """Of each score (n,), in steps of 1 / FINE, so that sums are exact in any order."""
        assert self.knots is not None, "still learning"
        return np.asarray(np.rint(np.interp(score, self.knots[0], self.knots[1]) * FINE) / FINE)

    def bin(self, score: FloatArray) -> IntArray:
        """To which knot each score (n,) lies nearest."""
        assert self.knots is not None, "still learning"
        return np.searchsorted((self.knots[0, 1:] + self.knots[0, :-1]) / 2, score, side="right")

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"rows": self._rows.copy(), "knots": None if self.knots is None else self.knots.copy()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._rows = np.array(state["rows"], np.float64)
        self.knots = None if state["knots"] is None else np.array(state["knots"], np.float64)


def _knots(score: FloatArray, label: FloatArray) -> FloatArray:
    """Groups of equally many rows by score, equal scores together, pooled until their shares rise (PAV)."""
    order = np.argsort(score, kind="stable")
    score, label = score[order], label[order]
    wanted = np.arange(1, BINS) * len(score) // BINS
    cuts = np.unique(np.searchsorted(score, score[wanted], side="left"))
    starts = np.concatenate([[0], cuts[cuts > 0]])
    rows = np.diff(np.append(starts, len(score))).astype(np.float64)
    sums, places = np.add.reduceat(label, starts), np.add.reduceat(score, starts) / rows
    blocks: list[list[float]] = []  # positives, rows, groups: at most BINS of them
    for positives, n in zip(sums.tolist(), rows.tolist(), strict=True):
        blocks.append([positives, n, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    chance = np.repeat([b[0] / b[1] for b in blocks], [int(b[2]) for b in blocks])
    return np.stack([places, chance, rows])


class Chances:
    """The calibrations of a config's scores: one, or one for each model version where rows are cut by it.

    parts: exporters of the state by key, to which each calibration adds its own; touched: keys that have changed.
    """

    def __init__(self, plan: Plan, room: Room, exporters: dict[str, Callable[[], State]], touched: set[str]) -> None:
        self._room, self._exporters, self._touched = room, exporters, touched
        scored = any(c.role is Role.SCORE for c in plan.predictions.columns)
        wanted = any(spec.measure is not None and spec.measure.name in CALIBRATED for spec in plan.monitors)
        self.active = scored and wanted and plan.task is Task.BINARY
        self._versions = next((s for s in plan.segmentations if s.fields == (_VERSION,)), None)
        self._held: dict[int, Calibration] = {}

    def _of(self, version: int, *, known: bool = False) -> Calibration | None:
        found = self._held.get(version)
        if found is None and (known or (len(self._held) < VERSIONS_MAX and self._room.take(CALIBRATION_BYTES))):
            if known:
                self._room.force(CALIBRATION_BYTES)
            found = self._held[version] = Calibration()
            self._exporters[f"chances/{version}"] = found.export
        return found

    # ------------------------------------------------------------------ labelled rows
    def add(self, labelled: LabelledPane) -> None:
        """Rows that a pane completed: who has not learned enough learns from them."""
        if not self.active:
            return
        by = None if self._versions is None else self._versions.name
        for version, index in labelled.split(by, with_score=True):
            calibration = self._of(version)
            if calibration is not None and calibration.knots is None:
                score = np.clip(labelled.joined.score[index], 0.0, 1.0)
                calibration.learn(score, labelled.joined.label[index])
                self._touched.add(f"chances/{version}")

    def calibrated(self, labelled: LabelledPane, index: IntArray) -> LabelledRows:
        """The rows at these positions whose version is calibrated, with chances for scores."""
        score = np.clip(labelled.joined.score[index], 0.0, 1.0)
        versions = np.zeros(len(index), np.int64)
        if self._versions is not None:
            versions = labelled.joined.segments[labelled.segmentations.index(self._versions.name)][index]
        chance, _ = self._chances(score, versions)
        has = np.flatnonzero(chance != UNUSABLE)
        rows = labelled.rows(index[has])
        return LabelledRows(rows.prediction, rows.label, chance[has], rows.task)

    def _chances(self, score: FloatArray, versions: IntArray) -> tuple[FloatArray, IntArray]:
        """Of each row (n,) its chance, UNUSABLE where its version is not calibrated yet, and the bin of its score."""
        chance, bins = np.full(len(score), UNUSABLE), np.zeros(len(score), np.int64)
        for version, calibration in self._held.items():
            mine = versions == version
            if calibration.knots is not None and mine.any():
                chance[mine], bins[mine] = calibration.chance(score[mine]), calibration.bin(score[mine])
        return chance, bins

    # ------------------------------------------------------------------ rows without a label
    def fold(self, pane: PaneRows) -> EstimatedPane:
        """The pane's rows that have prediction, score and calibration."""
        rows = np.flatnonzero(pane.usable("prediction") & pane.usable("score"))
        score = np.clip(pane.values("score")[rows], 0.0, 1.0)
        versions = np.zeros(len(rows), np.int64)
        if self._versions is not None:
            versions = pane.numbers_of(self._versions)[rows]
        chance, bins = self._chances(score, versions)
        has = np.flatnonzero(chance != UNUSABLE)
        return fold_estimated(rows[has], pane.values("prediction")[rows[has]], chance[has], bins[has])

    def knows(self) -> IntArray:
        """Rows behind each bin (BINS,), of all calibrations together."""
        behind = np.zeros(BINS, np.int64)
        for calibration in self._held.values():
            if calibration.knots is not None:
                behind[: calibration.knots.shape[1]] += calibration.knots[2].astype(np.int64)
        return behind

    def status(self) -> str:
        """How far it has come, for people; "" once some version is calibrated."""
        best = max((each.learned for each in self._held.values()), default=0)
        calibrated = any(each.knots is not None for each in self._held.values())
        return "" if calibrated else f"calibrating scores, {best:,} of {ROWS:,} labelled rows"

    def forget(self) -> None:
        """A new normal was ordered: calibrations learn again."""
        for version, calibration in self._held.items():
            calibration.restore(Calibration().export())
            self._touched.add(f"chances/{version}")

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where the exported parts stood."""
        for key in sorted(states):
            number = key.removeprefix("chances/")
            if self.active and number != key:
                calibration = self._of(int(number), known=True)
                assert calibration is not None, f"{key} was there"
                calibration.restore(states[key])
