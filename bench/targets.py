"""What must be reached, and what has been, by the figures that are kept for a commit."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.roster import LOADS, NAIVE, PANE, ROW
from bench.surroundings import RESULTS, surroundings

Figures = dict[str, Any]
PEERS = ("quix", "bytewax", "confluent")


@dataclass(frozen=True, slots=True)
class Target:
    """source: the command whose figures tell. most: the figure must not be larger, instead of not smaller.

    by_cpu: the same by CPU time, which a busy machine disturbs less; the verdict is by the clock.
    """

    what: str
    source: str
    least: float
    hope: float | None
    figure: Callable[[Figures], float | None]
    form: str = ".2f"
    most: bool = False
    by_cpu: Callable[[Figures], float | None] = lambda _: None

    def verdict(self, value: float) -> str:
        """In words."""
        if self.hope is not None and self._reached(value, self.hope):
            return "reached, and the hope"
        return "reached" if self._reached(value, self.least) else "NOT reached"

    def _reached(self, value: float, bound: float) -> bool:
        return value <= bound if self.most else value >= bound


def _ratio(own: str, *others: str, by: str = "ratio_to") -> Callable[[Figures], float | None]:
    """The median ratio to the best of the others."""

    def figure(run: Figures) -> float | None:
        of: dict[str, dict[str, float]] = next((row[by] for row in run["contenders"] if row["contender"] == own), {})
        return min((of[other]["median"] for other in others if other in of), default=None)

    return figure


def _against(what: str, least: float, hope: float, own: str, *others: str) -> Target:
    by_cpu = _ratio(own, *others, by="cpu_ratio_to")
    return Target(what, "run", least, hope, _ratio(own, *others), by_cpu=by_cpu)


def _peak_mb(run: Figures) -> float | None:
    return next((row["peak_mb"]["max"] for row in run["contenders"] if row["contender"] == PANE), None)


def _files(kind: str, workers: int, name: str) -> Callable[[Figures], float | None]:
    """A median out of the cases of `bench files`."""

    def figure(files: Figures) -> float | None:
        plain = [case for case in files["cases"] if not case.get("report")]
        cases = {(case["format"], case["workers"]): case.get(name, {}).get("median") for case in plain}
        return cases.get((kind, workers))

    return figure


def _one(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures.get(name)


TARGETS = (
    _against("row mode against the naive loop", 4, 6, ROW, NAIVE),
    _against("row mode against the best peer", 2, 3, ROW, *PEERS),
    _against("pane mode against the naive loop", 7, 12, PANE, NAIVE),
    _against("pane mode against confluent-kafka and orjson.loads", 0.4, 0.8, PANE, LOADS),
    Target("JSON Lines backtest, two processes against one", "files", 1.7, 1.9, _files("jsonl", 2, "ratio_to_one")),
    Target(
        "Parquet backtest, pane mode, rows/s",
        "files",
        1e6,
        3e6,
        _files("parquet", 1, "rows_per_second"),
        ",.0f",
        by_cpu=_files("parquet", 1, "rows_per_cpu_second"),
    ),
    Target(
        "label join, ten million pending, joins/s",
        "join",
        200_000,
        None,
        _one("joins_per_s"),
        ",.0f",
        by_cpu=_one("joins_per_cpu_s"),
    ),
    Target("label join, resident bytes each", "join", 64, None, _one("resident_bytes_each"), ".1f", most=True),
    Target(
        "pane mode, cost of a value of 100 features against 10",
        "axes features",
        1,
        None,
        lambda figures: figures["ratios"].get(PANE),
        most=True,
        by_cpu=lambda figures: figures["cpu_ratios"].get(PANE),
    ),
    Target("all default checks, of the throughput of drift alone (by CPU)", "checks", 0.6, None, _one("remains")),
    Target("peak memory in pane mode, MB", "run", 250, 150, _peak_mb, ".0f", most=True),
)


def shown(commit: str) -> str:
    """As Markdown: every target, with the figure where it has been measured."""
    lines = ["| must reach | at least | hope | measured | by CPU | over | |", "|---|--:|--:|--:|--:|--:|---|"]
    for target in TARGETS:
        path = RESULTS / commit / f"{target.source.split()[-1]}.json"
        figures = json.loads(path.read_text()) if path.exists() else {}
        value = target.figure(figures) if figures else None
        bounds = [format(bound, target.form) if bound is not None else "" for bound in (target.least, target.hope)]
        if target.most:
            bounds = [f"≤ {bound}" if bound else "" for bound in bounds]
        told = ["", "", "", f"not measured: python -m bench {target.source}"]
        if value is not None:
            size, cpu = figures.get("events", figures.get("pending")), target.by_cpu(figures)
            shown_cpu = "" if cpu is None else format(cpu, target.form)
            told = [format(value, target.form), shown_cpu, f"{size:,}", target.verdict(value)]
        lines.append(f"| {' | '.join([target.what, *bounds, *told])} |")
    return "\n".join(lines)


def main(_arguments: Sequence[str]) -> None:
    print(shown(surroundings()["commit"]))
