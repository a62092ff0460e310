"""Do the good events come to the same alerts, byte for byte, whatever else is in their topics? On a real broker.

One topic holds the good events alone; its twin the same, and between them everything that should never have been
written: malformed values, batches damaged on the broker's disk, bombs, messages of old formats, aborted transactions.
"""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from streamcheck.core.partitions import JUMP_REASON
from tests.conftest import needs_client
from tests.hostile import log
from tests.hostile.service import committed, without_lineage

START_MS = 1_767_225_600_000
STEP_MS = 250
ROWS, SHIFT_ROW, WRONG_ROW = 2_600, 2_000, 2_200
FAR_MS = 4_102_444_800_000  # 2100-01-01
MESSAGE_BYTES_MAX = 2 << 20
CONFIG = """
version: 1
name: hostile
kafka: {{bootstrap_servers: "{bootstrap}", client: {client}}}
start: earliest
streams:
  predictions:
    topic: {topic}
    id: id
    time: {{field: ts, unit: ms}}
    prediction: fraud
    score: probability
    task: binary
    features: {{amount: numeric, country: categorical}}
    segments: [tier]
  labels: {{topic: {topic}.labels, id: id, label: fraud, time: {{field: ts, unit: ms}}, horizon: 1h}}
time: {{pane: 10s, lateness: 5s, idle_after: 10m}}
reference: {{first: 5m}}
monitors:
{monitors}
alerts: {{topic: {out}.alerts, owner: me}}
dead_letter: {{topic: {out}.rejects}}
late: {{topic: {out}.late}}
state: {{dir: "state-{out}", commit_every: 1s}}
prometheus: {{listen: "127.0.0.1:0"}}
limits: {{message_bytes: 2MiB, segments: 20}}
"""
ROW_MONITORS = """
  - {name: amount-adwin, on: amount, by: [tier], detector: {adwin: {delta: 0.002}}}
  - {name: error-ddm, on: error, detector: {ddm: {warm_start: 30, warning_threshold: 2.0, drift_threshold: 3.0}}}
"""


def prediction(row: int, **changes: object) -> dict[str, object]:
    """Four a second; the amount is ten times as large from SHIFT_ROW on."""
    return {
        "id": f"e{row}",
        "ts": START_MS + row * STEP_MS,
        "amount": (10.0 + row * 7919 % 101 / 10) * (10 if row >= SHIFT_ROW else 1),
        "country": "DE" if row * 31 % 7 else "FR",
        "tier": "premium" if row % 5 == 0 else "general",
        "fraud": int(row * 17 % 11 == 0),
        "probability": 0.9 if row * 17 % 11 == 0 else 0.1,
    } | changes


def label(row: int, **changes: object) -> dict[str, object]:
    """The truth, 15 s later: wrong for every 13th, for every third from WRONG_ROW on."""
    wrong = row % 3 == 0 if row >= WRONG_ROW else row % 13 == 0
    return {
        "id": f"e{row}",
        "ts": START_MS + row * STEP_MS + 15_000,
        "fraud": int((row * 17 % 11 == 0) != wrong),
    } | changes


def raw(event: dict[str, object], **written: str) -> bytes:
    """The event with some fields as this JSON text."""
    fields = {name: json.dumps(value) for name, value in event.items()} | written
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}").encode()


