"""Where does the time of `streamcheck run` go? Per stage and event, in row mode and in pane mode."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.events import Shape
from bench.measure import Figures, measure
from bench.roster import BY_KEY, PANE, ROW
from bench.run import add_options
from bench.streams import Stream, broker, stream
from bench.surroundings import described, keep, surroundings


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench profile", description=__doc__)
    add_options(parser, events=300_000, rounds=3)
    parser.add_argument("--only", default=f"{ROW},{PANE}", help="modes, separated by commas (default: %(default)s)")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="the N functions that take most, instead")
    args = parser.parse_args(arguments)
    around = surroundings()
    modes: dict[str, list[dict[str, Any]]] = {}
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        filled = stream(bootstrap, Shape(), args.events, args.partitions)
        for key in args.only.split(","):
            if args.functions:
                print(_run(key, filled, Path(folder), "--functions", str(args.functions)).said["functions"])
                continue
            runs = [_run(key, filled, Path(folder), "--stages") for _ in range(args.rounds)]
            best = min(runs, key=lambda figures: figures.cpu_s)
            modes[key] = per_event(best)
            cost_us = best.cpu_s / best.events * 1e6
            print(f"\n{BY_KEY[key].title}: {cost_us:.2f} CPU µs per event, {best.rate:,.0f} events/s")
            print(shown(modes[key]))
    print(f"\nthe best of {args.rounds} rounds; commit {around['commit']}; {described(around)}", file=sys.stderr)
    if modes:
        keep("profile", around, {"events": args.events, "modes": modes}, args.out)


def _run(key: str, filled: Stream, folder: Path, *options: str) -> Figures:
    run = f"profile-{key}-{time.time_ns()}"
    return measure(key, [*BY_KEY[key].start(filled, folder, run), *options], filled.events)


def per_event(figures: Figures) -> list[dict[str, Any]]:
    """Microseconds per prediction of each stage; the time of other threads by itself."""
    stages: list[dict[str, Any]] = figures.said["stages"]
    others = figures.cpu_s - sum(stage["cpu_s"] for stage in stages)
    stages = [*stages, {"stage": "other threads (the client's, pages)", "cpu_s": others, "wall_s": 0.0, "calls": 0}]
    per = 1e6 / figures.events
    return [
        {
            "stage": stage["stage"],
            "cpu_us": stage["cpu_s"] * per,
            "share": stage["cpu_s"] / figures.cpu_s,
            "wall_us": stage["wall_s"] * per,
            "calls": stage["calls"],
        }
        for stage in stages
    ]


def shown(stages: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = ["| stage | CPU µs/event | share | wall µs/event | calls |", "|---|--:|--:|--:|--:|"]
    for row in stages:
        figures = f"{row['cpu_us']:.2f} | {row['share']:.0%} | {row['wall_us']:.2f} | {row['calls']:,}"
        lines.append(f"| {row['stage']} | {figures} |")
    return "\n".join(lines)
