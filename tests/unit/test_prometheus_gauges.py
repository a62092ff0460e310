"""Does /metrics say what the snapshot says: every gauge, no invented number, whatever the label values hold?"""

import math
import threading
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from streamcheck.adapters.prometheus.exposition import Exposition, SnapshotCollector
from streamcheck.adapters.prometheus.gauges import GAUGES
from streamcheck.core.readings import (
    AlertState,
    BiasedSegment,
    EngineReading,
    JoinReading,
    KpiLinked,
    PartitionReading,
    Reading,
    ShadowCompared,
    ShadowReading,
    VersionsCompared,
    WeakSegment,
)
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.telemetry import (
    AlertBook,
    BrokerReading,
    OperationsReading,
    Ownership,
    Phase,
    Snapshot,
    Telemetry,
    segment_text,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

AMOUNT = Reading(
    "amount-adwin",
    "amount",
    (("tier", "premium"),),
    "",
    "adwin",
    AlertState.FIRING,
    "ready",
    812,
    212.4,
    104.9,
    None,
    None,
    12.7,
    8.1,
    0.25,
    quantiles=((0.5, 40.0), (0.99, 210.0)),
)
ACCURACY = Reading(
    "accuracy-ddm",
    "accuracy",
    (),
    "accuracy",
    "ddm",
    AlertState.QUIET,
    "ready",
    1000,
    0.91,
    0.93,
    0.89,
    0.925,
    0.2,
    1.0,
    rows_needed=240,
)
WARMING = Reading("country-shares", "country", (), "psi", "cusum", AlertState.QUIET, "warming up 41 of 100 panes", 0)
JOIN = JoinReading(100, 11, 80, 5, 3, 1, 95, 4, 80, 6, 2, 2, 1)
PARTITIONS = (
    PartitionReading(SourcePartition("p", 0), 1_500_000, 1_495_000, False, 90, 7, (("not JSON", 2), ("missing id", 1))),
    PartitionReading(SourcePartition("p", 1), None, None, True, 0, 0, ()),
)
BOOK = AlertBook(total=((("firing", "page"), 3), (("resolved", "page"), 2)))
LAGS = b'{"id": "a", "sequence": 1, "state": "firing", "monitor": "operational-lag", "since": "2026-03-01T10:00:00Z"}'
OPERATIONS = AlertBook().after([LAGS])
PREMIUM = (("tier", "premium"),)
WEAK = WeakSegment(PREMIUM, 400, 0.2, 0.16, 0.24, 0.1, 0.04, 1e-6)
BIASED = BiasedSegment(PREMIUM, 900, 8.0, 7.0, 9.0, 0.08, 0.926, 0.0, 400, 8.2, 0.4, 15.0, 12.0)
VERSIONS = VersionsCompared(PREMIUM, "v1", "v2", 900, 800, 0.9, 0.93, 0.03, 0.01, 0.05, "wins")
FOLLOWED = KpiLinked("revenue", "accuracy", 10_800_000, 0.62, 0.31, 0.81, 60.0, 96, 3_600_000, daily=False)
COMPARED = ShadowCompared(PREMIUM, "v1", "forest", 900, 0.9, 0.93, 0.03, 0.01, 0.05, 0.95, "wins")
SHADOW = ShadowReading("forest", JoinReading(1_000, 100, 870, 20, 7, 3, 940, 40, 870, 0, 0, 20, 10), (COMPARED,), 4_096)
FULL = Snapshot(
    "payments", "0.1.0", 1_000_000, 5.0, Phase.LIVE,
    EngineReading((AMOUNT, ACCURACY, WARMING), PARTITIONS, JOIN, 1_495_000, 1_490_000, 42, 5, (("segments", 9),),
                  weak=(WEAK,), biased=(BIASED,), versions=(VERSIONS,), kpi=(FOLLOWED,), shadow=SHADOW,
                  events_per_second=12.5),
    BrokerReading(connected=True, since_ms=1_000_500), ((SourcePartition("p", 0), 17), (SourcePartition("p", 1), 0)),
    1_600_500, None, BOOK, 17, 2, 3, (Ownership("amount-adwin", "page", "risk", None),),
    operations=OperationsReading(("lag", "broker"), OPERATIONS),
)  # fmt: skip


def scrape(snapshot: Snapshot) -> Samples:
    """Every streamcheck sample, as Prometheus' own parser reads it."""
    _, body = Exposition(Telemetry(snapshot)).render("text/plain")
    found = [
        sample for family in parse(body.decode()) for sample in family.samples if sample.name.startswith("streamcheck_")
    ]
    samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(samples) == len(found), "a series occurs twice"
    return samples


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def test_searches_and_versions_have_gauges() -> None:
    samples = scrape(FULL)
    at = {"config": "payments", "segment": "tier=premium"}
    assert samples["streamcheck_weak_segment_error", labels(**at)] == 0.2
    assert samples["streamcheck_weak_segment_errors", labels(**at)] == 0.04
    assert samples["streamcheck_biased_segment", labels(**at)] == 8.0
    pair = {"champion": "v1", "challenger": "v2"}
    of = [labels(**at, **pair, end=end) for end in ("low", "value", "high")]
    ends = [samples["streamcheck_version_difference", each] for each in of]
    assert ends == [0.01, 0.03, 0.05]


def test_a_challenger_in_shadow_has_gauges() -> None:
    samples = scrape(FULL)
    at = {"config": "payments", "segment": "tier=premium", "champion": "v1", "challenger": "forest"}
    ends = [samples["streamcheck_shadow_difference", labels(**at, end=end)] for end in ("low", "value", "high")]
    assert ends == [0.01, 0.03, 0.05]
    assert samples["streamcheck_shadow_rows", labels(**at)] == 900
    assert samples["streamcheck_shadow_agreement", labels(**at)] == 0.95
    whole = {"config": "payments", "challenger": "forest"}
    assert samples["streamcheck_shadow_alone", labels(**whole)] == pytest.approx(27 / 897)
    assert samples["streamcheck_shadow_uncovered", labels(**whole)] == pytest.approx(30 / 900)
    assert samples["streamcheck_shadow_memory_bytes", labels(**whole)] == 4_096
    told = {outcome: samples["streamcheck_shadow_predictions_total", labels(**whole, outcome=outcome)]
            for outcome in ("matched", "duplicate", "expired", "evicted")}  # fmt: skip
    assert told == {"matched": 870, "duplicate": 3, "expired": 20, "evicted": 7}
    waiting = [samples["streamcheck_shadow_pending", labels(**whole, stream=each)] for each in ("shadow", "rows")]
    assert waiting == [100, 40]


def test_what_a_kpi_follows_has_gauges() -> None:
    samples, at = scrape(FULL), {"config": "payments", "kpi": "revenue", "against": "accuracy"}
    ends = [samples["streamcheck_kpi_correlation", labels(**at, end=end)] for end in ("low", "value", "high")]
    assert ends == [0.31, 0.62, 0.81]
    assert samples["streamcheck_kpi_lag_seconds", labels(**at)] == 10_800


def test_monitor_gauges_are_the_reading() -> None:
    samples = scrape(FULL)
    at = labels(config="payments", monitor="amount-adwin", column="amount", segment="tier=premium")
    shown = {
        name: samples[f"streamcheck_{name}", at]
        for name in ("value", "reference", "score", "threshold", "promised_alarms_per_week", "rows", "alert_state")
    }
    said = {"value": 212.4, "reference": 104.9, "score": 12.7, "threshold": 8.1, "promised_alarms_per_week": 0.25}
    assert shown == {**said, "rows": 812, "alert_state": 2}


def test_accuracy_has_its_interval() -> None:
    samples = scrape(FULL)
    at = labels(config="payments", monitor="accuracy-ddm", column="accuracy", segment="all", measure="accuracy")
    assert samples["streamcheck_accuracy", at] == 0.91
    assert samples["streamcheck_accuracy_low", at] == 0.89
    assert samples["streamcheck_labelled_rows_needed", at] == 240
    assert {value for (name, _), value in samples.items() if name == "streamcheck_quantile"} == {40.0, 210.0}
    assert samples["streamcheck_accuracy_high", at] == 0.925
    assert {key for key in samples if key[0].startswith("streamcheck_accuracy")} == {
        ("streamcheck_accuracy" + end, at) for end in ("", "_low", "_high")
    }


def test_monitors_have_their_owner() -> None:
    found = {key: value for key, value in scrape(FULL).items() if key[0] == "streamcheck_monitor_info"}
    told = labels(config="payments", monitor="amount-adwin", severity="page", owner="risk", runbook="")
    assert found == {("streamcheck_monitor_info", told): 1.0}


def test_number_that_is_not_there_has_no_sample() -> None:
    at = labels(config="payments", monitor="country-shares", column="country", segment="all")
    names = {name for name, found in scrape(FULL) if found == at}
    assert names == {"streamcheck_rows", "streamcheck_alert_state"}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_not_finite_has_no_sample(number: float) -> None:
    hostile = replace(AMOUNT, value=number, score=number)
    samples = scrape(replace(FULL, engine=replace(FULL.engine, monitors=(hostile,))))
    assert "streamcheck_value" not in {name for name, _ in samples}
    assert "streamcheck_score" not in {name for name, _ in samples}
    assert all(math.isfinite(value) for value in samples.values())


def test_events_conserve() -> None:
    samples = scrape(FULL)
    events = {
        outcome: samples["streamcheck_events_total", labels(topic="p", partition="0", outcome=outcome)]
        for outcome in ("accepted", "late", "rejected")
    }
    assert events == {"accepted": 90, "late": 7, "rejected": 3}
    reasons = {
        reason: samples["streamcheck_rejected_total", labels(topic="p", partition="0", reason=reason)]
        for reason in ("not JSON", "missing id")
    }
    assert sum(reasons.values()) == events["rejected"]


def test_join_books_conserve() -> None:
    samples = scrape(FULL)
    for stream in ("predictions", "labels"):
        outcomes = sum(
            value
            for (name, at), value in samples.items()
            if name == "streamcheck_join_total" and ("stream", stream) in at
        )
        pending = samples["streamcheck_join_pending", labels(stream=stream)]
        assert outcomes + pending == samples["streamcheck_join_entered_total", labels(stream=stream)]


def test_partition_and_service_gauges() -> None:
    samples = scrape(FULL)
    source = labels(topic="p", partition="0")
    assert samples["streamcheck_watermark_seconds", source] == 1495.0
    assert ("streamcheck_watermark_seconds", labels(topic="p", partition="1")) not in samples
    assert samples["streamcheck_idle", labels(topic="p", partition="1")] == 1
    assert samples["streamcheck_lag_records", source] == 17
    assert samples["streamcheck_last_commit_seconds", ()] == 1600.5
    assert samples["streamcheck_broker_connected", ()] == 1
    assert samples["streamcheck_limit_hits_total", labels(limit="segments")] == 9
    assert samples["streamcheck_alerts_total", labels(config="payments", state="firing", severity="page")] == 3
    assert samples["streamcheck_outbox_entries", ()] == 2
    phases = {at[0][1]: value for (name, at), value in samples.items() if name == "streamcheck_phase"}
    assert phases == {"starting": 0, "restoring": 0, "catching up": 0, "live": 1, "stopping": 0}


def test_start_without_anything_read() -> None:
    samples = scrape(Snapshot("payments", "0.1.0", 1000, 0.0))
    assert samples["streamcheck_broker_connected", ()] == 0
    assert not {"streamcheck_value", "streamcheck_last_commit_seconds"} & {name for name, _ in samples}


HOSTILE = [
    '"',
    "\\",
    "\n",
    '"} 1\nstreamcheck_value{x="',
    "<script>alert(1)</script>",
    "é\u2028",
    "\x00",
    "a,b=c",
    "\ud800",
    "x" * 10_000,
    "",
]


def test_hostile_segments_stay_apart() -> None:
    segments = [(("tier", value),) for value in HOSTILE] + [
        (("tier", "a"), ("b", "c")),
        (("tier", "\\ud800"),),
        (("tier", "x" * 9_999),),
        (),
    ]
    readings = tuple(replace(AMOUNT, segment=segment, value=float(n)) for n, segment in enumerate(segments))
    samples = scrape(replace(FULL, engine=replace(FULL.engine, monitors=readings)))
    shown = {dict(at)["segment"]: value for (name, at), value in samples.items() if name == "streamcheck_value"}
    assert shown == {segment_text(segment): float(n) for n, segment in enumerate(segments)}
    assert len(shown) == len(segments)
    assert max(map(len, shown)) < 200


def test_every_gauge_is_documented_and_collected() -> None:
    assert len({gauge.name for gauge in GAUGES}) == len(GAUGES)
    assert all(gauge.help.endswith(".") and gauge.name.startswith("streamcheck_") for gauge in GAUGES)
    families = {family.name: family for family in SnapshotCollector(Telemetry(FULL)).collect()}
    assert list(families) == [gauge.name for gauge in GAUGES]
    for gauge in GAUGES:
        assert families[gauge.name].samples, f"{gauge.name} has no sample from a full snapshot"
        assert {tuple(sample.labels) for sample in families[gauge.name].samples} == {gauge.labels}
        assert families[gauge.name].type == gauge.kind


def test_openmetrics_is_served_on_request() -> None:
    content_type, body = Exposition(Telemetry(FULL)).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert {family.name for family in parse_openmetrics(body.decode())} >= {gauge.name for gauge in GAUGES}


def test_registry_is_its_own() -> None:
    before = set(REGISTRY._names_to_collectors)
    exposition = Exposition(Telemetry(FULL))
    assert set(REGISTRY._names_to_collectors) == before
    assert b"process_cpu_seconds_total" in exposition.render("")[1]


def test_scrape_is_of_one_snapshot_while_the_loop_publishes() -> None:
    """Each snapshot n says n everywhere; a scrape that mixes two would show two numbers."""
    telemetry = Telemetry(FULL)
    collector = SnapshotCollector(telemetry)
    swapped = threading.Semaphore(0)
    wanted = threading.Semaphore(0)

    def numbered(n: int) -> Snapshot:
        readings = tuple(replace(AMOUNT, monitor=f"m{k}", value=float(n), score=float(n)) for k in range(5))
        return replace(FULL, engine=replace(FULL.engine, monitors=readings), outbox=n, delivered=n)

    def publish() -> None:
        for n in range(1, 200):
            wanted.acquire()
            telemetry.publish(numbered(n))
            swapped.release()

    telemetry.publish(numbered(0))
    loop = threading.Thread(target=publish, daemon=True)
    loop.start()
    numbered_gauges = {f"streamcheck_{name}" for name in ("value", "score", "outbox_entries", "delivered_sequence")}
    seen: list[set[float]] = []
    published = 0
    while published < 190:
        values: set[float] = set()
        for family in collector.collect():
            if family.name in numbered_gauges:
                values |= {sample.value for sample in family.samples}
                wanted.release()  # the loop publishes in the middle of the scrape
                assert swapped.acquire(timeout=30)
                published += 1
        seen.append(values)
    assert all(len(values) == 1 for values in seen), seen
    assert len(set(map(frozenset, seen))) == len(seen) > 40
