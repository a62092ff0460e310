"""Arrow arrays as the core's columns: numbers, texts and coded values, without a Python loop over rows."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamcheck.core.columns import Coded, Numbers, Texts, Values, nothing
from streamcheck.core.plan import TimeUnit
from streamcheck.core.types import BoolArray

_UNITS = {"s": TimeUnit.S, "ms": TimeUnit.MS, "us": TimeUnit.US, "ns": TimeUnit.NS}
_DAY_S = 86_400
_NO_SCALAR: list[object] = []


def present(array: Any) -> BoolArray:
    """Where there is a value."""
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    found: BoolArray = array.is_valid().to_numpy(zero_copy_only=False)
    return found


def number(array: Any) -> Values:
    """A column that is to be numeric."""
    array = _plain(array)
    kind = array.type
    if pa.types.is_null(kind):
        return nothing(len(array))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        wanted = pa.float64() if not pa.types.is_integer(kind) else pa.uint64() if kind == pa.uint64() else pa.int64()
        return Numbers(_numpy(array.cast(wanted)), present(array))
    return _foreign(array)


def category(array: Any) -> Coded:
    """A column that is to be categorical or binary."""
    kind = array.type
    if pa.types.is_null(kind):
        return nothing(len(array))
    if not pa.types.is_dictionary(kind):
        if not _is_scalar(kind):
            return _foreign(array)
        array = pc.dictionary_encode(array)
    codes = pc.fill_null(array.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    used = np.flatnonzero(np.bincount(codes + 1, minlength=len(array.dictionary) + 1)[1:])
    places = np.full(len(array.dictionary) + 1, -1, np.int32)  # a dictionary may hold far more than these rows do
    places[used] = np.arange(len(used))
    values = array.dictionary.take(pa.array(used)).to_pylist()
    return Coded(places[codes], [_json_scalar(value) for value in values])


def identity(array: Any) -> Values:
    """A column of ids."""
    array = _plain(array)
    if pa.types.is_integer(array.type):
        array = array.cast(pa.large_string())
    if not _is_text(array.type):
        return category(array)
    array = array.cast(pa.large_string())
    _, ends, data = array.buffers()
    starts = (
        np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1] if ends else np.zeros(1, np.int64)
    )
    return Texts(np.frombuffer(data or b"", np.uint8), starts, present(array))


def instant(array: Any) -> Values:
    """A column of event times. A timestamp has its own unit; one without a time zone is taken as UTC."""
    array = _plain(array)
    kind = array.type
    if pa.types.is_timestamp(kind):
        return Numbers(_numpy(array.cast(pa.int64())), present(array), unit=_UNITS[kind.unit])
    if pa.types.is_date(kind):
        days = _numpy(array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()))
        return Numbers(days * _DAY_S, present(array), unit=TimeUnit.S)
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return Numbers(_numpy(array.cast(pa.int64())), present(array))
    if pa.types.is_floating(kind):
        return Numbers(_numpy(array.cast(pa.float64())), present(array))
    return category(array)


def below(array: Any, parts: tuple[str, ...]) -> Any:
    """The array at a path of names within structs; nulls where there is none, lists below what is no struct."""
    for part in parts:
        if pa.types.is_null(array.type):
            break
        if not pa.types.is_struct(array.type):
            return _lists(array)
        array = pc.struct_field(array, part) if array.type.get_field_index(part) >= 0 else pa.nulls(len(array))
    return array


def _plain(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _numpy(array: Any) -> Any:
    return (pc.fill_null(array, 0) if array.null_count else array).to_numpy(zero_copy_only=False)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_scalar(kind: Any) -> bool:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(is_number or pa.types.is_boolean(kind) or _is_text(kind))


def _foreign(array: Any) -> Coded:
    """Values that are of no use in their column, where there are any."""
    return Coded(np.where(present(array), 0, -1).astype(np.int32), (_NO_SCALAR,))


def _lists(array: Any) -> Any:
    empty = pa.array([[]], pa.list_(pa.null()))
    return empty.take(pa.array(np.zeros(len(array), np.int64), mask=~present(array)))


def _json_scalar(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, str | int | float) else _NO_SCALAR
