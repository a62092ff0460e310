"""Check 1, data collection: volume, freshness, schema; found where they fail, silent where they do not."""

from tests.checks.harness import GAP_MS, REFERENCE_ROWS, Stream, monitors, of, ordinary, with_fault


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
