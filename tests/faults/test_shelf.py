"""The join has put predictions on disk: killed while it does, or the disk full while it does, does the log show it?"""

import pytest

from tests.faults import harm
from tests.faults.disk import Disk
from tests.faults.moments import ON_SHELF
from tests.faults.runner import EXIT_TEMPORARY, Service
from tests.faults.world import Feeder

pytestmark = pytest.mark.long

PACE = 100
TICKS = 2_600
RECOVERY_S = 15.0
KILLS = 20


def fill_as_it_spills(service: Service, disk: Disk, times: int) -> list[float]:
    """Not a byte is free from the moment on at which predictions are to go to disk."""
    seconds = []
    for _ in range(times):
        service.kill()
        ended = len(service.codes)
        service.start(f"brimful:{disk.ballast}")
        service.until(lambda ended=ended: EXIT_TEMPORARY in service.codes[ended:], "the disk to be full")
        before, at = service.commit(), service.now()
        disk.free()
        seconds.append(service.recovered(at, before))
    return seconds


def crowd(service: Service, feeder: Feeder) -> None:
    feeder.reach(harm.CROWDED_TICKS)
    service.until(lambda: harm.on_shelf(service), "predictions on disk")


def test_sigkill(scenario, report) -> None:
    with scenario(seed=71, crowded=True, pace=PACE, ticks=TICKS) as (feeder, service):
        crowd(service, feeder)
        at_places = harm.kill_at_places(service, ON_SHELF)
        at_random = harm.kill_at_random(service, KILLS, seed=7)
        assert harm.on_shelf(service), "nothing was on disk"
    report("worker SIGKILL, the join on disk, at random", KILLS, scenario.verdict, at_random)
    report("worker SIGKILL, the join on disk, as it goes there and back", len(ON_SHELF), scenario.verdict, at_places)
    assert max(at_places + at_random) <= RECOVERY_S


def test_full_disk(scenario, report, disk) -> None:
    with scenario(seed=72, crowded=True, pace=PACE, ticks=TICKS, state=disk.path / "state") as (feeder, service):
        crowd(service, feeder)
        seconds = fill_as_it_spills(service, disk, times=5)
    report("disk full as the join goes there", len(seconds), scenario.verdict, seconds)
    assert max(seconds) <= RECOVERY_S


@pytest.mark.parametrize("mutant", ["shelf_apart", "waiting_forgotten"])
def test_sigkill_catches(mutant: str, scenario) -> None:
    with scenario(seed=71, crowded=True, pace=PACE, ticks=TICKS, mutant=mutant) as (feeder, service):
        crowd(service, feeder)
        harm.kill_at_random(service, 3, seed=7)
    assert not scenario.verdict.good


def test_full_disk_catches_who_goes_on_all_the_same(scenario, disk) -> None:
    world = {"crowded": True, "pace": PACE, "ticks": TICKS, "state": disk.path / "state"}
    with scenario(seed=72, mutant="commits_lost_in_silence", **world) as (feeder, service):
        crowd(service, feeder)
        service.kill()
        service.start(f"brimful:{disk.ballast}")
        service.until(disk.ballast.exists, "predictions to go to disk")
        feeder.reach(feeder.ticks + 1_000)
        service.kill()
        disk.free()
        service.start()
    assert not scenario.verdict.good, "alerts went out that no state knows"
