"""Which prediction of a challenger in shadow belongs to which labelled row of the champion's?

Either may come first, and both wait until the horizon: the same join once more, in which the champion's labelled rows
stand for the labels (decision 23).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.join import Join
from streamcheck.core.joining import Correction, Joined, Labels, Predictions, distinct
from streamcheck.core.plan import JoinRules
from streamcheck.core.shelf import PREFIX, Reader, Shelf
from streamcheck.core.types import CodeArray, FloatArray, IntArray, KeyArray

BLOCK_ROWS = 65_536
"""Rows that wait are held in blocks of about so many."""
_EXCESS = 1_024
SAID_BYTES = 8 + 2 * 8
"""Of a row that waits, beside its segments: its number, what the champion said, the label."""


class Telling(Join):
    """The label join, which also tells the ids of the rows that a pane completed."""

    completed: KeyArray = NO_KEYS
    """Keys of the ids of the rows that `step` returned last, in their order."""
    _told: list[KeyArray]

    def step(self, end_ms: int, predictions: Predictions, labels: Labels) -> tuple[Joined, list[Correction], State]:
        """As of any join."""
        self._told = []
        stepped = super().step(end_ms, predictions, labels)
        self.completed = np.concatenate(self._told)
        return stepped

    def _complete(self, slots: IntArray, label: FloatArray) -> Joined:
        self._told.append(self._kept.keys[self._kept.place(slots)])
        return super()._complete(slots, label)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """n labelled rows of the champion's: numbers (ascending), what it said and the label (2, n), segments (S, n)."""

    numbers: IntArray
    said: FloatArray
    segments: CodeArray

    @staticmethod
    def of(joined: Joined) -> "Labelled":
        """The rows that a pane completed."""
        return Labelled(joined.ordinals, np.stack([joined.prediction, joined.label]), joined.segments)

    def take(self, index: IntArray) -> "Labelled":
        """Those at these positions."""
        return Labelled(self.numbers[index], self.said.take(index, axis=1), self.segments.take(index, axis=1))

    def find(self, numbers: IntArray) -> "Labelled":
        """Those with these numbers, all of which are here."""
        return self.take(np.searchsorted(self.numbers, numbers))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """n labelled rows with what champion and challenger said: float64, segments (S, n)."""

    champion: FloatArray
    challenger: FloatArray
    label: FloatArray
    segments: CodeArray


class Shadow(Join):
    """A challenger's predictions by id, beside the champion's labelled rows.

    The first prediction and the first row of an id count. The join itself knows a row by its number; what else there is
    of those that wait lies here, in blocks, ascending by number.
    """

    def __init__(self, rules: JoinRules, n_segmentations: int) -> None:
        assert not rules.corrections_last, "the first row of an id counts"
        super().__init__(rules, 0)
        self._n_rows_segmentations = n_segmentations
        self._blocks: list[Labelled] = []
        self._living = 0
        """Rows that waited when the blocks were last freed of those that do not."""

    @property
    def nbytes(self) -> int:
        """Bytes held by what waits, the rows included."""
        blocks = sum(b.numbers.nbytes + b.said.nbytes + b.segments.nbytes for b in self._blocks)
        return super().nbytes + blocks

    def attach(self, read: Reader, salt: int) -> None:
        """Put on a shelf what memory has no room for, beside that of the label join."""
        self._shelf = Shelf(read, salt, self.rules.shelf_bytes, f"{PREFIX}shadow/")

    # ------------------------------------------------------------------ one pane
    def meet(self, end_ms: int, said: Predictions, rows: Labelled, keys: KeyArray) -> tuple[Pairs, State]:
        """First the pane's predictions of the challenger enter, then the champion's rows. keys: of the rows' ids.

        Returns the pairs that are complete now, and the delta to keep.
        """
        joined, _, delta = self.step(end_ms, said, Labels(keys, rows.numbers.astype(np.float64)))
        numbers = joined.label.astype(np.int64)
        fresh = numbers >= rows.numbers[0] if len(rows.numbers) else np.zeros(len(numbers), np.bool_)
        champion = np.empty((2, len(numbers)))
        segments = np.empty((self._n_rows_segmentations, len(numbers)), np.int32)
        for those, found in ((fresh, rows.find(numbers[fresh])), (~fresh, self._find(numbers[~fresh]))):
            champion[:, those], segments[:, those] = found.said, found.segments
        waiting = rows.find(delta["waiting_values"].astype(np.int64))
        self._hold(waiting)
        self._tidy()
        delta |= {"row_said": waiting.said, "row_segments": waiting.segments}
        return Pairs(champion[0], joined.prediction, champion[1], segments), delta

    # ------------------------------------------------------------------ rows that wait
    def _hold(self, rows: Labelled) -> None:
        if not len(rows.numbers):
            return
        last = self._blocks[-1] if self._blocks else None
        assert last is None or last.numbers[-1] < rows.numbers[0], "rows are numbered in their order"
        if last is not None and len(last.numbers) < BLOCK_ROWS:
            self._blocks[-1] = _together(last, rows)
        else:
            self._blocks.append(rows)

    def _find(self, numbers: IntArray) -> Labelled:
        """Rows that wait, or waited until now, by their numbers, in any order."""
        said, segments = np.empty((2, len(numbers))), np.empty((self._n_rows_segmentations, len(numbers)), np.int32)
        firsts = np.array([block.numbers[0] for block in self._blocks], np.int64)
        block_of = np.searchsorted(firsts, numbers, side="right") - 1
        for at in distinct(block_of).tolist() if len(numbers) else ():
            here = np.flatnonzero(block_of == at)
            part = self._blocks[at].find(numbers[here])
            assert (part.numbers == numbers[here]).all(), "a row that waits has been forgotten"
            said[:, here], segments[:, here] = part.said, part.segments
        return Labelled(numbers, said, segments)

    def _tidy(self) -> None:
        """Let go of rows that wait no more, once they are as many as those that do."""
        held = sum(len(block.numbers) for block in self._blocks)
        if held <= 2 * self._living + _EXCESS:
            return
        living = self._waiting.living()
        numbers = self._waiting.columns["value"][self._waiting.place(living)].astype(np.int64)
        self._living = len(numbers)
        kept = self._find(numbers)
        starts = range(0, len(numbers), BLOCK_ROWS)
        self._blocks = [kept.take(np.arange(at, min(at + BLOCK_ROWS, len(numbers)))) for at in starts]

    # ------------------------------------------------------------------ state
    def _checkpoint(self, end_ms: int, until: int) -> State:
        state = super()._checkpoint(end_ms, until)
        rows = self._find(state["waiting_values"].astype(np.int64))
        return {**state, "row_said": rows.said, "row_segments": rows.segments}

    def restore(self, state: State, deltas: Iterable[State]) -> None:
        """Make the join again, and the rows that wait."""
        super().restore(state, self._restored(deltas))
        self._living = 0  # as deltas were applied, rows waited that had been evicted since
        self._tidy()

    def _restored(self, deltas: Iterable[State]) -> Iterator[State]:
        for delta in deltas:
            numbers = delta["waiting_values"].astype(np.int64)
            self._hold(Labelled(numbers, np.asarray(delta["row_said"]), np.asarray(delta["row_segments"])))
            yield delta  # it is applied before the next one is asked for
            self._tidy()


def _together(first: Labelled, then: Labelled) -> Labelled:
    return Labelled(
        np.concatenate([first.numbers, then.numbers]),
        np.concatenate([first.said, then.said], axis=1),
        np.concatenate([first.segments, then.segments], axis=1),
    )
