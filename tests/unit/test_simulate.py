"""The simulated payments: the same bytes, plausible numbers, and every incident where it says it is."""

import hashlib
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import orjson
import pytest

from streamcheck.adapters.simulate import DEMO, LABELS, PREDICTIONS, QUIET, Incident, PaymentsStream, Record, Scenario
from streamcheck.adapters.simulate.incidents import MissedFraud
from streamcheck.adapters.simulate.payments import KPI, KPI_MS
from streamcheck.adapters.simulate.traffic import HOUR_MS, MINUTE_MS
from streamcheck.core.plan import Column, Kind, Role, Schema, Task, TimeField, TimeUnit
from streamcheck.core.types import FieldStatus, StreamRole
from streamcheck.runtime.decode import Decoder

DAY = PaymentsStream(rate=1.5)  # half the default: enough to count, quick to make
START = DAY.start_ms


@dataclass(frozen=True)
class Published:
    """All records of a stream, and the payments as columns (objects where a value may be null)."""

    records: list[Record]
    payments: dict[str, np.ndarray]
    labels: list[dict[str, object]]

    def rows(self, incident: Incident) -> np.ndarray:
        after = self.payments["ts"] - START
        return (after >= incident.start_ms) & (after < incident.end_ms)


def publish(stream: PaymentsStream) -> Published:
    records = list(stream.records())
    events = [
        orjson.loads(record.value) | {"partition": record.partition}
        for record in records
        if record.topic == PREDICTIONS
    ]
    payments = {name: np.array([event[name] for event in events]) for name in events[0]}
    return Published(records, payments, [orjson.loads(record.value) for record in records if record.topic == LABELS])


@pytest.fixture(scope="module")
def day() -> Published:
    return publish(DAY)


@pytest.fixture(scope="module")
def quiet() -> Published:
    return publish(PaymentsStream(rate=1.5, scenario=QUIET))


def incident(name: str) -> Incident:
    return next(i for i in DEMO.incidents if i.name == name)


def digest(stream: PaymentsStream) -> str:
    found = hashlib.sha256()
    for record in stream.records():
        found.update(repr(record).encode())
    return found.hexdigest()


def test_same_seed_same_bytes_other_seed_others() -> None:
    short = {"rate": 1.0, "duration_ms": 4 * HOUR_MS}
    assert digest(PaymentsStream(seed=3, **short)) == digest(PaymentsStream(seed=3, **short))
    assert digest(PaymentsStream(seed=3, **short)) != digest(PaymentsStream(seed=4, **short))


def test_the_size_and_order_of_a_demo(day: Published) -> None:
    assert 75_000 < len(day.payments["ts"]) < 150_000
    stamps = [record.timestamp_ms for record in day.records]
    assert stamps == sorted(stamps)
    for partition in range(4):
        times = day.payments["ts"][day.payments["partition"] == partition]
        behind = np.maximum.accumulate(times) - times
        assert 0.05 < np.mean(behind > 0) < 0.95
        assert behind.max() < 5_000
    ids = [record.key for record in day.records if record.topic == PREDICTIONS]
    assert len(set(ids)) == len(ids)


