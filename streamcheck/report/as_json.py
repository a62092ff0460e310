"""A backtest as one JSON object, for people's own programs. `docs/backtest.md` says what each part is.

Only `timing` differs from one time to the next.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import orjson

from streamcheck.core.alerts import iso
from streamcheck.core.budgets import granted
from streamcheck.core.intervals import Estimate
from streamcheck.core.kpi import said
from streamcheck.core.plan import MonitorSpec, Plan
from streamcheck.core.readings import ShadowReading
from streamcheck.report.record.alerts import FiredAlert, Label, groups
from streamcheck.report.record.columns import HEAD, ColumnHistory
from streamcheck.report.record.evidence import Sample
from streamcheck.report.record.labelled import LabelledHistory, Score
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.record.series import Series
from streamcheck.report.result.compare import Compared
from streamcheck.report.result.doubts import doubts
from streamcheck.report.result.promise import promise
from streamcheck.report.result.result import ConfigResult, Result
from streamcheck.report.result.truth import Known, Truth

SCHEMA = 1
BINS_SHOWN = 48
CATEGORIES_SHOWN = 20
_COUNTS = HEAD[: HEAD.index("total")]
_COURSE = {
    "t": "end", "rows": "rows", "low": "low", "low_at": "low_at", "high": "high", "high_at": "high_at",
    "reference": "baseline", "usual_low": "usual_low", "usual_high": "usual_high", "score": "score",
    "threshold": "threshold", "drifting": "drifting",
}  # fmt: skip
_WHOLE = ("t", "rows", "low_at", "high_at", "drifting")
_SHORT = ("monitor", "fired_at", "resolved_at", "severity", "summary")


def render(result: Result) -> bytes:
    """The file's bytes."""
    return orjson.dumps(document(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def document(result: Result) -> dict[str, Any]:
    """Everything."""
    first, *others = (_config(each, result) for each in result.configs)
    first |= {"events": result.events, "input": dict(result.input)}
    first["doubts"] = list(doubts(result.first)) if result.complete else []
    if others:
        first |= {"compare": [_compared(each) for each in result.compared], "others": others}
    timing = {"seconds": round(result.seconds, 3), "events_per_second": result.events_per_second}
    return first | {"timing": timing}


def _config(found: ConfigResult, result: Result) -> dict[str, Any]:
    plan, rows, reading = found.plan, found.rows, found.reading
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "version": result.version,
        "config": plan.name,
        "name": found.written.name,
        "lineage": found.lineage,
        "complete": result.complete,
        "from": None if rows.seen_ms is None else iso(rows.seen_ms[0]),
        "to": None if rows.seen_ms is None else iso(rows.seen_ms[1]),
        "pane_ms": plan.time.pane_ms,
        "task": plan.task,
        "predictions": rows.total,
        "partitions": {
            str(books.source): {"accepted": books.accepted, "late": books.late, "rejected": dict(books.rejected)}
            for books in reading.partitions
        },
        "transitions": found.transitions,
        "fired": found.fired,
        "fired_per_week": found.fired_per_week,
        "fired_per_10000_rows": found.fired_per_10000_rows,
        "by_monitor": dict(sorted(found.by_monitor.items())),
        "budget": found.written.budget,
        "promise": _promise(found),
        "limits": {name: hits for name, hits in reading.limits if hits},
        "join": asdict(reading.join) if plan.join is not None else None,
        "monitors": [_monitor(spec, plan) for spec in plan.monitors],
        "groups": groups(found.alerts),
        "alerts": [_alert(found, place, alert) for place, alert in enumerate(found.alerts)],
        "versions": [{**asdict(each), "segment": dict(each.segment)} for each in reading.versions],
        "shadow": None if reading.shadow is None else _shadow(reading.shadow),
        "kpi": [{**asdict(each), "said": said(each)} for each in reading.kpi],
        "weak_segments": [{**asdict(each), "segment": dict(each.segment)} for each in reading.weak],
        "biased_segments": [{**asdict(each), "segment": dict(each.segment)} for each in reading.biased],
        "readings": [{**asdict(each), "segment": dict(each.segment)} for each in reading.monitors],
        "config_text": found.written.text,
    }
    if found.truth is not None:
        told["truth"] = _truth(found.truth)
    return told if found.recorded is None else told | _recorded(found.recorded)


def _shadow(shadow: ShadowReading) -> dict[str, Any]:
    compared = [{**asdict(each), "segment": dict(each.segment)} for each in shadow.compared]
    shares = {"alone": shadow.alone, "uncovered": shadow.uncovered}
    return {"challenger": shadow.challenger, "join": asdict(shadow.join), **shares, "compared": compared}


def _promise(found: ConfigResult) -> dict[str, Any]:
    of = promise(found)
    ends = None if of.interval is None else [round(end, 4) for end in of.interval]
    rate = None if of.rate is None else round(of.rate, 4)
    whole = {"per_week": round(of.per_week, 4), "seen": of.seen, "groups": of.groups, "outside": of.outside}
    return {**whole, "only_false": of.judged, "seen_per_week": rate, "seen_per_week_95": ends, "kept": of.kept}


def _monitor(spec: MonitorSpec, plan: Plan) -> dict[str, Any]:
    """alarms_per_week: what the budget grants all its segments, None outside the budget."""
    grant = granted(spec, plan.budget, plan.time.pane_ms) if spec.share else None
    return {
        "id": spec.id,
        "column": spec.column,
        "target": spec.target,
        "measure": None if spec.measure is None else {"name": spec.measure.name, **dict(spec.measure.params)},
        "detector": {"name": spec.detector.name, **dict(spec.detector.params)},
        "calibrated": spec.share > 0,
        "finds": spec.finds.value,
        "by": None if spec.by is None else spec.by.name,
        "reference": {"name": spec.reference.name, **dict(spec.reference.params)},
        "share": spec.share,
        "alarms_per_week": None if grant is None else grant.alarms_per_week,
        "severity": spec.rule.severity,
        "escalate_ms": spec.rule.escalate_ms,
        "escalate_to": spec.rule.escalate_to,
        "owner": spec.rule.owner,
        "runbook": spec.rule.runbook,
    }


def _alert(found: ConfigResult, place: int, alert: FiredAlert) -> dict[str, Any]:
    told = alert.told()
    if found.truth is not None:
        told["verdict"] = found.truth.verdicts[place]
    if found.recorded is not None and alert.id in found.recorded.evidence:
        told["samples"] = [_sample(each) for each in found.recorded.evidence[alert.id].samples]
    return told


def _sample(sample: Sample) -> dict[str, Any]:
    source = sample.source
    where = {"topic": source.topic, "partition": source.partition, "offset": sample.offset} if source else {}
    return {**where, "at": iso(sample.time_ms), "value": sample.value}


# ---------------------------------------------------------------------- known incidents, several configs
def _truth(truth: Truth) -> dict[str, Any]:
    return {
        "incidents": [_known(each) for each in truth.incidents],
        "outside": truth.outside,
        "scores": [asdict(each) for each in truth.scores],
    }


def _known(known: Known) -> dict[str, Any]:
    incident = known.incident
    return {
        "start": iso(incident.start_ms),
        "end": iso(incident.end_ms),
        "monitors": list(incident.monitors),
        "columns": list(incident.columns),
        "segment": dict(incident.segment),
        "note": incident.note,
        "tolerance_ms": incident.tolerance_ms,
        "alert": known.alert,
        "found_at": None if known.found_ms is None else iso(known.found_ms),
        "found_by": known.found_by,
        "delay_ms": known.delay_ms,
        "delay_rows": known.delay_rows,
        "alerts": known.alerts,
        "already_firing": known.already,
    }


def _compared(row: Compared) -> dict[str, Any]:
    config = row.config
    told: dict[str, Any] = {
        "name": config.written.name,
        "fired": config.fired,
        "fired_per_week": config.fired_per_week,
        "fired_per_10000_rows": config.fired_per_10000_rows,
        "by_monitor": dict(sorted(config.by_monitor.items())),
    }
    if config.truth is not None:
        told["truth"] = asdict(config.truth.scores[0])
    if row.same is not None:
        told |= {"same": row.same, "vanished": _short(row.vanished), "appeared": _short(row.appeared)}
    return told


def _short(alerts: Iterable[FiredAlert]) -> list[dict[str, Any]]:
    told = ((alert, alert.told() | {"summary": alert.summary}) for alert in alerts)
    return [{**{name: whole[name] for name in _SHORT}, "segment": dict(alert.segment)} for alert, whole in told]


# ---------------------------------------------------------------------- what was recorded
def _recorded(recorder: Recorder) -> dict[str, Any]:
    return {
        "series": [_series(key, series) for key, series in recorder.series.items()],
        "series_left_out": recorder.left_out.series,
        "columns": [column(history) for history in recorder.columns.values() if () in history.ages],
        "labelled": None if recorder.labelled_rows is None else _labelled(recorder.labelled_rows),
    }


def _series(key: tuple[str, Label], series: Series) -> dict[str, Any]:
    monitor, segment = key
    return {"monitor": monitor, "segment": dict(segment), **_points(series)}


def _points(series: Series) -> dict[str, list[Any]]:
    """Columns of stretches: whole numbers as such, None where there is no number."""
    points: dict[str, list[Any]] = {}
    for name, held in _COURSE.items():
        column = series.column(held)
        if name in _WHOLE:
            points[name] = column.astype(np.int64).tolist()
        else:
            points[name] = [number if np.isfinite(number) else None for number in column.tolist()]
    return points


def column(history: ColumnHistory) -> dict[str, Any]:
    """What one column held over time."""
    looks = [history.look(content) for _, content in history.bins.items()]
    told: dict[str, Any] = {
        "column": history.column.name,
        "kind": history.column.kind,
        "role": history.column.role,
        "span_ms": history.bins.width_ms,
        "t": [at for at, _ in history.bins.items()],
        **{name: [int(look[name]) for look in looks] for name in _COUNTS},
    }
    counts = [look.counts for look in looks]
    if not history.numeric:
        return told | _categories(history, counts)
    extremes = dict(history.extremes.items())
    ends = [extremes.get(at) for at in told["t"]]
    told["mean"] = [look.moment.mean if look["ok"] else None for look in looks]
    told["sd"] = [look.moment.sd if look["ok"] else None for look in looks]
    told["low"] = [None if pair is None else -float(pair[0]) for pair in ends]
    told["high"] = [None if pair is None else float(pair[1]) for pair in ends]
    if history.layout is not None:
        step = -(-history.layout.n_bins // BINS_SHOWN)
        cuts = np.arange(0, history.layout.n_bins, step)
        told["edges"] = history.layout.edges[step - 1 :: step][: len(cuts) - 1].tolist()
        told["bins"] = [np.add.reduceat(held, cuts).astype(int).tolist() if len(held) else None for held in counts]
    return told


def _categories(history: ColumnHistory, counts: list[Any]) -> dict[str, Any]:
    """The most frequent ones by name; `other`: all the rest."""
    rows = np.zeros((len(counts), len(history.names) + 1), np.int64)
    for place, held in enumerate(counts):
        rows[place, : len(held)] = held
    names = list(history.names)
    most = np.argsort(-rows[:, 1:].sum(axis=0), kind="stable")[:CATEGORIES_SHOWN]
    shown = rows[:, most + 1]
    other = rows.sum(axis=1) - shown.sum(axis=1)
    return {"categories": [names[at] for at in most.tolist()], "counts": shown.tolist(), "other": other.tolist()}


def _labelled(history: LabelledHistory) -> dict[str, Any]:
    seconds, rows = history.delay_curve()
    n = rows[-1] if rows else 0
    bins = history.bins.get(())
    over_time = [] if bins is None else bins.items()
    return {
        "rows": n,
        "all": _qualities(history.score(())),
        "segments": [{"segment": dict(label), **_qualities(history.score(label))} for label in history.ages if label],
        "left_out": history.left_out,
        "span_ms": None if bins is None else bins.width_ms,
        "over_time": [{"t": at, **_qualities(Score(sums, history.task))} for at, sums in over_time],
        "delay_ms": [round(1000 * each) for each in seconds],
        "delays": rows,
        "delay_mean_ms": round(history.delay_total_ms / n) if n else None,
    }


def _qualities(score: Score) -> dict[str, Any]:
    return {"rows": score.n, "qualities": {name: _estimate(each) for name, each in score.estimates().items()}}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "rows": estimate.n}
