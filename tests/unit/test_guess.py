"""What is made of events that nobody has described: five shapes that people have, and what a config says of them."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamcheck.config.guess import Guess, Origin, Picks, Sample, guess, label_topics, survey, write
from streamcheck.config.load import Loaded, loads

START_MS = 1_772_359_200_000
ORIGIN = Origin("shop", "localhost:9092", "shop.predictions", "shop.labels", "shop.predictions")


def sample(name: str, events: list[dict[str, Any]], arrivals: list[int] | None = None) -> Sample:
    return Sample(name, events, arrivals or [-1] * len(events), [0] * len(events))


def config(found: Guess, origin: Origin = ORIGIN) -> Loaded:
    """It passes `check`, or this raises with every mistake."""
    return loads(write(found, origin), {}, "made")


@pytest.fixture
def rng() -> random.Random:
    return random.Random(3)


def payments(rng: random.Random) -> tuple[Sample, Sample]:
    """Nested, milliseconds, a score, a version, labels on a topic of their own."""
    events, labels, arrivals = [], [], []
    for i in range(1_000):
        at = START_MS + i * 40 + rng.randrange(900)
        fraud = int(rng.random() < 0.1)
        features = {"amount": rng.lognormvariate(3, 1), "age": None if i % 20 == 0 else rng.randrange(900)}
        features |= {"country": rng.choice(["DE", "FR"]), "new": rng.random() < 0.3}
        event = {"event_id": f"pay-{i}", "ts": at, "model": {"version": "v3"}, "features": features}
        event |= {"tier": rng.choice(["general", "premium"]), "fraud": fraud, "fraud_probability": rng.random()}
        events.append(event | {"tags": ["a"]})
        arrivals.append(at + 200)
        if i % 2:
            labels.append({"event_id": f"pay-{i}", "is_fraud": fraud, "known_at": at + 60_000})
    return sample("shop.predictions", events, arrivals), sample("shop.labels", labels)


def test_nested_events_with_labels_on_another_topic(rng: random.Random) -> None:
    events, labels = payments(rng)
    found = guess(events, labels)
    assert (found.id.path, found.time.path, found.unit) == ("event_id", "ts", "ms")
    assert (found.prediction.path, found.score.path, found.task) == ("fraud", "fraud_probability", "binary")
    assert found.model_version.path == "model.version"
    assert {feature.name: feature.kind for feature in found.features} == {
        "amount": "numeric", "age": "numeric", "country": "categorical", "new": "categorical", "tier": "categorical",
    }  # fmt: skip
    assert dict(found.left_out) == {"tags": "a list"}
    assert set(found.segments) == {"tier", "country"}
    assert found.labels is not None
    assert (found.labels.id.path, found.labels.label.path, found.labels.time.path) == (
        "event_id",
        "is_fraud",
        "known_at",
    )
    assert found.labels.shared == 500
    assert found.lateness_ms == 5_000
    assert found.rate == pytest.approx(25, rel=0.05)
    assert found.doubts == ()
    plan = config(found).plan
    assert plan.labels is not None
    assert plan.predictions.time is not None


def test_the_config_says_what_was_seen(rng: random.Random) -> None:
    text = write(guess(*payments(rng)), ORIGIN)
    assert "missing in 5%" in text
    assert "# tags: a list" in text
    assert "500 of the sampled predictions have their label here" in text


def test_a_number_is_predicted_and_the_truth_is_in_the_event(rng: random.Random) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    events = [
        {
            "id": i,
            "timestamp": (begin + timedelta(minutes=i)).isoformat(),
            "area": rng.choice("abc"),
            "predicted_price": rng.gauss(300, 50),
            "actual_price": rng.gauss(300, 50),
        }
        for i in range(500)
    ]
    found = guess(sample("houses", events))
    assert (found.id.path, found.time.path, found.unit) == ("id", "timestamp", "iso8601")
    assert (found.prediction.path, found.label.path, found.task) == ("predicted_price", "actual_price", "regression")
    assert found.pane_ms == 3_600_000, "one event a minute: a pane of an hour has enough of them"
    assert config(found).plan.task == "regression"


def test_camel_case_seconds_and_classes(rng: random.Random) -> None:
    kinds = ["billing", "tech", "sales"]
    events = [
        {"requestId": f"{rng.getrandbits(64):x}", "createdAt": START_MS / 1000 + i / 2, "prediction": rng.choice(kinds),
         "confidence": rng.random(), "label": rng.choice(kinds), "modelVersion": "7", "text": f"words {i}"}
        for i in range(400)
    ]  # fmt: skip
    found = guess(sample("tickets", events))
    assert (found.id.path, found.time.path, found.unit) == ("requestId", "createdAt", "s")
    assert (found.prediction.path, found.label.path, found.score.path) == ("prediction", "label", "confidence")
    assert (found.task, found.model_version.path) == ("multiclass", "modelVersion")
    assert dict(found.left_out) == {"text": "another one in each event"}
    config(found)


def test_nothing_but_inputs(rng: random.Random) -> None:
    events = [
        {"temp": rng.gauss(20, 2), "status": rng.choice(["ok", "warn"]), "station": rng.randrange(4)}
        for _ in range(300)
    ]
    found = guess(sample("sensors", events))
    assert {choice.path for choice in (found.id, found.time, found.prediction, found.label)} == {None}
    assert len(found.doubts) == 3
    assert "one row a second" in " ".join(found.doubts)
    assert "categorical?" in next(f.seen for f in found.features if f.name == "station")
    config(found)
    config(found, Origin("sensors", None, "sensors.predictions", None, "sensors.jsonl"))


def test_odd_names_and_values(rng: random.Random) -> None:
    events = [
        {
            "uuid": f"u{i}",
            "time": (START_MS + i) * 10**6,
            "on": rng.random(),
            "yes": rng.choice("ab"),
            "17": rng.random(),
            "churn": rng.choice(["yes", "no"]),
            "churn_score": rng.random(),
            "odd": rng.choice([1, "x", True]),
            "never": None,
            "a.b": 1,
            "weird key!": rng.random(),
            "line\nbreak": f"\x1b[2J{i % 3}",
        }
        for i in range(300)
    ]
    found = guess(sample("odd", events))
    assert (found.unit, found.prediction.path, found.positive) == ("ns", "churn", "yes")
    assert set(dict(found.left_out)) == {"odd", "never"}
    text = write(found, ORIGIN)
    assert "\x1b" not in text
    columns = {column.name for column in config(found).plan.predictions.columns}
    assert {"on", "yes", "17", "weird key!", "line\nbreak"} <= columns


def test_what_the_user_says_goes_before_every_guess(rng: random.Random) -> None:
    events, labels = payments(rng)
    said = Picks(id="event_id", prediction="", score="", segments=("country",), label_time="")
    found = guess(events, labels, said)
    assert (found.prediction.path, found.score.path, found.task) == (None, None, None)
    assert (found.segments, found.segment_candidates) == (("country",), ("tier", "new", "fraud"))
    assert found.labels is None, "without a prediction there is nothing to compare the truth with"
    assert any("is_fraud of shop.labels may be the truth" in doubt for doubt in found.doubts)
    config(found)


def test_a_lone_truthlike_field_is_a_prediction() -> None:
    """`is_fraud` in an event without any other verdict is what the model said."""
    found = guess(sample("p", [{"id": f"{i}", "is_fraud": i % 2, "x": i / 7} for i in range(100)]))
    assert (found.prediction.path, found.label.path) == ("is_fraud", None)


def test_times_that_are_not_the_events_are_passed_over() -> None:
    events = [{"born_at": 9 * 10**8 + i * 1000, "ts": START_MS + i} for i in range(50)]
    found = guess(sample("p", events, [START_MS + i + 5 for i in range(50)]))
    assert found.time.path == "ts"


@pytest.mark.parametrize("text", ["2026-03-01 10:00", "2026-03-01T10:00:00"])
def test_a_time_without_an_offset_is_not_guessed(text: str) -> None:
    found = guess(sample("p", [{"time": text, "x": i} for i in range(50)]))
    assert found.time.path is None
    assert any("offset" in doubt for doubt in found.doubts)


def test_topics_with_the_same_ids_may_hold_the_labels(rng: random.Random) -> None:
    events, labels = payments(rng)
    clicks = sample("clicks", [{"click_id": f"c{i}"} for i in range(100)])
    assert label_topics(events, [clicks, labels]) == [("shop.labels", 500)]


def test_disorder_decides_the_lateness() -> None:
    times = [START_MS + 1000 * i - (12_000 if i % 10 == 9 else 0) for i in range(200)]
    found = guess(sample("p", [{"ts": at, "x": 1.5} for at in times]))
    assert found.lateness_ms == 30_000


def test_fields_as_seen() -> None:
    fields = survey([{"a": {"b": 1}}, {"a": {"b": 2.5}}, {"a": {"b": None}}, {"a": 3}])
    assert list(fields) == ["a.b", "a"]
    assert (fields["a.b"].low, fields["a.b"].high, fields["a.b"].missing_share) == (1, 2.5, 0.5)


def test_an_enormous_event_has_an_end() -> None:
    fields = survey([{f"f{i}": 1 for i in range(10_000)}])
    assert len(fields) == 2_000


def test_keys_that_count_up_in_every_topic_match_nothing() -> None:
    """Records of three topics have the numbers 0, 1, ... as keys: that says nothing, and the ids in the events do."""
    said = [{"$key": f"{i}", "order_id": f"o{i}", "decision": i % 2, "basket": i} for i in range(200)]
    events = sample("scores", said)
    clicks = sample("clicks", [{"$key": f"{i}", "click_id": f"c{i}"} for i in range(200)])
    verdicts = sample("verdicts", [{"$key": f"{i}", "order_id": f"o{i}", "outcome": i % 2} for i in range(200)])
    assert [name for name, _ in label_topics(events, [clicks, verdicts])] == ["verdicts", "clicks"]
    found = guess(events, verdicts)
    assert found.id.path == "order_id"
    assert found.labels is not None
    assert found.labels.id.path == "order_id"
    assert found.labels.label.path == "outcome"


def test_what_rises_with_the_events_is_no_feature(rng: random.Random) -> None:
    """A reference of the past holds no value of tomorrow, so its monitors would find nothing or cry every day."""
    events = [
        {
            "ts": START_MS + i * 40,
            "row": i + rng.randrange(5),
            "seen_ms": START_MS + i * 40 - rng.randrange(90_000_000),
            "second": (START_MS + i * 40) // 1_000,
            "account": 1_500_000_000 + rng.randrange(10**8),
            "visits": rng.randrange(10_000),
            "load": i / 1_000 + rng.random() / 100,
            "step": i // 100,
        }
        for i in range(3_000)
    ]
    found = guess(sample("p", events))
    assert dict(found.left_out) == {
        "row": "rises from event to event: a counter",
        "seen_ms": "a time",
        "second": "rises from event to event: a time",
    }
    assert {feature.name for feature in found.features} == {"account", "visits", "load", "step"}
