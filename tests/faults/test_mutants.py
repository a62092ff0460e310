"""Would the verdict notice? Each mutant is the product with one rule broken; its fault must bring that to light."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import harm
from tests.faults.conftest import Scenario
from tests.faults.mutants.surroundings import REPLACED
from tests.faults.runner import Service
from tests.faults.verdict import Verdict
from tests.faults.world import Feeder

TRIES = 3
PACE = 1_000
"""Drifts come sooner than in the faults themselves."""

Harm = Callable[[Scenario, Service, Feeder], object]


def dies_by_itself(_scenario: Scenario, service: Service, _feeder: Feeder) -> None:
    """At its worst moment, once."""
    service.until(lambda: service.lives > 1, "the mutant's own death")
    service.committed()


def removed(scenario: Scenario, service: Service, feeder: Feeder) -> None:
    scenario.known, _ = harm.remove_unread(service, feeder)


def decoder_lost(_scenario: Scenario, service: Service, _feeder: Feeder) -> None:
    service.kill_decoder(0)
    service.until(lambda: service.told(REPLACED), "the mutant to go on without it")
    service.committed(3)


@dataclass(frozen=True)
class Mutant:
    """harm: what is done to it; shows: what the verdict must say."""

    name: str
    harm: Harm
    shows: Callable[[Verdict], object]
    on_gap: str = "refuse"
    ticks: int = 2_600
    pace: int = PACE
    workers: int = 1
    short: bool = False


def _broken(text: str) -> Callable[[Verdict], object]:
    return lambda verdict: any(text in each for each in verdict.broken)


MUTANTS = (
    Mutant("marker_outside", dies_by_itself, lambda v: v.duplicates, short=True),
    Mutant("outbox_emptied_first", dies_by_itself, lambda v: v.missing, short=True),
    Mutant("strays_after_commit", dies_by_itself, _broken("are missing")),
    Mutant("position_first", dies_by_itself, lambda v: v.broken),
    Mutant("open_panes_forgotten", lambda _, s, __: harm.kill_at_random(s, 3, 1), lambda v: v.broken, short=True),
    Mutant("global_watermark", lambda _, s, __: harm.kill_at_random(s, 1, 1), _broken("replay other numbers")),
    Mutant(
        "floor_unjournaled", lambda _, s, __: s.committed(), _broken("the replay other numbers"), ticks=4_000, pace=400
    ),
    Mutant("closes_at_stop", lambda _, s, __: harm.stop_and_start(s, 2), lambda v: not v.good),
    Mutant("blind_after_doubt", lambda _, s, __: harm.doubt(s), lambda v: v.duplicates, short=True),
    Mutant(
        "no_fencing",
        lambda _, s, __: harm.come_back_as_zombie(s, "before-transaction"),
        lambda v: v.duplicates,
        short=True,
    ),
    Mutant("gap_unjournaled", removed, _broken("accounted for"), on_gap="skip"),
    Mutant("decoder_forgotten", decoder_lost, _broken("accounted for"), workers=2),
    Mutant("new_partition_at_its_end", lambda _, s, f: harm.add_partitions(s, f), _broken("accounted for")),
)


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(each, id=each.name, marks=() if each.short else pytest.mark.long) for each in MUTANTS],
)
def test_is_noticed(mutant: Mutant, scenario, tmp_path: Path) -> None:
    """A life may end by itself just where the harm would have shown (a call that hangs): tried again."""
    more = {"on_gap": mutant.on_gap, "ticks": mutant.ticks, "pace": mutant.pace, "workers": mutant.workers}
    found = []
    for attempt in range(TRIES):
        scenario.folder = tmp_path / f"try-{attempt}"
        scenario.folder.mkdir()
        with scenario(seed=41, mutant=mutant.name, **more) as (feeder, service):
            mutant.harm(scenario, service, feeder)
        assert scenario.verdict is not None
        found.append(scenario.verdict)
        if mutant.shows(scenario.verdict):
            return
    pytest.fail(f"not noticed: {found}")


@pytest.mark.long
def test_a_worker_without_its_supervisor_is_noticed(scenario) -> None:
    with pytest.raises(AssertionError, match="worker without a supervisor"):  # noqa: SIM117
        with scenario(seed=42, mutant="orphan", supervised=True) as (_, service):
            harm.kill_supervisor(service)


@pytest.mark.long
def test_a_supervisor_that_gives_up_is_noticed(scenario) -> None:
    with scenario(seed=43, mutant="gives_up", supervised=True, pace=PACE) as (_, service):
        at, before = service.kill_worker(), service.commit()
        service.recovered(at, before)
    assert any("it refuses to go on: ended with exit 0" in each for each in scenario.verdict.broken), scenario.verdict
