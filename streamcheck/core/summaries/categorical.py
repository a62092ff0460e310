"""What is remembered of a categorical column in one pane: counts by status and by category; for every group at once."""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.summaries.numeric import padded, tally
from streamcheck.core.types import CodeArray, FieldStatus, IntArray, StatusArray


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalSummary:
    """What one group's rows held: rows = ok + missing + wrong_type; counts (K,) of the categories, of the ok rows."""

    rows: int
    ok: int
    missing: int
    wrong_type: int
    counts: IntArray
    categories: tuple[str, ...]


@dataclass(slots=True, eq=False)
class CategoricalPane:
    """The same for G groups: int64 (G,) counts by status, counts (G, K) of the K categories."""

    rows: IntArray
    ok: IntArray
    missing: IntArray
    wrong_type: IntArray
    counts: IntArray
    categories: tuple[str, ...]

    def add(self, other: "CategoricalPane") -> None:
        """Take another cut of the same pane in. Categories meet by name: new ones stand behind the old."""
        n_groups = max(len(self.rows), len(other.rows))
        for name in ("rows", "ok", "missing", "wrong_type"):
            setattr(self, name, padded(getattr(self, name), n_groups) + padded(getattr(other, name), n_groups))
        place = {category: k for k, category in enumerate(self.categories)}
        columns = [place.setdefault(category, len(place)) for category in other.categories]
        counts = np.zeros((n_groups, len(place)), np.int64)
        counts[: self.counts.shape[0], : self.counts.shape[1]] = self.counts
        counts[: other.counts.shape[0], columns] += other.counts
        self.counts = counts
        self.categories = tuple(place)

    def summary(self, group: int) -> CategoricalSummary:
        """One group's part, sharing no memory."""
        return CategoricalSummary(
            rows=int(self.rows[group]),
            ok=int(self.ok[group]),
            missing=int(self.missing[group]),
            wrong_type=int(self.wrong_type[group]),
            counts=self.counts[group].copy(),
            categories=self.categories,
        )


def fold_categorical(
    codes: CodeArray,
    status: StatusArray,
    categories: tuple[str, ...],
    groups: CodeArray | None = None,
    n_groups: int = 1,
) -> CategoricalPane:
    """Which categories do these rows hold? One answer for each of n_groups groups.

    codes (n,) into `categories` (distinct) where status (n,) is OK; groups as for fold_numeric. A number that is not
    finite is a wrong type for a category.

    >>> pane = fold_categorical(np.array([0, 1, 1, -1]), np.array([0, 0, 0, 1], np.uint8), ("DE", "FR"))
    >>> pane.summary(0).counts.tolist(), pane.summary(0).missing
    ([1, 2], 1)
    """
    place, by_status = tally(status, groups, n_groups)
    usable = (place >= 0) & (status == FieldStatus.OK)
    k = len(categories)
    held = codes[usable].astype(np.int64)
    assert not len(held) or (int(held.min()) >= 0 and int(held.max()) < k), f"code {int(held.max())} of {k} categories"
    return CategoricalPane(
        rows=by_status.sum(axis=1),
        ok=by_status[:, FieldStatus.OK],
        missing=by_status[:, FieldStatus.MISSING],
        wrong_type=by_status[:, FieldStatus.WRONG_TYPE] + by_status[:, FieldStatus.NON_FINITE],
        counts=np.bincount(place[usable] * k + held, minlength=n_groups * k).reshape(n_groups, k),
        categories=categories,
    )
