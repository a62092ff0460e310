"""The engine's state as keyed, checksummed bytes: what changed since the last commit, and back again."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from streamcheck.core import codec
from streamcheck.core.alerts import digest
from streamcheck.core.buffers import Mark
from streamcheck.core.components import State
from streamcheck.core.engine import Engine
from streamcheck.core.join import Join
from streamcheck.core.joining import Spill
from streamcheck.core.migrations import VERSION, migrated
from streamcheck.core.partitions import Partition
from streamcheck.core.plan import Encoding, Plan
from streamcheck.core.shelf import PREFIX
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError

Read = Callable[[str], bytes]
"""A part of the state by its key, as it was committed. Raises StateError where it is missing or damaged."""

_KIND = "streamcheck.state"
_PANE_DIGITS = 20


@dataclass(frozen=True, slots=True)
class StateChange:
    """Keyed state to write and keys to delete, to be committed together."""

    put: Mapping[str, bytes]
    delete: frozenset[str]

    def beside(self, parts: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """What to write, and these parts, which are no states of the core."""
        return _Beside(self.put, parts)


@dataclass(frozen=True, slots=True)
class Restored:
    """An engine as it was at the last commit. `restarted`: monitors that begin afresh because their config changed."""

    engine: Engine
    restarted: tuple[str, ...]


class _Encoded(Mapping[str, bytes]):
    """States that become bytes when they are asked for, so that those of a thousand segments are never in memory."""

    def __init__(self, states: Mapping[str, Callable[[], State]]) -> None:
        self._states = states

    def __getitem__(self, key: str) -> bytes:
        return codec.encode(_KIND, VERSION, self._states[key]())

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


class _Decoded(Mapping[str, State]):
    """The same the other way round."""

    def __init__(self, saved: Mapping[str, bytes]) -> None:
        self._saved = saved

    def __getitem__(self, key: str) -> State:
        return decode_part(key, self._saved[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._saved)

    def __len__(self) -> int:
        return len(self._saved)


class _Beside(Mapping[str, bytes]):
    """Two mappings as one, without a copy."""

    def __init__(self, first: Mapping[str, bytes], second: Mapping[str, bytes]) -> None:
        self._both = first, second

    def __getitem__(self, key: str) -> bytes:
        first, second = self._both
        return second[key] if key in second else first[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for part in self._both for key in part))

    def __len__(self) -> int:
        return len(dict.fromkeys(self))


class Saver:
    """Follows one engine and says at each commit what has changed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._ledgers = {name: _Ledger(name, join) for name, join in engine.closing.joins.items()}

    def take(self) -> StateChange:
        """Everything that changed since the last call; to be committed before the engine goes on."""
        engine = self.engine
        for partition in engine.partitions.values():
            partition.forget_floors()
        states: dict[str, Callable[[], State]] = {"engine": partial(_engine_state, engine)}
        states |= engine.board.take_changes()
        gone = engine.board.take_stale()
        deltas = engine.closing.take_deltas()
        for name, ledger in self._ledgers.items():
            written, left = ledger.take(deltas[name])
            states |= written
            gone |= left
        return StateChange(_Encoded(states), gone - states.keys())

    def resume(self, saved: Mapping[str, bytes]) -> None:
        """Know which deltas a store holds already."""
        for ledger in self._ledgers.values():
            ledger.resume(saved)


class _Ledger:
    """Which deltas of one join does a store hold?"""

    def __init__(self, name: str, join: Join) -> None:
        self._prefix, self._join = f"{name}/", join
        self._keys: list[str] = []

    def resume(self, saved: Mapping[str, bytes]) -> None:
        """These are there."""
        self._keys = sorted(key for key in saved if key.startswith(self._prefix))

    def take(self, deltas: Mapping[int, State]) -> tuple[dict[str, Callable[[], State]], frozenset[str]]:
        """Parts to write, new deltas (by end of pane) among them, and keys to delete."""
        new = {self._key(end_ms): delta for end_ms, delta in deltas.items()}
        self._keys += new
        gone = self._expired()
        # catching up, the horizon may pass between two commits: such panes are never written
        written: dict[str, Callable[[], State]]
        written = {key: partial(_itself, delta) for key, delta in new.items() if key not in gone}
        gone -= new.keys()
        spill = self._join.spill()
        if spill is None:
            return written, gone
        gone |= spill.gone | self._replace(spill, written)
        return {**spill.chunks, **written}, gone

    def _replace(self, spill: Spill, written: dict[str, Callable[[], State]]) -> frozenset[str]:
        """Deltas of what went to the shelf make room for one checkpoint. Returns those that a store may hold."""
        if spill.end_ms is None or spill.checkpoint is None:
            return frozenset()
        last = self._key(spill.end_ms)
        gone = frozenset(key for key in self._keys if key <= last)
        for key in sorted(gone & written.keys()):
            del written[key]
        self._keys = [last, *(key for key in self._keys if key > last)]
        written[last] = partial(_itself, spill.checkpoint)
        return gone

    def _expired(self) -> frozenset[str]:
        oldest = self._join.oldest_pane_end()
        if oldest is None:
            return frozenset()
        gone = [key for key in self._keys if int(key[len(self._prefix) :]) < oldest]
        self._keys = self._keys[len(gone) :]
        return frozenset(gone)

    def _key(self, end_ms: int) -> str:
        return f"{self._prefix}{end_ms:0{_PANE_DIGITS}d}"


