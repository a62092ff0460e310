"""What changes, from which row on? Each takes the rows of a stationary stream and gives those of a changed one."""

from collections.abc import Callable

import numpy as np

from evaluate.streams import CATEGORIES, RARE, Floats, Ints, Rng

Change = Callable[[Floats, Ints, Rng], Floats]
"""(values (columns, n), rows since the change (n,), generator) -> values. It never sees rows before the change."""


def nothing(values: Floats, since: Ints, rng: Rng) -> Floats:  # noqa: ARG001
    """All stays as it is."""
    return values


def mean(sds: float) -> Change:
    """The mean rises by so many sd."""
    return lambda values, since, rng: values + sds  # noqa: ARG005


def variance(factor: float) -> Change:
    """The variance grows by this factor around the same mean."""
    return lambda values, since, rng: values * np.sqrt(factor)  # noqa: ARG005


def ramp(sds: float, rows: int) -> Change:
    """The mean climbs by so many sd over so many rows and stays there."""
    return lambda values, since, rng: values + sds * np.minimum(since / rows, 1.0)  # noqa: ARG005


def rate(before: float, after: float, rows: int = 0) -> Change:
    """A share of ones rises, over so many rows (0: at once): zeros become ones by chance."""

    def changed(values: Floats, since: Ints, rng: Rng) -> Floats:
        share = before + (after - before) * (np.minimum(since / rows, 1.0) if rows else 1.0)
        turned = rng.random(values.shape) < (share - before) / (1 - before)
        return np.where(turned, 1.0, values)

    return changed


def lost(share: float) -> Change:
    """So many values are missing: NaN here."""
    return lambda values, since, rng: np.where(rng.random(values.shape) < share, np.nan, values)  # noqa: ARG005


def correlation(rho: float) -> Change:
    """Columns 0 and 1, 2 and 3, … become correlated. Of normal columns no margin changes."""

    def changed(values: Floats, since: Ints, rng: Rng) -> Floats:  # noqa: ARG001
        paired = values.copy()
        paired[1::2] = rho * values[::2] + np.sqrt(1 - rho**2) * values[1::2]
        return paired

    return changed


def category(after: float) -> Change:
    """The last category becomes so frequent, at the expense of the first. Values are codes of CATEGORIES."""

    def changed(values: Floats, since: Ints, rng: Rng) -> Floats:  # noqa: ARG001
        moved = (values == 0) & (rng.random(values.shape) < (after - RARE) / CATEGORIES[0])
        return np.where(moved, len(CATEGORIES) - 1.0, values)

    return changed


NUMERIC: dict[str, tuple[str, Change]] = {
    "mean +.1": ("iid", mean(0.1)),
    "mean +.25": ("iid", mean(0.25)),
    "mean +.5": ("iid", mean(0.5)),
    "mean +1": ("iid", mean(1.0)),
    "variance x2": ("iid", variance(2.0)),
    "ramp 0 to .5 over 5,000": ("iid", ramp(0.5, 5_000)),
    "lognormal mean +.1": ("lognormal", mean(0.1)),
    "AR(1) .5, mean +.5": ("ar-.5", mean(0.5)),
    "missing 0 to 2 %": ("iid", lost(0.02)),
}
"""By name: the stream before, and what happens to it."""
ERRORS: dict[str, tuple[str, Change]] = {
    "error 10 to 12 %": ("errors", rate(0.10, 0.12)),
    "error 10 to 15 %": ("errors", rate(0.10, 0.15)),
    "error 10 to 20 %": ("errors", rate(0.10, 0.20)),
    "ramp 10 to 20 % over 5,000": ("errors", rate(0.10, 0.20, 5_000)),
}
CATEGORY: dict[str, Change] = {"category 1 to 3 %": category(0.03)}
PAIRS: dict[str, Change] = {"correlation 0 to .8": correlation(0.8)}
