"""Tables of a backtest: incidents and how they were found, configs side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from streamcheck.cli.output import show_table
from streamcheck.core.wording import counted

CHANGED_SHOWN = 10
_S, _M, _H, _D = 1_000, 60_000, 3_600_000, 86_400_000


def segment_text(segment: Mapping[str, str]) -> str:
    """A segment for people."""
    return ", ".join(f"{name}={value}" for name, value in segment.items()) or "all"


def duration_words(duration_ms: int | None) -> str:
    """A length of time for people, in two units at most.

    >>> duration_words(93_784_000), duration_words(61_500), duration_words(None)
    ('1d 2h', '1m 1s', '-')
    """
    if duration_ms is None:
        return "-"
    parts, left = [], duration_ms
    for name, size in (("d", _D), ("h", _H), ("m", _M), ("s", _S)):
        if left >= size:
            parts.append(f"{left // size}{name}")
        left %= size
    return " ".join(parts[:2]) or f"{duration_ms}ms"


def percent(share: float | None) -> str:
    """A share for people."""
    return "-" if share is None else f"{100 * share:.0f} %"


def number(value: float | None) -> str:
    """A number for people."""
    return "-" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"


def tell_truth(truth: Mapping[str, Any]) -> None:
    """Incidents, then the scores beside those of the dummies."""
    rows = [
        (
            each["start"][:19],
            each["end"][:19],
            each["note"] or ", ".join(each["monitors"] + each["columns"]) or segment_text(each["segment"]),
            "missed" if each["found_by"] is None else f"{each['found_by']} at {each['found_at'][:19]}",
            duration_words(each["delay_ms"]),
            number(each["delay_rows"]),
            number(each["alerts"]),
        )
        for each in truth["incidents"]
    ]
    if rows:
        show_table("Incidents", ("start", "end", "what", "found by", "delay", "rows", "alerts"), rows)
    if truth["outside"]:
        click.echo(f"{counted(truth['outside'], 'incident')} outside of what was replayed")
    columns = (
        "", "alerts", "found", "recall", "precision", "repeats", "false", "false a week", "per 10,000 rows",
        "false groups", "median delay", "rows",
    )  # fmt: skip
    show_table("Truth", columns, [_score_row(score["name"], score) for score in truth["scores"]])


def _score_row(name: str, score: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        number(score["alerts"]),
        f"{score['found']} of {score['incidents']}",
        percent(score["recall"]),
        percent(score["precision"]),
        number(score["repeats"]),
        number(score["false"]),
        number(score["false_per_week"]),
        number(score["false_per_10000_rows"]),
        f"{score['false_groups']:,} of {score['groups']:,}",
        duration_words(score["delay_ms_median"]),
        number(score["delay_rows_median"]),
    )


def tell_comparison(rows: Sequence[Mapping[str, Any]]) -> None:
    """Configs side by side, then what differs from the first."""
    judged = "truth" in rows[0]
    columns = ["config", "alerts", "a week", "same", "vanish", "appear"]
    columns += ["found", "recall", "precision", "false a week", "median delay"] if judged else []
    table = []
    for row in rows:
        cells = [row["name"], number(row["fired"]), number(row["fired_per_week"])]
        cells += (
            [number(row["same"]), number(len(row["vanished"])), number(len(row["appeared"]))]
            if "same" in row
            else ["-"] * 3
        )
        if judged:
            score = row["truth"]
            cells += [
                f"{score['found']} of {score['incidents']}",
                percent(score["recall"]),
                percent(score["precision"]),
            ]
            cells += [number(score["false_per_week"]), duration_words(score["delay_ms_median"])]
        table.append(tuple(cells))
    show_table("Configs", columns, table)
    for row in rows[1:]:
        _tell_changes(row["name"], "vanishes", row["vanished"])
        _tell_changes(row["name"], "appears", row["appeared"])


def _tell_changes(name: str, what: str, alerts: Sequence[Mapping[str, Any]]) -> None:
    for alert in alerts[:CHANGED_SHOWN]:
        click.echo(f"{name}: {what}: {alert['fired_at']} {alert['monitor']}: {alert['summary']}")
    if len(alerts) > CHANGED_SHOWN:
        click.echo(f"{name}: {what}: {len(alerts) - CHANGED_SHOWN} more (--json)")
