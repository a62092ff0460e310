"""Is a column whose histogram has come to say nothing laid out anew: when, for whom, and the same after a restart?"""

from typing import Any

import numpy as np
import orjson
import pytest

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.layouts import LAYOUT_ROWS, WIDENED_MAX
from streamcheck.core.orders import Rebaseline
from streamcheck.core.relaying import WHY
from streamcheck.core.summaries import Layout
from streamcheck.core.types import Batch, Dictionary, SourcePartition, StreamRole
from streamcheck.library import Watch

PANE_MS, START_MS, ROWS = 10_000, 1_772_323_200_000, 50
SOURCE = SourcePartition("t", 0)
CONFIG = """
version: 1
name: n
streams: {predictions: {topic: t, features: {rate: numeric, other: numeric}, segments: [tier]}}
time: {lateness: 1ms}
reference: {first: 400s}
alarm_budget: 0.001 per pane
monitors:
  - {on: features}
  - {name: tiers, on: rate, measure: mean_shift, by: [tier]}
"""
PLAN = loads(CONFIG, {}).plan
LAID = LAYOUT_ROWS // ROWS
"""Panes until a column is laid out."""


def stream(*stretches: tuple[int, float, float]) -> np.ndarray[Any, Any]:
    """Panes, mean and sd of each stretch, in rows."""
    rng = np.random.default_rng(1)
    return np.concatenate([mean + sd * rng.standard_normal(panes * ROWS) for panes, mean, sd in stretches])


