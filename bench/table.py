"""Rounds of several contenders as a table: rates, and ratios within a round, as minimum, median and maximum."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.measure import Figures
from bench.roster import BY_KEY, LOADS, NAIVE


def by_contender(found: Sequence[Figures]) -> dict[str, list[Figures]]:
    """In the order of the roster."""
    return {key: runs for key in BY_KEY if (runs := [each for each in found if each.key == key])}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median, maximum."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def ratios(own: Sequence[Figures], other: Sequence[Figures]) -> dict[str, float]:
    """By how much faster, round by round: the machine's speed changes from minute to minute."""
    return spread([mine.rate / theirs.rate for mine, theirs in zip(own, other, strict=True)])


def cpu_ratios(own: Sequence[Figures], other: Sequence[Figures]) -> dict[str, float]:
    """The same by CPU time, which others on the machine disturb less."""
    return spread([theirs.cpu_s / mine.cpu_s for mine, theirs in zip(own, other, strict=True)])


def rows(found: Sequence[Figures]) -> list[dict[str, Any]]:
    """What goes into the JSON, one entry per contender."""
    groups = by_contender(found)
    return [
        {
            "contender": key,
            "title": BY_KEY[key].title,
            "events_per_second": spread([each.rate for each in runs]),
            "ratio_to": {other: ratios(runs, groups[other]) for other in groups},
            "cpu_ratio_to": {other: cpu_ratios(runs, groups[other]) for other in groups},
            "process_s": spread([each.process_s for each in runs]),
            "cpu_us_per_event": spread([each.cpu_s / each.events * 1e6 for each in runs]),
            "peak_mb": spread([each.peak_mb for each in runs]),
            "rounds": [{name: value for name, value in asdict(each).items() if name != "said"} for each in runs],
        }
        for key, runs in groups.items()
    ]


def shown(table: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| | events/s: min | median | max | × naive: min | median | max | by CPU | × read, parse | CPU µs/event | MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in table:
        rate, naive, loads = row["events_per_second"], row["ratio_to"].get(NAIVE), row["ratio_to"].get(LOADS)
        times = [f"{naive[which]:.2f}" for which in naive] if naive else ["", "", ""]
        times += [f"{row['cpu_ratio_to'][NAIVE]['median']:.2f}" if naive else ""]
        cells = [row["title"], *(f"{rate[which]:,.0f}" for which in rate), *times]
        cells += [f"{loads['median']:.2f}" if loads else ""]
        cells += [f"{row['cpu_us_per_event']['median']:.1f}", f"{row['peak_mb']['max']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
