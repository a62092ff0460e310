"""Where is the entry of this id? A hash table in arrays, for entries that are numbered as they come."""

import numpy as np
import numpy.typing as npt

from streamcheck.core.entries import SLAB_ROWS, Entries
from streamcheck.core.ids import mixed
from streamcheck.core.types import IntArray, KeyArray

NOWHERE = -1
BUCKET = 16
"""Places that are looked at together: 64 bytes, a line of the cache."""
LOAD_MAX = 0.85
"""Of the places, forgotten entries included: above it many a bucket is full, and a search goes on to the next."""
ROOM = 1.8
"""Places for so many times the living entries, when the table is made again."""
PLACE_BYTES = 4 * ROOM / LOAD_MAX
"""Of an entry at most: 8.5."""
LIVES = 4
"""Entries that may come and go, in multiples of those that live, before numbers need more bits and it is made again."""
_BUCKETS_MIN = 64
_EMPTY = np.uint32(0xFFFFFFFF)
_32 = np.uint64(32)

_Words = npt.NDArray[np.uint32]
_Masks = npt.NDArray[np.uint16]


class IdTable:
    """Numbers of living entries by key: open addressing by buckets, whole arrays of keys at once.

    The caller keeps the entries and says which are alive. Forgotten ones stay in the table, found by nobody, until an
    entry takes their place or the table is made again. PLACE_BYTES an entry at most: 32 bits hold its number, as the
    distance from the oldest, and above that, in the bits that are left, a tag of its key, so that hardly any other is
    looked at. An entry lies in the first bucket that had a place, from its own on; a bucket is filled from its first
    place on, so that it is full when its last place is taken.
    salt: nobody who does not know it can choose ids that all lie in one place; results do not depend on it.
    """

    def __init__(self, salt: int = 0) -> None:
        self._salt = np.uint64(salt)
        self._places: _Words = np.full((_BUCKETS_MIN, BUCKET), _EMPTY)
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
        bucket, tags = self._home(keys)
        while len(sought):
            held = self._places.take(bucket, axis=0)
            alike = _packed((held ^ tags[:, None]) <= self._number_mask)
            at = np.flatnonzero(alike)
            while len(at):
                words = held.reshape(-1).take(at * BUCKET + _lowest(alike.take(at)))
                numbers = (words & self._number_mask).astype(np.int64) + self._origin
                these = sought.take(at)
                hit = entries.matching(numbers, keys.take(these, axis=0))  # an empty place holds no such number
                if hit.all():
                    found[these] = numbers
                    break
                found[these[hit]] = numbers[hit]
                at = at[~hit]
                alike[at] = _without_lowest(alike[at])
                at = at[alike[at] != 0]
            on = np.flatnonzero(held[:, -1] != _EMPTY)
            on = on[found.take(sought.take(on)) == NOWHERE]
            sought, bucket, tags = sought[on], self._next(bucket[on]), tags[on]
        return found

    def add(self, keys: KeyArray, first: int, entries: Entries) -> None:
        """Enter keys that are not in it, all different, as entries `first` and on; the caller has them already."""
        full = self._used + len(keys) > LOAD_MAX * self._places.size
        if full or first + len(keys) - self._origin > int(self._number_mask):
            self.make_again(entries)
            return
        self._put(keys, np.arange(first, first + len(keys)), entries)

    def _put(self, keys: KeyArray, numbers: IntArray, entries: Entries) -> None:
        bucket, tags = self._home(keys)
        words = tags | (numbers - self._origin).astype(np.uint32)
        places = self._places.reshape(-1)
        while len(words):
            bucket, words = _sorted(bucket, words)
            free = _one_each(self._free(bucket, entries), bucket)
            at = np.flatnonzero(free)
            place = bucket[at] * BUCKET + _lowest(free[at])
            self._used += int((places.take(place) == _EMPTY).sum())
            places[place] = words[at]
            full = np.flatnonzero(free == 0)
            bucket, words = self._next(bucket[full]), words[full]

    def _free(self, bucket: IntArray, entries: Entries) -> _Masks:
        """The places of each bucket that nobody lives in: empty ones, and those of entries before the oldest."""
        forgotten = np.uint32(entries.head - self._origin)
        held = self._places.take(bucket, axis=0) & self._number_mask
        held -= forgotten  # forgotten numbers become the highest of all, behind an empty place
        return _packed(held >= self._number_mask - forgotten)

    def make_again(self, entries: Entries) -> None:
        """All living entries, and no other, in a table that has room for ROOM times as many."""
        size = int(ROOM * _living(entries) / LOAD_MAX)
        self._places = np.empty((0, BUCKET), np.uint32)  # the old one goes before the new one comes: memory holds one
        self._places = np.full((max(_BUCKETS_MIN, -(-size // BUCKET)), BUCKET), _EMPTY)
        self._used = 0
        self._number_from(entries.head, len(entries))
        filled = np.zeros(len(self._places), np.uint8)
        for first, keys in entries.blocks():
            numbers = np.arange(first, first + len(keys))
            living = entries.alive(numbers) if entries.mortal else slice(None)
            self._fill(keys[living], numbers[living], filled)

    def _fill(self, keys: KeyArray, numbers: IntArray, filled: npt.NDArray[np.uint8]) -> None:
        """As `_put`, where nothing is forgotten. filled: how many places of each bucket are taken."""
        bucket, tags = self._home(keys)
        words = tags | (numbers - self._origin).astype(np.uint32)
        places = self._places.reshape(-1)
        self._used += len(words)
        while len(words):
            bucket, words = _sorted(bucket, words)
            place = _nth(bucket) + filled.take(bucket)
            fits = place < BUCKET
            ends = np.flatnonzero(np.append(bucket[1:] != bucket[:-1], True))
            filled[bucket.take(ends)] = np.minimum(place.take(ends) + 1, BUCKET)
            places[(bucket * BUCKET + place)[fits]] = words[fits]
            full = np.flatnonzero(~fits)
            bucket, words = self._next(bucket[full]), words[full]

    def _number_from(self, origin: int, n: int) -> None:
        """Numbers are kept as distances from `origin`; there are n of them now."""
        self._origin = origin
        bits = (LIVES * (n + SLAB_ROWS)).bit_length()
        self._number_mask = np.uint32((1 << bits) - 1)
        self._tag_mask = ~self._number_mask

    def _home(self, keys: KeyArray) -> tuple[IntArray, _Words]:
        """The bucket where the search begins: the high half of the mixed key, scaled to their number (Lemire 2019).

        With it the tag, of the low half.
        """
        mix = mixed(keys ^ self._salt)
        bucket = ((mix >> _32) * np.uint64(len(self._places))) >> _32
        return bucket.astype(np.int64), mix.astype(np.uint32) & self._tag_mask

    def _next(self, bucket: IntArray) -> IntArray:
        after = bucket + 1
        after[after == len(self._places)] = 0
        return after


def _packed(places: npt.NDArray[np.bool_]) -> _Masks:
    """Of each bucket (n, BUCKET) one number, in which bit i is that of place i."""
    return np.packbits(places.reshape(-1), bitorder="little").view("<u2").astype(np.uint16, copy=False)


def _lowest(masks: _Masks) -> IntArray:
    """The place of the lowest bit of each; there must be one."""
    return np.asarray(np.bitwise_count((masks & -masks) - np.uint16(1)), np.int64)


def _without_lowest(masks: _Masks) -> _Masks:
    return np.asarray(masks & (masks - np.uint16(1)))


def _one_each(masks: _Masks, bucket: IntArray) -> _Masks:
    """The masks, changed, so that each in a row of equal buckets has another lowest bit, or none for want of places."""
    nth = _nth(bucket)
    behind = np.flatnonzero(nth)
    while len(behind):
        masks[behind] = _without_lowest(masks[behind])
        nth[behind] -= 1
        behind = behind[nth[behind] > 0]
    return masks


def _sorted(bucket: IntArray, words: _Words) -> tuple[IntArray, _Words]:
    """Both in the order of buckets: one sort of numbers takes half the time of an order and two choices."""
    both = bucket.astype(np.uint64)
    both <<= _32
    both |= words
    both.sort()
    return (both >> _32).astype(np.int64), both.astype(np.uint32)


def _nth(bucket: IntArray) -> IntArray:
    """The place of each in its row of equal buckets."""
    nth = np.arange(len(bucket))
    begins = np.concatenate(([True], bucket[1:] != bucket[:-1]))
    nth -= np.maximum.accumulate(np.where(begins, nth, 0))
    return nth


def _living(entries: Entries) -> int:
    """How many, counted block by block."""
    return sum(int(entries.alive(np.arange(first, first + len(keys))).sum()) for first, keys in entries.blocks())
