"""Check 4, reliability: late and rejected events, ids that come again; found where they fail, else silence."""

from tests.checks.harness import HEAD, Stream, monitors, of, ordinary, with_fault


def test_nothing_is_found_where_a_few_always_fail():
    """One event in a hundred late, one in a hundred rejected, one in a hundred sent twice: as ever."""
    events = ordinary(30_000, seed=4)
    for k in range(100, len(events), 100):
        events[k - 1] = events[k - 1] | {"shift_ms": -60_000}
        events[k - 31] = events[k - 31] | {"id": None}
        events[k - 61] = events[k - 61] | {"id": events[k - 65]["id"]}
    assert Stream().feed(events).end() == []


def test_more_late_events():
    fired = with_fault(lambda k, event: event | {"shift_ms": -60_000} if k % 5 == 0 else event)
    assert of(fired, "late_rate-scan")["evidence"]["fault"].startswith("late in 2")


def test_more_rejects():
    fired = with_fault(lambda k, event: event | {"id": None} if k % 5 == 0 else event)
    assert of(fired, "reject_rate-scan")["evidence"]["fault"].startswith("rejected in 2")


def test_ids_that_come_again():
    fired = with_fault(lambda k, event: event | {"id": f"again{k // 8}"})
    assert of(fired, "duplicate_rate-scan")["evidence"]["fault"].startswith("with an id that came before in 8")


def test_ids_of_long_ago_are_known_where_labels_are_joined():
    """A replay of old traffic: within the horizon each id is known."""
    config = HEAD + """streams:
  predictions:
    topic: p
    id: id
    features: {amount: numeric}
    prediction: said
    task: binary
  labels: {topic: l, id: id, label: truth, horizon: 1d}
"""
    fired = with_fault(lambda k, event: event | {"id": f"e{k}"} if k % 2 else event, config=config, before=idle_labels)
    assert of(fired, "duplicate_rate-scan")["evidence"]["fault"].startswith("with an id that came before in 5")
    assert monitors(fired) == {"duplicate_rate-scan"}


def idle_labels(stream):
    """No label ever comes."""
    stream.take(stream.engine.set_idle(stream.labels))
