"""Where are the predictions that memory has no room for? In runs that the store keeps, found through small filters.

A run holds entries that left memory together, cut into chunks by a hash of their keys: where a key must lie is
computed, never looked up. A filter of two bytes an entry says for almost every key that is not there that it is not, so
that a chunk is read for hardly any but those that are. Runs are never changed. An entry whose label comes goes back to
memory, and its place in the run is dead from then on; it returns with a later run. So an entry lives in one place only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.bits import Bits
from streamcheck.core.components import State
from streamcheck.core.ids import mixed
from streamcheck.core.types import BoolArray, IntArray, KeyArray

PREFIX = "shelf/"
"""Parts of the state whose keys begin so are chunks: a store does not load them, but reads them one by one."""
CHUNK_ROWS = 400
"""Of a chunk on average: about 20 KB, five pages of SQLite."""
RUNS_MAX = 32
"""Above it the two neighbours that are smallest together become one: at most a sixteenth of all."""
FILTER_BYTES = 2
"""Of an entry, while the limit allows: with five bits set among 64, one key in 230 is looked for in vain."""
FOLDS_MAX = 4
"""How often a filter may be halved: to an eighth of a byte an entry, which is of little use."""
DEAD_BYTES = 1 / 8
CHUNK_BYTES = 8 + 24
"""Of a chunk in memory: where its rows begin, its part of the filter's last words."""
_ROWS = ("keys", "numbers", "value", "score", "time", "matched", "segments")
_HASHES = 5
_32, _6 = np.uint64(32), np.uint64(6)
_63, _1 = np.uint64(63), np.uint64(1)

Words = npt.NDArray[np.uint64]
Columns = Mapping[str, npt.NDArray[Any]]
Reader = Callable[[str], State]
"""The port: a chunk that was committed, by its key. Raises StateError where it is missing or damaged."""


