"""How many false alarms does a config promise at most, and how many were there?

The budget speaks of detectors that are calibrated to a share of it; alarms of others stand beside it. Where incidents
are known, only false alarms count; else every alarm does, as if nothing had happened.
"""

from dataclasses import dataclass

from streamcheck.core.intervals import Interval, poisson
from streamcheck.core.plan import WEEK_MS
from streamcheck.report.result.result import DAY_MS, ConfigResult


@dataclass(frozen=True, slots=True)
class Promise:
    """Rates a week. seen: alarms that count against the budget; interval: of their rate, 95 %, as few as they are.

    groups: their incidents, which reach people as one; outside: alarms that the budget says nothing of; judged: whether
    it is known which of them were false. rate, interval: None where less than a day was replayed, which tells no rate.
    """

    per_week: float
    seen: int
    groups: int
    outside: int
    judged: bool
    rate: float | None
    interval: Interval | None

    @property
    def kept(self) -> bool | None:
        """Whether so many alarms agree with the promise; None where too little time was replayed."""
        return None if self.interval is None else self.interval.low <= self.per_week


def promise(result: ConfigResult) -> Promise:
    """Of one config."""
    calibrated = {spec.id for spec in result.plan.monitors if spec.share > 0}
    truth = result.truth
    verdicts = truth.verdicts if truth is not None else ("false",) * len(result.alerts)
    false = [alert for alert, verdict in zip(result.alerts, verdicts, strict=True) if verdict == "false"]
    mine = [alert for alert in false if alert.monitor in calibrated]
    weeks = result.rows.span_ms / WEEK_MS
    told = result.rows.span_ms >= DAY_MS
    return Promise(
        per_week=result.plan.budget.alarms_per_week(result.plan.time.pane_ms),
        seen=len(mine),
        groups=len({alert.incident for alert in mine}),
        outside=len(false) - len(mine),
        judged=truth is not None,
        rate=len(mine) / weeks if told else None,
        interval=poisson(len(mine), weeks) if told else None,
    )