def test_quiet_payments_look_as_they_should(quiet: Published) -> None:
    payments = quiet.payments
    assert np.mean(payments["tier"] == "premium") == pytest.approx(0.15, abs=0.01)
    assert np.mean(payments["country"] == "DE") == pytest.approx(0.31, abs=0.01)
    assert np.median(payments["amount"]) == pytest.approx(39, abs=3)
    assert np.all(payments["fraud"] == (payments["fraud_probability"] >= 0.5))
    hours = np.bincount((payments["ts"] - START) // HOUR_MS)
    assert sum(hours[12:18]) / sum(hours[:6]) == pytest.approx(1.037, abs=0.02)


def test_the_score_is_calibrated_and_the_model_good(quiet: Published) -> None:
    truth = {label["event_id"]: label["is_fraud"] for label in quiet.labels}
    known = np.array([name in truth for name in quiet.payments["event_id"]])
    score = quiet.payments["fraud_probability"][known]
    actual = np.array([truth[name] for name in quiet.payments["event_id"][known]])
    for low in np.arange(0, 1, 0.1):
        inside = (score >= low) & (score < low + 0.1)
        assert np.mean(actual[inside]) == pytest.approx(np.mean(score[inside]), abs=0.05)
    assert np.mean(actual == quiet.payments["fraud"][known]) > 0.92


def test_labels_come_hours_later_some_never_some_twice(quiet: Published) -> None:
    sent = dict(zip(quiet.payments["event_id"].tolist(), quiet.payments["ts"].tolist(), strict=True))
    first: dict[object, dict[str, object]] = {}
    second = {}
    for label in quiet.labels:
        (second if label["event_id"] in first else first)[label["event_id"]] = label
    delays = np.array([label["ts"] - sent[name] for name, label in first.items()]) / HOUR_MS  # type: ignore[operator,index]
    assert delays.min() > 0.05
    assert np.median(delays) == pytest.approx(2.0, abs=0.15)
    old = [name for name, time in sent.items() if time < START + 12 * HOUR_MS]
    assert np.mean([name in first for name in old]) == pytest.approx(0.9, abs=0.01)
    changed = sum(first[name]["is_fraud"] != label["is_fraud"] for name, label in second.items())
    assert 0.003 < changed / len(first) < 0.007
    assert 0.006 < (len(second) - changed) / len(first) < 0.014
    assert set(first) <= set(sent)
    of_topic = [record for record in quiet.records if record.topic == LABELS]
    assert {record.partition for record in of_topic} == {0, 1}
    assert len({(record.key, record.partition) for record in of_topic}) == len(first)


def test_outside_its_incidents_a_stream_equals_the_quiet_one(day: Published, quiet: Published) -> None:
    calm_day = [r for r, calm in zip(predictions(day), is_calm(day), strict=True) if calm]
    calm_quiet = [r for r, calm in zip(predictions(quiet), is_calm(quiet), strict=True) if calm]
    assert calm_day == calm_quiet
    assert len(calm_day) > 50_000


def predictions(published: Published) -> list[Record]:
    return [record for record in published.records if record.topic == PREDICTIONS]


def is_calm(published: Published) -> np.ndarray:
    return ~np.any([published.rows(i) for i in DEMO.incidents], axis=0)


def test_incidents_are_spaced_after_a_quiet_reference_period() -> None:
    assert DEMO.incidents[0].start_ms >= 2 * HOUR_MS
    for before, after in zip(DEMO.incidents, DEMO.incidents[1:], strict=False):
        assert after.start_ms - before.end_ms >= 30 * MINUTE_MS
    assert DEMO.end_ms + HOUR_MS < DAY.end_ms - START


def test_amount_in_cents(day: Published, quiet: Published) -> None:
    cents = incident("amount in cents")
    during, usual = day.rows(cents), quiet.rows(cents)
    for partition, factor in enumerate((1, 100, 1, 1)):
        wrong = day.payments["amount"][during & (day.payments["partition"] == partition)]
        right = quiet.payments["amount"][usual & (quiet.payments["partition"] == partition)]
        np.testing.assert_allclose(wrong, right * factor, rtol=1e-12)


def test_new_country(day: Published, quiet: Published) -> None:
    during = day.rows(incident("new country"))
    assert np.mean(day.payments["country"][during] == "BR") == pytest.approx(0.08, abs=0.01)
    assert not np.any(day.payments["country"][~during] == "BR")
    assert not np.any(quiet.payments["country"] == "BR")


def test_account_age_missing(day: Published) -> None:
    during = day.rows(incident("account age missing"))
    missing = np.array([age is None for age in day.payments["account_age_days"]])
    assert np.mean(missing[during]) == pytest.approx(0.25, abs=0.02)
    assert not missing[~during].any()


def test_distance_drifts(day: Published) -> None:
    drift = incident("distance drifts")
    quarter_ms = (drift.end_ms - drift.start_ms) // 4
    bounds = [
        replace(drift, start_ms=drift.start_ms + at * quarter_ms, end_ms=drift.start_ms + (at + 1) * quarter_ms)
        for at in range(5)
    ]
    means = [np.mean(day.payments["distance_km"][day.rows(part)]) / 12.0 for part in bounds]
    assert means == pytest.approx([1.1, 1.3, 1.5, 1.7, 1.0], abs=0.05)


def test_only_premium_accuracy_falls_and_only_the_labels_tell(day: Published, quiet: Published) -> None:
    missed = incident("premium fraud missed")
    truth = {label["event_id"]: label["is_fraud"] for label in day.labels}
    known = np.array([truth.get(name, -1) for name in day.payments["event_id"]])
    right = known == day.payments["fraud"]
    accuracy = {
        (tier, during): np.mean(right[(known >= 0) & (day.payments["tier"] == tier) & (day.rows(missed) == during)])
        for tier in ("premium", "general")
        for during in (False, True)
    }
    assert accuracy["premium", True] < 0.72
    assert min(accuracy["premium", False], accuracy["general", False], accuracy["general", True]) > 0.92
    values = [r.value for r, inside in zip(predictions(day), day.rows(missed), strict=True) if inside]
    assert values == [r.value for r, inside in zip(predictions(quiet), quiet.rows(missed), strict=True) if inside]


def test_a_producer_stops(day: Published, quiet: Published) -> None:
    stop = incident("a producer stops")
    during = day.rows(stop)
    assert not np.any(day.payments["partition"][during] == 3)
    assert np.sum(during) / np.sum(quiet.rows(stop)) == pytest.approx(0.75, abs=0.02)
    assert np.any(
        day.payments["partition"][day.rows(replace(stop, start_ms=stop.end_ms, end_ms=stop.end_ms + MINUTE_MS))] == 3
    )


def test_what_is_happening_and_what_an_incident_explains() -> None:
    cents = incident("amount in cents")
    assert DAY.happening(START) == ()
    assert DAY.happening(START + cents.start_ms) == (cents,)
    assert DAY.happening(START + cents.end_ms) == ()
    assert cents.explains("amount", cents.start_ms)
    assert not cents.explains("amount", cents.start_ms - 1)
    assert not cents.explains("items", cents.start_ms)
    assert cents.explains("amount", cents.end_ms + cents.aftermath_ms - 1)
    assert not cents.explains("amount", cents.end_ms + cents.aftermath_ms)
    assert all(i.name and i.expected and i.columns for i in DEMO.incidents)


def test_a_scenario_in_disorder_is_refused() -> None:
    with pytest.raises(AssertionError, match="start at"):
        Scenario("backwards", DEMO.incidents[::-1])


FEATURES = tuple(
    Column(name, (name,), Kind.NUMERIC, Role.FEATURE) for name in ("amount", "account_age_days", "items", "distance_km")
)
OTHERS = (
    *(Column(name, (name,), Kind.CATEGORICAL, Role.FEATURE) for name in ("country", "device", "channel")),
    Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT),
    Column("version", ("model", "version"), Kind.CATEGORICAL, Role.MODEL_VERSION),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION, positive="1"),
)
SCORE = Column("fraud_probability", ("fraud_probability",), Kind.NUMERIC, Role.SCORE)
TRUTH = Column("is_fraud", ("is_fraud",), Kind.BINARY, Role.LABEL, positive="1")
TIME = TimeField(("ts",), TimeUnit.MS)
SCHEMAS = {
    PREDICTIONS: Schema(
        StreamRole.PREDICTIONS, (PREDICTIONS,), ("event_id",), TIME, (*FEATURES, SCORE, *OTHERS), 1_048_576, 300_000
    ),
    LABELS: Schema(StreamRole.LABELS, (LABELS,), ("event_id",), TIME, (TRUTH,), 1_048_576, 300_000),
}


