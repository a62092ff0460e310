"""Does a reference that holds a change make room for another, rarely so where it holds none, and is a season none?"""

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core.budgets import Grant
from streamcheck.core.codec import decode, encode
from streamcheck.core.instances import Span
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.normal import CUTS_MAX, REFUSED_SHARE
from streamcheck.core.plan import AlertRule, ComponentSpec, MonitorSpec, Target
from streamcheck.core.references.base import Readiness
from streamcheck.core.room import Room, unlimited
from streamcheck.core.stepping import Work, step
from streamcheck.core.summaries import Layout, fold_numeric
from streamcheck.core.zones import Timing

LAYOUT = Layout.build(np.random.default_rng(0).normal(0.0, 1.0, 1_000))
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z, a Monday
TEN_MS = 10 * MINUTE_MS
WEEKS = 100_000.0  # steps between false alarms


def first(panes):
    return ComponentSpec("first", (("span_ms", panes * TEN_MS),))


AUTO = ComponentSpec("auto")


def instance(reference, measure="mean_shift", *, share=1.0, room=None):
    rule = AlertRule(cooldown_ms=20 * TEN_MS)
    spec = MonitorSpec(
        f"x-{measure}", Target.COLUMN, "x", ComponentSpec("cusum"), ComponentSpec(measure), reference=reference,
        share=share, rule=rule,
    )  # fmt: skip
    return PaneInstance(spec, (), Grant(WEEKS, 1.0), unlimited() if room is None else room, Timing(TEN_MS))


class Feed:
    """Panes of ten minutes, one after the other; level(number): of the values, rate(number): of the missing ones."""

    def __init__(self, made, seed, rows=50):
        self.made, self.rng, self.rows, self.number = made, np.random.default_rng(seed), rows, 0
        self.fired, self.cut = [], []

    def go(self, panes, level=lambda _: 0.0, missing=lambda _: 0.1):
        for _ in range(panes):
            start_ms = START_MS + self.number * TEN_MS
            status = (self.rng.random(self.rows) < missing(self.number)).astype(np.uint8)
            values = np.where(status == 0, self.rng.normal(level(self.number), 1.0, self.rows), 0.0)
            before = self.made.normal.times
            work = Work(self.made, [fold_numeric(values, status, LAYOUT).summary(0)])
            step(Span(start_ms, start_ms + TEN_MS), [work])
            self.fired += [(self.number, c.transition.finding) for c in work.changes if c.transition.state == "firing"]
            self.cut += [self.number] * (self.made.normal.times - before)
            self.number += 1
        return self


def test_few_references_without_a_change_are_cut():
    """What the detector is calibrated to: no more than REFUSED_SHARE of references, here of 100 panes."""
    trials = 200
    feeds = [Feed(instance(first(100)), seed).go(110) for seed in range(trials)]
    assert sum(bool(feed.cut) for feed in feeds) <= REFUSED_SHARE * trials
    assert sum(feed.made.normal.reference.progress().readiness is Readiness.READY for feed in feeds) >= 0.99 * trials


@pytest.mark.parametrize("at", [45, 60, 85])
def test_a_reference_that_holds_a_change_begins_anew_behind_it(at):
    """As where 100 panes of 200 rows would swallow the first drift of a stream (DETECTION, pitfall 3)."""
    feed = Feed(instance(first(100), "missing_rate"), at, rows=200)
    feed.go(400, missing=lambda n: 0.1 if n < at else 0.4)
    assert len(feed.cut) == 1
    assert at <= feed.cut[0] <= at + 2
    assert not feed.fired
    baseline = feed.made.reference.baseline(0).moment
    assert baseline.mean == pytest.approx(0.4, abs=0.02)
    assert feed.made.status() == "ready"
    feed.go(100, missing=lambda _: 0.1)
    number, finding = feed.fired[0]
    assert 400 <= number <= 402
    assert finding.reference == pytest.approx(0.4, abs=0.02)
    told = dict(finding.evidence)
    assert told["reference_since"] >= "2026-03-02T07:30:00.000Z"
    assert told["reference_because"].startswith("the one before held a change at about 2026-03-02T")


