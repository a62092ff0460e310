"""What the loop remembers for pages: is it true, bounded, and without a trace in alerts and state?"""

import numpy as np
import pytest

from streamcheck.core import looks
from streamcheck.core.remembering import DELAYS_MS, Delays
from streamcheck.core.types import SourcePartition, Stray
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.samples import PER_REASON, REASONS_MAX, Samples
from streamcheck.testing import ScriptedSource, raw_batch

TIER_A = (("tier", "a"),)


@pytest.fixture(scope="module")
def watched(rig):
    """The script, with pages."""
    made = rig(rules=rig.rules(pages=True, samples="full"))
    made.telemetry.ask("amount", TIER_A)
    made.start()
    return made


def test_alerts_and_state_are_the_same_with_and_without(watched, undisturbed):
    assert watched.records == undisturbed.records
    assert watched.store.load().state == undisturbed.store.load().state


def test_without_pages_nothing_is_kept(undisturbed):
    assert undisturbed.telemetry.read().engine.lately is None
    assert undisturbed.telemetry.read().samples == ()


def test_the_way_of_a_monitor_ends_at_its_reading(watched):
    shown = watched.telemetry.read().engine
    reading = next(r for r in shown.monitors if r.monitor == "amount-ph")
    trail = shown.lately.trails.of("amount-ph", ())
    assert trail["high"][-1] == pytest.approx(reading.value, rel=1e-6)
    assert trail["score"][-1] == pytest.approx(reading.score, rel=1e-6)
    assert trail["state"].max() == 2, "it fired on the way"
    assert shown.lately.since_ms == trail.starts[0]


def test_labels_take_as_long_as_they_did(watched):
    delays = watched.telemetry.read().engine.lately.delays
    joined = watched.telemetry.read().engine.join
    assert delays.rows == joined.labels_matched
    assert 0 < dict(delays.quantiles)[0.5] < 10_000
    assert sum(share for _, share in delays.shares) == pytest.approx(1.0)


def test_delays_of_any_length_are_counted():
    delays = Delays()
    delays.add(1_000, np.array([2_000, -(10**15), 1_000, 0]))
    assert delays.reading().rows == 4
    assert delays.reading().shares[-1] == (None, 0.25)
    assert delays.reading().quantiles[-1][1] <= 2 * DELAYS_MS[-1]


FEATURES = """
version: 1
name: rig
streams:
  predictions:
    topic: p
    id: id
    time: {field: at, unit: ms}
    features: {amount: numeric, country: categorical}
    segments: [tier]
time: {pane: 1s, lateness: 500ms, idle_after: 30s}
reference: {first: 20s}
monitors:
  - {on: amount, measure: psi, by: [tier]}
  - {on: country, measure: category_share}
"""


def compared(rig, asked=()):
    items = []
    rng = np.random.default_rng(5)
    for second in range(60):
        shift = 30.0 if second > 50 else 0.0
        rows = [
            {"id": f"{second}-{n}", "at": rig.start_ms + 1_000 * second + n, "amount": rng.normal(10 + shift),
             "country": "FR" if shift else "DE", "tier": "ab"[n % 2]}
            for n in range(200)
        ]  # fmt: skip
        stamps = [row["at"] for row in rows]
        items.append(raw_batch("p", 0, rows, first_offset=200 * second, times_ms=stamps))
    made = rig(items, config=FEATURES, rules=rig.rules(pages=True))
    made.source = ScriptedSource(items, partitions=(SourcePartition("p", 0),))
    for each in asked:
        made.telemetry.ask(*each)
    made.start()
    return made.telemetry.read().engine.lately.comparisons


def test_newest_rows_stand_beside_the_reference(rig):
    found = compared(rig)
    assert sorted(found) == [("amount", ()), ("country", ())]
    bars = found["country", ()].bars
    shares = dict(zip(bars.names, zip(bars.then.tolist(), bars.now.tolist(), strict=True), strict=True))
    assert shares["DE"] == (1.0, pytest.approx(0.1, abs=0.1))
    assert shares["FR"] == (0.0, pytest.approx(0.9, abs=0.1))
    amount = found["amount", ()]
    middles = (amount.bars.edges[1:] + amount.bars.edges[:-1]) / 2
    assert float((amount.bars.then * middles).sum()) == pytest.approx(10, abs=1)
    assert amount.bars.now[-1] == pytest.approx(0.9, abs=0.1), "what lies far out is in the outermost bar"
    assert amount.bars.edges[-1] < 25
    assert looks.ROWS_ENOUGH <= amount.now_rows < 3 * looks.ROWS_ENOUGH
    assert amount.then_rows > 1_000


def test_a_segment_is_compared_once_somebody_asks(rig):
    assert ("amount", TIER_A) in compared(rig, [("amount", TIER_A)])


def test_many_who_ask_are_bounded(rig):
    asked = [("amount", (("tier", f"x{n}"),)) for n in range(100)] + [("amount", TIER_A)]
    assert sorted(compared(rig, asked)) == [("amount", ()), ("amount", TIER_A), ("country", ())]


# ---------------------------------------------------------------------- samples of rejects
def stray(offset, reason, value):
    raw = RawBatch(SourcePartition("p", 0), np.array([offset]), np.array([0]), [None], [value], offset + 1)
    return Stray(SourcePartition("p", 0), offset, reason, raw)


def test_rejected_events_are_shown_as_they_came(watched):
    samples = [s for s in watched.telemetry.read().samples if s.reason != "late"]
    assert {(sample.text, sample.size, sample.reason) for sample in samples} == {("garbage", 7, "not JSON")}
    assert len(samples) == PER_REASON


def test_what_is_redacted_is_not_kept():
    for shown, text in (("full", '{"card": 4111'), ("redacted", '{"xxxx": 0000'), ("off", "")):
        samples = Samples(shown)
        samples.add([stray(5, "not JSON", b'{"card": 4111')])
        (kept,) = samples.newest()
        assert (kept.text, kept.size, kept.offset) == (text, 13, 5)


def test_samples_are_few_and_short():
    samples = Samples("full")
    for number in range(100):
        samples.add([stray(n, f"reason {number}", b"\xff" * 10_000) for n in range(50)])
    kept = samples.newest()
    assert len(kept) == PER_REASON * REASONS_MAX
    assert {len(sample.text) for sample in kept} == {300}
    assert kept[0].offset == 49, "the newest"


def test_a_tombstone_has_nothing_to_show():
    samples = Samples("full")
    samples.add([stray(1, "no value", None), Stray(SourcePartition("p", 0), 2, "late")])
    assert [sample.text for sample in samples.newest()] == ["", ""]