def test_every_event_decodes(day: Published) -> None:
    decoders = {topic: Decoder(schema, Task.BINARY) for topic, schema in SCHEMAS.items()}
    rows = dict.fromkeys(decoders, 0)
    odd = dict.fromkeys(FieldStatus, 0)
    for batch in DAY.batches(step_ms=30 * MINUTE_MS):
        decoded = decoders[batch.source.topic].decode(batch)
        assert decoded.rejects.reasons == ()
        rows[batch.source.topic] += len(decoded)
        for status in FieldStatus:
            odd[status] += int(np.sum(decoded.status == status))
    assert rows == {PREDICTIONS: len(day.payments["ts"]), LABELS: len(day.labels)}
    missing = sum(age is None for age in day.payments["account_age_days"])
    assert (odd[FieldStatus.MISSING], odd[FieldStatus.WRONG_TYPE], odd[FieldStatus.NON_FINITE]) == (missing, 0, 0)


def test_a_short_stream_ends_with_its_last_payment() -> None:
    stream = PaymentsStream(seed=2, duration_ms=90_500, rate=20)
    steps = list(stream.steps(60_000))
    assert [step.end_ms - stream.start_ms for step in steps] == [60_000, 120_000]
    records = [record for step in steps for record in step.records]
    assert records == list(stream.records()) == list(islice(stream.records(), len(records)))
    numbers = sorted(int(record.key[4:]) for record in records)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == pytest.approx(20 * 90.5, rel=0.1)


def test_net_revenue_falls_where_fraud_is_missed_and_is_known_an_hour_later():
    def told(scenario):
        stream = PaymentsStream(seed=2, scenario=scenario, rate=2.0, duration_ms=4 * HOUR_MS, kpi=True)
        records = [record for record in stream.records() if record.topic == KPI]
        assert {record.partition for record in records} == {0}
        return [(orjson.loads(record.value), record.timestamp_ms) for record in records]

    missed = MissedFraud(name="m", start_ms=HOUR_MS, end_ms=2 * HOUR_MS, columns=(), expected="", share=0.35)
    quiet, struck = told(QUIET), told(Scenario("m", (missed,)))
    start_ms = PaymentsStream().start_ms
    assert [event["ts"] - start_ms for event, _ in quiet] == [HOUR_MS + at * KPI_MS for at in range(1, 90)]
    assert all(stamp == event["ts"] + 250 for event, stamp in quiet)
    both = zip(struck, quiet, strict=True)
    differ = [event["ts"] - start_ms - HOUR_MS for (event, _), (other, _) in both if event != other]
    assert HOUR_MS < min(differ) <= HOUR_MS + KPI_MS
    assert max(differ) == 2 * HOUR_MS
    inside = [event["net_per_payment"] for event, _ in struck if 2 * HOUR_MS < event["ts"] - start_ms <= 3 * HOUR_MS]
    assert np.mean(inside) < np.mean([event["net_per_payment"] for event, _ in quiet]) - 0.2
    plain = PaymentsStream(seed=2, scenario=QUIET, rate=2.0, duration_ms=HOUR_MS)
    assert KPI not in {record.topic for record in plain.records()}
