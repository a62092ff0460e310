"""Which numbers does Prometheus get? Every gauge and counter, declared once: name, labels, meaning, samples.

A number that is not there (warming up, not enough data) has no sample: never NaN, never a zero that means nothing.
Label values that change over time come from the engine's readings, whose number its limits bound.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from streamcheck.core.readings import (
    BiasedSegment,
    PartitionReading,
    Reading,
    ShadowCompared,
    ShadowReading,
    WeakSegment,
)
from streamcheck.runtime.telemetry import OPERATIONAL, Phase, Snapshot, segment_text

Sample = tuple[tuple[str, ...], float | None]
"""Label values, in the order of the gauge's labels, and the number (None: no sample)."""
Named = tuple[tuple[str, float | None], ...]
"""Numbers with the value of the gauge's last label; an empty one: it has none."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One snapshot with its readings' labels, made once for all gauges."""

    snapshot: Snapshot
    readings: tuple[tuple[tuple[str, ...], Reading], ...]

    @staticmethod
    def of(snapshot: Snapshot) -> "Scrape":
        """Label the readings of a snapshot."""
        labelled = (
            ((snapshot.config, reading.monitor, reading.column, segment_text(reading.segment)), reading)
            for reading in snapshot.engine.monitors
        )
        return Scrape(snapshot, tuple(labelled))


@dataclass(frozen=True, slots=True)
class Gauge:
    """One family: a gauge, or a counter (exposed under name + `_total`)."""

    name: str
    labels: tuple[str, ...]
    help: str
    samples: Callable[[Scrape], Iterable[Sample]]
    kind: Literal["gauge", "counter"] = "gauge"


MONITOR = ("config", "monitor", "column", "segment")
QUALITY = (*MONITOR, "measure")
VERSIONS = ("config", "segment", "champion", "challenger")
FOLLOWED = ("config", "kpi", "against")
CHALLENGER = ("config", "challenger")
SEARCHED = ("config", "segment")
PARTITION = ("topic", "partition")


def _of_readings(number: Callable[[Reading], float | None]) -> Callable[[Scrape], Iterator[Sample]]:
    return lambda scrape: ((labels, number(reading)) for labels, reading in scrape.readings)


def _of_qualities(number: Callable[[Reading], float | None]) -> Callable[[Scrape], Iterator[Sample]]:
    """Readings with an interval are those of labelled rows."""
    return lambda scrape: (
        ((*labels, reading.measure), number(reading))
        for labels, reading in scrape.readings
        if reading.low is not None or reading.high is not None
    )


def _of_partitions(number: Callable[[PartitionReading], float | None]) -> Callable[[Scrape], Iterator[Sample]]:
    return lambda scrape: (
        ((reading.source.topic, str(reading.source.partition)), number(reading))
        for reading in scrape.snapshot.engine.partitions
    )


def _of_service(number: Callable[[Snapshot], float | None]) -> Callable[[Scrape], Iterator[Sample]]:
    return lambda scrape: iter((((), number(scrape.snapshot)),))


def _searched(
    scrape: Scrape, found: Iterable[WeakSegment | BiasedSegment], number: Literal["error", "errors", "bias"]
) -> Iterator[Sample]:
    for each in found:
        yield (scrape.snapshot.config, segment_text(each.segment)), getattr(each, number)


def _quantiles(scrape: Scrape) -> Iterator[Sample]:
    for labels, reading in scrape.readings:
        for p, value in reading.quantiles:
            yield (*labels, f"{p:g}"), value


def _versions(scrape: Scrape) -> Iterator[Sample]:
    for each in scrape.snapshot.engine.versions:
        labels = (scrape.snapshot.config, segment_text(each.segment), each.champion, each.challenger)
        for end, value in (("value", each.difference), ("low", each.low), ("high", each.high)):
            yield (*labels, end), value


def _compared(scrape: Scrape, number: Callable[[ShadowCompared], Named]) -> Iterator[Sample]:
    shadow = scrape.snapshot.engine.shadow
    for each in shadow.compared if shadow is not None else ():
        labels = (scrape.snapshot.config, segment_text(each.segment), each.champion, each.challenger)
        for end, value in number(each):
            yield (*labels, end) if end else labels, value


def _shadow(scrape: Scrape, number: Callable[[ShadowReading], Named]) -> Iterator[Sample]:
    shadow = scrape.snapshot.engine.shadow
    if shadow is None:
        return
    labels = (scrape.snapshot.config, shadow.challenger)
    for outcome, value in number(shadow):
        yield (*labels, outcome) if outcome else labels, value


