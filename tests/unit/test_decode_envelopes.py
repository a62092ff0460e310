"""CloudEvents and Debezium: events in what stands around them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from streamcheck.adapters.kafka.headers import headings
from streamcheck.config.load import loads
from streamcheck.core.types import Batch, SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

NOW_MS = 1_772_359_200_000
CONFIG = """
version: 1
name: t
streams:
  predictions:
    topic: p
    {more}
    features: {{amount: numeric, tier: categorical, op: {{path: $event.op, kind: categorical}}}}
"""


def decoder(more: str) -> Decoder:
    return Decoder(loads(CONFIG.format(more=more), {}).plan.predictions)


def batch(made: Decoder, values: list[object], headers: list[list[tuple[str, bytes]]] | None = None) -> Batch:
    given = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    at = np.arange(len(given))
    pieces = headings(headers) if headers is not None else None
    raw = RawBatch(
        SourcePartition("p", 0), at, at + NOW_MS, [None] * len(given), given, len(given), (), pieces, encoded=True
    )
    found = made.decode(raw)
    if headers is None:  # in a file the same events say the same
        again = made.decode(replace(raw, encoded=False))
        assert (again.numeric.tolist(), again.rejects.reasons) == (found.numeric.tolist(), found.rejects.reasons)
    return found


def texts(found: Batch, column: int) -> list[str | None]:
    names = found.dictionaries[column].values
    return [names[code] if code >= 0 else None for code in found.codes[column].tolist()]


def row(amount: object, op: str = "c", **more: object) -> dict[str, object]:
    return {"op": op, "before": None, "after": {"amount": amount, "tier": "a"}, "ts_ms": 7, **more}


def wrapped(event: object) -> dict[str, object]:
    return {"schema": {"type": "struct", "fields": [{"op": "d"}]}, "payload": event}


DEBEZIUM = "envelope: debezium"
DELETE = {"op": "d", "before": {"amount": 1}, "after": None}


def test_debezium_rows() -> None:
    found = batch(decoder(DEBEZIUM), [row(1), row(2, "u"), row(3, "r")])
    assert (found.numeric.tolist(), texts(found, 0), texts(found, 1)) == ([[1, 2, 3]], ["a"] * 3, ["c", "u", "r"])


def test_deletes_and_tombstones_are_no_garbage() -> None:
    found = batch(decoder(DEBEZIUM), [row(1), DELETE, None, {"op": "t"}, {"amount": 1}, {"op": 5}, b"[]", row(2)])
    none = "not a Debezium event"
    assert found.rejects.reasons == ("deleted", "tombstone", "no row", none, none, "not an object")
    assert found.numeric.tolist() == [[1, 2]]


@pytest.mark.parametrize("turn", range(8))
def test_wrapped_or_not_is_seen_event_by_event(turn: int) -> None:
    """Whatever came before: what the last block was decides nothing."""
    events = [
        row(1),
        wrapped(row(2, "u")),
        row("x"),
        wrapped(DELETE),
        wrapped({}),
        {},
        row(7, payload=row(8)),
        wrapped(row(9)),
    ]
    events = events[turn:] + events[:turn]
    made = decoder(DEBEZIUM)
    for before in ([row(0)], [wrapped(row(0))], events):
        batch(made, before)
        found = batch(made, events)
        none = "not a Debezium event"
        reasons = {3: "deleted", 4: none, 5: none}
        assert found.rejects.reasons == tuple(r for at in range(8) if (r := reasons.get((at + turn) % 8)))
        amounts = {0: 1.0, 1: 2.0, 2: 0.0, 6: 7.0, 7: 9.0}
        assert found.numeric[0].tolist() == [a for at in range(8) if (a := amounts.get((at + turn) % 8)) is not None]


def test_whole_blocks_of_wrapped_events() -> None:
    found = batch(decoder(DEBEZIUM), [wrapped(row(at)) for at in range(5_000)])
    assert found.numeric[0].tolist() == list(range(5_000))


def test_a_structured_cloud_event_has_its_own_id_and_time() -> None:
    event = {"specversion": "1.0", "id": "e1", "source": "/s", "type": "t", "time": "2026-03-01T10:00:00Z", "op": "x"}
    made = decoder("envelope: cloudevents")
    values = [{**event, "data": {"amount": 5, "tier": "b"}}, {**event, "data": None}, {"data": {}}, {**event, "id": ""}]
    found = batch(made, values)
    assert found.rejects.reasons == ("not a CloudEvent", "missing id")
    assert found.times.tolist() == [1_772_359_200_000] * 2
    assert (found.numeric.tolist(), found.status[0].tolist()) == ([[5, 0]], [0, 1])
    assert (texts(found, 0), texts(found, 1)) == (["b", None], ["x", "x"])


def test_what_a_config_names_goes_before_the_cloud_events_own() -> None:
    made = decoder("envelope: cloudevents\n    id: key\n    time: {field: $event.ts, unit: ms}")
    found = batch(made, [{"specversion": "1.0", "id": "e", "time": "x", "ts": 1_000, "data": {"key": 3}}])
    assert found.times.tolist() == [1_000]
    assert not found.rejects.reasons


def test_a_binary_cloud_event_has_its_attributes_in_headers() -> None:
    own = [("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("ce_time", b"2026-03-01T10:00:00Z")]
    made = decoder("envelope: cloudevents_binary")
    found = batch(made, [{"amount": 5, "op": "x"}] * 3, [own, own[1:], own[:2]])
    assert found.rejects.reasons == ("not a CloudEvent", "missing time")
    assert (found.times.tolist(), found.numeric.tolist(), texts(found, 1)) == ([1_772_359_200_000], [[5]], ["x"])


def test_events_behind_a_registrys_prefix() -> None:
    made = decoder("format: json_schema")
    event = b'{"amount": 5, "op": "x"}'
    at = np.arange(6)
    values = [b"\0\0\0\0\7" + event, event, None, b"\0\0\0\0", b"\0\0\0\0\1[", b"\0\0\0\1\0" + event]
    raw = RawBatch(SourcePartition("p", 0), at, at + 9, [None] * 6, values, 6, encoded=True)
    found = made.decode(raw)
    assert found.rejects.reasons == ("no schema id", "tombstone", "no schema id", "not JSON")
    assert found.numeric.tolist() == [[5, 5]]
    many = [values[0]] * 5_000
    raw = RawBatch(SourcePartition("p", 0), np.arange(5_000), np.arange(5_000), many, many, 5_000, encoded=True)
    assert made.decode(raw).numeric[0].sum() == 25_000
