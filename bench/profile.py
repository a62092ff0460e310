"""Where does the time go, per stage and event? `streamcheck run` in both modes, and `backtest` over files."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench import tables
from bench.events import Shape
from bench.files import backtest_command
from bench.measure import Figures, measure
from bench.roster import BY_KEY, PANE, ROW
from bench.run import add_options
from bench.streams import broker, stream
from bench.surroundings import described, keep, surroundings


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench profile", description=__doc__)
    add_options(parser, events=300_000, rounds=3)
    parser.add_argument("--only", default=f"{ROW},{PANE}", help="also parquet, jsonl, csv (default: %(default)s)")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="the N functions that take most, instead")
    args = parser.parse_args(arguments)
    around = surroundings()
    modes: dict[str, list[dict[str, Any]]] = {}
    with contextlib.ExitStack() as stack:
        for key, start in starts(args, stack).items():
            if args.functions:
                command = [*start(_name(key)), "--functions", str(args.functions)]
                print(measure(key, command, args.events).said["functions"])
                continue
            runs = [measure(key, [*start(_name(key)), "--stages"], args.events) for _ in range(args.rounds)]
            best = min(runs, key=lambda figures: figures.cpu_s)
            modes[key] = per_event(best)
            print(f"\n{key}: {best.cpu_s / best.events * 1e6:.2f} CPU µs per event, {best.rate:,.0f} events/s")
            print(shown(modes[key]))
    print(f"\nthe best of {args.rounds} rounds; commit {around['commit']}; {described(around)}", file=sys.stderr)
    if modes:
        keep("profile", around, {"events": args.events, "modes": modes}, args.out)


def starts(args: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, Callable[[str], list[str]]]:
    """What makes the command line of a run, by its name, for each mode or format asked for. stack: holds the input."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    made: dict[str, Callable[[str], list[str]]] = {}
    asked = args.only.split(",")
    if modes := [BY_KEY[key] for key in asked if key in BY_KEY]:
        filled = stream(stack.enter_context(broker(args.kafka)), Shape(), args.events, args.partitions)
        for mode in modes:
            made[mode.key] = partial(mode.start, filled, folder)
    if formats := [key for key in asked if key not in BY_KEY]:
        written = tables.write(folder, Shape(), args.events)
        for kind in formats:
            made[kind] = partial(_backtest, kind, folder, written[kind])
    return made


def _backtest(kind: str, folder: Path, files: tuple[Path, Path], _run: str) -> list[str]:
    return backtest_command(kind, 1, folder, files)


def _name(key: str) -> str:
    return f"profile-{key}-{time.time_ns()}"


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
