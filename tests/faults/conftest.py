"""A world and a service for each scenario, and the table at the end.

A scenario, in any module of this folder:

    def test_something(scenario, report):
        with scenario(seed=7) as (feeder, service):      # topics, a service that has committed, a stream that flows
            at = service.kill()
            service.start()
            seconds = service.recovered(at)
        report("what was done", 1, scenario.verdict, [seconds])     # fails when the verdict is not good

Short forms run with `make test` on the session's broker; tests marked `long` only with `make faults`.
"""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.faults.disk import Disk
from tests.faults.runner import Refused, Service
from tests.faults.verdict import Logs, Verdict, judge
from tests.faults.world import PACE, Feeder, World

RESULTS = Path("var") / "faults.jsonl"
TICKS_MIN = 2_600
"""What a scenario's stream must have brought before it ends: a reference, and drifts."""
_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    here = Path(__file__).parent
    left_out = [item for item in items if here in item.path.parents and item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def clean(no_leaks_for_others: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make faults`."""
    return bool(request.config.getoption("--long"))


@dataclass
class Scenario:
    """Makes the world of one test; afterwards it has the verdict."""

    bootstrap: str
    folder: Path
    name: str
    replicas: int = 1
    verdict: Verdict | None = None
    known: Logs | None = None
    """Events read before retention removed them (see verdict.input_logs)."""
    worlds: list[World] = field(default_factory=list)

    @contextmanager
    def __call__(
        self,
        seed: int = 1,
        *,
        mutant: str = "",
        supervised: bool = False,
        moment: str = "",
        pace: int = PACE,
        ticks: int = TICKS_MIN,
        **world: Any,
    ) -> Iterator[tuple[Feeder, Service]]:
        """The stream flows and the service has committed when the block begins; at its end all is read and judged."""
        made = World(self.bootstrap, self.folder, f"{self.name}-{next(_numbers)}", seed, **world)
        made.make_topics(self.replicas)
        self.worlds.append(made)
        service, refused = Service(made, mutant=mutant, supervised=supervised), ""
        try:
            with Feeder(made, pace) as feeder:
                service.feeder = feeder
                service.start(moment)
                service.committed()
                try:
                    yield feeder, service
                except Refused as refusal:
                    refused = f"it refuses to go on: {refusal}"
                feeder.reach(ticks)
            service.feeder = None
            try:
                service.finish()
            except Refused as refusal:
                refused = f"it refuses to go on: {refusal}"
            found = judge(service.world, self.known)
            self.verdict = replace(found, broken=(*found.broken, refused)) if refused else found
        finally:
            service.close()


@pytest.fixture
def scenario(kafka: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Scenario:
    """On the session's broker."""
    name = f"{request.node.originalname}.{os.getpid()}"[-80:].replace("[", "-").replace("]", "")
    return Scenario(kafka.bootstrap, tmp_path, name)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a full disk is NOT tested here: nothing may be mounted ({error}); run as root")
    yield made
    made.close()


Report = Callable[[str, int, Verdict | None, Iterable[float]], None]


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Puts one fault into the table, and fails where the verdict on it is bad."""

    def put(fault: str, times: int, verdict: Verdict | None, recoveries_s: Iterable[float] = ()) -> None:
        assert verdict is not None, "no verdict yet"
        record_property("fault", table.as_property(table.Row.of(fault, times, verdict, recoveries_s)))
        assert verdict.good, verdict

    return put


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The one table."""
    rows = table.summed(
        value
        for kind in ("passed", "failed")
        for each in terminalreporter.stats.get(kind, [])
        for name, value in each.user_properties
        if name == "fault" and each.when == "call"
    )
    if rows:
        terminalreporter.section("what was done to it")
        terminalreporter.write_line(table.rendered(rows))
        table.write(rows, Path(terminalreporter.config.rootpath) / RESULTS)
