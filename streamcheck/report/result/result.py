"""What did a backtest come to? A value for each config that was tried, and what they share; renderers take it whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamcheck import __version__
from streamcheck.core.plan import WEEK_MS, Plan
from streamcheck.core.readings import EngineReading
from streamcheck.report.record.alerts import FiredAlert
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.record.rows import RowsInTime

if TYPE_CHECKING:
    from streamcheck.report.result.compare import Compared
    from streamcheck.report.result.truth import Truth

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Written:
    """A config as people wrote it. name: how tables call it; text: without its connection.

    budget: its budget for false alarms, in words; monitors: what it comes to, a row each under `heads`.
    """

    name: str
    text: str
    budget: str
    heads: tuple[str, ...] = ()
    monitors: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ConfigResult:
    """What became of one config.

    rows: the predictions that counted, in time; alerts: the first ones that fired, in that order; fired, by_monitor:
    how many in all; transitions: changes of state; recorded: what charts need, of the first config, where wanted;
    truth: with known incidents.
    """

    written: Written
    plan: Plan
    lineage: str
    reading: EngineReading
    rows: RowsInTime
    alerts: tuple[FiredAlert, ...]
    fired: int
    transitions: int
    by_monitor: Mapping[str, int]
    recorded: Recorder | None = None
    truth: "Truth | None" = None

    @property
    def fired_per_week(self) -> float | None:
        """Over all that was replayed; None where less than a day was."""
        return per_week(self.fired, self.rows)

    @property
    def fired_per_10000_rows(self) -> float | None:
        """Over all predictions that counted."""
        return per_10000_rows(self.fired, self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A whole backtest. configs: the one that was named, then others; compared: a row for each of several.

    input: what was read, as the result tells it; events: how many, of all streams; seconds: the only part that differs
    from one time to the next.
    """

    configs: tuple[ConfigResult, ...]
    complete: bool
    input: Mapping[str, Any]
    events: int
    seconds: float
    compared: tuple["Compared", ...] = ()
    version: str = __version__

    @property
    def first(self) -> ConfigResult:
        """Of the config that was named."""
        return self.configs[0]

    @property
    def events_per_second(self) -> int:
        """How fast it was."""
        return round(self.events / max(self.seconds, 1e-9))


def per_week(number: int, rows: RowsInTime) -> float | None:
    """A rate over the time that was replayed; None where that is less than a day, which tells none."""
    return round(number * WEEK_MS / rows.span_ms, 3) if rows.span_ms >= DAY_MS else None


def per_10000_rows(number: int, rows: RowsInTime) -> float | None:
    """A rate over the predictions that counted."""
    return round(10_000 * number / rows.total, 3) if rows.total else None
