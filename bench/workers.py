"""Who works how much in `streamcheck backtest` with 1, 2 and more `workers`? CPU of the owner and of all workers.

On a machine that others use, too, clocks tell little: what N processes can gain is told by CPU time. With C cores a run
takes at least what its owner's own thread takes, and at least all CPU time divided by C; `bound` is the same of one
process, divided by the larger of the two.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import configs, tables
from bench.contenders.own import did
from bench.events import Shape
from bench.measure import Figures, measure
from bench.surroundings import described, keep, surroundings
from bench.table import spread

Case = tuple[str, int]
"""Format and `workers`."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench workers", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", default="1,2", help="numbers, of which the first is 1 (default: %(default)s)")
    parser.add_argument("--only", default=",".join(tables.FORMATS), help="formats (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="file for the figures (default: bench/results/COMMIT/workers.json)")
    parser.add_argument("--one", nargs=3, metavar=("CONFIG", "PREDICTIONS", "LABELS"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.one:
        print(json.dumps(one(*args.one)))
        return
    around, cores = surroundings(), os.cpu_count() or 1
    cases = [(kind, int(number)) for kind in args.only.split(",") for number in args.workers.split(",")]
    found: dict[Case, list[Figures]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        files = tables.write(Path(folder), Shape(), args.events)
        for number in range(args.rounds):
            turn = number % len(cases)
            for case in (*cases[turn:], *cases[:turn]):
                found[case].append(measured(case, Path(folder), files[case[0]], args.events))
                print(f"  round {number + 1}  {case}  {found[case][-1].seconds:.1f} s", file=sys.stderr, flush=True)
    rows = [row(case, found, cores) for case in cases]
    print(f"\n{args.rounds} rounds of {args.events:,} predictions and as many labels")
    print(f"commit {around['commit']}; {described(around)}\n\n{shown(rows)}\n")
    keep("workers", around, {"events": args.events, "rounds": args.rounds, "cases": rows}, args.out)


def measured(case: Case, folder: Path, files: tuple[Path, Path], events: int) -> Figures:
    """One run in a process of its own."""
    kind, workers = case
    name, flat = f"{kind}-{workers}", kind != "jsonl"
    config = configs.over_files(configs.pane_mode(Shape()), name, folder, flat=flat, workers=workers)
    command = [sys.executable, "-m", "bench", "workers", "--one", str(config), *map(str, files)]
    figures = measure(name, command, events)
    assert figures.said["events"] == 2 * events, f"{name} read {figures.said['events']} rows"
    return figures


def one(config: str, predictions: str, labels: str) -> dict[str, Any]:
    """Backtest in this process; CPU seconds of it and of its workers, whose start counts as well."""
    for module in ("cli.backtest", "cli.replay", "adapters.files.tables"):
        importlib.import_module(f"streamcheck.{module}")
    command = importlib.import_module("streamcheck.cli").main
    began, before, own = time.perf_counter(), _cpu(resource.RUSAGE_SELF), time.thread_time()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        command(["backtest", config, "--predictions", predictions, "--labels", labels], standalone_mode=False)
    owner, workers = _cpu(resource.RUSAGE_SELF) - before, _cpu(resource.RUSAGE_CHILDREN)
    loop, seconds = time.thread_time() - own, time.perf_counter() - began
    spent = {"cpu_s": owner + workers, "owner_s": owner, "loop_s": loop, "workers_s": workers}
    return {"seconds": seconds, **spent, **did(out.getvalue())}


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def row(case: Case, found: dict[Case, list[Figures]], cores: int) -> dict[str, Any]:
    """What came of all rounds; ratios are taken within a round."""
    runs, single = found[case], found[case[0], 1]
    least = [max(each.said["loop_s"], each.cpu_s / min(cores, case[1] + (case[1] > 1))) for each in runs]
    per = 1e6 / runs[0].events
    return {
        "format": case[0],
        "workers": case[1],
        "owner_us": spread([each.said["owner_s"] * per for each in runs]),
        "loop_us": spread([each.said["loop_s"] * per for each in runs]),
        "workers_us": spread([each.said["workers_s"] * per for each in runs]),
        "bound": spread([first.cpu_s / bound for first, bound in zip(single, least, strict=True)]),
        "ratio": spread([first.seconds / each.seconds for first, each in zip(single, runs, strict=True)]),
        "alerts": sorted({each.said["alerts"] for each in (*runs, *single)}),
    }


def shown(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| | workers | CPU µs: owner | its loop | workers | bound: min | median | max | clock: min | median | max |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in rows:
        assert len(each["alerts"]) == 1, f"alerts differ: {each['alerts']}"
        cells = [each["format"], str(each["workers"])]
        cells += [f"{each[name]['median']:.2f}" for name in ("owner_us", "loop_us", "workers_us")]
        cells += [f"{each[name][which]:.2f}" for name in ("bound", "ratio") for which in ("min", "median", "max")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
