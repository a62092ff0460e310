"""Where is the entry of this id? A hash table in arrays, for entries that are numbered as they come."""

import numpy as np
import numpy.typing as npt

from streamcheck.core.entries import Entries
from streamcheck.core.ids import mixed
from streamcheck.core.types import IntArray, KeyArray

NOWHERE = -1
LOAD_MAX = 0.7
"""Of the places, forgotten entries included: above it the runs that a search walks grow long."""
ROOM = 1.5
"""Places for so many times the living entries, when the table is made again."""
PLACE_BYTES = 4 * ROOM / LOAD_MAX
"""Of an entry at most."""
_PLACES_MIN = 1_024
_LOW_32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


class IdTable:
    """Numbers of living entries by key: open addressing, linear probing, whole arrays of keys at once.

    The caller keeps the entries and says which are alive. Dead ones stay in the table, found by nobody, until an entry
    takes their place or the table is made again. PLACE_BYTES an entry at most.
    salt: nobody who does not know it can choose ids that all lie in one place; results do not depend on it.
    """

    def __init__(self, salt: int = 0) -> None:
        self._salt = np.uint64(salt)
        self._origin = 0  # numbers are kept as distances from it: four bytes last for ever
        self._places: npt.NDArray[np.int32] = np.full(_PLACES_MIN, NOWHERE, np.int32)
        self._used = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._places.nbytes

    def find(self, keys: KeyArray, entries: Entries) -> IntArray:
        """The number of the living entry of each key (n, 2), NOWHERE where there is none."""
        found = np.full(len(keys), NOWHERE, np.int64)
        sought = np.arange(len(keys))
        place = self._home(keys)
        while len(sought):
            held = self._places[place]
            there = np.flatnonzero(held != NOWHERE)  # an empty place ends the search
            sought, place = sought[there], place[there]
            numbers = held[there].astype(np.int64) + self._origin
            hit = entries.matching(numbers, keys[sought])
            found[sought[hit]] = numbers[hit]
            on = ~hit
            sought, place = sought[on], self._next(place[on])
        return found

    def add(self, keys: KeyArray, first: int, entries: Entries) -> None:
        """Enter keys that are not in it, all different, as entries `first` and on; the caller has them already."""
        if self._used + len(keys) > LOAD_MAX * len(self._places):
            self.make_again(entries)
            return
        self._put(keys, np.arange(first, first + len(keys)), entries)

    def _put(self, keys: KeyArray, numbers: IntArray, entries: Entries) -> None:
        short = (numbers - self._origin).astype(np.int32)
        place = self._home(keys)
        while len(short):
            held = self._places[place]
            empty = held == NOWHERE
            free = empty | ~entries.alive(held.astype(np.int64) + self._origin)
            self._places[place[free]] = short[free]  # of several that want one place the last gets it
            won = self._places[place] == short
            self._used += int((won & empty).sum())
            place, short = self._next(place[~won]), short[~won]

    def make_again(self, entries: Entries) -> None:
        """All living entries, and no other, in a table that has room for half as many more."""
        first, keys, alive = entries.all()
        living = np.flatnonzero(alive)
        size = max(_PLACES_MIN, int(ROOM * len(living) / LOAD_MAX) + 1)
        self._origin = first
        self._places = np.full(size, NOWHERE, np.int32)
        self._used = 0
        self._put(keys[living], first + living, entries)

    def _home(self, keys: KeyArray) -> IntArray:
        """Where the search begins: the high half of the mixed key, scaled to the number of places (Lemire 2019)."""
        high = mixed(keys ^ self._salt) >> _32
        return np.asarray((high * np.uint64(len(self._places))) >> _32, np.int64)

    def _next(self, place: IntArray) -> IntArray:
        after = place + 1
        after[after == len(self._places)] = 0
        return after
