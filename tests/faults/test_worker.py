"""The worker is killed, frozen, doubled, or told to stop: does the log of alerts show it?"""

import pytest

from tests.faults import harm

RECOVERY_S = 15.0
TRANSITIONS_MIN = 40
KILLS_LONG, PACE_LONG = 50, 40
"""So many lives take their time, on a slow machine an hour; what the stream brings meanwhile is replayed twice."""
AT_RANDOM = "worker SIGKILL, at random"


def test_sigkill(scenario, report) -> None:
    with scenario(seed=11) as (_, service):
        at_moments = harm.kill_at_moments(service, each_recovers=False)
        at_random = harm.kill_at_random(service, 5, seed=4)
    report(AT_RANDOM, len(at_random), scenario.verdict, at_random)
    report("worker SIGKILL, lives that end at the worst moments", len(harm.WORST), scenario.verdict, at_moments)
    assert scenario.verdict.transitions >= TRANSITIONS_MIN
    assert max(at_random + at_moments) <= RECOVERY_S


@pytest.mark.long
@pytest.mark.parametrize("seed", [18, 19, 20, 21])
def test_sigkill_again_and_again(seed: int, scenario, report) -> None:
    with scenario(seed=seed, pace=PACE_LONG) as (_, service):
        seconds = harm.kill_at_random(service, KILLS_LONG, seed)
    report(AT_RANDOM, len(seconds), scenario.verdict, seconds)
    assert max(seconds) <= RECOVERY_S


@pytest.mark.long
def test_sigkill_at_each_place(scenario, report) -> None:
    with scenario(seed=16) as (_, service):
        seconds = harm.kill_at_moments(service, each_recovers=True)
    report("worker SIGKILL, at each place of a commit and of a start", len(harm.PLACES), scenario.verdict, seconds)
    assert max(seconds) <= RECOVERY_S


@pytest.mark.long
def test_sigterm(scenario, report) -> None:
    with scenario(seed=12) as (_, service):
        seconds = harm.stop_and_start(service, times=5)
    report("worker SIGTERM", 5, scenario.verdict, seconds)


@pytest.mark.long
def test_supervisor(scenario, report) -> None:
    with scenario(seed=13, supervised=True) as (_, service):
        first = harm.kill_supervisor(service)
        at, before = service.kill_worker(), service.commit()
        second = [service.recovered(at, before)]
    report("supervisor SIGKILL", 1, scenario.verdict, first)
    report("worker SIGKILL under its supervisor", 1, scenario.verdict, second)
    assert max(first + second) <= RECOVERY_S


@pytest.mark.long
def test_decoders(scenario, report) -> None:
    with scenario(seed=17, workers=2) as (_, service):
        seconds = harm.kill_decoders(service, times=5)
    report("decoding process SIGKILL (`workers: 2`)", 5, scenario.verdict, seconds)
    assert max(seconds) <= RECOVERY_S


@pytest.mark.long
def test_zombie(scenario, report) -> None:
    with scenario(seed=14) as (_, service):
        seconds = harm.come_back_as_zombie(service, "before-transaction")
        seconds += harm.come_back_as_zombie(service, "in-transaction")
    report("zombie, its state taken up elsewhere", 2, scenario.verdict, seconds)


@pytest.mark.long
def test_doubt(scenario, report) -> None:
    with scenario(seed=15) as (_, service):
        seconds = harm.doubt(service)
    report("transaction committed, answer lost", 1, scenario.verdict, seconds)
