"""What do more features, more segments and larger events cost? Rates and memory along one axis, in both modes.

`features`: 1 to 100, 25 bytes of JSON each. `segments`: 4 to 10,000, seen by the default monitors of accuracy. `size`:
events of one feature and a text that nobody reads, 122 bytes to 4 kB. The label join has a command of its own.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.events import Predictions, Shape
from bench.measure import Figures, measure
from bench.roster import BY_KEY, PANE, ROW
from bench.run import add_options, chosen
from bench.streams import Stream, broker, stream
from bench.surroundings import described, keep, surroundings
from bench.table import spread

AXES: dict[str, dict[int, Shape]] = {
    "features": {n: Shape(features=n) for n in (1, 10, 30, 100)},
    "segments": {n: Shape(segments=n) for n in (4, 100, 1_000, 10_000)},
    "size": {n: Shape(features=1, categories=0, pad=max(0, n - 131)) for n in (122, 500, 1_000, 4_000)},
}
Found = dict[tuple[int, str], list[Figures]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench axes", description=__doc__)
    parser.add_argument("axis", choices=AXES)
    add_options(parser, events=200_000, rounds=3)
    parser.add_argument("--only", default=f"{ROW},{PANE}", help="contenders (default: %(default)s)")
    args = parser.parse_args(arguments)
    around = surroundings()
    keys = [contender.key for contender in chosen(args.only, peers=True)]
    found: Found = {(point, key): [] for point in AXES[args.axis] for key in keys}
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        streams = {
            point: stream(bootstrap, shape, args.events, args.partitions) for point, shape in AXES[args.axis].items()
        }
        cases = list(found)
        for number in range(args.rounds):
            turn = number % len(cases)
            for point, key in (*cases[turn:], *cases[:turn]):
                figures = _run(key, streams[point], Path(folder))
                print(f"  round {number + 1}  {point:6d} {key:6s} {figures.rate:9,.0f} events/s", file=sys.stderr)
                found[point, key].append(figures)
    rows = [_row(args.axis, case, runs) for case, runs in found.items()]
    print(f"\n{args.rounds} rounds of {args.events:,} predictions and as many labels")
    print(f"commit {around['commit']}; {described(around)}\n\n{shown(args.axis, rows)}\n")
    ratios = value_costs(found, "seconds") if args.axis == "features" else {}
    cpu_ratios = value_costs(found, "cpu_s") if args.axis == "features" else {}
    setup = {"axis": args.axis, "events": args.events, "rounds": args.rounds}
    keep(args.axis, around, {**setup, "rows": rows, "ratios": ratios, "cpu_ratios": cpu_ratios}, args.out)


def _run(key: str, filled: Stream, folder: Path) -> Figures:
    figures = measure(key, BY_KEY[key].start(filled, folder, f"axes-{key}-{time.time_ns()}"), filled.events)
    read = figures.said["predictions"] + figures.said["labels"]
    assert read == 2 * filled.events, f"{key} read {read} of {2 * filled.events} events"
    return figures


def _row(axis: str, case: tuple[int, str], runs: Sequence[Figures]) -> dict[str, Any]:
    shape = AXES[axis][case[0]]
    return {
        axis: case[0],
        "contender": case[1],
        "bytes": Predictions(shape).text.width,
        "events_per_second": spread([each.rate for each in runs]),
        "cpu_us_per_event": spread([each.cpu_s / each.events * 1e6 for each in runs]),
        "cpu_us_per_feature": spread([each.cpu_s / each.events / shape.features * 1e6 for each in runs]),
        "peak_mb": spread([each.peak_mb for each in runs]),
    }


def value_costs(found: Found, time_of: str) -> dict[str, float]:
    """The time of a feature's value among 100 features, as a multiple of that among 10: medians of the rounds.

    time_of: which time of the figures.
    """
    keys = {key for _, key in found}
    return {
        key: median(
            getattr(many, time_of) / 100 / (getattr(few, time_of) / 10)
            for many, few in zip(found[100, key], found[10, key], strict=True)
        )
        for key in sorted(keys)
    }


def shown(axis: str, rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        f"| {axis} | contender | bytes | events/s: min | median | max | CPU µs/event | per feature | MB |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        rate = row["events_per_second"]
        cells = [f"{row[axis]:,}", row["contender"], str(row["bytes"]), *(f"{rate[which]:,.0f}" for which in rate)]
        cells += [f"{row['cpu_us_per_event']['median']:.1f}", f"{row['cpu_us_per_feature']['median']:.2f}"]
        lines.append(f"| {' | '.join(cells)} | {row['peak_mb']['max']:.0f} |")
    return "\n".join(lines)
