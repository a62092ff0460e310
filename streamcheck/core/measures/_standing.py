"""What a reference says to panes of any size, as numbers that hold as long as it stays as it is."""

from typing import Generic, NamedTuple, TypeVar

from streamcheck.core.likeness import DISPERSION_EVENTS_MIN
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._neighbours import inflation
from streamcheck.core.types import FloatArray

Number = TypeVar("Number", float, FloatArray)


class Standing(NamedTuple, Generic[Number]):
    """Of a mean or a share that is compared with a reference; of one monitor, or of many as columns (N,).

    mean: of the reference; baseline: what people see of it. within: the variance of a row about its pane's mean, to
    which `sparse` / rows comes. across: the variance between panes, per row, 0 where it is not known; typical: rows of
    a pane by which levels of panes are told from it, 0 where they are not. spread: rows of the pane that the
    reference's own error is worked out from; inflation: by how much its neighbours make it larger; n: its rows.
    root: of what its rows are worth, for shares. freedom, lag1, decay, pane_rows: as in Background, less 1 pane.
    """

    mean: Number
    baseline: Number
    within: Number
    sparse: Number
    across: Number
    typical: Number
    spread: Number
    inflation: Number
    n: Number
    root: Number
    freedom: Number
    lag1: Number
    decay: Number
    pane_rows: Number


def standing_mean(
    reference: MomentAccumulator, within: float, sparse: float, baseline: float
) -> Standing[float] | None:
    """Of a mean. None without rows, or where they do not scatter: each pane is a case of its own then."""
    then = reference.moment
    if not then.n or within <= 0.0:
        return None
    tied = inflation(*reference.dependence(), reference.panes)
    behind = (reference.known - 1.0, *reference.following, then.n / reference.panes)
    return Standing(then.mean, baseline, within, sparse, *_levels(reference), tied, float(then.n), 0.0, *behind)


def standing_share(reference: MomentAccumulator) -> Standing[float] | None:
    """Of a share. Panes do not scatter, as far as can be known, around less than DISPERSION_EVENTS_MIN events."""
    then = reference.moment
    if not then.n:
        return None
    mean, pane_rows = then.mean, then.n / reference.panes
    if min(then.total, then.n - then.total) < DISPERSION_EVENTS_MIN:
        root = float(then.n) ** 0.5
        alone = (0.0, 0.0, 1.0, 1.0, float(then.n), root)
        return Standing(mean, mean, 1.0, 0.0, *alone, reference.panes - 1.0, 0.0, 0.0, pane_rows)
    center = (then.total + 0.5) / (then.n + 1)
    within = center * (1 - center)
    root = (within / reference.mean_variance(within)) ** 0.5
    scatter = (*_levels(reference), 1.0, float(then.n), root)
    return Standing(mean, mean, within, 0.0, *scatter, reference.known - 1.0, *reference.following, pane_rows)


def _levels(reference: MomentAccumulator) -> tuple[float, float, float]:
    """across, typical, spread."""
    across, spread = reference.across(), reference.square_rows / reference.moment.n
    if across is None:
        return 0.0, 0.0, spread
    return across, (reference.moment.n - spread) / (reference.panes - 1), spread
