"""What does a failing disk do to a state directory? One seeded harm at a time, and what the product makes of it.

    images = snapshots(tmp_path)               # the files as a crash would leave them, and what they hold
    harm = Harm.draw(rng, images[0])
    assert outcome(images[0], harm.applied(images[0]), folder) in ("refused", "unharmed")

The state is a golden one of this release: every component, a half-full join, a journal, undelivered alerts.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from streamcheck import __version__
from streamcheck.adapters.sqlite.count import COUNT_FILE
from streamcheck.adapters.sqlite.store import STATE_FILE, SqliteStore
from streamcheck.config.load import load
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Commit, OutboxEntry, Saved

GOLDEN = Path(__file__).parents[1] / "golden" / "state" / __version__ / "regression"
PLAN = load(str(GOLDEN / "config.yaml")).plan
PAGE_BYTES = 4096
LOG_FILE = f"{STATE_FILE}-wal"
FILES = (STATE_FILE, LOG_FILE, COUNT_FILE)
COMMITS = 12
WAYS_OUT = ("backup", "upgrade", "check ", "restore", "--reset-state", "state.dir", "free some space", "close it")


class Kind(StrEnum):
    """What can happen to bytes."""

    FLIP = "a bit flipped"
    CUT = "the end cut off"
    ZERO = "a page zeroed"
    SWAP = "two pages swapped"
    OLD = "a page from an earlier write"


@dataclass(frozen=True)
class Image:
    """The files of a state directory at one moment. commits: what it held after each commit, this one last."""

    name: str
    files: Mapping[str, bytes]
    commits: Sequence[Saved]
    before: Mapping[str, bytes] = field(default_factory=dict)
    """The same files some commits earlier."""


@dataclass(frozen=True)
class Harm:
    """One harm to one file."""

    kind: Kind
    file: str
    places: tuple[int, ...]

    @classmethod
    def draw(cls, rng: random.Random, image: Image) -> "Harm":
        """Mostly flipped bits; a file as often as it is large, but the log no less than half the time."""
        names = [name for name in (STATE_FILE, LOG_FILE) if image.files.get(name)]
        name = names[-1] if rng.random() < 0.5 else rng.choice(names)
        size = len(image.files[name])
        kinds = [Kind.FLIP] * 16 + [Kind.CUT, Kind.ZERO, Kind.SWAP] + ([Kind.OLD] * 3 if image.before.get(name) else [])
        kind, pages = rng.choice(kinds), max(1, size // PAGE_BYTES)
        if kind is Kind.FLIP:  # headers of files and pages, as often as anything else
            at = rng.randrange(size) if rng.random() < 0.5 else rng.randrange(pages) * PAGE_BYTES + rng.randrange(120)
            return cls(kind, name, (min(at, size - 1), rng.randrange(8)))
        if kind is Kind.CUT:
            return cls(kind, name, (rng.randrange(size),))
        return cls(kind, name, (rng.randrange(pages), rng.randrange(pages)))

    def applied(self, image: Image) -> dict[str, bytes]:
        """The files after it."""
        data = bytearray(image.files[self.file])
        first, second = self.places[0], self.places[-1]
        here, there = (slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES) for page in (first, second))
        if self.kind is Kind.FLIP:
            data[first] ^= 1 << second
        elif self.kind is Kind.CUT:
            del data[first:]
        elif self.kind is Kind.ZERO:
            data[here] = bytes(len(data[here]))
        elif self.kind is Kind.SWAP and len(data[here]) == len(data[there]):
            data[here], data[there] = data[there], data[here]
        elif self.kind is Kind.OLD:
            data[here] = image.before[self.file][here].ljust(len(data[here]), b"\0")
        return {**image.files, self.file: bytes(data)}


def snapshots(folder: Path) -> list[Image]:
    """A state directory as a golden one; closed after more commits; killed, also when its log had just been copied."""
    golden = {STATE_FILE: (GOLDEN / STATE_FILE).read_bytes()}
    source = SqliteStore(_written(folder / "golden", golden), PLAN.name)
    saved = source.load()
    source.close()
    assert saved is not None
    store = SqliteStore(folder / "live", PLAN.name)
    store.commit(Commit(saved.state))
    commits, earlier, copied = [_loaded(store)], _read(folder / "live"), {}
    images = [Image("golden", golden, [saved])]
    for number in range(1, COMMITS + 1):
        store.commit(_next(saved, number))
        commits.append(_loaded(store))
        if number == COMMITS // 2:
            images.append(Image("killed", _read(folder / "live"), list(commits), earlier))
            copied = _checkpointed(store)
    images.append(Image("killed after a checkpoint", _checkpointed(store), commits, copied))
    store.close()
    return [*images, Image("closed", _read(folder / "live"), commits, copied)]


def _loaded(store: SqliteStore) -> Saved:
    found = store.load()
    assert found is not None
    return found


def _checkpointed(store: SqliteStore) -> dict[str, bytes]:
    """The files when the log has been copied into the database, which happens by itself each thousand pages."""
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    files = _read(store.path.parent)
    connection.close()
    return files


def _next(saved: Saved, number: int) -> Commit:
    """A commit as a run makes them: most monitors, the engine, an alert now and then, parts that come and go."""
    keys = sorted(saved.state)
    rng = random.Random(number)
    put = {key: saved.state[rng.choice(keys)] + bytes([number]) for key in rng.sample(keys, len(keys) // 2)}
    put["engine"] = saved.state["engine"] + bytes([number])
    gone = frozenset({f"join/{number - 2}"}) if number > 2 else frozenset()
    put[f"join/{number}"] = rng.randbytes(6_000)
    return Commit(put, gone, (OutboxEntry(number, b"id", b"%d" % number),))


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name in (STATE_FILE, LOG_FILE, f"{STATE_FILE}-shm", COUNT_FILE):
        path = folder / name
        if name in files:
            path.write_bytes(files[name])
        else:
            path.unlink(missing_ok=True)
    return folder


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def outcome(
    image: Image, files: Mapping[str, bytes], folder: Path, opened_by: Callable[[Path, str], SqliteStore] = SqliteStore
) -> str:
    """`refused`, `unharmed`, or what has been loaded without a word. Any other exception comes as it is."""
    store = None
    try:
        store = opened_by(_written(folder, files), PLAN.name)
        loaded = store.load()
    except StateError as error:
        return "refused" if any(way in str(error) for way in WAYS_OUT) else f"refused without a way out: {error}"
    finally:
        if store is not None:
            store.close()
    if loaded is None:
        return "an empty state"
    for back, commit in enumerate(reversed(image.commits)):
        if loaded == commit:
            return f"the state of {back} commits ago" if back else "unharmed"
    return "another state"


class Trusting(SqliteStore):
    """A mutant: takes what a row says without its checksum."""

    def _state(self, connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
        yield from connection.execute("SELECT key, value FROM state ORDER BY key")


class Uncounted(SqliteStore):
    """A mutant: does not know how many commits there were."""

    assert callable(SqliteStore._refuse_fallen_back)

    def _refuse_fallen_back(self, counted: int) -> None:
        pass
