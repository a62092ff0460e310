"""Means and shares of labelled rows: what all measures of that kind have in common."""

from typing import NamedTuple

from streamcheck.core.intervals import Estimate, mean_interval, wilson
from streamcheck.core.measures._compared import MeanMeasure, RateMeasure
from streamcheck.core.measures.base import LabelledMeasure
from streamcheck.core.summaries import LabelledRows, Moment
from streamcheck.core.types import BoolArray, FloatArray


class LabelledMean(MeanMeasure, LabelledMeasure):
    """The mean over labelled rows; subclasses say of what. The interval is Student's t, from two rows on."""

    def values(self, rows: LabelledRows) -> FloatArray:
        """One value for each row that has one."""
        raise NotImplementedError

    def moment(self, summary: LabelledRows | Moment) -> Moment:
        """The moment of one block of rows."""
        return summary if isinstance(summary, Moment) else Moment.of(self.values(summary))

    def summaries(self, rows: LabelledRows, size: int) -> list[Moment]:
        """The moments of all blocks, computed in one go."""
        values = self.values(rows)
        assert len(values) == len(rows), f"{self.name}: {len(values)} values of {len(rows)} rows"
        return Moment.of_blocks(values, size)

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The mean with its interval; None below two rows."""
        moment = self.moment(rows)
        if moment.n < 2:
            return None
        return Estimate(moment.mean, *mean_interval(moment.n, moment.mean, moment.variance), moment.n)


class Share(NamedTuple):
    """What a share remembers of a block: rows that count, and rows."""

    events: int
    rows: int


def shares(events: BoolArray, asked: BoolArray | None, size: int) -> list[Share]:
    """Of each block of `size` rows: those that count, and those that are asked about (None: all)."""
    counts = events.reshape(-1, size).sum(axis=1).tolist()
    asked_about = [size] * len(counts) if asked is None else asked.reshape(-1, size).sum(axis=1).tolist()
    return list(map(Share, counts, asked_about))


class LabelledRate(RateMeasure, LabelledMeasure):
    """A share of labelled rows; subclasses say which. The interval is Wilson's."""

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """The rows (n,) that count, and those that are asked about; None: all."""
        raise NotImplementedError

    def count(self, summary: LabelledRows | Share) -> tuple[int, int]:
        """Rows that count, and rows."""
        if isinstance(summary, Share):
            return summary
        events, asked = self.which(summary)
        return int(events.sum()), len(summary) if asked is None else int(asked.sum())

    def summaries(self, rows: LabelledRows, size: int) -> list[Share]:
        """The shares of all blocks, counted in one go."""
        events, asked = self.which(rows)
        return shares(events, asked, size)

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The share with its interval; None when no row is asked about."""
        events, n = self.count(rows)
        return Estimate(events / n, *wilson(events, n), n) if n else None
