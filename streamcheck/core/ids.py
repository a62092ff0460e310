"""What stands for an event's id? Sixteen bytes, whatever its length, so that ids live in arrays.

An id of at most 15 bytes (UTF-8) stands for itself: its bytes, zeros, its length. A longer one is represented by 15
bytes of its BLAKE2b digest and the byte 255: 2^60 ids before two of them are likely to meet, and nobody can make two
that do. Keys are arrays (n, 2) of uint64, little-endian words.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import IntArray, KeyArray

KEY_BYTES = 16
NO_KEYS: KeyArray = np.empty((0, 2), np.uint64)
SHORT_BYTES_MAX = KEY_BYTES - 1
_LONG = bytes([255])
_WORD = 8
_MASKS = np.array([(1 << 8 * kept) - 1 for kept in range(_WORD + 1)], np.uint64)
"""Of a little-endian word: its first 0 to 8 bytes."""
_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def keys_of(ids: Sequence[str], lengths: IntArray | None = None) -> KeyArray:
    """The keys of n ids: (n, 2) uint64. A lone surrogate in an id is kept apart from what it could be mistaken for.

    lengths: of the ids, in characters, where they are known.

    >>> keys_of(["a", "a" * 16]).tobytes().hex()
    '6100000000000000000000000000000121c355a26ef59b2ba6e77dee994d9fff'
    """
    joined = "".join(ids)
    if joined.isascii():
        data = joined.encode()
        lengths = lengths_of(ids) if lengths is None else lengths
    else:
        texts = [each.encode("utf-8", "surrogatepass") for each in ids]
        data, lengths = b"".join(texts), lengths_of(texts)
    starts = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return keys_of_texts(np.frombuffer(data, np.uint8), starts)


def lengths_of(texts: Sequence[str] | Sequence[bytes]) -> IntArray:
    """How long each is: (n,)."""
    return np.fromiter(map(len, texts), np.int64, len(texts))


def keys_of_texts(data: npt.NDArray[np.uint8], starts: IntArray) -> KeyArray:
    """The keys of texts that lie one after the other: data uint8 (UTF-8), text i at starts[i]:starts[i + 1].

    Words are read where the texts lie, and what belongs to the next text is masked away.
    """
    rows = len(starts) - 1
    if not rows:
        return NO_KEYS
    first, end = int(starts[0]), int(starts[-1])
    length = int(starts[1]) - first
    if length <= SHORT_BYTES_MAX and (np.diff(starts) == length).all():
        return keys_of_alike(data[first:end].reshape(rows, length))
    padded = np.zeros(end - first + 2 * _WORD, np.uint8)
    padded[: end - first] = data[first:end]
    words: npt.NDArray[np.uint64] = np.ndarray((len(padded) - _WORD + 1,), "<u8", padded.data, strides=(1,))
    begins, lengths = starts[:-1] - first, np.diff(starts)
    found = np.empty((rows, 2), np.uint64)
    found[:, 0] = words[begins] & _MASKS[np.minimum(lengths, _WORD)]
    kept = np.clip(lengths - _WORD, 0, _WORD - 1)
    found[:, 1] = (words[begins + _WORD] & _MASKS[kept]) | (lengths.astype(np.uint64) << np.uint64(56))
    long = np.flatnonzero(lengths > SHORT_BYTES_MAX)
    if len(long):
        held, places = padded.tobytes(), zip(begins[long].tolist(), (begins + lengths)[long].tolist(), strict=True)
        found[long] = keys_of_long(held[start:stop] for start, stop in places)
    return found


def keys_of_alike(texts: npt.NDArray[np.uint8]) -> KeyArray:
    """The keys of texts of one length, SHORT_BYTES_MAX bytes at most: (n, bytes) of UTF-8."""
    rows, length = texts.shape
    block = np.zeros((rows, KEY_BYTES), np.uint8)
    block[:, :length] = texts
    block[:, SHORT_BYTES_MAX] = length
    return block.view("<u8").astype(np.uint64, copy=False)


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
