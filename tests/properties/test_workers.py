"""The constitution for workers: runs with labels, drifts and wrong clocks, and one log of alerts for any number."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from streamcheck.adapters.simulate import DEMO, PaymentsStream, SimulatedSource
from streamcheck.cli import service
from streamcheck.cli.demo import _config
from streamcheck.cli.service import Wiring, run_service
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.ports import Arrived, OutboxEntry
from streamcheck.runtime.telemetry import Telemetry

HOUR_MS = 3_600_000


@dataclass
class Kept:
    """An alert sink that keeps what it is given."""

    records: list[bytes] = field(default_factory=list)

    def open(self, _lineage: str) -> Arrived | None:
        return None

    def claim(self, _arrived: Arrived) -> None:
        pass

    def send(self, entries: Sequence[OutboxEntry], _digest: str, _before: Arrived | None = None) -> None:
        self.records += [entry.value for entry in entries]

    def close(self) -> None:
        pass


def alerts(workers: int, step_ms: int) -> list[bytes]:
    loaded = _config("off")
    source = SimulatedSource(
        PaymentsStream(7, DEMO, rate=6.0, duration_ms=9 * HOUR_MS), step_ms=step_ms, complete=True
    )
    kept = Kept()
    wiring = Wiring(
        source, MemoryStore(), lambda: dict.fromkeys(source.partitions(), 0), alerts=kept, workers=workers
    )
    rules = LoopRules(commit_every_s=600.0, idle_after_s=1e9, until_end=True)
    telemetry = Telemetry(service.first_snapshot(loaded.settings, source.clock))
    run_service(loaded.plan, wiring, rules, source.clock, telemetry, service.Stop())
    return kept.records


def test_any_number_of_workers_gives_the_same_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.secrets, "token_bytes", bytes)
    found = [alerts(workers, step_ms) for workers, step_ms in ((1, 60_000), (2, 60_000), (3, 1_000_000))]
    assert len(found[0]) > 10
    for one, other in itertools.pairwise(found):
        assert one == other
