"""Which monitors are there? Features by segments, those in trouble first, in pages of a bounded size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from streamcheck.adapters.web.drawing import SPARK_PIECES, Drawing, spark
from streamcheck.adapters.web.words import address, against, limited, nearness, short_segment, state, trouble
from streamcheck.core.readings import Reading, Segment, Trails
from streamcheck.core.wording import number, share
from streamcheck.runtime.telemetry import segment_text

T = TypeVar("T")

CELLS_MAX = 120
"""Of one page: at 2 kB each, most of the 300 kB that a page may have."""
ROW_CELLS_MAX = 60
"""Of one row; what is left out can be filtered for."""
SEGMENTS_PER_PAGE = 5
"""Beside all rows."""
QUERY_CHARS_MAX = 200
USUAL_DETECTORS = ("scan",)
"""That need not be named in a cell."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks for: words that must occur, and which part of rows and segments (from 0)."""

    words: str = ""
    rows: int = 0
    segments: int = 0

    def url(self, **changes: int | str) -> str:
        """The address of another part."""
        asked = {"q": self.words, "rows": self.rows, "segments": self.segments} | changes
        query = urlencode({name: value for name, value in asked.items() if value}, errors="replace")
        return f"./?{query}#monitors"


@dataclass(frozen=True, slots=True)
class Cell:
    """One monitor for one segment. says: the whole of it in words; score_share, threshold_share: places on a bar."""

    href: str
    how: str
    state: str
    tone: str
    value: str
    against: str
    says: str
    spark: Drawing | None
    score_share: int | None
    threshold_share: int


@dataclass(frozen=True, slots=True)
class Row:
    """One feature (or quality): for each segment of the page its cells, one for each way in which it is watched."""

    column: str
    groups: tuple[tuple[Cell, ...], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of something is shown: words, and addresses of the parts before and behind."""

    words: str
    before: str | None
    behind: str | None


@dataclass(frozen=True, slots=True)
class Grid:
    """The part of all monitors that is shown. spread: some cells of all rows need more than one place."""

    wish: Wish
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    rows_part: Part
    segments_part: Part
    pairs: int
    found: int
    spread: bool


Line = dict[Segment, list[Reading]]
"""What becomes a row: readings of one column by segment."""


def grid(judged: Sequence[Reading], trails: Trails, wish: Wish) -> Grid:
    """All monitors, as far as they are wished for."""
    found = [reading for reading in judged if _matches(reading, wish.words)]
    segments = _segments(found)
    wide = segments[: 1 if segments[:1] == [()] else 0]
    others = [segments[at : at + SEGMENTS_PER_PAGE] for at in range(len(wide), len(segments), SEGMENTS_PER_PAGE)]
    shown, segments_part = _chosen(others, wish.segments, wish, "segments")
    columns = [*wide, *shown]
    lines = [line for line in _lines(found) if any(segment in line for segment in columns)]
    chosen, rows_part = _chosen(_pages(lines, columns), wish.rows, wish, "rows")
    rows = tuple(_row(line, columns, trails) for line in chosen)
    heads = tuple(short_segment(segment) for segment in columns)
    spread = any(len(row.groups[0]) > 1 for row in rows)
    return Grid(wish, heads, rows, rows_part, segments_part, len(judged), len(found), spread)


def _matches(reading: Reading, words: str) -> bool:
    texts = (reading.monitor, reading.column, reading.measure, reading.detector, segment_text(reading.segment))
    text = " ".join((*texts, state(reading)[0])).lower()
    return all(word in text for word in words.lower().split())


def _lines(found: Sequence[Reading]) -> list[Line]:
    """Columns in trouble first, the others as they stand in the config."""
    lines: dict[str, Line] = {}
    for reading in found:
        lines.setdefault(reading.column, {}).setdefault(reading.segment, []).append(reading)
    return sorted(lines.values(), key=lambda line: min(trouble(r) for members in line.values() for r in members))


def _pages(lines: Sequence[Line], columns: Sequence[Segment]) -> list[list[Line]]:
    """Rows by pages of about CELLS_MAX cells."""
    pages: list[list[Line]] = []
    room = 0
    for line in lines:
        size = min(sum(len(line.get(segment, ())) for segment in columns), ROW_CELLS_MAX)
        if room < size:
            pages.append([])
            room = CELLS_MAX
        pages[-1].append(line)
        room -= size
    return pages


def _row(line: Line, columns: Sequence[Segment], trails: Trails) -> Row:
    room, groups, left_out = ROW_CELLS_MAX, [], 0
    for segment in columns:
        members = sorted(line.get(segment, ()), key=trouble)
        groups.append(tuple(_cell(reading, trails) for reading in members[:room]))
        left_out += max(0, len(members) - room)
        room -= len(groups[-1])
    first = next(iter(line.values()))[0]
    return Row(first.column, tuple(groups), left_out)


def _segments(found: Sequence[Reading]) -> list[Segment]:
    """All rows, then segments in trouble, then the others as they came."""
    worst: dict[Segment, tuple[int, bool, bool]] = {}
    for reading in found:
        own = trouble(reading)
        worst[reading.segment] = min(own, worst.get(reading.segment, own))
    return sorted(worst, key=lambda segment: (bool(segment), worst[segment]))


def _chosen(pages: Sequence[Sequence[T]], wanted: int, wish: Wish, name: str) -> tuple[Sequence[T], Part]:
    """One page, and how to get to those before and behind."""
    if not pages:
        return (), Part("", None, None)
    at = min(wanted, len(pages) - 1)
    first, total = sum(map(len, pages[:at])), sum(map(len, pages))
    words = f"{name} {first + 1:,} to {first + len(pages[at]):,} of {total:,}" if len(pages) > 1 else ""
    before = wish.url(**{name: at - 1}) if at else None
    return pages[at], Part(words, before, wish.url(**{name: at + 1}) if at < len(pages) - 1 else None)


def _cell(reading: Reading, trails: Trails) -> Cell:
    said, tone = state(reading)
    top = 1.25 * max(reading.score or 0.0, reading.threshold or 0.0)
    drawn = bool(reading.threshold) and not limited(reading) and reading.score is not None
    drawing = spark(trails.of(reading.monitor, reading.segment, SPARK_PIECES))
    words = [reading.column, reading.measure, reading.detector, short_segment(reading.segment), said]
    words += [f"value {number(reading.value)}"] if reading.value is not None else []
    words += [word for word in (against(reading),) if word]
    words += [f"score at {100 * nearness(reading):.0f} % of its threshold"] if drawn else []
    return Cell(
        href=address(reading.monitor, reading.segment),
        how=reading.measure if reading.detector in USUAL_DETECTORS else f"{reading.measure} · {reading.detector}",
        state=said,
        tone=tone,
        value="" if reading.value is None else number(reading.value),
        against=against(reading),
        says=", ".join(words) + (f"; {drawing.says}" if drawing else ""),
        spark=drawing,
        score_share=share(reading.score or 0.0, top) if drawn else None,
        threshold_share=share(reading.threshold or 0.0, top),
    )
