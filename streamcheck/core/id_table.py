"""Where is the entry of this id? A hash table in arrays, for entries that are numbered as they come."""

import numpy as np
import numpy.typing as npt

from streamcheck.core.entries import SLAB_ROWS, Entries
from streamcheck.core.ids import mixed
from streamcheck.core.types import IntArray, KeyArray

NOWHERE = -1
LOAD_MAX = 0.7
"""Of the places, forgotten entries included: above it the runs that a search walks grow long."""
ROOM = 1.5
"""Places for so many times the living entries, when the table is made again."""
PLACE_BYTES = 4 * ROOM / LOAD_MAX
"""Of an entry at most: 8.6."""
LIVES = 4
"""Entries that may come and go, in multiples of those that live, before numbers need more bits and it is made again."""
_PLACES_MIN = 1_024
_EMPTY = np.uint32(0xFFFFFFFF)
_32 = np.uint64(32)

_Words = npt.NDArray[np.uint32]


class IdTable:
    """Numbers of living entries by key: open addressing, linear probing, whole arrays of keys at once.

    The caller keeps the entries and says which are alive. Dead ones stay in the table, found by nobody, until an entry
    takes their place or the table is made again. PLACE_BYTES an entry at most: 32 bits hold its number, as the distance
    from the oldest, and above that, in the bits that are left, a tag of its key, so that hardly any other is looked at.
    salt: nobody who does not know it can choose ids that all lie in one place; results do not depend on it.
    """

    def __init__(self, salt: int = 0) -> None:
        self._salt = np.uint64(salt)
        self._places: _Words = np.full(_PLACES_MIN, _EMPTY)
        self._used = 0
        self._number_from(0, 0)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._places.nbytes

    def find(self, keys: KeyArray, entries: Entries) -> IntArray:
        """The number of the living entry of each key (n, 2), NOWHERE where there is none."""
        found = np.full(len(keys), NOWHERE, np.int64)
        sought = np.arange(len(keys))
        place, tags = self._home(keys)
        while len(sought):
            held = self._places[place]
            alike = np.flatnonzero(held & self._tag_mask == tags)
            numbers = (held[alike] & self._number_mask).astype(np.int64) + self._origin
            hit = entries.matching(numbers, keys[sought[alike]])  # of an empty place as well: no such number
            found[sought[alike[hit]]] = numbers[hit]
            on = held != _EMPTY  # an empty place ends the search
            on[alike[hit]] = False
            sought, place, tags = sought[on], self._next(place[on]), tags[on]
        return found

    def add(self, keys: KeyArray, first: int, entries: Entries) -> None:
        """Enter keys that are not in it, all different, as entries `first` and on; the caller has them already."""
        full = self._used + len(keys) > LOAD_MAX * len(self._places)
        if full or first + len(keys) - self._origin > int(self._number_mask):
            self.make_again(entries)
            return
        self._put(keys, np.arange(first, first + len(keys)), entries)

    def _put(self, keys: KeyArray, numbers: IntArray, entries: Entries) -> None:
        place, tags = self._home(keys)
        words = tags | (numbers - self._origin).astype(np.uint32)
        while len(words):
            held = self._places[place]
            empty = held == _EMPTY
            free = empty | ~entries.alive((held & self._number_mask).astype(np.int64) + self._origin)
            self._places[place[free]] = words[free]  # of several that want one place the last gets it
            won = self._places[place] == words
            self._used += int((won & empty).sum())
            place, words = self._next(place[~won]), words[~won]

    def make_again(self, entries: Entries) -> None:
        """All living entries, and no other, in a table that has room for half as many more."""
        size = max(_PLACES_MIN, int(ROOM * _living(entries) / LOAD_MAX) + 1)
        self._places = np.empty(0, np.uint32)  # the old one goes before the new one comes: memory holds one
        self._places = np.full(size, _EMPTY)
        self._used = 0
        self._number_from(entries.head, len(entries))
        for first, keys in entries.blocks():
            numbers = np.arange(first, first + len(keys))
            living = entries.alive(numbers)
            self._put(keys[living], numbers[living], entries)

    def _number_from(self, origin: int, n: int) -> None:
        """Numbers are kept as distances from `origin`; there are n of them now."""
        self._origin = origin
        bits = (LIVES * (n + SLAB_ROWS)).bit_length()
        self._number_mask = np.uint32((1 << bits) - 1)
        self._tag_mask = ~self._number_mask

    def _home(self, keys: KeyArray) -> tuple[IntArray, _Words]:
        """Where the search begins: the high half of the mixed key, scaled to the number of places (Lemire 2019).

        With it the tag, of the low half.
        """
        mix = mixed(keys ^ self._salt)
        place = ((mix >> _32) * np.uint64(len(self._places))) >> _32
        return np.asarray(place, np.int64), mix.astype(np.uint32) & self._tag_mask

    def _next(self, place: IntArray) -> IntArray:
        after = place + 1
        after[after == len(self._places)] = 0
        return after


def _living(entries: Entries) -> int:
    """How many, counted block by block."""
    return sum(int(entries.alive(np.arange(first, first + len(keys))).sum()) for first, keys in entries.blocks())