def bad_values(event: dict[str, object]) -> list[tuple[str, bytes | None]]:
    """Every kind of value that is no event of either stream, with the reason that it must get."""
    good = raw(event)
    return [
        *(("not JSON", value) for value in (b"", b" ", b"\x00", b"\x00" * 500, b"{", b"}", good[:-1], good + b"}")),
        *(("not JSON", value) for value in (good.replace(b'"', b"'"), good[:-1] + b",}", b"\xef\xbb\xbf" + good)),
        *(
            ("not JSON", value)
            for value in (good.decode().encode("utf-16"), b"\x80\x04\x95", b"PK\x03\x04", b"\x1f\x8b")
        ),
        ("not JSON", raw(event, id='"\xff"').decode().encode("latin-1")),
        ("not JSON", raw(event, id='"\\ud800"')),
        ("not JSON", raw(event, id='"a\nb"')),
        ("not JSON", raw(event, other="NaNo")),
        ("not JSON", raw(event, other="+1")),
        ("not JSON", raw(event, other="[" * 600 + "]" * 600)),
        ("not JSON", raw(event, other='{"a":' * 600 + "1" + "}" * 600)),
        ("not JSON", b"[" * 1_000_000),
        ("not JSON", b'{"a":"' + b'\\"' * 500_000),
        ("not JSON", b'{"a": NaN, "b": "' + b'\\"' * 500_000),
        *(
            ("not an object", value)
            for value in (b"null", b"true", b"17", b'"text"', b"[]", b"NaN", b"1e400", b"[" + good + b"]")
        ),
        ("too large", raw(event, other='"' + "x" * MESSAGE_BYTES_MAX + '"')),
        ("tombstone", None),
        ("missing id", raw({k: v for k, v in event.items() if k != "id"})),
        ("missing id", raw(event, id="null")),
        ("missing id", raw(event, id='""')),
        *(("bad id", raw(event, id=text)) for text in ("{}", "[]", "true", "1.5", "1e400", "NaN", "1" + "0" * 5_000)),
        ("bad id", raw(event, id='"' + "i" * 1_000_000 + '"')),
        ("missing time", raw(event, ts="null")),
        *(("bad time", raw(event, ts=text)) for text in ("-1", "1e400", "NaN", "true", '"now"', "[]", "9" * 30)),
        ("time in future", raw(event, ts=str(FAR_MS))),
        ("bad id", good[:-1] + b', "id": []}'),  # of duplicate keys the last one counts
    ]


BAD_LABELS = [
    ("missing label", {"fraud": None}),
    ("bad label", {"fraud": 2}),
    ("bad label", {"fraud": "x"}),
    ("bad label", {"fraud": []}),
]


@dataclass
class Topic:
    """A topic of one partition that is being filled; expected: offset -> reason of what must be rejected."""

    name: str
    out: object
    expected: dict[int, str] = field(default_factory=dict)

    def put(self, value: bytes | None, reason: str | None = None, **more: object) -> int:
        """Hand over one record, and return its offset."""
        given = {"partition": 0, "key": b"k", **more}
        offset: int = self.out.send(self.name, value, **given).get(timeout=30).offset
        if reason is not None:
            self.expected[offset] = reason
        return offset

    def good(self, events: list[dict[str, object]], **more: object) -> None:
        """Events in one go."""
        sent = [self.out.send(self.name, raw(e), partition=0, timestamp_ms=e["ts"], **more) for e in events]
        self.out.flush()
        for future in sent:
            future.get(timeout=0)


@pytest.fixture
def make(broker, producer) -> Callable[[str], Topic]:
    def topic(name: str) -> Topic:
        configs = {
            "retention.ms": "-1",
            "max.message.bytes": str(12 << 20),
            "message.timestamp.after.max.ms": str(2**62),
        }
        broker.admin.create_topics({name: {"num_partitions": 1, "configs": configs}}, wait_for_metadata=True)
        return Topic(name, producer(max_request_size=11 << 20, linger_ms=5))

    return topic


def stamp(row: int) -> dict[str, int]:
    return {"timestamp_ms": START_MS + row * STEP_MS}


def spoil(topic: Topic, row: int, event: dict[str, object], segment: Callable[[str], log.Path]) -> None:
    """All that is bad by its value, its key, its headers or its timestamp."""
    for reason, value in bad_values(event):
        topic.put(value, reason, **stamp(row))
    topic.put(raw(event), "time in future", timestamp_ms=0)  # fifty years before what it says of itself
    topic.put(b"{", "not JSON", key=None, **stamp(row))
    topic.put(b"{", "not JSON", key=b"", headers=[("a", b"1"), ("b", b""), ("\n", b"\xff" * 1_000)], **stamp(row))
    topic.put(None, "tombstone", key=b"\x00\xff" * 50_000, **stamp(row))
    for how, reason in (
        (log.flipped, "corrupt batch"),
        (log.unknown_codec, "unknown codec"),
        (log.malformed, "malformed batch"),
    ):
        log.damage(segment(topic.name), topic.put(b"{}" * 50, reason, **stamp(row)), how)
    for magic in (0, 1):
        log.damage(segment(topic.name), topic.put(b"{}" * 50, "not JSON", **stamp(row)), log.legacy(magic))


def arm(topic: Topic, row: int, segment: Callable[[str], log.Path]) -> None:
    """Four batches of some kilobytes or megabytes that would fill hundreds."""
    for _, codec, payload in log.bombs():
        offset = topic.put(log.filler(len(payload)), "batch too large", key=None, **stamp(row))
        log.damage(segment(topic.name), offset, log.armed(codec, payload))


