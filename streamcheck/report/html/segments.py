"""In which segments did it change? One number of each segment, before and since."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from streamcheck.core.intervals import wilson
from streamcheck.core.plan import Target, Task
from streamcheck.core.types import FloatArray
from streamcheck.core.wording import number, percent
from streamcheck.report.html.marks import ROW_HEIGHT, SHARE_TICKS, Chart, Figure, axis, short, text
from streamcheck.report.record.columns import ColumnHistory, Look
from streamcheck.report.record.evidence import Evidence
from streamcheck.report.record.labelled import Score
from streamcheck.report.tables import Table, cut, name_of

SHOWN_MAX = 12
"""Segments in one chart, those with the most rows since the change."""


@dataclass(frozen=True, slots=True)
class Move:
    """One segment: its number before (None: it had no rows) and since, and the rows behind both."""

    name: str
    before: float | None
    since: float
    rows_before: int
    rows_since: int
    low: float | None = None
    high: float | None = None


def of_column(evidence: Evidence, history: ColumnHistory) -> Chart | None:
    """Segments of a column's alert: means, or shares of what the monitor is about."""
    title, value, share = _number(evidence, history)
    moves = []
    for shift in evidence.segments:
        now, then = history.look(shift.since), history.look(shift.before)
        since = value(now)
        if since is not None:
            low, high = wilson(round(since * now["rows"]), int(now["rows"])) if share else (None, None)
            moves.append(Move(name_of(shift.label), value(then), since, int(then["rows"]), int(now["rows"]), low, high))
    return chart(title, moves, share=share)


def _number(evidence: Evidence, history: ColumnHistory) -> tuple[str, Callable[[Look], float | None], bool]:
    """What is compared: its title, how it is read from a look, and whether it is a share."""
    measure = evidence.spec.measure.name if evidence.spec.measure else "mean"
    column = history.column.name
    parts = {
        "missing_rate": ("missing",),
        "wrong_type_rate": ("wrong_type", "non_finite"),
        "out_of_range": ("out_of_range",),
    }
    if measure in parts:
        names = parts[measure]
        words = measure.removesuffix("_rate").replace("_", " ")
        return f"share of {column} that is {words}", lambda look: _shares(look, names), True
    if history.numeric:
        spread = measure == "scale"
        return (
            f"{'standard deviation' if spread else 'mean'} of {column}",
            lambda look: (look.moment.sd if spread else look.moment.mean) if look["ok"] else None,
            False,
        )
    place, name = _moved_most(evidence, history)
    return f"share of {column} = {name}", lambda look: _category(look, place), True


def _shares(look: Look, names: Iterable[str]) -> float | None:
    return sum(look[name] for name in names) / look["rows"] if look["rows"] else None


def _category(look: Look, place: int) -> float | None:
    if not look["ok"]:
        return None
    return float(look.counts[place]) / look["ok"] if place < len(look.counts) else 0.0


def _moved_most(evidence: Evidence, history: ColumnHistory) -> tuple[int, str]:
    """The category whose share changed most over all of the alert's rows: its place in counts, and its name."""
    now, then = history.look(evidence.since), history.look(evidence.before)
    size = max(len(now.counts), len(then.counts), 1)
    moved = np.zeros(size)
    moved[: len(now.counts)] += now.counts / max(now["ok"], 1.0)
    moved[: len(then.counts)] -= then.counts / max(then["ok"], 1.0)
    place = int(np.argmax(np.abs(moved)))
    names = list(history.names)
    return place, names[place - 1] if 0 < place <= len(names) else "any other"


def of_quality(evidence: Evidence, task: Task) -> Chart | None:
    """Segments of a quality's alert: accuracy, or the absolute error."""
    main = "mae" if task is Task.REGRESSION else "accuracy"
    wanted = evidence.spec.column
    moves = []
    for shift in evidence.segments:
        now, then = Score(shift.since, task).estimates(), Score(shift.before, task).estimates()
        name = wanted if wanted in now else main
        if name in now:
            estimate, before = now[name], then.get(name)
            rows = _rows(shift.before), _rows(shift.since)
            level = None if before is None else before.value
            moves.append(Move(name_of(shift.label), level, estimate.value, *rows, estimate.low, estimate.high))
    return chart(f"{wanted if wanted != 'error' else main} of labelled rows", moves, share=task is not Task.REGRESSION)


