"""What was found beside alerts, as tables that page, terminal and report share: weak segments, versions, quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamcheck.core.readings import (
    BiasedSegment,
    EngineReading,
    Reading,
    Segment,
    ShadowCompared,
    ShadowReading,
    VersionsCompared,
    WeakSegment,
)
from streamcheck.core.wording import NOTHING, number, percent, printable

WEAK_HEADS = ("segment", "rows", "error", "95 % interval", "elsewhere", "share of all errors", "by chance")
QUANTILE_HEADS = ("column", "segment", "p50", "p95", "p99", "rows")
QUANTILES_MAX = 100
VERSION_HEADS = ("segment", "before", "newest", "difference", "interval, at any time", "")
SHADOW_HEADS = ("segment", "rows", "champion", "challenger", "difference", "interval, at any time", "agree", "")
BIASED_HEADS = ("segment", "rows", "bias", "95 % interval", "correction", "bias left", "error, left")
NAME_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class FoundTable:
    """One of them. name: a word for anchors; about: after the title, in a few words."""

    name: str
    title: str
    about: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def found_tables(reading: EngineReading) -> tuple[FoundTable, ...]:
    """Those that have rows."""
    versions, weak, biased = version_rows(reading.versions), weak_rows(reading.weak), biased_rows(reading.biased)
    tables = (
        FoundTable("versions", "Model versions", "the newest beside the one before", VERSION_HEADS, versions),
        *_shadow(reading.shadow),
        FoundTable("weak", "Where the model is worst", "of the newest labelled rows", WEAK_HEADS, weak),
        FoundTable("biased", "Where it leans to one side", "and what would set it right", BIASED_HEADS, biased),
        FoundTable("quantiles", "Quantiles", "of the newest values", QUANTILE_HEADS, quantile_rows(reading.monitors)),
    )
    return tuple(table for table in tables if table.rows)


def _shadow(shadow: ShadowReading | None) -> tuple[FoundTable, ...]:
    """A challenger beside the champion; how far their rows have met."""
    if shadow is None:
        return ()
    rows = shadow_rows(shadow.compared) or (("nothing to compare yet", *[NOTHING] * (len(SHADOW_HEADS) - 1)),)
    return (FoundTable("shadow", "Challenger in shadow", shadow_books(shadow), SHADOW_HEADS, rows),)


def weak_rows(found: Sequence[WeakSegment]) -> tuple[tuple[str, ...], ...]:
    """Where the model is worst, how sure, how many rows, its share of all errors.

    >>> weak_rows([WeakSegment((("tier", "premium"),), 400, 0.2, 0.16, 0.24, 0.1, 0.04, 1e-6)])[0]
    ('tier=premium', '400', '0.2', '0.16 … 0.24', '0.1', '4.0 %', '1e-06')
    """
    return tuple(
        (
            _name(each.segment),
            f"{each.rows:,}",
            number(each.error),
            f"{number(each.low)} … {number(each.high)}",
            number(each.rest),
            percent(each.errors),
            f"{each.chance:.1g}",
        )
        for each in found
    )


def quantile_rows(readings: Sequence[Reading]) -> tuple[tuple[str, ...], ...]:
    """Of each column and segment once, whatever number of monitors there is; all rows first."""
    held: dict[tuple[str, Segment], Reading] = {}
    for reading in readings:
        if reading.quantiles:
            held.setdefault((reading.column, reading.segment), reading)
    ordered = sorted(held.values(), key=lambda each: (each.column, bool(each.segment)))
    return tuple(
        (_shown(r.column), _name(r.segment), *(number(dict(r.quantiles)[p]) for p in (0.5, 0.95, 0.99)), f"{r.rows:,}")
        for r in ordered[:QUANTILES_MAX]
    )


def version_rows(found: Sequence[VersionsCompared]) -> tuple[tuple[str, ...], ...]:
    """The newest model version beside the one before it.

    >>> version_rows([VersionsCompared((), "v1", "v2", 900, 800, 0.9, 0.93, 0.03, 0.01, 0.05, "wins")])[0]
    ('all', 'v1: 0.9 of 900', 'v2: 0.93 of 800', '+0.03', '0.01 … 0.05', 'v2 wins')
    """
    return tuple(
        (
            _name(each.segment),
            f"{_shown(each.champion)}: {number(each.champion_value)} of {each.champion_rows:,}",
            f"{_shown(each.challenger)}: {number(each.challenger_value)} of {each.challenger_rows:,}",
            _signed(each.difference),
            f"{number(each.low)} … {number(each.high)}",
            _outcome(each),
        )
        for each in found
    )


def _outcome(each: VersionsCompared | ShadowCompared) -> str:
    return f"{_shown(each.challenger)} {each.verdict}" if each.verdict != "undecided" else each.verdict


def shadow_rows(found: Sequence[ShadowCompared]) -> tuple[tuple[str, ...], ...]:
    """A challenger in shadow beside the champion, on the same rows.

    >>> shadow_rows([ShadowCompared((), "v1", "v2", 900, 0.9, 0.93, 0.03, 0.01, 0.05, 0.95, "wins")])[0]
    ('all', '900', 'v1: 0.9', 'v2: 0.93', '+0.03', '0.01 … 0.05', '95.0 %', 'v2 wins')
    """
    return tuple(
        (
            _name(each.segment),
            f"{each.rows:,}",
            f"{_shown(each.champion)}: {number(each.champion_value)}",
            f"{_shown(each.challenger)}: {number(each.challenger_value)}",
            _signed(each.difference),
            f"{number(each.low)} … {number(each.high)}",
            percent(each.agreement),
            _outcome(each),
        )
        for each in found
    )


def shadow_books(shadow: ShadowReading) -> str:
    """How far the challenger's predictions and the champion's labelled rows have met, for people.

    >>> from streamcheck.core.readings import JoinReading
    >>> shadow_books(ShadowReading("v2", JoinReading(1_000, 100, 880, 20, 0, 0, 940, 60, 880)))
    'v2: 1,000 predictions, 880 compared, 100 wait for a labelled row, 20 met none (2.2 %)'
    """
    books = shadow.join
    alone = books.predictions_expired + books.predictions_evicted
    without = books.labels_expired + books.labels_evicted
    said = (
        f"{_shown(shadow.challenger)}: {books.predictions:,} predictions, {books.predictions_matched:,} compared, "
        f"{books.predictions_pending:,} wait for a labelled row"
    )
    said += "" if not alone else f", {alone:,} met none ({percent(shadow.alone or 0.0)})"
    uncovered = f"{without:,} labelled rows met no prediction ({percent(shadow.uncovered or 0.0)})"
    return said if not without else f"{said}; {uncovered}"


def biased_rows(found: Sequence[BiasedSegment]) -> tuple[tuple[str, ...], ...]:
    """Where predictions lean to one side, what sets them right, and what that leaves on newer rows.

    >>> biased = BiasedSegment((("area", "north"),), 900, 8.0, 7.0, 9.0, 0.08, 0.926, 0.0, 400, 8.2, 0.4, 15.0, 12.0)
    >>> biased_rows([biased])[0][2:]
    ('+8 (+8.0 %)', '7 … 9', 'x 0.926', '+0.4 of +8.2', '15 -> 12')
    """
    return tuple(
        (
            _name(each.segment),
            f"{each.rows:,}",
            _signed(each.bias) + ("" if each.relative is None else f" ({100 * each.relative:+.1f} %)"),
            f"{number(each.low)} … {number(each.high)}",
            f"x {number(each.scale)}" if each.scale != 1.0 else _signed(each.shift),
            f"{_signed(each.left_bias)} of {_signed(each.later_bias)}",
            f"{number(each.later_error)} -> {number(each.left_error)}",
        )
        for each in found
    )


def _name(segment: tuple[tuple[str, str], ...]) -> str:
    return _shown(", ".join(f"{field}={value}" for field, value in segment)) or "all"


def _shown(text: str) -> str:
    """What came with events must not move a terminal's cursor, nor fill a page."""
    held = printable(text[: NAME_CHARS_MAX + 1], "?")
    return held if len(held) <= NAME_CHARS_MAX else held[: NAME_CHARS_MAX - 1] + "…"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)
