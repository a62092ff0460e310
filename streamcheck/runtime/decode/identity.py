"""Which event is this? The id that predictions and labels are joined by."""

from collections.abc import Sequence
from contextlib import suppress

from streamcheck.core.ids import SHORT_BYTES_MAX, keys_of, keys_of_alike, lengths_of
from streamcheck.core.types import KeyArray
from streamcheck.runtime.decode.packing import texts

MISSING_ID = "missing id"
BAD_ID = "bad id"
ID_LENGTH_MAX = 256
"""Characters. The join keeps millions of ids; a longer one is not an id."""

_ID_BITS = 1024
"""A whole number of more bits has over 300 digits; it is not even written out."""


def read_keys(values: Sequence[object], *, json: bool = False) -> tuple[KeyArray, dict[int, str]]:
    """The keys of the ids (of "" where there is none), and position -> reason of those.

    json: whether values are of JSON's types alone.
    """
    alike = texts(values) if json else None
    if alike is not None and alike.shape[1] <= SHORT_BYTES_MAX:
        return keys_of_alike(alike), {}
    with suppress(TypeError):  # where some are no texts
        lengths = lengths_of(values)  # type: ignore[arg-type]
        if lengths.min(initial=1) > 0 and lengths.max(initial=0) <= ID_LENGTH_MAX:
            return keys_of(values, lengths), {}  # type: ignore[arg-type]
    ids, doubts = _read_ids(values)
    return keys_of(ids), doubts


def _read_ids(values: Sequence[object]) -> tuple[Sequence[str], dict[int, str]]:
    """The ids as text ("" where there is none), and position -> reason of those.

    >>> _read_ids(["a", 7, None, 1.5])
    (['a', '7', '', ''], {2: 'missing id', 3: 'bad id'})
    """
    ids: list[str] = []
    doubts: dict[int, str] = {}
    # Per row: ids of several types, or some that are none.
    for at, value in enumerate(values):
        if isinstance(value, str) and 0 < len(value) <= ID_LENGTH_MAX:
            ids.append(value)
        elif type(value) is int and value.bit_length() <= _ID_BITS and len(str(value)) <= ID_LENGTH_MAX:
            ids.append(str(value))
        else:
            ids.append("")
            doubts[at] = MISSING_ID if value is None or value == "" else BAD_ID
    return ids, doubts