def transact(topic: Topic, event: dict[str, object], producer: Callable[..., object], name: str, end: str) -> None:
    """A good event in a transaction that is committed; or what looks like some, aborted, or left to its time-out."""
    out = producer(transactional_id=f"{topic.name}-{name}", transaction_timeout_ms=1_000)
    out.init_transactions()
    out.begin_transaction()
    for event_id in (event["id"],) if end == "commit" else ("forged-1", "forged-2"):
        out.send(topic.name, raw(event | {"id": event_id}), partition=0, timestamp_ms=event["ts"]).get(timeout=10)
    if end == "commit":
        out.commit_transaction()
    elif end == "abort":
        out.abort_transaction()


def test_poison_changes_no_byte_of_any_alert(broker, producer, make, run) -> None:
    """The fast client goes second: over the same topics, with the same outcome, but for its memory."""

    def segment(name: str) -> log.Path:
        return broker.cluster.segments(name)[-1]

    clean, mixed = make("clean"), make("mixed")
    clean_labels, mixed_labels = make("clean.labels"), make("mixed.labels")
    events, truths = [prediction(row) for row in range(ROWS)], [label(row) for row in range(ROWS - 100)]
    clean.good(events)
    clean_labels.good(truths)
    for topic in (mixed_labels, mixed):
        topic.put(b"{", "not JSON", **stamp(0))  # before any good one
    mixed.good(events[:700], headers=[("trace", b"1")])
    spoil(mixed, 700, prediction(699, id="bad"), segment)
    mixed.good(events[700:1_400], key=b"")
    transact(mixed, prediction(1_400), producer, "whole", "commit")
    transact(mixed, prediction(1_401), producer, "aborted", "abort")
    mixed.good(events[1_401:1_800])
    mixed.put(raw(prediction(0, id="clock", ts=FAR_MS)), JUMP_REASON, timestamp_ms=FAR_MS)  # believed by nobody
    mixed.good(events[1_800:2_100])
    arm(mixed, 2_100, segment)
    mixed.good(events[2_100:2_300])
    transact(mixed, prediction(2_300), producer, "hanging", "hang")  # holds readers up until the broker aborts it
    mixed.good(events[2_300:])
    transact(mixed, prediction(2_600), producer, "last", "abort")
    mixed_labels.good(truths[:800])
    spoil(mixed_labels, 800, label(799, id="bad"), segment)
    for reason, fault in BAD_LABELS:
        mixed_labels.put(raw(label(799, **fault)), reason, **stamp(800))
    mixed_labels.good(truths[800:])

    expected = {(t.name, at): why for t in (mixed, mixed_labels) for at, why in t.expected.items()}
    peaks = _compared(broker, run, "kafka-python", expected)
    assert peaks["mixed"] - peaks["clean"] < 250, peaks  # one bomb alone would take more: 300 MiB, twice
    if importlib.util.find_spec("confluent_kafka"):
        _compared(broker, run, "confluent", expected)
    else:
        needs_client("confluent")


def _compared(broker, run, client: str, expected: dict[tuple[str, int], str]) -> dict[str, float]:
    """Run both topics through a client; the memory that each took."""
    logs, peaks, events_read = {}, {}, {}
    for name in ("clean", "mixed"):
        out = f"{name}.{client}"
        config = CONFIG.format(
            bootstrap=broker.cluster.bootstrap,
            client=client,
            topic=name,
            out=out,
            monitors="  - on: defaults" + ROW_MONITORS,
        )
        service = run(config, "--until-end", "--json")
        assert service.ended() == 0, service.said()[-3000:]
        logs[name] = without_lineage(committed(broker.cluster.bootstrap, f"{out}.alerts"))
        peaks[name] = service.rss_mb
        events_read[name] = json.loads(service.said().splitlines()[-1])["events"]
    assert len(logs["clean"]) >= 6
    assert logs["mixed"] == logs["clean"]
    letters = {
        (headers["source-topic"].decode(), int(headers["source-offset"])): headers["reason"].decode()
        for headers in (dict(letter.headers) for letter in committed(broker.cluster.bootstrap, f"{out}.rejects"))
    }
    assert letters == expected
    assert events_read["mixed"] - events_read["clean"] == len(expected)
    return peaks


FLOOD = 30_000