class Fed:
    """An engine over a stream of `rate`; restarts: at every pane the engine is saved and restored."""

    def __init__(self, rate: np.ndarray[Any, Any], *, restarts: bool = False) -> None:
        self.rate, self.restarts, self.pane = rate, restarts, 0
        self.other = np.random.default_rng(2).standard_normal(len(rate))
        self.engine = Engine(PLAN, "lineage")
        self.engine.open({SOURCE: 0})
        self.saved: dict[str, bytes] = {}
        self.alerts: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def to(self, pane: int) -> "Fed":
        """All rows before this pane have been fed."""
        for end in range(self.pane + 1, pane + 1):
            outcome = self.engine.feed(self._batch(self.engine.partitions[SOURCE].next_offset, end * ROWS))
            self.alerts += [orjson.loads(alert.record) for alert in outcome.alerts]
            self.notes += outcome.notes
            if self.restarts:
                change = saving.Saver(self.engine).take()
                self.saved = {k: v for k, v in {**self.saved, **change.put}.items() if k not in change.delete}
                self.engine = saving.restore(PLAN, self.saved).engine
        self.pane = pane
        return self

    def _batch(self, start: int, stop: int) -> Batch:
        offsets = np.arange(start, stop)
        numbers = np.stack([self.rate[start:stop], self.other[start:stop]])
        keys, status = np.repeat(NO_KEYS[:0], 0, axis=0), np.zeros((3, stop - start), np.uint8)
        return Batch(
            SOURCE, StreamRole.PREDICTIONS, offsets, START_MS + offsets * PANE_MS // ROWS, keys, numbers,
            (offsets % 2)[None].astype(np.int32), status, (Dictionary(("a", "b")),), stop,
        )  # fmt: skip

    def fired(self) -> dict[str, int]:
        """The pane in which each monitor fired first."""
        first: dict[str, int] = {}
        for record in self.alerts:
            if record["state"] == "firing":
                at = np.datetime64(record["pane_start"].rstrip("Z"), "ms").astype(int)
                first.setdefault(record["monitor"], int(at - START_MS) // PANE_MS)
        return first


CONSTANT = 120
LIVE = stream((CONSTANT, 3.0, 0.0), (200, 10.0, 1.0), (40, 11.0, 1.0))


def test_a_column_that_was_constant_is_laid_out_anew_once_it_has_left_its_value() -> None:
    fed = Fed(LIVE).to(CONSTANT + 2)
    assert fed.fired() == {"rate-outside": CONSTANT}, "in the first pane"
    assert not fed.notes
    fed.to(CONSTANT + LAID + 3)
    layout = fed.engine.board.layouts["rate"]
    assert not layout.constant
    assert layout.origin == pytest.approx(10.0, abs=0.2)
    anew = sorted(note.split(":")[0] for note in fed.notes if WHY in note)
    tiers = ["tiers", "tiers-by-tier, tier=a", "tiers-by-tier, tier=b"]
    assert anew == ["rate-mean_shift", "rate-outside", "rate-scale", "rate-unit_change", *tiers]
    assert [r["state"] for r in fed.alerts if r["monitor"] == "rate-outside"] == ["firing", "resolved"]


def test_then_it_is_watched_as_any_other() -> None:
    fed = Fed(LIVE).to(len(LIVE) // ROWS)
    changed = CONSTANT + 200
    assert changed <= fed.fired()["rate-mean_shift"] <= changed + 2
    assert set(fed.fired()) <= {"rate-outside", "rate-mean_shift", "tiers", "tiers-by-tier"}


def test_one_stray_value_lays_nothing_out() -> None:
    rate = stream((200, 3.0, 0.0))
    rate[120 * ROWS] = 4.0
    fed = Fed(rate).to(200)
    assert fed.engine.board.layouts["rate"].constant
    assert not fed.notes


def test_a_restart_at_any_pane_changes_nothing() -> None:
    whole, pieces = Fed(LIVE).to(250), Fed(LIVE, restarts=True).to(250)
    assert pieces.alerts == whole.alerts
    assert pieces.notes == whole.notes
    assert pieces.fired()["rate-outside"] == CONSTANT


def rebaselined(after: float) -> Fed:
    """Accepted after the mean of a column has gone from 0 to `after`."""
    fed = Fed(stream((100, 0.0, 1.0), (200, after, 1.0), (20, after + 1.0, 1.0))).to(110)
    assert "rate-mean_shift" in fed.fired()
    fed.engine.obey("1", Rebaseline((), None, None, "new prices"))
    return fed


def test_where_normal_begins_anew_beyond_the_range_the_range_is_learned_anew() -> None:
    before = rebaselined(20.0)
    old = before.engine.board.layouts["rate"]
    kept = before.engine.board.layouts["other"]
    fed = before.to(320)
    assert fed.engine.board.layouts["rate"] is not old
    assert fed.engine.board.layouts["other"] is kept
    later = [record["monitor"] for record in fed.alerts if record["pane_start"] > "2026-03-01T00:50"]
    assert "rate-mean_shift" in later


def test_where_most_values_lie_within_the_range_it_stays() -> None:
    before = rebaselined(1.0)
    old = before.engine.board.layouts["rate"]
    fed = before.to(200)
    assert fed.engine.board.layouts["rate"] is old
    assert not [note for note in fed.notes if WHY in note]


DAY_S, GAP_S = 86_400, 12
SEASON = """
version: 1
name: n
streams: {predictions: {topic: t, time: {field: ts, unit: s}, features: {rate: numeric}}}
time: {pane: 10m}
"""
"""50 rows a pane: the range is learned in the first 3 hours and 20 minutes."""


def days(shift: float, day: float) -> tuple[Watch, list[dict[str, Any]]]:
    """Four days, each from -6 to +6 and back in noise of sd 1; from `day` on shifted."""
    at = np.arange(4 * DAY_S // GAP_S) * GAP_S
    rate = np.random.default_rng(5).standard_normal(len(at)) - 6.0 * np.cos(2 * np.pi * at / DAY_S)
    rate[at >= day * DAY_S] += shift
    watch = Watch(SEASON)
    rows = ({"ts": START_MS // 1_000 + int(t), "rate": float(x)} for t, x in zip(at, rate, strict=True))
    return watch, [*watch.run(rows), *watch.finish()]


def test_a_range_that_the_first_values_did_not_show_is_widened_while_normal_is_learned() -> None:
    """The night's values are no measure for noon's: all of them scored alike, and no shift of theirs was seen."""
    watch, alerts = days(1.5, 3.5)
    layout = watch.engine.board.layouts["rate"]
    reach = layout.edges[layout.inside.start - 1], layout.edges[layout.inside.stop - 1]
    assert reach[0] < -6.0
    assert reach[1] > 6.0
    first = {alert["monitor"]: alert for alert in reversed(alerts) if alert["state"] == "firing"}["rate-mean_shift"]
    assert first["pane_start"] <= "2026-03-04T12:10:00.000Z"
    assert first["reference"] == pytest.approx(6.0, abs=0.3)
    assert all(alert["monitor"] != "rate-unit_change" for alert in alerts)
    assert [one.status for one in watch.monitors() if one.monitor == "rate-mean_shift"] == ["ready"]


def test_the_widened_range_is_quiet_by_itself() -> None:
    assert days(0.0, 3.5)[1] == []


def test_what_is_normal_stays_once_it_is_known() -> None:
    """A change far beyond the range, once references are ready, is an alert and nothing else."""
    watch, alerts = days(30.0, 3.5)
    assert any(alert["monitor"] == "rate-mean_shift" for alert in alerts)
    assert watch.engine.board.layouts["rate"].edges[-1] < 10_000
    assert [one.status for one in watch.monitors() if one.monitor == "rate-mean_shift"] == ["ready"]


def test_a_counter_is_not_widened_for_ever() -> None:
    """Its references begin anew eight times, and are then taken as they are."""
    fed = Fed(np.arange(240.0 * ROWS)).to(240)
    widened = [note for note in fed.notes if WHY in note and note.startswith("rate-mean_shift")]
    assert len(widened) == WIDENED_MAX
    pieces = Fed(np.arange(240.0 * ROWS), restarts=True).to(240)
    assert pieces.notes == fed.notes
    assert pieces.alerts == fed.alerts


def test_a_widened_layout_keeps_what_it_knew_apart() -> None:
    rng = np.random.default_rng(3)
    wide = Layout.build(rng.standard_normal(LAYOUT_ROWS)).widened(20.0 + rng.standard_normal(LAYOUT_ROWS))
    scores = wide.weights[wide.bins(np.array([-1.0, 0.0, 1.0, 10.0, 19.0, 20.0, 21.0])), 0]
    assert np.all(np.diff(scores) >= 0.0)
    assert np.all(np.diff(np.delete(scores, 3)) > 0.0)


def test_the_line_of_a_quantile_stays_where_a_ready_reference_counts_by_it() -> None:
    """Four of five answers become slow, and nothing else watches the column: no range is widened."""
    stream = {"topic": "t", "time": {"field": "ts", "unit": "s"}, "features": {"wait": "numeric"}}
    config = {
        "version": 1, "name": "n", "streams": {"predictions": stream}, "time": {"pane": "30s"},
        "reference": {"first": "2h"},
        "monitors": [{"on": "wait", "enabled": False}, {"on": "wait", "measure": {"quantile": {"p": 0.99}}}],
    }  # fmt: skip
    waits = 40.0 * np.exp(0.5 * np.random.default_rng(3).standard_normal(4 * 3_600))
    waits[3 * 3_600 :] *= np.where(np.arange(3_600) % 5 < 4, 12.0, 1.0)
    watch = Watch(config)
    rows = ({"ts": START_MS // 1_000 + at, "wait": float(wait)} for at, wait in enumerate(waits))
    alerts = [*watch.run(rows), *watch.finish()]
    told = [(alert["monitor"], alert["state"]) for alert in alerts if alert["state"] != "pending"]
    assert told == [("wait-p99", "firing")]
    assert watch.engine.board.widened() == []