def _kpi(scrape: Scrape) -> Iterator[Sample]:
    for each in scrape.snapshot.engine.kpi:
        for end, value in (("value", each.r), ("low", each.low), ("high", each.high)):
            yield (scrape.snapshot.config, each.kpi, each.against, end), value


def _kpi_lags(scrape: Scrape) -> Iterator[Sample]:
    for each in scrape.snapshot.engine.kpi:
        yield (scrape.snapshot.config, each.kpi, each.against), _seconds(each.lag_ms)


def _outcomes(shadow: ShadowReading) -> Named:
    books = shadow.join
    return (
        ("matched", books.predictions_matched),
        ("duplicate", books.predictions_duplicate),
        ("expired", books.predictions_expired),
        ("evicted", books.predictions_evicted),
    )


def _waiting(shadow: ShadowReading) -> Named:
    return (("shadow", shadow.join.predictions_pending), ("rows", shadow.join.labels_pending))


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _events(scrape: Scrape) -> Iterator[Sample]:
    for reading in scrape.snapshot.engine.partitions:
        source = (reading.source.topic, str(reading.source.partition))
        yield (*source, "accepted"), reading.accepted
        yield (*source, "late"), reading.late
        yield (*source, "rejected"), sum(count for _, count in reading.rejected)


def _rejected(scrape: Scrape) -> Iterator[Sample]:
    for reading in scrape.snapshot.engine.partitions:
        for reason, count in reading.rejected:
            yield (reading.source.topic, str(reading.source.partition), reason), count


def _join(scrape: Scrape) -> Iterator[Sample]:
    books = scrape.snapshot.engine.join
    yield ("predictions", "matched"), books.predictions_matched
    yield ("predictions", "duplicate"), books.predictions_duplicate
    yield ("predictions", "expired"), books.predictions_expired
    yield ("predictions", "evicted"), books.predictions_evicted
    yield ("labels", "matched"), books.labels_matched
    yield ("labels", "correction"), books.labels_corrections
    yield ("labels", "duplicate"), books.labels_duplicate
    yield ("labels", "expired"), books.labels_expired
    yield ("labels", "evicted"), books.labels_evicted


def _join_pending(scrape: Scrape) -> Iterator[Sample]:
    yield ("predictions",), scrape.snapshot.engine.join.predictions_pending
    yield ("labels",), scrape.snapshot.engine.join.labels_pending


def _join_places(scrape: Scrape) -> Iterator[Sample]:
    yield ("memory",), scrape.snapshot.engine.places.memory
    yield ("disk",), scrape.snapshot.engine.places.disk


def _join_entered(scrape: Scrape) -> Iterator[Sample]:
    yield ("predictions",), scrape.snapshot.engine.join.predictions
    yield ("labels",), scrape.snapshot.engine.join.labels


def _alerts(scrape: Scrape) -> Iterator[Sample]:
    for (state, severity), count in scrape.snapshot.alerts.total:
        yield (scrape.snapshot.config, state, severity), count


def _operational(scrape: Scrape) -> Iterator[Sample]:
    firing = {alert.monitor for alert in scrape.snapshot.operations.book.firing}
    for name in scrape.snapshot.operations.names:
        yield (name,), float(f"{OPERATIONAL}{name}" in firing)


def _owners(scrape: Scrape) -> Iterator[Sample]:
    for one in scrape.snapshot.owners:
        yield (scrape.snapshot.config, one.monitor, one.severity, one.owner or "", one.runbook or ""), 1.0


def _phases(scrape: Scrape) -> Iterator[Sample]:
    return (((phase.value,), float(scrape.snapshot.phase is phase)) for phase in Phase)