@pytest.mark.parametrize("at", [4, 15, 22])
def test_a_change_among_the_first_panes_is_left_behind_too(at):
    feed = Feed(instance(first(100), "missing_rate"), 3, rows=200)
    feed.go(180, missing=lambda n: 0.1 if n < at else 0.4)
    assert len(feed.cut) == 1
    assert feed.made.reference.baseline(0).moment.mean == pytest.approx(0.4, abs=0.02)


def test_what_changes_all_the_time_is_taken_as_it_is_in_the_end():
    feed = Feed(instance(first(100), "missing_rate"), 14, rows=200)
    feed.go(600, missing=lambda n: 0.1 if n // 40 % 2 else 0.4)
    assert len(feed.cut) == CUTS_MAX
    assert feed.made.normal.renewed.why.endswith("one more and it is taken as it is")
    assert feed.made.status() == "ready"


@pytest.mark.parametrize("measure", ["mean_shift", "scale", "missing_rate"])
def test_few_beginnings_without_a_change_are_refused(measure):
    """The comparison of the first 30 panes: its part of the same hundredth."""
    trials = 200
    feeds = [Feed(instance(first(100), measure), seed, rows=20).go(31) for seed in range(trials)]
    assert sum(bool(feed.cut) for feed in feeds) <= REFUSED_SHARE * trials


def test_panes_that_resemble_their_neighbours_are_no_change():
    """Panes with means of their own, sd .2, AR(1) .7 from one to the next: 30 of them wander far."""
    trials, cut = 100, 0
    for seed in range(trials):
        rng, level, levels = np.random.default_rng(10_000 + seed), 0.0, []
        for fresh in rng.normal(0.0, 0.2, 100):
            level = 0.7 * level + np.sqrt(1 - 0.49) * fresh
            levels.append(level)
        effects = levels[-31:]
        cut += bool(Feed(instance(first(100)), seed).go(31, level=effects.__getitem__).cut)
    assert cut <= 0.15 * trials, "21 of them, where only the scatter within pieces counted"


def test_it_says_that_it_began_anew_until_it_is_ready():
    feed = Feed(instance(first(100), "missing_rate"), 3, rows=200)
    feed.go(70, missing=lambda n: 0.1 if n < 50 else 0.4)
    status = feed.made.status()
    assert status.startswith("warming up ")
    assert "of 30 panes, begun anew: the one before held a change at about 2026-03-02T08:" in status
    [note] = feed.made.notes
    assert note.startswith("x-missing_rate: the reference begins anew: the one before held a change")


def test_limits_that_the_user_gave_cut_nothing():
    """Outside the budget there is no rate at which a reference would be refused."""
    feed = Feed(instance(first(100), "missing_rate", share=0.0), 3, rows=200)
    feed.go(120, missing=lambda n: 0.1 if n < 60 else 0.4)
    assert not feed.cut


def test_a_daily_cycle_is_no_change_and_is_learned():
    for seed in range(3):
        feed = Feed(instance(AUTO), seed).go(144 * 21, level=lambda n: 0.5 * np.sin(2 * np.pi * n / 144))
        assert not feed.cut
        assert not feed.fired
        assert feed.made.status() == "ready"
        now = START_MS + 144 * 21 * TEN_MS
        centers = [feed.made.reference.baseline(now + h * HOUR_MS + 3 * TEN_MS).shown.mean for h in (6, 18)]
        assert centers == pytest.approx([0.5, -0.5], abs=0.06)


def test_a_change_on_top_of_the_cycle_alarms():
    cycle = lambda n: 0.5 * np.sin(2 * np.pi * n / 144)  # noqa: E731 - one line says it best
    feed = Feed(instance(AUTO), 5).go(144 * 4, level=cycle)
    feed.go(40, level=lambda n: cycle(n) + 0.5)
    number, finding = feed.fired[0]
    assert 144 * 4 <= number <= 144 * 4 + 12
    assert dict(finding.evidence)["compared_with"].startswith("the hour from 0")


def test_a_change_in_the_second_day_cuts_auto():
    cycle = lambda n: 0.5 * np.sin(2 * np.pi * n / 144)  # noqa: E731 - one line says it best
    feed = Feed(instance(AUTO), 6).go(144 * 5, level=lambda n: cycle(n) + (1.0 if n >= 200 else 0.0))
    assert len(feed.cut) == 1
    assert 200 <= feed.cut[0] <= 210
    assert not feed.fired
    assert feed.made.status() == "ready"


def test_means_move_on_a_line_from_hour_to_hour():
    """The steepest cycle leaves no step at full hours: what is normal lies where the cycle is, to a hundredth."""
    feed = Feed(instance(AUTO), 7, rows=2_000).go(144 * 4, level=lambda n: np.sin(2 * np.pi * (n + 0.5) / 144))
    now = START_MS + 144 * 4 * TEN_MS
    for number in range(144):
        mean = feed.made.reference.baseline(now + number * TEN_MS).shown.mean
        assert mean == pytest.approx(np.sin(2 * np.pi * (number + 0.5) / 144), abs=0.15)
        score = feed.made.reference.baseline(now + number * TEN_MS).moment.mean
        other = feed.made.reference.baseline(now + number * TEN_MS + 1_000).moment.mean
        assert score == other, "within five minutes nothing moves"
    scores = [feed.made.reference.baseline(now + n * TEN_MS).moment.mean for n in range(144)]
    assert np.abs(np.diff(scores)).max() < 0.06


def test_a_stage_begins_with_no_evidence():
    """What a day's cycle did to the score while nothing could be told from it is gone with the second day."""
    feed = Feed(instance(AUTO), 8).go(140, level=lambda n: 2.0 * np.sin(2 * np.pi * n / 144))
    assert feed.made.score > feed.made.threshold
    feed.go(10, level=lambda n: 2.0 * np.sin(2 * np.pi * n / 144))
    assert feed.made.score < feed.made.threshold / 2
    assert not feed.cut


def test_restored_mid_stream_equals_uninterrupted():
    """With a successor that has begun, before and after a cut."""
    whole = Feed(instance(first(100), "missing_rate"), 11, rows=20)
    seen_successor = False
    stopped = whole.made
    for _ in range(160):
        state = encode("instance", 1, stopped.export())
        seen_successor = seen_successor or stopped.export()["normal"]["successor"] is not None
        again = instance(first(100), "missing_rate")
        again.restore(decode("instance", state)[1])
        assert encode("instance", 1, again.export()) == state
        assert again.status() == stopped.status()
        rng_state = whole.rng.bit_generator.state
        whole.go(1, missing=lambda n: 0.1 if n < 60 else 0.3)
        twin = Feed(again, 0, rows=20)
        twin.rng.bit_generator.state, twin.number = rng_state, whole.number - 1
        twin.go(1, missing=lambda n: 0.1 if n < 60 else 0.3)
        assert encode("instance", 1, again.export()) == encode("instance", 1, stopped.export())
    assert seen_successor
    assert whole.cut


def test_a_successor_gives_its_room_back():
    room = Room(10**6)
    feed = Feed(instance(first(100), "missing_rate", room=room), 12, rows=200)
    feed.go(40)
    usual = room.used
    feed.go(200, missing=lambda n: 0.1 if n < 60 else 0.4)
    assert feed.cut
    assert room.used == usual


def test_without_room_for_a_successor_it_begins_from_nothing():
    room = Room(2_000)
    feed = Feed(instance(first(100), "missing_rate", room=room), 13, rows=200)
    feed.go(80, missing=lambda n: 0.1 if n < 60 else 0.4)
    assert feed.cut
    assert room.refused > 0
    assert feed.made.normal.renewed.since_ms == START_MS + (feed.cut[0] + 1) * TEN_MS
