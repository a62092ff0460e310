"""Workers: the batches of one process, in its order; a worker that dies is told of; none outlives the owner."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamcheck.core.columns import ColumnBatch, Numbers, Texts, nothing
from streamcheck.core.plan import Column, Kind, Role, Schema, Task, TimeField, TimeUnit
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.errors import WorkerLost
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.workers import Pool
from streamcheck.runtime.workers.child import NICE
from streamcheck.runtime.workers.memory import Shared, anonymous_file
from streamcheck.runtime.workers.messages import SLOTS
from streamcheck.runtime.workers.pool import PART_BYTES, PART_ROWS, parts

STAMP = 1_772_359_200_000
SCHEMAS = (
    Schema(
        StreamRole.PREDICTIONS,
        ("p",),
        ("id",),
        TimeField(("ts",), TimeUnit.MS),
        (
            Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
            Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
            Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
        ),
        4_000,
        0,
    ),
    Schema(
        StreamRole.LABELS, ("l",), ("id",), None, (Column("label", ("y",), Kind.BINARY, Role.LABEL),), 4_000, 0
    ),
)
DEADLINE_S = 20
ROOT = Path(__file__).parents[2]


def events(rng: np.random.Generator, count: int, topic: str) -> list[bytes | None]:
    made: list[bytes | None] = []
    for at in range(count):
        event = {"id": f"e{at}", "ts": STAMP, "amount": float(rng.normal()), "country": f"c{rng.integers(30_000)}"}
        event |= {"fraud": bool(rng.random() < 0.5)} if topic == "p" else {"y": int(rng.random() < 0.5)}
        bad = rng.random()
        if bad < 0.02:
            made.append(None)
        elif bad < 0.04:
            made.append(b"{" * int(rng.integers(1, 5_000)))
        else:
            made.append(msgspec.json.encode(event | ({"amount": "much", "id": None} if bad < 0.06 else {})))
    return made


def stream_of_records(seed: int) -> list[RawBatch]:
    """Batches of two topics of any size, gaps between offsets and faults among them."""
    rng = np.random.default_rng(seed)
    ends = {SourcePartition(topic, n): 0 for topic in "pl" for n in range(2)}
    made = []
    for _ in range(30):
        source = list(ends)[rng.integers(len(ends))]
        count = int(rng.choice([0, 1, 7, 500, 9_000]))
        offsets = ends[source] + np.cumsum(rng.integers(1, 3, count))
        end = int(offsets[-1]) + 3 if count else ends[source] + 1
        between = sorted(set(range(ends[source], end)) - set(offsets.tolist()))
        faults = tuple((offset, "corrupt batch") for offset in between[:: int(rng.integers(1, 2_000))])
        values = events(rng, count, source.topic)
        made.append(RawBatch(source, offsets, np.full(count, STAMP), [None] * count, values, end, faults))
        ends[source] = end
    return made


def rows(batches: list[Batch]) -> dict[SourcePartition, list[object]]:
    """Everything that a partition's batches say, however they are cut and whatever the codes are."""
    said: dict[SourcePartition, list[object]] = {}
    for batch in batches:
        mine = said.setdefault(batch.source, [])
        names = [
            [dictionary.values[code] if code >= 0 else None for code in codes]
            for dictionary, codes in zip(batch.dictionaries, batch.codes.tolist(), strict=True)
        ]
        columns = (batch.offsets, batch.times, batch.keys, batch.numeric.T, batch.status.T)
        for row in zip(*(column.tolist() for column in columns), zip(*names, strict=True), strict=True):
            mine.append(("row", *row))
        mine += zip(["reject"] * len(batch.rejects.reasons), batch.rejects.offsets.tolist(), batch.rejects.reasons,
                    strict=True)  # fmt: skip
    return {source: sorted(mine, key=lambda one: one[1]) for source, mine in said.items()}


def inline() -> dict[str, object]:
    return {schema.topics[0]: Decoder(schema, Task.BINARY).decode for schema in SCHEMAS}