def attach(engine: Engine, read: Read) -> None:
    """Let the engine's joins keep on shelves what memory has no room for; before anything is fed."""
    salt = hashlib.blake2b(engine.lineage.encode(), digest_size=8).digest()
    for join in engine.closing.joins.values():
        join.attach(lambda key: decode_part(key, read(key)), int.from_bytes(salt, "little"))


def restore(plan: Plan, saved: Mapping[str, bytes], read: Read | None = None) -> Restored:
    """The engine of a saved state. read: how to read parts that are not loaded; without it, all stays in memory.

    Raises StateError when it is damaged, newer, or of a config with other streams or times.
    """
    if "engine" not in saved:
        raise StateError(
            "the saved state has no engine part: it is incomplete; restore a backup, or reset it with --reset-state"
        )
    core = decode_part("engine", saved["engine"])
    # a challenger may come to a state that knows of none: nothing there depends on it
    known = plan if "shadow" in core["closing"] else replace(plan, shadow=None)
    if core["meaning"] != meaning(known):
        raise StateError(
            f"the saved state of {plan.name!r} was made with other `streams` or `time` settings, which give old "
            "numbers another meaning; "
            "give the config another `name`, or reset its state with --reset-state"
        )
    engine = Engine(plan, core["lineage"])
    if read is not None:
        attach(engine, read)
    for saved_partition in core["partitions"]:
        _restore_partition(engine, saved_partition)
    engine.restore_core(core["engine"])
    engine.closing.restore(core["closing"], partial(_deltas, saved))
    apart = (PREFIX, *(f"{name}/" for name in engine.closing.joins))
    rest = {key: data for key, data in saved.items() if key != "engine" and not key.startswith(apart)}
    restarted = engine.board.restore(_Decoded(rest))
    return Restored(engine, tuple(restarted))


def meaning(plan: Plan) -> str:
    """Changes when the topics, fields or time rules change: then no part of an old state can be used."""
    time = plan.time
    return digest(
        plan.name,
        plan.predictions,
        plan.labels,
        plan.task,
        time.pane_ms,
        time.lateness_ms,
        time.max_jump_ms,
        plan.segmentations,
        *(each for each in (plan.kpi, plan.shadow) if each is not None),
        *_encodings(plan),
    )


def _encodings(plan: Plan) -> list[object]:
    """Those of the streams; none where all are plain JSON, as all were once."""
    found = [schema.encoding for schema in plan.schemas]
    keys = [(schema.role, schema.encoding.key) for schema in plan.schemas if schema.encoding.key is not None]
    return [*found, *keys] if any(encoding != Encoding() for encoding in found) else []


def _deltas(saved: Mapping[str, bytes], name: str) -> Iterator[State]:
    """Those of one join, ascending by pane."""
    return (decode_part(key, saved[key]) for key in sorted(saved) if key.startswith(f"{name}/"))


def _itself(state: State) -> State:
    return state


def positions(engine: Engine) -> dict[SourcePartition, int]:
    """Where reading starts again for each source partition."""
    return {source: p.position().offset for source, p in engine.partitions.items()}


def _engine_state(engine: Engine) -> State:
    return {
        "lineage": engine.lineage,
        "meaning": meaning(engine.plan),
        "partitions": [_partition_state(p) for p in engine.partitions.values()],
        "engine": engine.core_state(),
        "closing": engine.closing.export(),
    }


def _partition_state(partition: Partition) -> State:
    mark = partition.position()
    return {
        "topic": partition.source.topic,
        "partition": partition.source.partition,
        "mark": [mark.offset, mark.newest, mark.floor],
        "read_until": max(partition.next_offset, partition.read_until),
        "idle_at": partition.idle_at if partition.idle else None,
        "floors": [list(floor) for floor in partition.floors],
        "counts": [partition.accepted, partition.late, partition.excess],
        "rejected": dict(partition.rejected),
    }


def _restore_partition(engine: Engine, state: State) -> None:
    source = SourcePartition(state["topic"], state["partition"])
    role = engine.plan.role_of(source.topic)
    partition = Partition(source, role, engine.plan.time, Mark(*state["mark"]), engine.plan.limits)
    partition.read_until = state["read_until"]
    partition.idle, partition.idle_at = state["idle_at"] is not None, state["idle_at"]
    partition.floors = [(offset, floor) for offset, floor in state["floors"]]
    partition.accepted, partition.late, partition.excess = state["counts"]
    partition.rejected = Counter(state["rejected"])
    engine.partitions[source] = partition


def decode_part(key: str, data: bytes) -> State:
    """One part of the engine's state. Raises StateError for one that is damaged or newer."""
    version, state = codec.decode(_KIND, data)
    return migrated(key, version, state)