class Filter:
    """May a key be here? For n keys at most; hashes (n,) uint64."""

    def __init__(self, n: int) -> None:
        words = -(-FILTER_BYTES * n // 8)
        step = 1 << FOLDS_MAX
        self._words: Words = np.zeros(max(1, -(-words // step)) * step, np.uint64)
        self._folds = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._words.nbytes

    @property
    def foldable(self) -> bool:
        """Whether it can be halved once more."""
        return self._folds < FOLDS_MAX

    def fold(self) -> None:
        """Half as large, and less sure."""
        self._words = self._words[0::2] | self._words[1::2]
        self._folds += 1

    def add(self, mix: Words) -> None:
        """These are here."""
        np.bitwise_or.at(self._words, self._place(mix), _pattern(mix))

    def may_hold(self, mix: Words) -> BoolArray:
        """False: surely not."""
        pattern = _pattern(mix)
        return np.asarray(self._words[self._place(mix)] & pattern == pattern)

    def _place(self, mix: Words) -> IntArray:
        return np.asarray(((mix >> _32) * np.uint64(len(self._words))) >> _32, np.int64)


def _pattern(mix: Words) -> Words:
    """Five bits of a word, from the low half of the hash; its place comes from the high half."""
    pattern, rest = np.zeros(len(mix), np.uint64), mix
    for _ in range(_HASHES):
        pattern |= _1 << (rest & _63)
        rest = rest >> _6
    return pattern


@dataclass(slots=True, eq=False)
class Run:
    """Entries in `chunks` chunks. newest: the highest number that lies in it; starts: of the rows of each chunk.

    dead: rows that live elsewhere by now.
    """

    number: int
    newest: int
    chunks: int
    sizes: IntArray
    filter: Filter
    dead: Bits
    n_dead: int = 0
    prefix: str = PREFIX

    @property
    def rows(self) -> int:
        """All, dead ones too."""
        return int(self.sizes.sum())

    def key(self, chunk: int) -> str:
        """Under which a chunk is kept."""
        return f"{self.prefix}{self.number:012d}/{chunk:08d}"

    def keys(self) -> frozenset[str]:
        """Of all chunks."""
        return frozenset(self.key(chunk) for chunk in range(self.chunks))

    def bury(self, rows: IntArray) -> None:
        """These rows, counted over all chunks, are dead."""
        self.dead.set(rows)
        self.n_dead += len(rows)


class Shelf:
    """All runs. read: see Reader; salt: nobody who does not know it can choose ids that all lie in one chunk.

    prefix: of the keys of its chunks, begins with PREFIX; no other shelf of the same state has it.
    """

    def __init__(self, read: Reader, salt: int, filter_bytes_max: int, prefix: str = PREFIX) -> None:
        self.read = read
        self._prefix = prefix
        self._salt = np.uint64(salt)
        self._filter_bytes_max = filter_bytes_max
        self._next = 0
        self.runs: list[Run] = []
        self.head = 0
        """Entries with a lower number are forgotten."""

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(run.filter.nbytes + run.dead.nbytes + run.sizes.nbytes for run in self.runs)

    @property
    def rows(self) -> int:
        """Entries on disk, dead and forgotten ones too."""
        return sum(run.rows for run in self.runs)

    @property
    def dead(self) -> int:
        """Those of them that live elsewhere by now."""
        return sum(run.n_dead for run in self.runs)

    # ------------------------------------------------------------------ looking
    def holds(self, keys: KeyArray) -> BoolArray:
        """Whether a living entry of each key is here."""
        found = np.zeros(len(keys), np.bool_)
        for _, _, _, at in self._search(keys):
            found[at] = True
        return found

    def recall(self, keys: KeyArray) -> Columns | None:
        """The living entries of these keys, which are here no longer; None where there are none. Keys all different."""
        parts = []
        for run, chunk, rows, _ in self._search(keys):
            state, at = rows
            parts.append({name: state[name][..., at] if name != "keys" else state["keys"][at] for name in _ROWS})
            run.bury(int(run.sizes[:chunk].sum()) + at)
        return _joined(parts) if parts else None

    def _search(self, keys: KeyArray) -> Iterator[tuple[Run, int, tuple[State, IntArray], IntArray]]:
        """Run, chunk, its content with the rows that were found, and which keys they are of."""
        mix = self.mixed(keys)
        for run in self.runs:
            maybe = np.flatnonzero(run.filter.may_hold(mix))
            if not len(maybe):
                continue
            chunk_of = _chunk_of(mix[maybe], run.chunks)
            maybe = maybe[np.argsort(chunk_of, kind="stable")]
            chunk_of = np.sort(chunk_of)
            begins = np.flatnonzero(np.diff(chunk_of, prepend=-1))
            for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(maybe)], strict=True):
                chunk, members = int(chunk_of[begin]), maybe[begin:end]
                state = self.read(run.key(chunk))
                at, which = _find(self.mixed(state["keys"]), state["keys"], mix[members], keys[members])
                living = self.living(run, chunk, state, at)
                if living.any():
                    yield run, chunk, (state, at[living]), members[which[living]]

    def living(self, run: Run, chunk: int, state: State, at: IntArray) -> BoolArray:
        """Which of these rows of a chunk live here."""
        buried = run.dead.get(int(run.sizes[:chunk].sum()) + at)
        return np.asarray((state["numbers"][at] >= self.head) & ~buried)

    def mixed(self, keys: KeyArray) -> Words:
        """The hashes of keys."""
        return mixed(keys ^ self._salt)

    # ------------------------------------------------------------------ putting away
    def put(self, rows: Columns) -> dict[str, Callable[[], State]]:
        """A new run of these entries (at least one). Returns its chunks, to be committed before anything is asked."""
        mix = self.mixed(rows["keys"])
        order = np.argsort(mix)
        mix = mix[order]
        rows = {name: column[order] if name == "keys" else column[..., order] for name, column in rows.items()}
        run = self._new(len(mix), int(rows["numbers"].max()))
        run.filter.add(mix)
        bounds = np.searchsorted(_chunk_of(mix, run.chunks), np.arange(run.chunks + 1))
        run.sizes[:] = np.diff(bounds)
        self.runs.append(run)
        self._keep_filters_small()
        return {run.key(c): partial(_slice, rows, int(bounds[c]), int(bounds[c + 1])) for c in range(run.chunks)}

    def tidy(self) -> tuple[dict[str, Callable[[], State]], frozenset[str]]:
        """Drop runs that are forgotten, merge where there are many, write anew where most is dead.

        Returns chunks to write, and keys to delete, in the same commit.
        """
        gone: set[str] = set()
        chunks: dict[str, Callable[[], State]] = {}
        for run in [run for run in self.runs if run.newest < self.head or run.n_dead == run.rows]:
            self.runs.remove(run)
            gone |= run.keys()
        if len(self.runs) > RUNS_MAX:
            sums = [a.rows + b.rows for a, b in zip(self.runs, self.runs[1:], strict=False)]
            at = int(np.argmin(sums))
            merged = self.runs[at : at + 2]
        elif 2 * self.dead > self.rows:
            at = max(range(len(self.runs)), key=lambda each: self.runs[each].n_dead)
            merged = self.runs[at : at + 1]
        else:
            return chunks, frozenset(gone)
        run = self._new(sum(each.rows - each.n_dead for each in merged), max(each.newest for each in merged))
        self.runs[at : at + len(merged)] = [run]
        self._keep_filters_small()
        merge = _Merge(self, merged, run)
        chunks |= {run.key(chunk): partial(merge.chunk, chunk) for chunk in range(run.chunks)}
        return chunks, frozenset(gone).union(*(each.keys() for each in merged))

    def _new(self, rows: int, newest: int) -> Run:
        chunks = max(1, -(-rows // CHUNK_ROWS))
        self._next += 1
        return self._run(self._next, newest, chunks, rows)

    def _run(self, number: int, newest: int, chunks: int, rows: int) -> Run:
        return Run(number, newest, chunks, np.zeros(chunks, np.int64), Filter(rows), Bits(), prefix=self._prefix)

    def _keep_filters_small(self) -> None:
        """Within their limit; the largest are halved first."""
        while sum(run.filter.nbytes for run in self.runs) > self._filter_bytes_max:
            foldable = [run.filter for run in self.runs if run.filter.foldable]
            if not foldable:
                return
            max(foldable, key=lambda each: each.nbytes).fold()

    # ------------------------------------------------------------------ state
    def export(self) -> State:
        """Which runs there are; their chunks are parts of their own."""
        return {"next": self._next, "runs": [[run.number, run.newest, run.chunks] for run in self.runs]}

    def restore(self, state: State, elsewhere: Bits) -> Iterator[IntArray]:
        """Know the runs of a saved state by reading all of them; yields the numbers of entries that have a label.

        elsewhere: the numbers of entries that lie in memory.
        """
        self._next = state["next"]
        self.runs = [
            self._run(number, newest, chunks, chunks * CHUNK_ROWS) for number, newest, chunks in state["runs"]
        ]
        for run in sorted(self.runs, key=lambda each: -each.number):  # where an entry lies twice, the newer one lives
            for chunk in range(run.chunks):
                rows = self.read(run.key(chunk))
                numbers, first = rows["numbers"], run.rows
                run.sizes[chunk] = len(numbers)
                run.filter.add(self.mixed(rows["keys"]))
                known = np.flatnonzero(numbers >= self.head)
                run.bury(first + known[elsewhere.get(numbers[known])])
                elsewhere.set(numbers[known])
                yield numbers[known[rows["matched"][known]]]
            self._keep_filters_small()


class _Merge:
    """The chunks of a run that takes the place of others, each made as it is written; little is in memory at a time."""

    def __init__(self, shelf: Shelf, runs: Sequence[Run], into: Run) -> None:
        self._shelf, self._runs, self._into = shelf, runs, into

    def chunk(self, number: int) -> State:
        """What of all of them belongs there and lives."""
        parts = [part for run in self._runs for part in self._of(run, number)]
        rows = _joined(parts)
        mix = self._shelf.mixed(rows["keys"])
        self._into.sizes[number] = len(mix)
        self._into.filter.add(mix)
        return _ordered(rows, np.argsort(mix))

    def _of(self, run: Run, number: int) -> Iterator[Columns]:
        first = number * run.chunks // self._into.chunks
        last = min(run.chunks - 1, (number + 1) * run.chunks // self._into.chunks)
        for chunk in range(first, last + 1):
            state = self._shelf.read(run.key(chunk))
            at = np.flatnonzero(_chunk_of(self._shelf.mixed(state["keys"]), self._into.chunks) == number)
            yield _ordered(state, at[self._shelf.living(run, chunk, state, at)])


def _chunk_of(mix: Words, chunks: int) -> IntArray:
    return np.asarray(((mix >> _32) * np.uint64(chunks)) >> _32, np.int64)


def _ordered(rows: Columns, at: IntArray) -> State:
    return {name: rows[name][at] if name == "keys" else rows[name][..., at] for name in _ROWS}


def _slice(rows: Columns, start: int, stop: int) -> State:
    cut = np.s_[start:stop]
    return {name: rows[name][cut] if name == "keys" else rows[name][..., cut] for name in _ROWS}


def _joined(parts: Sequence[Columns]) -> Columns:
    return {
        name: np.concatenate([part[name] for part in parts], axis=1 if name == "segments" else 0) for name in _ROWS
    }


def _find(mix: Words, keys: KeyArray, sought_mix: Words, sought: KeyArray) -> tuple[IntArray, IntArray]:
    """Rows of a chunk (ascending by hash) that have one of the keys, and which key each has."""
    at, which = np.searchsorted(mix, sought_mix), np.arange(len(sought))
    rows, found = [], []
    while len(which):
        alike = at < len(mix)
        alike[alike] = mix[at[alike]] == sought_mix[which[alike]]
        at, which = at[alike], which[alike]
        hit = (keys[at] == sought[which]).all(axis=1)
        rows.append(at[hit])
        found.append(which[hit])
        at, which = at[~hit] + 1, which[~hit]
    return np.concatenate([np.empty(0, np.int64), *rows]), np.concatenate([np.empty(0, np.int64), *found])
