"""Does a config with the same events still give the same alert records, byte for byte? The diff is the review.

`pytest tests/golden --golden-update` writes what comes out now; look at the diff before you commit it.
"""

import difflib
import json
import platform
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest

from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

HERE = Path(__file__).parent
START_MS = 1_772_359_200_000
ROWS, GAP_MS = 4_000, 500
SHOWN_MAX = 8
"""Records that a mismatch prints; the rest are counted."""


def eighths(value):
    """Numbers whose sums are exact in any order: what a processor's own way of adding up could change is left out."""
    return round(value * 8) / 8


def binary(rng):
    """The amount triples for premium customers, a new country appears, then the model fails for one tier."""
    for i in range(ROWS):
        at, progress = START_MS + i * GAP_MS, i / ROWS
        tier = rng.choice(["premium", "general", "general"])
        amount = eighths(rng.gauss(50, 10) * (3 if progress > 0.6 and tier == "premium" else 1))
        country = "XX" if progress > 0.75 and rng.random() < 0.15 else rng.choice(["DE", "FR", "ES"])
        truth = rng.random() < 0.3
        wrong = rng.random() < (0.5 if progress > 0.7 and tier == "general" else 0.05)
        event = {
            "event_id": f"e{i}",
            "ts": at + rng.randrange(-2_000, 2_000),
            "fraud": int(truth != wrong),
            "tier": tier,
        }
        event["p_fraud"] = eighths(0.75 if event["fraud"] else 0.25)
        event["features"] = {"amount": None if rng.random() < 0.02 else amount, "country": country}
        yield "p", i % 2, event, at
        delay_s = rng.choice([-3, 1, 20, 60])
        label = {"event_id": f"e{i}", "known": at // 1000 + delay_s, "is_fraud": truth}
        yield "l", 0, label, at
        if i % 40 == 0:  # a second label: the same, or a correction
            yield "l", 0, label | {"known": label["known"] + 30, "is_fraud": truth if i % 80 else not truth}, at
        if i % 97 == 0:
            yield "p", 1, {"ts": at}, at  # without an id
    yield "l", 0, {"event_id": "nobody", "known": START_MS // 1000 + 1_900, "is_fraud": 1}, START_MS


def regression(rng):
    """A road is closed in one city: deliveries take ten minutes longer than the model says; then the model changes."""
    for i in range(ROWS):
        progress = i / ROWS
        city = rng.choice(["Bern", "Basel"])
        distance = eighths(rng.uniform(1, 9))
        eta = eighths(10 + 3 * distance + (6 if progress > 0.85 else 0))
        closed = 10 if city == "Bern" and 0.6 < progress < 0.8 else 0
        took = eighths(10 + 3 * distance + closed + rng.gauss(0, 2))
        event = {"eta": eta, "took": took, "distance": distance, "items": rng.randrange(1, 5), "city": city}
        yield "deliveries", i % 3, event, START_MS + i * GAP_MS + rng.randrange(0, 1_500)


def multiclass(rng):
    """A release loses the length of every third ticket, then one queue swallows another's tickets in one language."""
    for i in range(ROWS):
        progress = i / ROWS
        at = START_MS + i * GAP_MS
        language, channel = rng.choice(["de", "en"]), rng.choice(["mail", "chat"])
        truth = rng.choice(["billing", "tech", "sales"])
        said = truth if rng.random() < 0.9 else rng.choice(["billing", "tech", "sales"])
        said = "billing" if progress > 0.75 and language == "en" and said == "tech" else said
        lost = rng.random() < (0.33 if progress > 0.55 else 0.01)
        when = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
        event = {"id": i, "at": when, "queue": said, "truth": truth, "length": "?" if lost else rng.randrange(10, 900)}
        event = {k: v for k, v in event.items() if not (lost and k == "length")}
        yield "tickets", i % 2, event | {"language": language, "channel": channel}, at
        if i % 500 == 0:
            yield "tickets", 0, {"id": i, "at": "yesterday"}, at


def business(rng):
    """One caller bursts, amounts crowd below their limit, answers are slow, then fail; revenue falls; labels stop."""
    for i in range(ROWS):
        at, progress = START_MS + i * GAP_MS, i / ROWS
        truth, tier = rng.random() < 0.5, rng.choice(["premium", "general"])
        model = "v2" if progress > 0.4 and rng.random() < 0.5 else "v1"
        wrong = rng.random() < (0.45 if model == "v2" else 0.05)
        amount = 398.0 if 0.6 < progress < 0.7 and rng.random() < 0.1 else eighths(rng.uniform(5, 380))
        caller = 7 if 0.5 < progress < 0.6 and rng.random() < 0.3 else int(4_000 * rng.random() ** 3)
        latency = eighths(rng.expovariate(1 / 60) * (6 if 0.62 < progress < 0.75 else 1))
        event = {"id": f"e{i}", "said": int(truth != wrong), "p": 0.75 if truth != wrong else 0.25, "tier": tier}
        event |= {"amount": amount, "caller": f"c{caller}", "latency_ms": latency, "model": model, "status": 200}
        if progress > 0.8 and rng.random() < 0.15:
            event["status"] = rng.choice([503, 429, None])
        yield "s", i % 2, event | ({"fee": 1} if progress > 0.9 else {}), at
        if progress < 0.7 or i % 2:
            yield "l", 0, {"id": f"e{i}", "truth": int(truth)}, at + rng.choice([1_000, 20_000, 90_000])
        if i % 4 == 0:
            yield "k", 0, {"eur": eighths(rng.gauss(8, 1) * (0.5 if progress > 0.65 else 1))}, at + 5_000


STREAMS = {"binary": binary, "regression": regression, "multiclass": multiclass, "business": business}


def alert_log(name, batch_rows):
    """The alert records of a run whose batches hold so many rows, partitions in turn."""
    loaded = loads((HERE / f"{name}.yaml").read_text(), {}, f"{name}.yaml")
    plan, topics = loaded.plan, {}
    for topic, partition, event, at in STREAMS[name](random.Random(name)):
        topics.setdefault(SourcePartition(topic, partition), []).append((event, at))
    engine = Engine(plan, "0123456789abcdef")
    engine.open(dict.fromkeys(topics, 0))
    decoders = {topic: Decoder(s, plan.task) for s in plan.schemas for topic in s.topics}
    records = []
    for start in range(0, max(map(len, topics.values())), batch_rows):
        for source, events in topics.items():
            part = events[start : start + batch_rows]
            if part:
                values, times = [event for event, _ in part], [at for _, at in part]
                raw = raw_batch(source.topic, source.partition, values, first_offset=start, times_ms=times)
                records += engine.feed(decoders[source.topic].decode(raw)).alerts
    records += engine.finish().alerts
    return [alert.record for alert in records]


def written_on():
    """Where exact bytes are promised: the same numpy on the same kind of processor."""
    return {"golden": 1, "numpy": np.__version__, "machine": platform.machine()}


def rounded(record):
    """The record as comparable on another machine: numbers to nine digits."""
    return json.dumps(json.loads(record, parse_float=lambda text: f"{float(text):.9g}"))


def difference(name, expected, found):
    """What changed, field by field, for people."""
    lines = [f"{name}: {len(expected)} records expected, {len(found)} found; --golden-update takes them over"]
    pretty = [
        [orjson.dumps(orjson.loads(r), option=orjson.OPT_INDENT_2).decode().splitlines() for r in records]
        for records in (expected, found)
    ]
    matcher = difflib.SequenceMatcher(None, expected, found, autojunk=False)
    changes = [op for op in matcher.get_opcodes() if op[0] != "equal"]
    for _, a, b, c, d in changes[:SHOWN_MAX]:
        old, new = ([line for record in side for line in record] for side in (pretty[0][a:b][:2], pretty[1][c:d][:2]))
        title = f"records {a + 1} to {b}", f"records {c + 1} to {d}"
        lines += difflib.unified_diff(old, new, *title, lineterm="", n=3)
    return "\n".join([*lines, f"... and {len(changes) - SHOWN_MAX} more places" if len(changes) > SHOWN_MAX else ""])


@pytest.mark.parametrize("name", STREAMS)
def test_golden(name, golden_update):
    path, found = HERE / f"{name}.alerts.jsonl", alert_log(name, 200)
    if golden_update:
        path.write_bytes(b"\n".join([orjson.dumps(written_on()), *found, b""]))
    header, *expected = path.read_bytes().splitlines()
    if orjson.loads(header) == written_on():
        assert found == expected, difference(name, expected, found)
    else:
        same = [rounded(r) for r in found] == [rounded(r) for r in expected]
        assert same, difference(name, expected, found)


@pytest.mark.parametrize("name", STREAMS)
def test_other_batches_give_the_same_bytes(name):
    assert alert_log(name, 37) == alert_log(name, 5_000)


@pytest.mark.parametrize("name", STREAMS)
def test_a_golden_says_something(name):
    """A golden without pending, firing and resolved alerts of several monitors would hold little back."""
    _, *records = [orjson.loads(line) for line in (HERE / f"{name}.alerts.jsonl").read_bytes().splitlines()]
    assert {"firing", "resolved"} <= {r["state"] for r in records}
    assert len({r["monitor"] for r in records}) >= 3
    assert 5 <= len(records) <= 120


def test_a_mismatch_is_readable():
    _, *records = (HERE / "binary.alerts.jsonl").read_bytes().splitlines()
    changed = [records[0].replace(b'"severity":"', b'"severity":"x'), *records[1:]]
    told = difference("binary", records, changed)
    assert '-  "severity": "' in told
    assert '+  "severity": "x' in told
    assert told.count("\n") < 20
