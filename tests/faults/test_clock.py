"""The wall clock jumps, while the service runs and while it does not: do the alerts show it, or the journal?"""

import sqlite3
from pathlib import Path

import pytest

from streamcheck.adapters.sqlite.store import STATE_FILE
from streamcheck.core.journal import Advanced, from_bytes
from tests.faults.clock import Setter
from tests.faults.conftest import Scenario
from tests.faults.runner import Service
from tests.faults.topics import read
from tests.faults.world import MARKER_MS, START_MS, TICK_MS, Feeder

HOUR_S, DAY_S = 3_600, 86_400
FORWARD_S, BACK_S = 2 * HOUR_S, -DAY_S
"""Forward by more than brokers believe: by default they refuse records more than an hour ahead of their own clock."""
PACE = 1_000
HUSH_S = 60.0
"""At most: it speaks again as soon as the silence has been noted twice."""
ADVANCE = b'"kind":"advance"'
RECOVERY_S = 15.0


@pytest.fixture
def setter(tmp_path: Path) -> Setter:
    return Setter(tmp_path / "ahead")


def newest_line(service: Service) -> bytes:
    """What the journal says last, as committed."""
    connection = sqlite3.connect(f"file:{service.world.state_dir / STATE_FILE}?mode=ro", uri=True, timeout=5)
    try:
        query = "SELECT value FROM state WHERE key LIKE 'journal/%' ORDER BY key DESC LIMIT 1"
        (line,) = connection.execute(query).fetchone()
    finally:
        connection.close()
    return bytes(line)


def jump_in_silence(setter: Setter, service: Service, feeder: Feeder, seconds: float) -> None:
    """The clock is set while all are silent and event time goes on with the time of day: when silence is measured."""
    feeder.hush(HUSH_S)
    for _ in range(2):
        before = newest_line(service)
        service.until(
            lambda before=before: before != newest_line(service) and ADVANCE in newest_line(service), "silence"
        )
        setter.ahead(seconds)
    feeder.hush(0)


def went_too_far(scenario: Scenario, feeder: Feeder) -> list[Advanced]:
    """Advances in silence beyond everything that was ever produced, and a minute more."""
    world = scenario.worlds[-1]
    entries = [from_bytes(record.value or b"") for record in read(world.bootstrap, world.journal)]
    limit_ms = START_MS + feeder.ticks * TICK_MS + MARKER_MS + 60_000
    return [entry for entry in entries if isinstance(entry, Advanced) and entry.until_ms > limit_ms]


def restarted(setter: Setter, service: Service, seconds: float) -> float:
    """The clock is set while nobody runs."""
    service.kill()
    setter.ahead(seconds)
    at = service.now()
    service.start(setter.moment)
    return service.recovered(at)


def jumps(setter: Setter, service: Service, feeder: Feeder) -> tuple[list[float], list[float]]:
    """Forward and back, in silence and while events flow; and between two lives. How long the next commits took."""
    running = []
    for seconds in (FORWARD_S, BACK_S):
        jump_in_silence(setter, service, feeder, seconds)
        at = service.now()
        running.append(service.recovered(at))
    for seconds in (FORWARD_S, BACK_S):
        setter.ahead(seconds)
        at = service.now()
        running.append(service.recovered(at))
    return running, [restarted(setter, service, seconds) for seconds in (FORWARD_S, BACK_S)]


def test_jumps_of_the_wall_clock(scenario, setter, report, long_form) -> None:
    rounds = 5 if long_form else 1
    running, between = [], []
    with scenario(seed=61, moment=setter.moment, pace=PACE, ticks=3_000 * rounds) as (feeder, service):
        for _ in range(rounds):
            more_running, more_between = jumps(setter, service, feeder)
            running += more_running
            between += more_between
    assert went_too_far(scenario, feeder) == []
    report("wall clock jumps 2 h ahead, a day back, while running", len(running), scenario.verdict, running)
    report("wall clock jumps 2 h ahead, a day back, between two runs", len(between), scenario.verdict, between)
    assert max(running + between) <= RECOVERY_S


@pytest.mark.long
def test_jumps_catch_who_measures_silence_by_the_wall_clock(scenario, setter) -> None:
    mutant = "silence_by_wall_clock"
    with scenario(seed=61, mutant=mutant, moment=setter.moment, pace=PACE) as (feeder, service):
        jump_in_silence(setter, service, feeder, FORWARD_S)
    assert went_too_far(scenario, feeder), "event time goes on with the wall clock, and nobody saw the jump"
