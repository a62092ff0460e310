"""What a backtest came to, as one JSON object: for people's own programs, and for the report page.

`docs/backtest.md` says what each part is. Only `timing` differs from one time to the next.
"""

from dataclasses import asdict
from typing import Any

from streamcheck import __version__
from streamcheck.core.alerts import iso
from streamcheck.core.budgets import granted
from streamcheck.core.engine import Engine
from streamcheck.core.plan import MonitorSpec, Plan
from streamcheck.report.history import AlertHistory

SCHEMA = 1
WEEK_MS = 604_800_000


def result(
    engine: Engine, history: AlertHistory, seen_ms: tuple[int, int] | None, predictions: int, *, complete: bool
) -> dict[str, Any]:
    """The part of one config. seen_ms: first and last event time of predictions that counted; predictions: how many."""
    plan, fired = engine.plan, history.states["firing"]
    weeks = (seen_ms[1] - seen_ms[0]) / WEEK_MS if seen_ms is not None else 0.0
    reading = engine.reading()
    return {
        "schema": SCHEMA,
        "version": __version__,
        "config": plan.name,
        "lineage": engine.lineage,
        "complete": complete,
        "from": iso(seen_ms[0]) if seen_ms else None,
        "to": iso(seen_ms[1]) if seen_ms else None,
        "pane_ms": plan.time.pane_ms,
        "task": plan.task,
        "predictions": predictions,
        "partitions": {
            str(books.source): {"accepted": books.accepted, "late": books.late, "rejected": dict(books.rejected)}
            for books in reading.partitions
        },
        "transitions": sum(history.states.values()),
        "fired": fired,
        "fired_per_week": round(fired / weeks, 3) if weeks else None,
        "fired_per_10000_rows": round(10_000 * fired / predictions, 3) if predictions else None,
        "by_monitor": dict(sorted(history.by_monitor.items())),
        "limits": {name: hits for name, hits in reading.limits if hits},
        "join": asdict(reading.join) if plan.join is not None else None,
        "monitors": [monitor(spec, plan) for spec in plan.monitors],
        "alerts": history.fired,
        "readings": [{**asdict(each), "segment": dict(each.segment)} for each in reading.monitors],
    }


def monitor(spec: MonitorSpec, plan: Plan) -> dict[str, Any]:
    """One monitor of the plan; alarms_per_week: what the budget grants all its segments, None outside the budget."""
    grant = granted(spec, plan.budget, plan.time.pane_ms) if spec.share else None
    return {
        "id": spec.id,
        "column": spec.column,
        "target": spec.target,
        "measure": None if spec.measure is None else {"name": spec.measure.name, **dict(spec.measure.params)},
        "detector": {"name": spec.detector.name, **dict(spec.detector.params)},
        "calibrated": spec.share > 0,
        "by": None if spec.by is None else spec.by.name,
        "reference": {"name": spec.reference.name, **dict(spec.reference.params)},
        "share": spec.share,
        "alarms_per_week": None if grant is None else grant.alarms_per_week,
        "severity": spec.rule.severity,
        "owner": spec.rule.owner,
        "runbook": spec.rule.runbook,
    }
