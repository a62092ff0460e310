"""What do programs get? The snapshot as JSON; alert records byte for byte as published."""

from typing import Any

import orjson

from streamcheck.core.readings import PartitionReading, Reading, ShadowReading
from streamcheck.runtime.telemetry import Health, Snapshot, segment_text


def alerts(snapshot: Snapshot) -> bytes:
    """What fires and what has changed lately, newest first."""
    book = snapshot.alerts
    total = [{"state": state, "severity": severity, "count": count} for (state, severity), count in book.total]
    return orjson.dumps(
        {
            "config": snapshot.config,
            "firing": [orjson.Fragment(alert.record) for alert in book.firing],
            "recent": [orjson.Fragment(alert.record) for alert in book.recent],
            "total": total,
            "operational": [orjson.Fragment(alert.record) for alert in snapshot.operations.book.firing],
        }
    )


def health(verdict: Health, snapshot: Snapshot) -> bytes:
    """The answer to a probe."""
    word = "ok" if verdict.ok else "failing"
    return orjson.dumps({"status": word, "reason": verdict.reason, "phase": snapshot.phase.value})


def status(snapshot: Snapshot) -> bytes:
    """Everything in the snapshot but the alerts. Times in ms since 1970-01-01 UTC; null: no such number yet."""
    engine, broker = snapshot.engine, snapshot.broker
    lag = dict(snapshot.lag)
    return orjson.dumps(
        {
            "config": snapshot.config,
            "version": snapshot.version,
            "phase": snapshot.phase.value,
            "started_ms": snapshot.started_ms,
            "last_commit_ms": snapshot.last_commit_ms,
            "broker": {"connected": broker.connected, "since_ms": broker.since_ms, "message": _clean(broker.message)},
            "watermark_ms": engine.watermark_ms,
            "closed_until_ms": engine.closed_until_ms,
            "open_rows": engine.open_rows,
            "alerts": engine.alerts,
            "delivered_sequence": snapshot.delivered,
            "outbox": snapshot.outbox,
            "dead_letters": snapshot.dead_letters,
            "limits": dict(engine.limits),
            "join": engine.join,
            "shadow": None if engine.shadow is None else _shadow(engine.shadow),
            "partitions": [_partition(reading, lag.get(reading.source)) for reading in engine.partitions],
            "monitors": [_monitor(reading) for reading in engine.monitors],
        }
    )


def _partition(reading: PartitionReading, lag: int | None) -> dict[str, Any]:
    return {
        "topic": reading.source.topic,
        "partition": reading.source.partition,
        "newest_ms": reading.newest_ms,
        "watermark_ms": reading.watermark_ms,
        "idle": reading.idle,
        "lag": lag,
        "accepted": reading.accepted,
        "late": reading.late,
        "rejected": dict(reading.rejected),
    }


def _shadow(shadow: ShadowReading) -> dict[str, Any]:
    """A challenger beside the champion; `join` has the champion's labelled rows as labels."""
    compared = [
        {
            "segment": {field: _clean(value) for field, value in each.segment},
            "champion": _clean(each.champion),
            "rows": each.rows,
            "champion_value": each.champion_value,
            "challenger_value": each.challenger_value,
            "difference": each.difference,
            "low": each.low,
            "high": each.high,
            "agreement": each.agreement,
            "verdict": each.verdict,
        }
        for each in shadow.compared
    ]
    shares = {"alone": shadow.alone, "uncovered": shadow.uncovered}
    return {"challenger": _clean(shadow.challenger), "join": shadow.join, **shares, "compared": compared}


def _monitor(reading: Reading) -> dict[str, Any]:
    return {
        "monitor": reading.monitor,
        "column": reading.column,
        "segment": {field: _clean(value) for field, value in reading.segment},
        "segment_text": segment_text(reading.segment),
        "measure": reading.measure,
        "detector": reading.detector or None,
        "alert": reading.alert.name.lower(),
        "status": reading.status,
        "rows": reading.rows,
        "value": reading.value,
        "reference": reading.reference,
        "low": reading.low,
        "high": reading.high,
        "rows_needed": reading.rows_needed,
        "score": reading.score,
        "threshold": reading.threshold,
        "alarms_per_week": reading.alarms_per_week,
        "acknowledged_by": reading.acknowledged_by,
        "acknowledged_why": _clean(reading.acknowledged_why) or None,
        "acknowledged_until_ms": reading.acknowledged_until_ms,
    }


def _clean(text: str) -> str:
    """Lone surrogates, which JSON in UTF-8 cannot hold, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
