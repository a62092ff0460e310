"""What stands for an event's id? Sixteen bytes, whatever its length, so that ids live in arrays.

An id of at most 15 bytes (UTF-8) stands for itself: its bytes, zeros, its length. A longer one is represented by 15
bytes of its BLAKE2b digest and the byte 255: 2^60 ids before two of them are likely to meet, and nobody can make two
that do. Keys are arrays (n, 2) of uint64, little-endian words.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import KeyArray

KEY_BYTES = 16
NO_KEYS: KeyArray = np.empty((0, 2), np.uint64)
SHORT_BYTES_MAX = KEY_BYTES - 1
_LONG = bytes([255])
_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def keys_of(ids: Sequence[str]) -> KeyArray:
    """The keys of n ids: (n, 2) uint64. A lone surrogate in an id is kept apart from what it could be mistaken for.

    >>> keys_of(["a", "a" * 16]).tobytes().hex()
    '6100000000000000000000000000000121c355a26ef59b2ba6e77dee994d9fff'
    """
    if not ids:
        return NO_KEYS
    texts = [each.encode("utf-8", "surrogatepass") for each in ids]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    keys = np.zeros((len(texts), KEY_BYTES), np.uint8)
    keys.view(f"S{KEY_BYTES}")[:, 0] = texts  # cut to 16 bytes: right for short ones, the others are written over
    keys[:, SHORT_BYTES_MAX] = lengths.astype(np.uint8)
    long = np.flatnonzero(lengths > SHORT_BYTES_MAX)
    found = keys.view("<u8").astype(np.uint64, copy=False)
    if len(long):
        found[long] = keys_of_long(texts[at] for at in long.tolist())
    return found


def keys_of_long(texts: Iterable[bytes]) -> KeyArray:
    """The keys of texts of more than SHORT_BYTES_MAX bytes: (n, 2) uint64."""
    # One by one: hashing has no columnar form.
    digests = [blake2b(text, digest_size=SHORT_BYTES_MAX).digest() + _LONG for text in texts]
    return np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2).astype(np.uint64, copy=False)


def mixed(keys: KeyArray) -> npt.NDArray[np.uint64]:
    """A well-mixed 64-bit number for each key, for hash tables: the finaliser of SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = keys[:, 0] * _GOLDEN + keys[:, 1]
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return np.asarray(z ^ (z >> np.uint64(31)))
