"""The tables of evaluate/README.md, made from the kept figures and nothing else."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluate import kept, targets

README = Path(__file__).parent / "README.md"
MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Entries = Mapping[str, Any]
Held = Mapping[str, Entries]


def renewed(text: str, results: Path = kept.RESULTS) -> str:
    """The same text with every marked table made anew."""
    held = {table: kept.load(table, results) for table in NAMES}
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]](held)}\n{found[3]}", text)


def number(value: float | None, digits: int = 2) -> str:
    """A number, short.

    >>> number(1250.0), number(0.1234), number(None)
    ('1,250', '0.12', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.{digits}f}"


def interval(estimate: Mapping[str, Any] | None, factor: float = 1.0, digits: int = 2) -> str:
    """An estimate with its interval; what is only known from below as `≥`.

    >>> interval({"value": 2.0, "low": 1.1, "high": 4.2})
    '2 (1.10–4.20)'
    >>> interval({"value": None, "low": 3.0, "high": None})
    '≥ 3'
    """
    if estimate is None:
        return "–"
    ends = (estimate[name] for name in ("value", "low", "high"))
    value, low, high = (None if end is None else factor * end for end in ends)
    if value is None:
        return "–" if low is None else f"≥ {number(low, digits)}"
    return f"{number(value, digits)} ({number(low, digits)}–{number(high, digits)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, numbers to the right."""
    if not rows:
        return "(not run)"
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(['---'] + ['--:'] * (len(head) - 1))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _null(name: str) -> Callable[[Held], str]:
    def made(held: Held) -> str:
        rows = []
        for key, entry in held[name].items():
            found = entry["found"]
            by = ", ".join(f"{which} {count}" for which, count in found["by"].items())
            ratios = [interval(found["ratio"]), interval(found["ratio_incidents"])]
            counts = [number(found["expected"], 1), str(found["alarms"]), *ratios, number(found["ready"])]
            rows.append([key, entry["parts"], *counts, number(found["ms_per_pane"]), by])
        head = ["config, stream, reference", "parts", "expected", "alarms", "ratio", "of incidents", "ready"]
        return table([*head, "ms a pane", "alarms by"], rows)

    return made


def _delays(held: Held) -> str:
    """Both tables of changes, change by change."""
    both = [*held["changes"].items(), *held["river-changes"].items()]
    rows = []
    for change in dict.fromkeys(entry["change"] for _, entry in both):
        for key, entry in both:
            if entry["change"] == change:
                found = entry["found"]
                who = key.removesuffix(f", {change}")
                start = interval(found["start_error_rows"])
                false, recall = interval(found["false_per_100k"]), interval(found["recall"], 100, 0)
                rows.append([change, who, _setting(entry), false, recall, interval(found["delay_rows"]), start])
    return table(["change", "contender", "setting", "false per 100k", "recall, %", "delay, rows", "start error"], rows)


def _setting(entry: Mapping[str, Any]) -> str:
    return "" if entry.get("setting") is None else f"{entry['setting']:g}"


def _segments(held: Held) -> str:
    rows = []
    for key, entry in held["segments"].items():
        found = entry["found"]
        shares = [interval(found[name], 100, 0) for name in ("recall", "alone")]
        delays = [interval(found[name]) for name in ("delay_rows", "any_delay_rows")]
        rows.append([key, str(found["trials"]), interval(found["false_per_100k"]), *shares, *delays])
    head = ["contender", "trials", "false per 100k", "found, %", "named alone, %", "delay, all rows"]
    return table([*head, "first alarm of any"], rows)


def _river_null(held: Held) -> str:
    streams = list(dict.fromkeys(entry["stream"] for entry in held["river-null"].values()))
    rows: dict[str, list[str]] = {}
    for key, entry in held["river-null"].items():
        cells = rows.setdefault(key.removesuffix(f", {entry['stream']}"), [""] * len(streams))
        cells[streams.index(entry["stream"])] = interval(entry["found"]["per_100k"])
    return table(["false alarms per 100,000 rows", *streams], [[who, *cells] for who, cells in rows.items()])


def _ordered(held: Held) -> str:
    rows = []
    for key, entry in held["ordered"].items():
        found = entry["found"]
        first = ", ".join(f"{name} {at['row']:,} ({at['start']:,})" for name, at in found["first"].items())
        before = ", ".join(f"{name} {count}" for name, count in found["before"].items())
        rows.append([key, str(found["panes"]), str(found["alarms"]), str(found["incidents"]), before, first])
    head = ["set", "panes", "alarms", "incidents", "alarms before the change"]
    return table([*head, "first after it: row (start)"], rows)


def _tornado(held: Held) -> str:
    rows = []
    for key, entry in held["tornado"].items():
        found = entry["found"]
        delays = [number(found["delay_mean"], 0), number(found["delay_median"], 0)]
        starts = [number(found["start_error_median"], 0), number(found["start_error_max"], 0)]
        hits = [f"{found['hits']} of {found['drifts']}", str(found["ended"])]
        rows.append([key, *hits, *delays, *starts, str(found["false"])])
    head = ["contender", "found", "missed, but an alert ended", "delay: mean", "median", "start error: median", "most"]
    return table([*head, "false alarms"], rows)


def _cost(held: Held) -> str:
    rows = []
    for key, entry in held["cost"].items():
        found = entry["found"]
        rows.append([key, *(number(found[name]) for name in ("monitors", "ms_per_pane", "us_per_monitor"))])
        if (ms := found.get("ms_with_signals")) is not None:
            numbers = (found["monitors"], ms, ms * 1e3 / found["monitors"])
            rows.append([f"{key}, a signal and a verdict each", *map(number, numbers)])
    return table(["contender", "monitors", "CPU ms a pane", "µs a monitor"], rows)


def _targets(held: Held) -> str:
    return table(["must reach", "at least", "measured", ""], targets.rows(held))


NAMES = (
    *("null", "null-rates", "seasons", "changes", "segments", "river-null", "river-changes"),
    *("permuted", "ordered", "tornado", "cost"),
)
TABLES: dict[str, Callable[[Held], str]] = {
    "targets": _targets,
    "null": _null("null"),
    "null-rates": _null("null-rates"),
    "seasons": _null("seasons"),
    "changes": _delays,
    "segments": _segments,
    "river-null": _river_null,
    "permuted": _null("permuted"),
    "ordered": _ordered,
    "tornado": _tornado,
    "cost": _cost,
}
