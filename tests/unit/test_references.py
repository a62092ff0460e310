"""Does each reference hold exactly the panes that it says it holds?"""

import pytest

import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the imports register both
from streamcheck.core.components import build
from streamcheck.core.references.base import Progress, Readiness, Stage
from streamcheck.core.room import unlimited
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.zones import Timing
from streamcheck.errors import ParameterError

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HOURLY = Timing(HOUR_MS)
MONDAY_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z


def make(name, **params):
    reference = build("reference", name, params)
    reference.bind(build("measure", "volume", {}).accumulator, unlimited(), HOURLY)
    return reference


def rows(number):
    return 10 + number % 24 + 100 * (number // 24 % 7)


def feed(reference, starts, *, quiet=lambda _: True, number=lambda start: (start - MONDAY_MS) // HOUR_MS):
    for start in starts:
        reference.observe(start, StreamSummary(rows(number(start))), quiet=quiet(start))
    return reference


def hourly(first, last):
    return [MONDAY_MS + h * HOUR_MS for h in range(first, last)]


def held(reference, start_ms):
    """Panes and sum of rows in the baseline."""
    moment = reference.baseline(start_ms).moment
    return moment.n, moment.total


def expected(hours):
    hours = list(hours)
    return len(hours), float(sum(rows(h) for h in hours))


# ---------------------------------------------------------------------- first
def test_first_holds_the_span_and_nothing_after():
    reference = make("first", span_ms=48 * HOUR_MS)
    feed(reference, hourly(0, 48))
    assert reference.progress() == Progress(Readiness.PROVISIONAL, 47, 48, "hours")
    assert held(reference, MONDAY_MS + 48 * HOUR_MS) == expected(range(48))
    feed(reference, hourly(48, 60))
    assert reference.progress() == Progress(Readiness.READY, 48, 48, "panes")
    assert held(reference, MONDAY_MS + 60 * HOUR_MS) == expected(range(48))


def test_first_waits_for_its_panes():
    reference = make("first", span_ms=HOUR_MS, panes_min=100)
    feed(reference, hourly(0, 20))
    assert reference.progress() == Progress(Readiness.WARMING_UP, 20, 100, "panes")
    assert reference.baseline(0) is None
    feed(reference, hourly(20, 41))
    assert reference.progress() == Progress(Readiness.PROVISIONAL, 41, 100, "panes")
    assert held(reference, 0) == expected(range(41))
    feed(reference, hourly(41, 105))
    assert reference.progress() == Progress(Readiness.READY, 100, 100, "panes")
    assert held(reference, 0) == expected(range(100))


def test_first_counts_from_the_signals_own_first_pane():
    reference = make("first", span_ms=40 * HOUR_MS)
    feed(reference, hourly(1_000, 1_060))
    assert held(reference, 0) == expected(range(1_000, 1_040))


def test_first_takes_several_blocks_of_one_pane():
    reference = make("first", span_ms=HOUR_MS)
    for block in range(45):
        reference.observe(MONDAY_MS, StreamSummary(block), quiet=True)
    assert held(reference, 0) == (45, float(sum(range(45))))
    assert reference.progress().readiness is Readiness.PROVISIONAL


# ---------------------------------------------------------------------- auto
def test_auto_goes_from_all_panes_to_hours_of_the_day_to_hours_of_the_week():
    reference = make("auto")
    feed(reference, hourly(0, 29))
    assert reference.baseline(MONDAY_MS + 29 * HOUR_MS) is None
    assert reference.stage(MONDAY_MS + 23 * HOUR_MS) is Stage.BLIND
    feed(reference, hourly(29, 40))
    assert reference.stage(MONDAY_MS + 40 * HOUR_MS) is Stage.LEARNING
    assert held(reference, MONDAY_MS + 40 * HOUR_MS) == expected([16])
    assert reference.progress() == Progress(Readiness.PROVISIONAL, 39, 48, "hours")
    feed(reference, hourly(40, 49))
    assert reference.progress().readiness is Readiness.READY
    assert reference.stage(MONDAY_MS + 49 * HOUR_MS) is Stage.READY
    assert held(reference, MONDAY_MS + 49 * HOUR_MS) == expected([1, 25])
    feed(reference, hourly(49, 14 * 24))
    for ahead in (0, 5, 30):
        now = 14 * 24 + ahead
        assert held(reference, MONDAY_MS + now * HOUR_MS) == expected(range(now % 168, 14 * 24, 168))
    feed(reference, hourly(14 * 24, 21 * 24))
    assert held(reference, MONDAY_MS + 21 * DAY_MS) == expected([0, 168, 336])


def test_auto_absorbs_only_while_quiet():
    noisy = {MONDAY_MS + h * HOUR_MS for h in (3, 27, 50, 51, 52)}
    reference = make("auto")
    feed(reference, hourly(0, 101), quiet=lambda start: start not in noisy)
    assert held(reference, MONDAY_MS + 123 * HOUR_MS) == expected(h for h in range(3, 100, 24) if h not in (3, 27, 51))


WEEKEND = range(5 * 24, 7 * 24)
SATURDAY_10 = 5 * 24 + 10


def week_of(hours, here=range(168), *, else_=100):
    """Rows by the hour since MONDAY_MS, alike in each week: so many here, and as many else; they scatter a little."""
    return lambda hour: (hours if hour % 168 in here else else_) + hour // 24 % 3


def learned(weeks, number, alarmed):
    """`auto` after so many weeks, with an alert open in the hours that are named; the room it takes is its own."""
    reference, room = build("reference", "auto", {}), unlimited()
    reference.bind(build("measure", "volume", {}).accumulator, room, HOURLY)
    for hour in range(weeks * 168):
        start = MONDAY_MS + hour * HOUR_MS
        reference.observe(start, StreamSummary(number(hour)), quiet=not alarmed(hour))
    assert room.used == reference.held_bytes
    return reference


def normal_at(reference, hour):
    """Panes of the hour, their mean, and what they are called."""
    start = MONDAY_MS + hour * HOUR_MS
    moment = reference.baseline(start).moment
    return moment.n, moment.mean, reference.describe(start)


def test_an_hour_judged_by_other_days_is_the_calendar_once_two_weeks_say_the_same():
    reference = learned(2, week_of(50, WEEKEND), lambda hour: hour % 168 in WEEKEND)
    n, mean, words = normal_at(reference, 336 + SATURDAY_10)
    assert (n, words) == (2, "the hour from Saturday 10:00 UTC")
    assert 50 <= mean <= 52
    assert 100 <= normal_at(reference, 336 + 10)[1] <= 102


def test_what_came_with_an_alert_in_one_week_is_not_normal():
    reference = learned(2, week_of(50, WEEKEND), lambda hour: hour in WEEKEND)
    assert normal_at(reference, 336 + SATURDAY_10)[0] == 1
    reference = learned(2, week_of(50, WEEKEND), lambda hour: hour - 168 in WEEKEND)
    assert normal_at(reference, 336 + SATURDAY_10)[0] == 1


@pytest.mark.parametrize(
    "number", [lambda h: 50 if h < 168 else 0, lambda h: 50 if h < 168 else 150], ids=["worse", "the other way"]
)
def test_two_weeks_that_say_different_things_are_no_calendar(number):
    """What came in neither is normal: hours of the day are what there is."""
    wrong = lambda hour: hour % 168 in WEEKEND  # noqa: E731
    reference = learned(2, lambda h: number(h) if wrong(h) else 100 + h // 24 % 3, wrong)
    n, mean, words = normal_at(reference, 336 + SATURDAY_10)
    assert (n, words) == (10, "the hour from 10:00 UTC")
    assert 100 <= mean <= 102


def test_weeks_that_are_not_quite_alike_are_the_calendar():
    number = lambda h: (50 if h < 168 else 60) if h % 168 in WEEKEND else 100 + h // 24 % 3  # noqa: E731
    assert normal_at(learned(2, number, lambda hour: hour % 168 in WEEKEND), 336 + SATURDAY_10)[:2] == (2, 55)


def test_a_change_that_stays_is_never_taken_for_the_calendar():
    """The alert is open all the time, but for some hours by chance."""
    reference = learned(5, lambda h: 100 + h % 3 if h < 72 else 50, lambda h: h >= 72 and h % 24 != 5)
    slots = reference.export()["calendar"]["slots"]
    assert sorted(map(int, slots)) == [*range(72), *range(77, 168, 24)]


def test_an_hour_with_a_past_of_its_own_takes_nothing_in_with_an_alert_open():
    broken = lambda hour: hour % 168 in range(34, 38)  # noqa: E731 - Tuesdays, from the fourth week on
    number = lambda h: 20 if broken(h) and h >= 504 else 100 + h // 24 % 3  # noqa: E731
    n, mean, _ = normal_at(learned(7, number, lambda h: broken(h) and h >= 504), 7 * 168 + 35)
    assert n == 3
    assert 100 <= mean <= 102


def test_an_hour_that_came_with_an_alert_only_is_not_called_unseen():
    reference = learned(2, week_of(50, WEEKEND), lambda hour: hour - 168 in [SATURDAY_10])
    assert normal_at(reference, 336 + SATURDAY_10)[2] == "the hour from Saturday 10:00 UTC"
    reference = make("auto")
    for hour in range(336):
        if hour != SATURDAY_10:
            one, quiet = StreamSummary(100 + hour // 24 % 3), hour != 168 + SATURDAY_10
            reference.observe(MONDAY_MS + hour * HOUR_MS, one, quiet=quiet)
    name = "the hours beside that from Saturday 10:00 UTC, which was never seen"
    assert normal_at(reference, 336 + SATURDAY_10)[2] == f"{name} without an alert"


@pytest.mark.parametrize("stop", [SATURDAY_10, SATURDAY_10 + 60, 168 + SATURDAY_10, 300])
def test_what_was_put_aside_is_part_of_the_state(stop):
    number, alarmed = week_of(50, WEEKEND), lambda hour: hour % 168 in WEEKEND
    one, two = make("auto"), make("auto")
    for hour in range(400):
        if hour == stop:
            two.restore(one.export())
        for each in [one] if hour < stop else [one, two]:
            each.observe(MONDAY_MS + hour * HOUR_MS, StreamSummary(number(hour)), quiet=not alarmed(hour))
    assert one.export() == two.export()


def test_an_hour_without_panes_falls_back_to_neighbours_then_to_all():
    asleep = [h for h in range(24 * 5) if h % 24 not in (2, 3, 4)]
    reference = make("auto")
    feed(reference, [MONDAY_MS + h * HOUR_MS for h in asleep])
    at = MONDAY_MS + 5 * DAY_MS
    assert held(reference, at + 2 * HOUR_MS) == expected(h for h in asleep if h % 24 == 1)
    assert held(reference, at + 3 * HOUR_MS) == expected(asleep)
    assert held(reference, at + 4 * HOUR_MS) == expected(h for h in asleep if h % 24 == 5)


def test_an_hour_of_the_week_without_panes_falls_back_to_its_neighbours_then_to_the_hour_of_the_day():
    free = [h for h in range(24 * 15) if h % 168 // 24 != 6 or h % 24 in (10, 12)]  # Sundays: two hours only
    reference = make("auto")
    feed(reference, [MONDAY_MS + h * HOUR_MS for h in free])
    sunday = MONDAY_MS + 20 * DAY_MS
    assert held(reference, sunday + 11 * HOUR_MS) == expected(h for h in free if h % 168 in (6 * 24 + 10, 6 * 24 + 12))
    assert held(reference, sunday + 18 * HOUR_MS) == expected(h for h in free if h % 24 == 18)


# ---------------------------------------------------------------------- rolling
def test_rolling_holds_the_newest_span():
    reference = make("rolling", span_ms=2 * DAY_MS)  # parts of two hours
    feed(reference, hourly(0, 48))
    assert reference.progress() == Progress(Readiness.PROVISIONAL, 47, 48, "hours")
    for now in range(48, 200):
        feed(reference, hourly(now, now + 1))
        at = now + 1
        oldest = (at - 48) // 2 * 2  # the part that the span still reaches into counts whole
        if (at - 48) % 2 == 0:
            assert held(reference, MONDAY_MS + at * HOUR_MS) == expected(range(oldest, at))
        assert reference.progress().readiness is Readiness.READY
        assert len(reference.export()["parts"]) <= 26


def test_rolling_starts_afresh_after_a_long_silence():
    reference = feed(make("rolling", span_ms=2 * DAY_MS), hourly(0, 100))
    assert reference.baseline(MONDAY_MS + 10 * DAY_MS) is None
    feed(reference, hourly(240, 245))
    assert reference.progress() == Progress(Readiness.WARMING_UP, 5, 30, "panes")
    feed(reference, hourly(245, 280))
    assert reference.progress().readiness is Readiness.PROVISIONAL
    assert held(reference, MONDAY_MS + 280 * HOUR_MS) == expected(range(240, 280))


# ---------------------------------------------------------------------- season
@pytest.mark.parametrize(("slots", "period"), [("hour_of_day", 24), ("hour_of_week", 168)])
def test_season_is_learned_then_frozen(slots, period):
    reference = make("season", slots=slots, over_ms=14 * DAY_MS)
    feed(reference, hourly(0, 200))
    assert reference.progress() == Progress(Readiness.PROVISIONAL, 199, 336, "hours")
    assert reference.stage(MONDAY_MS + 200 * HOUR_MS) is Stage.LEARNING
    assert held(reference, MONDAY_MS + 200 * HOUR_MS) == expected(range(200 % period, 200, period))
    feed(reference, hourly(200, 600))
    assert reference.progress().readiness is Readiness.READY
    for now in (600, 607, 700):
        assert held(reference, MONDAY_MS + now * HOUR_MS) == expected(range(now % period, 336, period))


def test_season_refuses_a_span_that_misses_hours():
    with pytest.raises(ParameterError, match="at least 604800000") as caught:
        make("season", slots="hour_of_week", over_ms=DAY_MS)
    assert caught.value.parameter == "over_ms"
    make("season", slots="hour_of_day", over_ms=DAY_MS)


def test_panes_shorter_than_an_hour_share_its_slot():
    reference = make("auto")
    starts = [MONDAY_MS + m * 10 * MINUTE_MS for m in range(6 * 24 * 3)]
    feed(reference, starts)
    at = MONDAY_MS + 3 * DAY_MS + 7 * HOUR_MS + 50 * MINUTE_MS
    assert held(reference, at) == (18, float(sum(6 * rows(h) for h in (7, 31, 55))))
