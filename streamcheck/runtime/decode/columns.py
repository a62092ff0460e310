"""Columns and rejects from records that are columns already: the same judgement as of JSON, without a parser."""

import numpy as np

from streamcheck.core.columns import Coded, Numbers, Texts, Values, distinct
from streamcheck.core.ids import NO_KEYS, keys_of_texts
from streamcheck.core.plan import TimeUnit
from streamcheck.core.types import CodeArray, FieldStatus, FloatArray, IntArray, KeyArray, StatusArray
from streamcheck.runtime.decode import times as event_times
from streamcheck.runtime.decode.fields import Encode, read_codes, read_numbers
from streamcheck.runtime.decode.identity import BAD_ID, ID_LENGTH_MAX, MISSING_ID, read_keys

_BYTES_PER_CHAR_MAX = 4


def numbers(values: Values) -> tuple[FloatArray, StatusArray]:
    """The values as floats (0.0 where not OK), and the status of each."""
    if isinstance(values, Coded):
        codes, found = distinct(values)
        floats, status = read_numbers(found)
        return floats[codes], status[codes]
    if isinstance(values, Texts) or values.unit is not None:
        status = np.where(values.present, FieldStatus.WRONG_TYPE, FieldStatus.MISSING).astype(np.uint8)
        return np.zeros(len(status)), status
    floats = values.values.astype(np.float64) + 0.0  # a zero has no sign, as in JSON
    status = np.where(np.isfinite(floats), FieldStatus.OK, FieldStatus.NON_FINITE).astype(np.uint8)
    if values.foreign is not None:
        status[values.foreign] = FieldStatus.WRONG_TYPE
    status[~values.present] = FieldStatus.MISSING
    floats[status != FieldStatus.OK] = 0.0
    return floats, status


def codes(values: Values, encode: Encode) -> tuple[CodeArray, StatusArray]:
    """The codes of the values (-1 where not OK), and the status of each."""
    assert isinstance(values, Coded), f"a source hands coded columns over as Coded, not as {type(values).__name__}"
    at, found = distinct(values)
    known, status = read_codes(found, encode)
    return known[at], status[at]


def times(values: Values, unit: TimeUnit) -> IntArray:
    """Event times in ms; BAD or MISSING where there is none. What is a time by its own type has its own unit."""
    if isinstance(values, Coded):
        at, found = distinct(values)
        return event_times.read_times(found, unit)[at]
    assert isinstance(values, Numbers), "a source hands times over as Numbers or Coded"
    unit = values.unit or unit
    if unit is TimeUnit.ISO8601:
        found_ms = np.full(len(values.values), event_times.BAD, np.int64)
    elif values.values.dtype == np.int64:
        found_ms = event_times.from_ints(values.values.astype(np.int64, copy=False), unit)
    else:
        found_ms = event_times.from_floats(values.values.astype(np.float64, copy=False), unit)
    if values.foreign is not None:
        found_ms[values.foreign] = event_times.BAD
    found_ms[~values.present] = event_times.MISSING
    return found_ms


def keys(values: Values) -> tuple[KeyArray, dict[int, str]]:
    """The keys of the ids, and position -> reason of those that are none."""
    if isinstance(values, Coded):
        at, found = distinct(values)
        known, doubts = read_keys(found)
        rows = np.flatnonzero(np.isin(at, list(doubts))).tolist() if doubts else []
        return (known[at] if len(at) else NO_KEYS), {row: doubts[int(at[row])] for row in rows}
    assert isinstance(values, Texts), "a source hands ids over as Texts or Coded"
    lengths = np.diff(values.starts)
    reasons = dict.fromkeys(np.flatnonzero(~values.present | (lengths == 0)).tolist(), MISSING_ID)
    for row in np.flatnonzero(values.present & (lengths > ID_LENGTH_MAX)).tolist():  # bytes; few are so many
        if lengths[row] > ID_LENGTH_MAX * _BYTES_PER_CHAR_MAX or len(_text(values, row)) > ID_LENGTH_MAX:
            reasons[row] = BAD_ID
    return keys_of_texts(values.data, values.starts), reasons


def _text(texts: Texts, row: int) -> str:
    start, end = texts.starts[row : row + 2].tolist()
    return texts.data[start:end].tobytes().decode()
