"""How many predictions and labels may wait? What each takes, in memory and on disk, everything included."""

import math
from dataclasses import dataclass

import numpy as np

from streamcheck.core.bits import GROWTH as BITS_GROWTH
from streamcheck.core.id_table import PLACE_BYTES
from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.shelf import CHUNK_BYTES, CHUNK_ROWS, DEAD_BYTES

VALUE_BYTES, SCORE_BYTES, TIME_BYTES = 8, 8, 8
"""Exact: float64, float64 and int64 as they came. Once matched, value and time give their room to label and ordinal."""
NUMBER_BYTES, NUMBER_DISK_BYTES = 4, 8
MATCHED_BYTES = BITS_GROWTH / 8
"""A bit that says whether a label came, and the room that bits have left over; of entries on disk as well."""
LIVING_BYTES = 1
SHELF_PART = 4
"""A fourth of limits.join_memory is for finding what lies on disk, the rest for predictions."""
COPIES = 2.25
"""Of a prediction on disk, at most: the one that lives, one that is dead, an eighth of what is forgotten already."""
CHUNK_DISK_BYTES = 1.3
"""Bytes of a file for each byte of rows: chunks fill their last page half, and pages lie free while runs are merged."""
ENTRIES_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Room:
    """How many predictions may wait in all, how many of them in memory, and what finds the others may take."""

    predictions_max: int
    memory_max: int
    shelf_bytes: int


def room(memory_bytes: int, disk_bytes: int, n_segmentations: int, segments_max: int) -> Room:
    """What limits.join_memory and limits.join_disk come to.

    All that wait are on disk, for the state is there: join_disk says how many. join_memory says how many are in memory
    too, which decides how fast they are found, and nothing else.

    >>> room(512 << 20, 20 << 30, 1, 1_000)
    Room(predictions_max=143957341, memory_max=7320966, shelf_bytes=134217728)
    """
    predictions = min(int(disk_bytes // disk_bytes_each(n_segmentations, segments_max)), ENTRIES_MAX)
    shelf = memory_bytes // SHELF_PART
    memory = (memory_bytes - shelf) // entry_bytes(n_segmentations, segments_max)
    return Room(predictions, min(memory, predictions), shelf)


def entry_bytes(n_segmentations: int, segments_max: int) -> int:
    """Memory that one waiting prediction takes at most, with all that finds it again.

    Key 16, value 8, score 8, time 8, number 4, two for each segmentation, its place in the hash table 8.5, its bit 0.2.

    >>> entry_bytes(1, 1_000), entry_bytes(4, 1_000)
    (55, 61)
    """
    segments = n_segmentations * segment_dtype(segments_max).itemsize
    row = KEY_BYTES + VALUE_BYTES + SCORE_BYTES + TIME_BYTES + NUMBER_BYTES + segments
    return math.ceil(row + PLACE_BYTES + MATCHED_BYTES)


def disk_bytes_each(n_segmentations: int, segments_max: int) -> float:
    """Disk that one waiting prediction takes at most."""
    segments = n_segmentations * segment_dtype(segments_max).itemsize
    row = KEY_BYTES + NUMBER_DISK_BYTES + VALUE_BYTES + SCORE_BYTES + TIME_BYTES + 1 + segments
    return COPIES * CHUNK_DISK_BYTES * row


def shelf_bytes_each() -> float:
    """Memory that one prediction on disk takes, beside its filter."""
    return MATCHED_BYTES + COPIES * (DEAD_BYTES * BITS_GROWTH + CHUNK_BYTES / CHUNK_ROWS)


def label_bytes() -> int:
    """Memory that one waiting label takes at most: as many more may lie between them that wait no more."""
    return 2 * math.ceil(KEY_BYTES + VALUE_BYTES + LIVING_BYTES + PLACE_BYTES)


def segment_dtype(segments_max: int) -> np.dtype[np.signedinteger]:
    """The smallest that holds every segment's number."""
    return np.dtype(np.int16) if segments_max < np.iinfo(np.int16).max else np.dtype(np.int32)