def strange(rows: range) -> list[dict[str, object]]:
    """Events that are taken, but must not move the amounts or the errors of the others: no amount, no prediction."""
    flood = [
        prediction(row % 40 + 300, id=f"flood-{row}", amount=None, fraud=None, tier=f"flood-{row}") for row in rows
    ]
    nasty = [
        "\x00",
        "\n",
        "\x1b[2J",
        '"><script>alert(1)</script>',
        "{{7*7}}",
        "${HOME}",
        "\u202e",
        "ü" * 10_000,
        "'; DROP",
        "",
    ]
    return flood + [prediction(300, id=f"nasty-{text}"[:200], amount=None, fraud=None, tier=text) for text in nasty]


def test_strange_events_are_counted_for_what_they_are(broker, producer, make, run) -> None:
    """Late ones, floods of segments, labels for nobody, twice, and a month late; the sums come out even."""
    plain, odd = make("plain"), make("odd")
    plain_labels, odd_labels = make("plain.labels"), make("odd.labels")
    events, truths = [prediction(row) for row in range(ROWS)], [label(row) for row in range(ROWS - 100)]
    plain.good(events)
    plain_labels.good(truths)
    odd.good(events[:300])
    odd.good(strange(range(FLOOD)))
    odd.good(events[300:1_000])
    odd.good([prediction(row, id=f"old-{row}", ts=row) for row in range(50)])  # the first 50 ms of 1970
    odd.good(events[1_000:])
    odd_labels.good([label(row, id=f"nobody-{row}", ts=START_MS) for row in range(100)])
    odd_labels.good([{**truth, "ts": truth["ts"] - 16_000} for truth in truths[:200]])  # before its prediction
    odd_labels.good(truths[200:1_000])
    odd_labels.good(truths[400:600])  # the same again
    odd_labels.good(truths[1_000:])
    month_ms = START_MS + 30 * 86_400_000
    odd_labels.good([label(row, ts=month_ms) for row in range(ROWS - 100, ROWS - 90)])
    for hours, count in ((3, 20), (6, 5)):  # the last ones close the panes of those before
        rows, at = range(ROWS, ROWS + count), {"ts": month_ms + hours * 3_600_000}
        for predictions, labels in ((plain, plain_labels), (odd, odd_labels)):
            predictions.good([prediction(row, id=f"{hours}-{row}", **at) for row in rows])
            labels.good([label(row, id=f"{hours}-{row}", **at) for row in rows])

    logs = {}
    for name in ("plain", "odd"):
        names = {"bootstrap": broker.cluster.bootstrap, "client": "kafka-python", "topic": name, "out": name}
        config = CONFIG.format(monitors=ROW_MONITORS, **names)
        service = run(config)
        service.until(lambda s=service: _caught_up(s), "the end")
        status = json.loads(service.get("/api/status")[1])
        pages = {path: service.get(path) for path in ("/", "/metrics", "/api/alerts")}
        service.stop()
        logs[name] = without_lineage(committed(broker.cluster.bootstrap, f"{name}.alerts"))
    assert {code for code, _ in pages.values()} == {200}
    assert "<script>alert" not in pages["/"][1]
    assert logs["odd"] == logs["plain"]
    assert len(logs["plain"]) >= 4
    predictions, labels = status["partitions"]
    assert (predictions["late"], predictions["rejected"], labels["late"], labels["rejected"]) == (50, {}, 0, {})
    assert len(committed(broker.cluster.bootstrap, "odd.late")) == 50
    assert status["limits"]["segments"] >= FLOOD - 20
    assert len({m["segment_text"] for m in status["monitors"]}) <= 20 + 1
    join = status["join"]
    assert join["predictions"] == predictions["accepted"] + predictions["late"]
    for kind in ("predictions", "labels"):
        fates = ("matched", "pending", "expired", "evicted", "duplicate")
        corrections = join["labels_corrections"] if kind == "labels" else 0
        assert join[kind] == sum(join[f"{kind}_{fate}"] for fate in fates) + corrections, join
    assert join["labels"] == 100 + len(truths) + 200 + 10 + 20
    assert (join["labels_matched"], join["labels_duplicate"]) == (len(truths) + 20, 200)
    assert (join["labels_expired"], join["labels_pending"]) == (100 + 10, 0)  # for nobody, and a month late


def _caught_up(service) -> bool:
    status = json.loads(service.get("/api/status")[1])
    return bool(status["partitions"]) and all(p["lag"] == 0 for p in status["partitions"])
