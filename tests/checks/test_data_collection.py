"""Check 1, data collection: volume, freshness, schema; found where they fail, silent where they do not."""

from tests.checks.harness import CONFIG, GAP_MS, REFERENCE_ROWS, Stream, monitors, of, ordinary, with_fault


def test_a_partition_that_has_gone_silent():
    fired = with_fault(lambda k, event: None if k % 4 == 1 else event, after=lambda stream: stream.silent(1))
    found = of(fired, "freshness-threshold")
    assert found["summary"].startswith("freshness: nothing from p[1] for 1 min")
    assert found["evidence"]["silent"] == ["p[1]"]
    assert "volume-scan" in monitors(fired)


def test_a_stream_from_which_nothing_arrives_at_all():
    stream = Stream().feed(ordinary(REFERENCE_ROWS))
    stream.silent(0, 1, 2, 3, until=300_000)
    found = of(stream.fired(), "freshness-threshold")
    assert "nothing from all 4 partitions for 1 min" in found["summary"]
    assert found["pane_end"] > of(stream.fired(), "volume-scan")["pane_end"]


def test_a_pause_as_long_as_others_before_is_no_silence():
    """A partition that speaks every two minutes may be silent for ten."""
    stream = Stream()
    events = ordinary(REFERENCE_ROWS + 16_000)
    every = 120_000 // GAP_MS
    rare = [None if k % 4 == 3 and k % every > 40 else event for k, event in enumerate(events)]
    stream.feed(rare)
    assert "freshness-threshold" not in monitors(stream.end())


def test_a_field_that_disappears():
    fired = with_fault(lambda _, event: {name: value for name, value in event.items() if name != "items"})
    found = of(fired, "schema_changes-threshold")
    assert found["summary"].startswith("schema_changes: items disappeared since about")
    assert found["evidence"]["fields"] == [{"field": "items", "form": "absent"}]


def test_a_field_that_changes_its_type():
    fired = with_fault(lambda _, event: event | {"amount": f"EUR {event['amount']}"})
    assert of(fired, "schema_changes-threshold")["evidence"]["fault"] == "amount has another type"


def test_a_field_that_appears():
    fired = with_fault(
        lambda _, event: event | {"items": 3},
        events=lambda _, event: {name: value for name, value in event.items() if name != "items"},
    )
    assert of(fired, "schema_changes-threshold")["evidence"]["fault"] == "items appeared"


LONG = 3_200
"""Rows of which some 25 are looked into."""


def test_a_field_that_nobody_declares_appears():
    fired = with_fault(lambda _, event: event | {"fee": 1.5}, rows=LONG)
    assert monitors(fired) == {"schema_changes-threshold"}
    found = of(fired, "schema_changes-threshold")
    assert found["evidence"]["fields"] == [{"field": "fee", "form": "present", "declared": False}]
    assert found["summary"].startswith("schema_changes: fee appeared since about")


def test_a_field_that_nobody_declares_disappears_from_within_an_object():
    config = CONFIG.replace("amount: numeric", "amount: {kind: numeric, path: order.amount}")

    def nested(_, event):
        return event | {"order": {"amount": event["amount"], "fee": 1, "note": {"a": 1}}}

    fired = with_fault(
        lambda _, event: event | {"order": {"amount": event["amount"], "note": {"b": 1}}},
        config=config,
        rows=LONG,
        events=nested,
    )
    assert of(fired, "schema_changes-threshold")["evidence"]["fault"] == "order.fee disappeared"


def test_a_field_of_a_release_that_reaches_half_of_the_traffic_is_no_change_yet():
    fired = with_fault(lambda k, event: event | ({"fee": 1.5} if k % 2 else {}), rows=LONG)
    assert fired == []


def test_fields_that_come_and_go_and_names_that_are_never_the_same_are_none():
    def optional(k, event):
        return event | ({"fee": 1} if k * 7919 % 100 < 40 else {}) | {f"u{k}": 1}

    fired = with_fault(optional, rows=LONG, events=optional)
    assert fired == []
