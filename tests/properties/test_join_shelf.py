"""Is a join whose predictions lie on disk the same join, event by event, alert by alert, restart by restart?

Runs and chunks are made tiny, so that a few dozen predictions are as much as millions.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamcheck.adapters.sqlite.store import STATE_FILE, SqliteStore
from streamcheck.core import saving, shelf
from streamcheck.core.engine import Engine
from streamcheck.core.join import CONTENT, Join
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading
from streamcheck.errors import StateError
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.ports import Commit, Store
from tests.properties.test_join_oracle import SEGMENTATIONS, Oracle, as_arrays, as_rows, history, through_bytes

HISTORIES = 30
SCHEDULES = 4


@pytest.fixture(autouse=True)
def tiny_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "CHUNK_ROWS", 20)
    monkeypatch.setattr(shelf, "RUNS_MAX", 3)


class Disk:
    """Chunks and deltas as a store would hold them."""

    def __init__(self, rules: JoinRules, seed: int) -> None:
        self.rules, self.seed = rules, seed
        self.chunks: dict[str, dict] = {}
        self.deltas: dict[int, dict] = {}
        self.spills = self.recalled = 0

    def new(self) -> Join:
        join = Join(self.rules, SEGMENTATIONS)
        join.attach(lambda key: through_bytes(self.chunks[key]), self.seed)
        return join

    def commit(self, join: Join) -> None:
        spill = join.spill()
        if spill is not None:
            self.chunks |= {key: through_bytes(chunk()) for key, chunk in spill.chunks.items()}
            for key in spill.gone:
                del self.chunks[key]
            if spill.end_ms is not None:
                self.spills += 1
                self.deltas = {end: delta for end, delta in self.deltas.items() if end > spill.end_ms}
                self.deltas[spill.end_ms] = spill.checkpoint
        oldest = join.oldest_pane_end()
        self.deltas = {end: delta for end, delta in self.deltas.items() if oldest is not None and end >= oldest}
        runs = join._shelf.runs if join._shelf is not None else []
        wanted = frozenset().union(*(run.keys() for run in runs))
        assert self.chunks.keys() == wanted, "none is lost or left over"

    def restored(self, join: Join) -> Join:
        twin = self.new()
        twin.restore(through_bytes(join.export()), [through_bytes(self.deltas[end]) for end in sorted(self.deltas)])
        return twin


def steps(seed: int) -> Iterator[tuple[Oracle, Join, Disk, dict]]:
    """A history through the oracle and a join with next to no memory, compared pane by pane."""
    rng = np.random.default_rng(seed)
    rules = JoinRules(
        horizon_ms=1_000 * int(rng.choice([1, 3, 10, 100])),
        corrections_last=bool(rng.random() < 0.6),
        predictions_max=int(rng.choice([1, 7, 30, 10_000])),
        labels_max=int(rng.choice([1, 4, 10_000])),
        memory_max=int(rng.choice([0, 1, 5, 20])),
        shelf_bytes=int(rng.choice([0, 10_000])),
    )
    oracle, disk = Oracle(rules), Disk(rules, seed)
    join = disk.new()
    for end_ms, predictions, labels in history(rng):
        expected_rows, expected_corrections = oracle.step(end_ms, predictions, labels)
        joined, corrections, delta = join.step(end_ms, *as_arrays(predictions, labels))
        disk.recalled += len(delta["recalled_numbers"])
        if any(len(delta[part]) for part in CONTENT):
            disk.deltas[end_ms] = delta
        assert as_rows(joined) == expected_rows
        assert [(c.ordinal, c.label, c.segments) for c in corrections] == expected_corrections
        assert join.reading() == JoinReading(**oracle.books)
        if rng.random() < 0.5:
            disk.commit(join)
            if rng.random() < 0.4:
                before = join
                join = disk.restored(join)
                assert join.reading() == before.reading()
                assert sum(r.rows - r.n_dead for r in join._shelf.runs) <= sum(r.rows for r in before._shelf.runs)
        yield oracle, join, disk, delta


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_equal_to_the_oracle(seed: int) -> None:
    assert sum(1 for _ in steps(seed)) >= 5


def test_the_histories_do_what_they_are_for() -> None:
    """Predictions go to disk, come back, are merged and forgotten."""
    spills = recalled = merged = 0
    for seed in range(0, HISTORIES, 3):
        *_, (_, join, disk, _) = steps(seed)
        recalled += disk.recalled
        spills += disk.spills
        merged += join._shelf._next > disk.spills
    assert spills > 50
    assert recalled > 50
    assert merged >= 2


LAST = "(SELECT max(key) FROM state WHERE key GLOB 'shelf/*')"


class CutOff(Mapping[str, bytes]):
    """What is to be written, and a crash after so many parts."""

    def __init__(self, put: Mapping[str, bytes], parts: int) -> None:
        self._put, self._parts = put, parts

    def __getitem__(self, key: str) -> bytes:
        return self._put[key]

    def __iter__(self) -> Iterator[str]:
        for at, key in enumerate(self._put):
            if at == self._parts:
                raise ZeroDivisionError("scripted crash")
            yield key

    def __len__(self) -> int:
        return len(self._put)


class Lived:
    """A run over a world; it may be cut off in any commit, and is taken up again with another limit of memory."""

    def __init__(self, lab, open_store: Callable[[], Store], seed: int) -> None:
        self.made, self.world, self.open_store = lab.plan(), lab.make_world(seed % 3), open_store
        self.rng = np.random.default_rng(seed)
        self.alerts, self.kept, self.crashed = [], 0, 0
        self.plain = lab.uninterrupted(self.world, self.made)
        self.take_up()

    def take_up(self) -> None:
        memory_max = int(self.rng.choice([0, 40, 300]))
        small = {"memory_max": memory_max, "shelf_bytes": 2_000}
        beside = replace(self.made.shadow_rules, join=replace(self.made.shadow_rules.join, **small))
        self.plan = replace(self.made, join=replace(self.made.join, **small), shadow_rules=beside)
        self.store = self.open_store()
        saved = self.store.load()
        if saved is None:
            self.engine = Engine(self.plan, "lineage")
            saving.attach(self.engine, self.store.read)
            self.alerts = [a.record for a in self.engine.open(dict.fromkeys(self.world.logs, 0)).alerts]
        else:
            self.engine = saving.restore(self.plan, saved.state, saved.read).engine
            del self.alerts[self.kept :]
        self.saver = saving.Saver(self.engine)
        if saved is not None:
            self.saver.resume(saved.state)

    def commit(self, crash_after: int | None = None) -> None:
        change = self.saver.take()
        put = change.put if crash_after is None else CutOff(change.put, min(crash_after, len(change.put) - 1))
        self.store.commit(Commit(put, change.delete))
        self.kept = len(self.alerts)

    def go_on(self, crashes: float) -> None:
        while left := [s for s, end in self.world.ends.items() if self.engine.partitions[s].next_offset < end]:
            source = min(left, key=lambda s: self.engine.partitions[s].newest)
            start = self.engine.partitions[source].next_offset
            stop = min(self.world.ends[source], start + 1 + int(self.rng.integers(0, 400)))
            self.alerts += [a.record for a in self.engine.feed(self.world.cut(source, start, stop)).alerts]
            if self.rng.random() < 0.6:
                crash = self.rng.random() < crashes
                try:
                    self.commit(int(self.rng.integers(0, 60)) if crash else None)
                except ZeroDivisionError:
                    self.crashed += 1
                    self.store.close()
                    self.take_up()


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_memory_gives_the_same_alerts(lab, tmp_path: Path, seed: int) -> None:
    """Commits that put predictions on disk are cut off at any part; the next life has other memory than the last."""
    memory = MemoryStore()
    stores = (memory.reopen, lambda: SqliteStore(tmp_path / "state", "world"))
    lived = Lived(lab, stores[seed % 2], seed)
    lived.go_on(crashes=0.3)
    on_disk = lived.engine.reading().places.disk
    shadow_on_disk = lived.engine.closing.shadow.places().disk
    lived.alerts += [a.record for a in lived.engine.finish([]).alerts]
    assert lived.alerts == lived.plain.alerts
    assert lived.engine.closing.join_reading() == lived.plain.engine.closing.join_reading()
    found, plain = (run.engine.reading().shadow for run in (lived, lived.plain))
    assert (found.join, found.compared) == (plain.join, plain.compared)
    assert lived.crashed >= 1
    assert on_disk > 100
    assert shadow_on_disk > 100
    lived.store.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE state SET value = CAST(substr(value, 2) || x'00' AS BLOB) WHERE key = " + LAST,
        "DELETE FROM state WHERE key = " + LAST,
        "UPDATE state SET value = hex(value) WHERE key = " + LAST,
    ],
    ids=["flipped", "missing", "text"],
)
def test_a_chunk_that_is_damaged_or_missing_is_refused(lab, tmp_path: Path, harm: str) -> None:
    lived = Lived(lab, lambda: SqliteStore(tmp_path / "state", "world"), 0)
    lived.go_on(crashes=0)
    whole = lived.engine.closing.join_reading()
    lived.commit()
    lived.store.close()
    lived.take_up()
    assert lived.engine.closing.join_reading() == whole
    lived.store.close()
    with sqlite3.connect(tmp_path / "state" / STATE_FILE) as connection:
        assert connection.execute(harm).rowcount >= 1
    connection.close()
    with pytest.raises(StateError, match="damaged"):
        lived.take_up()
    lived.store.close()