def _rows(content: FloatArray) -> int:
    return int(content[0]) if len(content) else 0


def of(evidence: Evidence, history: ColumnHistory | None, task: Task | None) -> Chart | None:
    """The chart that suits the alert; None where it has no segments."""
    if not evidence.segments:
        return None
    if evidence.spec.target is Target.LABELLED and task is not None:
        return of_quality(evidence, task)
    return None if history is None else of_column(evidence, history)


def chart(title: str, moves: list[Move], *, share: bool) -> Chart | None:
    """A line from before to since for each segment; the segments with the most rows, largest move first."""
    if not moves:
        return None
    kept = sorted(moves, key=lambda move: (-move.rows_since, move.name))[:SHOWN_MAX]
    kept.sort(key=lambda move: (-abs(move.since - (move.since if move.before is None else move.before)), move.name))
    said: Callable[[float | None], str] = percent if share else number
    names = [text(move.name, 40) for move in kept]
    traces = [_joints(kept, names), _dots(kept, names, "before", "$then"), _dots(kept, names, "since", "$now")]
    form = {"tickformat": SHARE_TICKS} if share else {}
    figure: Figure = {
        "data": traces,
        "layout": {
            "xaxis": axis(text(title), **form),
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom"},
        },
    }
    rows = tuple(
        (m.name, said(m.before), said(m.since), _range(m, said), f"{m.rows_before:,}", f"{m.rows_since:,}")
        for m in kept
    )
    left_out = len(moves) - len(kept)
    says = f"{title}, by segment, before and since the change" + (
        f"; the {len(kept)} segments with the most rows of {len(moves)}" if left_out else ""
    )
    table = Table(("segment", "before", "since", "95 % interval", "rows before", "rows since"), rows)
    return Chart(f"Segments: {cut(title, 80)}", says, figure, 120 + ROW_HEIGHT * max(len(kept), 3), table)


def _range(move: Move, said: Callable[[float | None], str]) -> str:
    return "–" if move.low is None else f"{said(move.low)} to {said(move.high)}"


def _joints(kept: list[Move], names: list[str]) -> Figure:
    x: list[float | None] = []
    y: list[str | None] = []
    for move, name in zip(kept, names, strict=True):
        x += [move.since if move.before is None else move.before, move.since, None]
        y += [name, name, None]
    line = {"color": "$dim", "width": 1.5}
    return {"type": "scatter", "mode": "lines", "x": short(x), "y": y, "line": line, "showlegend": False,
            "hoverinfo": "skip"}  # fmt: skip


def _dots(kept: list[Move], names: list[str], which: str, colour: str) -> Figure:
    values = [move.before if which == "before" else move.since for move in kept]
    rows = [f"{move.rows_before if which == 'before' else move.rows_since:,} rows" for move in kept]
    made: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": short(values),
        "y": names,
        "text": rows,
        "name": which,
        "marker": {"color": colour, "size": 9, "symbol": "circle-open" if which == "before" else "circle"},
        "hovertemplate": "%{x}, %{text}<extra>%{fullData.name}</extra>",
    }
    if which == "since" and any(move.low is not None for move in kept):
        made["error_x"] = _whiskers([(m.since, m.low, m.high) for m in kept], colour)
    return made


def _whiskers(ends: list[tuple[float, float | None, float | None]], colour: str) -> Figure:
    up = [0.0 if high is None else high - value for value, _, high in ends]
    down = [0.0 if low is None else value - low for value, low, _ in ends]
    return {"type": "data", "symmetric": False, "array": short(up), "arrayminus": short(down), "color": colour,
            "thickness": 1.2, "width": 3}  # fmt: skip
