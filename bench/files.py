"""How many rows a second does `streamcheck backtest` take from files, in pane mode, with one process and with two?

python -m bench files --reports --only parquet --events 5000000 --rounds 1      what a report costs, memory too
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import configs
from bench.events import Shape
from bench.measure import Figures, measure
from bench.roster import own_command
from bench.surroundings import described, keep, surroundings
from bench.table import spread
from bench.tables import FORMATS, write

WORKERS = (1, 2)
REPORTS = ("", "json", "html")
Case = tuple[str, int, str]
"""Format of the files, number of processes, form of the report (none: empty)."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench files", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(FORMATS), help="formats, separated by commas (default: %(default)s)")
    parser.add_argument("--reports", action="store_true", help="one process, without a report, with JSON, with a page")
    parser.add_argument("--out", type=Path, help="file for the figures (default: bench/results/COMMIT/files.json)")
    args = parser.parse_args(arguments)
    around = surroundings()
    variants = [(1, report) for report in REPORTS] if args.reports else [(workers, "") for workers in WORKERS]
    cases = [(kind, *variant) for kind in args.only.split(",") for variant in variants]
    found: dict[Case, list[Figures]] = {case: [] for case in cases}
    alerts: dict[str, set[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), Shape(), args.events)
        for number in range(args.rounds):
            turn = number % len(cases)
            for kind, workers, report in (*cases[turn:], *cases[:turn]):
                run = f"{kind}-{workers}{'-' if report else ''}{report}"
                command = backtest_command(kind, workers, Path(folder), files[kind], report)
                figures = measure(run, command, 2 * args.events)
                assert figures.said["predictions"] == 2 * args.events, f"{run} read {figures.said['predictions']} rows"
                alerts.setdefault(kind, set()).add(figures.said["alerts"])
                print(f"  round {number + 1}  {run:12s} {figures.rate:11,.0f} rows/s", file=sys.stderr, flush=True)
                found[kind, workers, report].append(figures)
    assert all(len(numbers) == 1 for numbers in alerts.values()), f"alerts differ: {alerts}"
    rows = [_row(case, found) for case in cases]
    print(f"\n{args.rounds} rounds of {args.events:,} predictions and as many labels, all in one partition each")
    print(f"commit {around['commit']}; {described(around)}\n\n{shown(rows)}\n")
    keep("files", around, {"events": args.events, "rounds": args.rounds, "cases": rows}, args.out)


def backtest_command(kind: str, workers: int, folder: Path, files: tuple[Path, Path], report: str = "") -> list[str]:
    """The command line of a backtest in pane mode over predictions and labels."""
    name, flat = f"{kind}-{workers}", kind != "jsonl"
    config = configs.over_files(configs.pane_mode(Shape()), name, folder, flat=flat, workers=workers)
    written = ("--report", report, str(folder / f"report.{report}")) if report else ()
    return own_command(config, "--files", *map(str, files), *written)


def _row(case: Case, found: dict[Case, list[Figures]]) -> dict[str, Any]:
    runs, single = found[case], found[case[0], 1, ""]
    return {
        "format": case[0],
        "workers": case[1],
        "report": case[2],
        "rows_per_second": spread([each.rate for each in runs]),
        "ratio_to_one": spread([one.seconds / each.seconds for one, each in zip(single, runs, strict=True)]),
        "rows_per_cpu_second": spread([each.events / each.cpu_s for each in runs]),
        "cpu_us_per_row": spread([each.cpu_s / each.events * 1e6 for each in runs]),
        "peak_mb": spread([each.peak_mb for each in runs]),
    }


def shown(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown; rows of predictions and of labels count."""
    lines = [
        "| | workers | report | rows/s: min | median | max | × one, no report: min | median | max | CPU µs/row | MB |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        rate, ratio = row["rows_per_second"], row["ratio_to_one"]
        cells = [
            row["format"],
            str(row["workers"]),
            row["report"] or "none",
            *(f"{rate[which]:,.0f}" for which in rate),
        ]
        cells += [f"{ratio[which]:.2f}" for which in ratio]
        cells += [f"{row['cpu_us_per_row']['median']:.2f}", f"{row['peak_mb']['max']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