@pytest.fixture
def pool():
    made = []

    def make(workers: int, **more: float) -> Pool:
        made.append(Pool(workers, SCHEMAS, Task.BINARY, inline(), **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_batches_are_those_of_one_process(pool, workers):
    records = stream_of_records(workers)
    decoders = inline()
    alone = [decoders[raw.source.topic](raw) for raw in records]
    several = pool(workers)
    found = [*several.through(records), *several.drain()]
    assert not several.pending
    assert rows(found) == rows(alone)
    assert sum(len(batch) for batch in found) > 20_000
    for source in {raw.source for raw in records}:
        mine = [batch for batch in found if batch.source == source]
        assert mine[-1].next_offset == [raw for raw in records if raw.source == source][-1].next_offset
        begun = [min([*b.offsets[:1].tolist(), *b.rejects.offsets[:1].tolist()], default=None) for b in mine]
        assert [at for at in begun if at is not None] == sorted(at for at in begun if at is not None)
        for batch in mine:
            for offset in batch.offsets[:3].tolist():
                assert batch.raw.record(offset)[1] is not None, "the original goes with its rows"


def test_columns_take_their_turn(pool):
    several = pool(2)
    raw = stream_of_records(5)[0]
    n = 3
    texts = Texts(np.frombuffer(b"abc", np.uint8), np.arange(n + 1), np.ones(n, np.bool_))
    numbers = Numbers(np.arange(n), np.ones(n, np.bool_))
    last = SourcePartition("p", 9)
    stamps, times = np.full(n, STAMP), Numbers(np.full(n, STAMP), np.ones(n, np.bool_))
    columns = ColumnBatch(last, np.arange(n), stamps, texts, times, (numbers, nothing(n), nothing(n)), n)
    found = [*several.through([raw, raw, columns, raw]), *several.drain()]
    sources = [batch.source for batch in found]
    assert sources.index(last) == len(sources) - 1 - len(list(parts(raw)))
    assert found[sources.index(last)].numeric.tolist() == [[0.0, 1.0, 2.0]]


@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, 1), (PART_ROWS, 2), (PART_ROWS + 1, 2), (5, PART_BYTES // 2)])
def test_parts_are_bounded_and_lose_nothing(count, size):
    offsets = np.arange(count) * 3
    values = [bytes(size)] * count
    faults = ((1, "a"), (3 * count - 2, "b"))
    raw = RawBatch(SourcePartition("p", 0), offsets, offsets, values, values, 3 * count, faults)
    made = [part for part, _ in parts(raw)]
    assert [value for _, pieces in parts(raw) for value in pieces] == values
    assert np.concatenate([part.offsets for part in made]).tolist() == offsets.tolist()
    assert sum((part.faults for part in made), ()) == faults
    assert made[-1].next_offset == 3 * count
    for part, following in itertools.pairwise(made):
        assert part.next_offset == following.offsets[0]
        assert all(offset < part.next_offset for offset, _ in part.faults)
    assert all(len(part.values) <= PART_ROWS for part in made)
    assert all(len(part.values) == 1 or sum(map(len, part.values)) <= PART_BYTES for part in made)


def test_a_worker_is_one_thread(pool):
    several, records = pool(2), stream_of_records(6)
    assert [*several.through(records), *several.drain()]
    for worker in several._workers:
        assert len(list(Path(f"/proc/{worker._process.pid}/task").iterdir())) == 1


def test_a_worker_gives_way_to_its_owner(pool):
    several = pool(2)
    assert [*several.through(stream_of_records(6)), *several.drain()]
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    theirs = [os.getpriority(os.PRIO_PROCESS, worker._process.pid) for worker in several._workers]
    assert theirs == 2 * [min(mine + NICE, 19)]


def test_workers_have_all_they_can_have_while_a_batch_is_in_hand(pool):
    """However long that takes: here until all of them have done all they were given."""
    several, parts_out = pool(2), []
    rng, topic = np.random.default_rng(2), "p"
    records = [
        RawBatch(SourcePartition(topic, 0), np.arange(at, at + 50), np.full(50, STAMP), [None] * 50, values, at + 50)
        for at, values in ((at, events(rng, 50, topic)) for at in range(0, 5_000, 50))
    ]
    for _ in several.through(records):
        parts_out.append(len(several._queue))
        deadline = time.monotonic() + DEADLINE_S
        while not all(given.worker.hears() for given in several._queue):
            assert time.monotonic() < deadline
    full = parts_out.index(max(parts_out))
    assert max(parts_out) >= 2 * SLOTS - 1
    assert min(parts_out[full:]) >= max(parts_out) - 1


def test_a_worker_that_is_killed_is_told_of(pool):
    several = pool(2)
    records = stream_of_records(6)
    assert list(several.through(records[:1])) is not None
    os.kill(several._workers[0]._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match=r"worker process \d+ ended with -9; .*fewer `workers`"):
        list(several.through(records * 2))


def test_a_worker_that_is_frozen_is_told_of(pool):
    several = pool(2, answer_s=0.5)
    records = stream_of_records(6)
    frozen = several._workers[0]._process
    os.kill(frozen.pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost, match=r"worker process \d+ has said nothing for 0.5 s: it is stuck"):
        list(several.through(records * 2))
    assert frozen.wait(DEADLINE_S) == -signal.SIGKILL, "it would hold up the end of the run"


def test_workers_end_with_their_owner(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from streamcheck.runtime.workers import Pool
            pool = Pool(2, (), None, {})
            print(*(worker._process.pid for worker in pool._workers), flush=True)
            time.sleep(600)
            """
        )
    )
    owner = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    pids = [int(text) for text in owner.stdout.readline().split()]
    assert len(pids) == 2
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + DEADLINE_S
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlives its owner"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_shared_memory_grows_and_keeps_what_was_read():
    descriptor = anonymous_file()
    one, other = Shared(descriptor), Shared(os.dup(descriptor))
    small, large = np.arange(5, dtype=np.int32), np.arange(100_000.0)
    other.fit(one.write([small, b"abc", np.empty((0, 3))]))
    kept = other.read(np.int32, 5)
    assert (other.read(np.uint8, 3).tobytes(), other.read(np.float64, 0, 3).shape) == (b"abc", (0, 3))
    other.fit(one.write([b"", large[::2]]))
    other.read(np.uint8, 0)
    assert (other.read(np.float64, 50_000) == large[::2]).all()
    assert kept.tolist() == small.tolist()
    one.close()
    other.close()
