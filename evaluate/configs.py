"""The configs under evaluation: what a user would write, with a budget in panes between false alarms."""

from typing import Any

from evaluate.contenders import Monitors
from evaluate.feed import PANE_MS

Config = dict[str, Any]


def columns(count: int) -> list[str]:
    """Names of numeric features."""
    return [f"c{number}" for number in range(count)]


def budget(promised_panes: float, configs: int = 1) -> str:
    """One false alarm per so many panes, for each of so many configs in one.

    >>> budget(1_000, configs=5)
    '0.005000000 per pane'
    """
    return f"{configs / promised_panes:.9f} per pane"


def first(panes: int, pane_ms: int = PANE_MS) -> Config:
    """A reference of the first panes."""
    return {"first": f"{panes * pane_ms}ms"}


def config(
    streams: Config, monitors: Monitors, reference: Config, promised: str, *, pane_ms: int = PANE_MS
) -> Config:
    """A whole config. Alerts are resolved by the default rule."""
    return {
        "version": 1,
        "name": "evaluate",
        "streams": {"predictions": {"topic": "evaluate", **streams}},
        "time": {"pane": f"{pane_ms}ms", "lateness": "1ms"},
        "reference": reference,
        "alarm_budget": promised,
        "monitors": monitors,
    }


def numbers(count: int) -> Config:
    """So many numeric features."""
    return {"features": dict.fromkeys(columns(count), "numeric")}


def labelled(*, segments: bool = False) -> Config:
    """Predictions of two classes with their label in the same event, and a segment field."""
    return {
        "prediction": "said",
        "label": "truth",
        "task": "binary",
        **({"segments": ["tier"]} if segments else {}),
    }
