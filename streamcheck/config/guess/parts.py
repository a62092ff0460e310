"""Which fields are features, which cut the traffic, and how fast and how orderly do events come?"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamcheck.config.guess.fields import Field, Sample, value_at
from streamcheck.config.guess.roles import SOME_ID, SOME_TIME, TIME

CATEGORIES_MAX = 200
"""More texts than that have no shares worth watching."""
SEGMENT_VALUES_MAX = 20
SEGMENTS_SUGGESTED = 2
FEW_NUMBERS = 10
"""Whole numbers of so few values may be names of something."""
RISING = 0.99
"""Rank correlation with the order of events, from which a whole number is a counter: later ones are ever larger."""
RISING_VALUES_MIN = 50
ROWS_PER_PANE = 50
PANES_MS = (10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000)
LATENESS_MS = (5_000, 15_000, 30_000, 60_000, 300_000, 900_000, 3_600_000)
SEGMENT = re.compile(
    r"^(tier|segment|plan|country|region|platform|channel|market|device|customer_type|tenant|group)$", re.I
)


@dataclass(frozen=True, slots=True)
class Feature:
    """A suggested feature: its name in the config, where it stands, its kind, and what was seen."""

    name: str
    path: str
    kind: str
    seen: str


def features_of(
    fields: Mapping[str, Field], taken: set[str | None], sample: Sample
) -> tuple[tuple[Feature, ...], tuple[tuple[str, str], ...]]:
    """Every field that plays no other part and can be watched; and the others with the reason why not."""
    features, left_out = [], []
    names: dict[str, int] = {}
    for f in fields.values():
        names[f.name] = names.get(f.name, 0) + 1
    for f in fields.values():
        if f.path in taken:
            continue
        reason = _no_feature(f, sample)
        if reason:
            left_out.append((f.path, reason))
            continue
        numeric = f.is_number and not f.is_flag and not (f.whole and len(f.values) <= 2)
        name = f.name if names[f.name] == 1 else f.path.replace(".", "_")
        features.append(Feature(name, f.path, "numeric" if numeric else "categorical", _seen(f, numeric=numeric)))
    return tuple(features), tuple(left_out)


def _seen(f: Field, *, numeric: bool) -> str:
    few = numeric and f.whole and len(f.values) <= FEW_NUMBERS
    if not numeric and len(f.values) == 1:
        return f"always {f.seen()}"
    return f.seen() + (f"; only {len(f.values)} different ones: categorical?" if few else "")


def _no_feature(f: Field, sample: Sample) -> str | None:
    named_id = bool(SOME_ID.search(f.name))
    reasons = (
        (not f.filled, "a list" if f.others else "never has a value"),
        (f.mixed, f"values of several kinds: {f.numbers} numbers, {f.texts} texts, {f.flags} true or false"),
        (f.unit not in (None, "s") or (f.unit == "s" and _named_time(f)), "a time"),
        (f.is_id and named_id and len(sample.events) > SEGMENT_VALUES_MAX, "an id"),
        (f.is_id and f.is_text and len(sample.events) > SEGMENT_VALUES_MAX, "another one in each event"),
        (named_id and len(f.values) > CATEGORIES_MAX, "an id"),
        (f.is_text and len(f.values) > CATEGORIES_MAX, f"{len(f.values)} different texts: too many for their shares"),
        (_rises(f, sample), "rises from event to event: a time" if f.unit else "rises from event to event: a counter"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _named_time(f: Field) -> bool:
    return bool(SOME_TIME.search(f.name) or TIME.search(f.name))


def _rises(f: Field, sample: Sample) -> bool:
    """Whether it counts events, or says when they were: none of its values comes again, so no reference holds."""
    if not (f.is_number and f.whole and len(f.values) >= RISING_VALUES_MIN):
        return False
    longest = Counter(sample.partitions).most_common(1)[0][0]
    values = [value_at(e, f.path) for e, at in zip(sample.events, sample.partitions, strict=True) if at == longest]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(set(numbers)) < RISING_VALUES_MIN:
        return False
    ranks = np.unique(numbers, return_inverse=True)[1]
    return bool(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1] >= RISING)


def segments_of(
    fields: Mapping[str, Field], features: tuple[Feature, ...], said: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Features that should cut the traffic, and further ones that could."""
    kept = [x for x in features if x.kind == "categorical" and 2 <= len(fields[x.path].values) <= SEGMENT_VALUES_MAX]
    ranked = sorted(kept, key=lambda x: (not SEGMENT.search(fields[x.path].name), len(fields[x.path].values)))
    names = tuple(x.name for x in ranked)
    if said is not None:
        return said, tuple(name for name in names if name not in said)
    chosen = tuple(x.name for x in ranked if SEGMENT.search(fields[x.path].name))[:SEGMENTS_SUGGESTED]
    return chosen, tuple(name for name in names if name not in chosen)


def rhythm(sample: Sample, time: Field | None) -> tuple[int, int, float | None]:
    """Pane, lateness (ms) and events a second, from times and the order in which they came."""
    times = list(time.times_ms(sample)) if time is not None and time.unit else list(sample.arrivals)
    rows = [(p, t) for p, t in zip(sample.partitions, times, strict=True) if t is not None and t > 0]
    newest: dict[int, float] = {}
    first: dict[int, float] = {}
    behind_ms = 0.0
    for partition, at in rows:
        top = newest.get(partition, at)
        behind_ms = max(behind_ms, top - at)
        newest[partition] = max(top, at)
        first[partition] = min(first.get(partition, at), at)
    counts = {p: sum(1 for each, _ in rows if each == p) for p in newest}
    rate = sum(counts[p] * 1000 / (newest[p] - first[p]) for p in newest if newest[p] > first[p])
    pane_ms = next((ms for ms in PANES_MS if rate * ms / 1000 >= ROWS_PER_PANE), PANES_MS[-1]) if rate else PANES_MS[0]
    lateness_ms = next((ms for ms in LATENESS_MS if ms >= 2 * behind_ms), LATENESS_MS[-1])
    return pane_ms, lateness_ms, rate or None
