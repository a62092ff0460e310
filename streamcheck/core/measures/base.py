"""What every measure offers: a pane's summary and the reference in, one Signal out."""

from enum import StrEnum
from typing import Any, ClassVar, Protocol

from streamcheck.core.components import Component, State
from streamcheck.core.types import Signal


class Needs(StrEnum):
    """Which summary a measure reads."""

    NUMERIC = "numeric"                    # NumericSummary
    CATEGORICAL = "categorical"            # CategoricalSummary (binary columns too)
    FIELD = "field"                        # any column's summary: missing, wrong type
    STREAM = "stream"                      # StreamSummary
    LABELLED_CLASS = "labelled_class"      # LabelledRows of a binary or multiclass task
    LABELLED_BINARY = "labelled_binary"    # LabelledRows of a binary task
    LABELLED_SCORE = "labelled_score"      # LabelledRows of a binary task with a score
    LABELLED_NUMBER = "labelled_number"    # LabelledRows of a regression task


class Accumulator(Protocol):
    """What a measure remembers of many panes: the content of a reference."""

    def add(self, summary: Any) -> None:
        """Take one more pane (or block) in."""

    def merge(self, other: Any) -> None:
        """Take another accumulator of the same measure in."""

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

    def accumulator(self) -> Accumulator:
        """An empty reference content for this measure."""
        raise NotImplementedError

    def signal(self, summary: Any, reference: Any) -> Signal | None:
        """The pane judged against the reference (an Accumulator of this measure); None when it says nothing."""
        raise NotImplementedError
