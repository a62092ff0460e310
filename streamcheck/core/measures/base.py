"""What every measure offers: a pane's summary and the reference in, one Signal out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from streamcheck.core.components import Component, State
from streamcheck.core.intervals import Estimate, Interval, normal_interval
from streamcheck.core.room import Room
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import Signal


class Needs(StrEnum):
    """Which summary a measure reads."""

    NUMERIC = "numeric"                    # NumericSummary
    CATEGORICAL = "categorical"            # CategoricalSummary (binary columns too)
    VALUES = "values"                      # ValuesSummary: a numeric column, value by value
    CODES = "codes"                        # ValuesSummary of a numeric column, CategoricalSummary of any other
    TOP = "top"                            # TopSummary of a categorical column
    FIELD = "field"                        # any column's summary: missing, wrong type
    FEATURES = "features"                  # FeaturesSummary: the numeric features together
    STREAM = "stream"                      # StreamSummary
    ESTIMATED = "estimated"                # EstimateSummary: rows of a binary task by calibrated score
    DIFFERENCE = "difference"              # Moment: of labelled rows of two segments
    LABELLED_CLASS = "labelled_class"      # LabelledRows of a binary or multiclass task
    LABELLED_BINARY = "labelled_binary"    # LabelledRows of a binary task
    LABELLED_SCORE = "labelled_score"      # LabelledRows of a binary task with a score
    LABELLED_NUMBER = "labelled_number"    # LabelledRows of a regression task


class Accumulator(Protocol):
    """What a measure remembers of many panes: the content of a reference."""

    def add(self, summary: Any) -> bool:
        """Take one more pane (or block) in; False when it holds nothing for this measure."""

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""

    def attach(self, room: Room) -> None:
        """Ask this room before growing; without one there is no limit but its own."""

    def merge(self, other: Any) -> None:
        """Take another accumulator of the same measure in."""

    def apart(self, other: Any, scatter: Any) -> float:
        """How many standard errors lie between the two? scatter: as for `seasoned`; 0.0 where nothing can be told."""

    def scatter_within(self, slots: Sequence[Any]) -> Any:
        """How far panes scatter within each of these accumulators, all together, as `seasoned` wants it said."""

    def seasoned(self, beside: Any | None, weight: float, scatter: Any) -> Any:
        """What is normal between this slot of a calendar and the one beside it, which counts by `weight` (0 to 0.5).

        scatter: of `scatter_within` over all slots: one alone holds too few panes to tell.
        """

    def export(self) -> State:
        """The state, sharing no memory."""

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""


class Measure(Component):
    """summary and reference -> one number, with its standard error when nothing has changed."""

    family = "measure"
    needs: ClassVar[Needs]
    empty_panes: ClassVar[bool] = False
    """Whether a pane without rows is a signal too (volume); all others hold their state then."""
    of_labels: ClassVar[bool] = False
    """Whether, of the stream, it is about labels, which come in panes of their own."""
    direction: ClassVar[int] = 0
    """Which change is of interest: +1 a rise, -1 a fall, 0 both."""
    parts_max: ClassVar[int] = 1
    """How many signals a measure of this kind may give, each with a chart of its own (categories)."""
    learns: ClassVar[bool] = True
    """Whether it takes a reference; False: `signal` is given None for it, and judges from the first pane on."""
    binned: ClassVar[bool] = False
    """Whether its reference holds bins or scores of a column's histogram, and is of no use with another one."""
    limit: ClassVar[float | None] = None
    """Above which it is too much, whatever is usual: the detector is then `threshold`, outside the budget."""
    bare: ClassVar[bool] = False
    """Whether the detector `threshold` judges a number of the pane itself, without any reference: `signal` is given
    None for it, and says what people see."""
    sure: ClassVar[bool] = False
    """Whether few rows make it no less sure, as where they are what is counted: a limit judges panes of any size then,
    and alerts do not say of how many rows they speak."""
    ratio: ClassVar[str] = ""
    """What its own `limit` judges, where that is not what people see: its `value`, in a few words as `unit`."""
    rare: ClassVar[bool] = False
    """Whether it is the share of what hardly ever happens where all is well, and of which a fault makes much: next to
    other monitors of a column it does with a small part of the budget."""
    unit: ClassVar[str] = "value"
    """What `level` and `baseline` are, in a few words for an alert's summary: "mean", "share of missing values"."""

    @classmethod
    def called(cls, params: Mapping[str, Any]) -> str:  # noqa: ARG003
        """What a monitor's id calls it, where the parameters decide what it says."""
        return cls.name

    @classmethod
    def alone(cls, params: Mapping[str, Any]) -> bool:  # noqa: ARG003
        """Whether it is `bare`, where the parameters decide that."""
        return cls.bare

    def accumulator(self) -> Accumulator:
        """An empty reference content for this measure."""
        raise NotImplementedError

    def signal(self, summary: Any, reference: Any) -> Signal | None:
        """The pane judged against the reference (an Accumulator of this measure); None when it says nothing."""
        raise NotImplementedError

    def size(self, level: float, baseline: float, reference: Any) -> Mapping[str, float]:  # noqa: ARG002
        """How large is a change: `change` in its own unit, in `sd`, in `per_cent`, or `points` of a share?"""
        return {}

    def told(self, summary: Any, reference: Any) -> tuple[Mapping[str, Any], str]:  # noqa: ARG002
        """What has happened, for an alert: evidence, and words that go on after the column's name; "" for nothing."""
        return {}, ""

    @property
    def charts_max(self) -> int:
        """How many signals it gives at most."""
        return 1

    def parts(self, reference: Any) -> tuple[str, ...]:  # noqa: ARG002 (one, unless a measure says otherwise)
        """What it gives a signal of each, by name, chosen once, by the first reference; "" where there is only one."""
        return ("",)

    def signals(self, summary: Any, reference: Any, parts: tuple[str, ...]) -> Sequence[Signal | None]:  # noqa: ARG002
        """The pane judged against the reference, part by part."""
        return (self.signal(summary, reference),)

    def usual(self, signal: Signal, reference: Any) -> Interval:  # noqa: ARG002 (the reference: for other units)
        """Between which values does `level` lie, 95 times of 100, when nothing has changed? For charts."""
        return normal_interval(signal.center, signal.se)


def bare_signal(level: float, rows: int) -> Signal:
    """What people see, for a limit that needs no reference."""
    return Signal(level, level, 1.0, rows, level, level)


def share_size(level: float, baseline: float) -> Mapping[str, float]:
    """Of a share: percentage points."""
    return {"points": 100.0 * (level - baseline)}


def value_size(level: float, baseline: float, sd: float = 0.0) -> Mapping[str, float]:
    """Of a value in a unit of its own, which may have a spread, or be a size that can double."""
    size = {"change": level - baseline}
    if sd > 0.0:
        return size | {"sd": (level - baseline) / sd}
    return size | ({"per_cent": 100.0 * (level / baseline - 1.0)} if baseline > 0.0 else {})


class LabelledMeasure(Measure):
    """A measure of labelled rows: besides signals, an estimate for rolling windows. Summaries are LabelledRows."""

    calibrated: ClassVar[bool] = False
    """Whether the scores it sees are calibrated chances, which only new rows have: windows keep scores as they came."""

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The quality of these rows with its 95 % interval; None when they do not hold enough to say anything."""
        raise NotImplementedError

    def summaries(self, rows: LabelledRows, size: int) -> Sequence[Any]:
        """What `signal` and the accumulator take, for each block of `size` rows; there are whole blocks only."""
        return [rows.cut(at, at + size) for at in range(0, len(rows), size)]