GAUGES = (
    Gauge("streamcheck_value", MONITOR, "The column's value in its own unit, as the monitor sees it now.",
          _of_readings(lambda reading: reading.value)),
    Gauge("streamcheck_reference", MONITOR, "What the reference says is normal, in the unit of streamcheck_value.",
          _of_readings(lambda reading: reading.reference)),
    Gauge("streamcheck_score", MONITOR, "The detector's score; drift is beyond streamcheck_threshold.",
          _of_readings(lambda reading: reading.score)),
    Gauge("streamcheck_threshold", MONITOR, "A score above it is drift; a score below it where it is a lower limit.",
          _of_readings(lambda reading: reading.threshold)),
    Gauge("streamcheck_promised_alarms_per_week", MONITOR, "False alarms that the budget grants; none outside it.",
          _of_readings(lambda reading: reading.alarms_per_week)),
    Gauge("streamcheck_quantile", (*MONITOR, "quantile"), "Of a column's newest values: .5, .95, .99 and its own.",
          _quantiles),
    Gauge("streamcheck_rows", MONITOR, "Rows behind streamcheck_value.",
          _of_readings(lambda reading: reading.rows)),
    Gauge("streamcheck_alert_state", MONITOR, "The monitor's alert: 0 quiet, 1 pending, 2 firing.",
          _of_readings(lambda reading: int(reading.alert) if reading.detector else None)),
    Gauge("streamcheck_monitor_info", ("config", "monitor", "severity", "owner", "runbook"),
          "Always 1; says whose a monitor's alerts are, to be joined by config and monitor.", _owners),
    Gauge("streamcheck_accuracy", QUALITY, "A quality, as `measure` names it (accuracy, f1, mae, estimated_accuracy).",
          _of_qualities(lambda reading: reading.value)),
    Gauge("streamcheck_accuracy_low", QUALITY, "Lower end of the 95 % interval of streamcheck_accuracy.",
          _of_qualities(lambda reading: reading.low)),
    Gauge("streamcheck_accuracy_high", QUALITY, "Upper end of the 95 % interval of streamcheck_accuracy.",
          _of_qualities(lambda reading: reading.high)),
    Gauge("streamcheck_version_difference", (*VERSIONS, "end"),
          "Accuracy (or error) of the newest model version less that of the one before, with an always-valid interval.",
          _versions),
    Gauge("streamcheck_shadow_difference", (*VERSIONS, "end"),
          "Accuracy (or error) of the challenger in shadow less the champion's on the same rows, with an always-valid "
          "interval.",
          lambda scrape: _compared(scrape, lambda x: (("value", x.difference), ("low", x.low), ("high", x.high)))),
    Gauge("streamcheck_shadow_rows", VERSIONS, "Labelled rows on which both are compared.",
          lambda scrape: _compared(scrape, lambda x: (("", x.rows),))),
    Gauge("streamcheck_shadow_agreement", VERSIONS, "The share of these rows of which both say the same.",
          lambda scrape: _compared(scrape, lambda x: (("", x.agreement),))),
    Gauge("streamcheck_shadow_alone", CHALLENGER,
          "The share of the challenger's predictions that met no labelled row within the horizon.",
          lambda scrape: _shadow(scrape, lambda x: (("", x.alone),))),
    Gauge("streamcheck_shadow_uncovered", CHALLENGER,
          "The share of the champion's labelled rows of which the challenger said nothing within the horizon.",
          lambda scrape: _shadow(scrape, lambda x: (("", x.uncovered),))),
    Gauge("streamcheck_shadow_predictions", (*CHALLENGER, "outcome"),
          "What became of the challenger's predictions in the join.",
          lambda scrape: _shadow(scrape, _outcomes), "counter"),
    Gauge("streamcheck_shadow_pending", (*CHALLENGER, "stream"),
          "The challenger's predictions and the champion's labelled rows that wait for one another.",
          lambda scrape: _shadow(scrape, _waiting)),
    Gauge("streamcheck_shadow_memory_bytes", CHALLENGER, "Memory that their join takes.",
          lambda scrape: _shadow(scrape, lambda x: (("", x.memory_bytes),))),
    Gauge("streamcheck_kpi_correlation", (*FOLLOWED, "end"),
          "Of the KPI with what it follows of the model, at the lag where that is clearest, with its interval.", _kpi),
    Gauge("streamcheck_kpi_lag_seconds", FOLLOWED, "By how much the KPI comes behind it there.", _kpi_lags),
    Gauge("streamcheck_weak_segment_error", SEARCHED, "Mean error in a segment where the model is worse.",
          lambda scrape: _searched(scrape, scrape.snapshot.engine.weak, "error")),
    Gauge("streamcheck_weak_segment_errors", SEARCHED, "The share of all errors that such a segment holds.",
          lambda scrape: _searched(scrape, scrape.snapshot.engine.weak, "errors")),
    Gauge("streamcheck_biased_segment", SEARCHED, "Mean of prediction - label where predictions lean to one side.",
          lambda scrape: _searched(scrape, scrape.snapshot.engine.biased, "bias")),
    Gauge("streamcheck_labelled_rows_needed", QUALITY,
          "About how many more labelled rows until it is known to +-2 points.",
          _of_qualities(lambda reading: reading.rows_needed)),
    Gauge("streamcheck_alerts", ("config", "state", "severity"), "Alert transitions so far, by the state that began.",
          _alerts, "counter"),
    Gauge("streamcheck_incidents_open", (), "Groups of alerts that opened close together, of which one is still open.",
          _of_service(lambda snapshot: snapshot.engine.incidents_open)),
    Gauge("streamcheck_incidents", (), "Such groups so far.",
          _of_service(lambda snapshot: snapshot.engine.incidents), "counter"),
    Gauge("streamcheck_events", (*PARTITION, "outcome"), "Events read: accepted, late or rejected.",
          _events, "counter"),
    Gauge("streamcheck_rejected", (*PARTITION, "reason"), "Rejected events by reason.",
          _rejected, "counter"),
    Gauge("streamcheck_watermark_seconds", PARTITION, "Event time before which rows are late, as Unix time.",
          _of_partitions(lambda reading: _seconds(reading.watermark_ms))),
    Gauge("streamcheck_newest_seconds", PARTITION, "The newest accepted event time of the partition, as Unix time.",
          _of_partitions(lambda reading: _seconds(reading.newest_ms))),
    Gauge("streamcheck_idle", PARTITION, "1 while the partition is silent and does not hold event time back.",
          _of_partitions(lambda reading: float(reading.idle))),
    Gauge("streamcheck_lag_records", PARTITION, "Records between the position and the end of the partition.",
          lambda scrape: (((s.topic, str(s.partition)), lag) for s, lag in scrape.snapshot.lag)),
    Gauge("streamcheck_closed_until_seconds", (), "Event time up to which all panes have been judged, as Unix time.",
          _of_service(lambda snapshot: _seconds(snapshot.engine.closed_until_ms))),
    Gauge("streamcheck_events_per_second", (), "Predictions on time of the newest minute that was judged.",
          _of_service(lambda snapshot: snapshot.engine.events_per_second)),
    Gauge("streamcheck_open_rows", (), "Rows that wait for their pane to close.",
          _of_service(lambda snapshot: snapshot.engine.open_rows)),
    Gauge("streamcheck_join_pending", ("stream",), "Predictions without a label yet, labels without a prediction yet.",
          _join_pending),
    Gauge("streamcheck_join_predictions", ("place",), "Predictions within the horizon, in memory and on disk only.",
          _join_places),
    Gauge("streamcheck_join_memory_bytes", (), "Memory that the label join takes.",
          _of_service(lambda snapshot: snapshot.engine.places.memory_bytes)),
    Gauge("streamcheck_join_entered", ("stream",), "Predictions and labels that came to the join.",
          _join_entered, "counter"),
    Gauge("streamcheck_join", ("stream", "outcome"), "What became of predictions and labels in the join.",
          _join, "counter"),
    Gauge("streamcheck_limit_hits", ("limit",), "How often each limit of the config has bitten.",
          lambda scrape: (((name,), count) for name, count in scrape.snapshot.engine.limits), "counter"),
    Gauge("streamcheck_last_commit_seconds", (), "Wall-clock time of the last commit, as Unix time.",
          _of_service(lambda snapshot: _seconds(snapshot.last_commit_ms))),
    Gauge("streamcheck_outbox_entries", (), "Alert transitions that have not arrived at the alerts topic yet.",
          _of_service(lambda snapshot: snapshot.outbox)),
    Gauge("streamcheck_delivered_sequence", (), "Sequence number of the last alert transition that has arrived.",
          _of_service(lambda snapshot: snapshot.delivered)),
    Gauge("streamcheck_dead_letters", (), "Rejected events sent to the dead-letter topic by this process.",
          _of_service(lambda snapshot: snapshot.dead_letters), "counter"),
    Gauge("streamcheck_operational_alert", ("name",), "1 while this alert about the service itself fires, else 0.",
          _operational),
    Gauge("streamcheck_broker_connected", (), "1 while the broker answers, 0 while it does not.",
          _of_service(lambda snapshot: float(snapshot.broker.connected))),
    Gauge("streamcheck_phase", ("phase",), "1 for what the service is doing, 0 for what it is not.",
          _phases),
    Gauge("streamcheck_started_seconds", (), "Wall-clock time of the start of this process, as Unix time.",
          _of_service(lambda snapshot: _seconds(snapshot.started_ms))),
    Gauge("streamcheck_info", ("config", "version"), "Always 1; says which config and version this is.",
          lambda scrape: iter((((scrape.snapshot.config, scrape.snapshot.version), 1.0),))),
)
