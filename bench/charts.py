"""What do the charts of a pane cost? Those of `scan` alone, and all that is Python around them.

    python -m bench charts --charts 1000

`bank`: one step of all charts from columns that are there, as numpy; `signals`: from as many Signal objects, verdicts
included; `one by one`: each chart in a bank of its own. Microseconds of CPU time, medians of the steps.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import streamcheck.core.detectors  # noqa: F401 - registers them
from bench.surroundings import keep, surroundings
from streamcheck.core.components import build
from streamcheck.core.detectors._bank import CHART_BYTES, Bank
from streamcheck.core.detectors._steps import columns
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.types import Background, Signal

ROWS, REFERENCE_PANES, SETS = 50, 300, 16


def signals(charts: int, shares: float, rng: np.random.Generator) -> list[Signal]:
    """One pane of stable signals, this part of them shares."""
    made = []
    known = Background(REFERENCE_PANES, ROWS, REFERENCE_PANES * ROWS, ROWS)
    for number in range(charts):
        if number < shares * charts:
            events = int(rng.binomial(ROWS, 0.1))
            made.append(Signal(events / ROWS, 0.1, 0.0425, ROWS, events / ROWS, 0.1, events, 0.0025, known))
        else:
            value = float(rng.normal(0.0, 0.1414))
            made.append(Signal(value, 0.0, 0.1416, ROWS, value, 0.0, None, 0.0082, known))
    return made


def timed(work: Callable[[int], object], steps: int) -> float:
    """Microseconds of CPU time of one step, the median."""
    taken = []
    for at in range(steps):
        began = time.process_time()
        work(at)
        taken.append(time.process_time() - began)
    return statistics.median(taken) * 1e6


def joined(charts: int, bank: Bank | None) -> list[Scan]:
    """Charts of one bank, or each of its own."""
    made: list[Scan] = [build("detector", "scan", {}) for _ in range(charts)]
    for chart in made:
        chart.join(bank or Bank())
        chart.calibrate(1e6)
    return made


def main(arguments: Sequence[str]) -> None:
    """Print a line for each way, and keep the figures."""
    parser = argparse.ArgumentParser(prog="bench charts", description=__doc__)
    parser.add_argument("--charts", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=300, help="panes (default: %(default)s)")
    parser.add_argument("--shares", type=float, default=0.5, help="part of the charts that judge shares")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    args = parser.parse_args(arguments)
    rng = np.random.default_rng(1)
    panes = [signals(args.charts, args.shares, rng) for _ in range(SETS)]
    bank = Bank()
    numbers = np.array([chart.chart[1] for chart in joined(args.charts, bank)], np.int64)
    given = [columns(pane) for pane in panes]
    alone = joined(args.charts, None)
    found = {
        "bank_us": timed(lambda at: bank.judge(numbers, given[at % SETS], at), args.steps),
        "signals_us": timed(lambda at: bank.step(numbers, panes[at % SETS], at), args.steps),
        "one_by_one_us": timed(
            lambda at: [c.step(s, at) for c, s in zip(alone, panes[at % SETS], strict=True)], max(args.steps // 10, 5)
        ),
    }
    for name, value in found.items():
        print(f"{name:14s} {value:10,.0f} of {args.charts:,} charts, {value / args.charts:.2f} each")
    print(f"a chart holds {CHART_BYTES:,} bytes at most")
    keep("charts", surroundings(), {"charts": args.charts, "shares": args.shares, **found}, args.out)
