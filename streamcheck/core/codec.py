"""State as bytes and back, exactly: which component wrote them, in which version, and are they whole?

An encoded state is, little-endian throughout:

    magic "SCST" | format u16 | length of kind u16 | version u32 | length of payload u64 | kind, UTF-8 | payload |
    BLAKE2b-128 of everything before it

The payload is MessagePack. Arrays are extension 1: [dtype, shape, raw little-endian bytes in C order]; whole numbers
beyond 64 bits are extension 2 (two's complement). From format 2 on, a long array of whole numbers that lie close to one
another may be extension 3: [dtype, shape, least number, dtype of what each is above it, raw bytes]. Decoding builds
plain values only: it executes nothing, and allocates in proportion to the bytes it was given.
"""

import hashlib
import math
import struct
from types import NoneType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streamcheck.core.components import State
from streamcheck.errors import StateError

FORMAT, FORMATS = 2, (1, 2)
DTYPES = frozenset({"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"})
NDIM_MAX = 8

_MAGIC = b"SCST"
_HEADER = struct.Struct("<4sHHIQ")
_DIGEST_BYTES = 16
_EXT_ARRAY = 1
_EXT_INT = 2
_EXT_NARROW = 3
NARROW_MIN = 1_024
"""Numbers of an array that is worth a look at how few bytes would do."""
_NARROW = (np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4"))
_EXACT_MAX = 2**53
_SIMPLE = frozenset((NoneType, bool, str, bytes))
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1


def encode(kind: str, version: int, state: State) -> bytes:
    """Which bytes stand for this state of a component of this kind and version?

    state: str-keyed dicts and lists of None, bool, int, float, str, bytes and numpy arrays (dtypes in DTYPES), nothing
    else. A NaN, another type or another dtype is an error of ours and asserted, with its path.

    >>> decode("detector/adwin", encode("detector/adwin", 1, {"low": -0.0, "rows": 3}))
    (1, {'low': -0.0, 'rows': 3})
    """
    assert isinstance(state, dict), f"a state is a dict, not {type(state).__name__}"
    name = kind.encode()
    try:
        payload = msgspec.msgpack.encode(_plain(state))
    except AssertionError as error:
        raise AssertionError(f"{_path(state, kind)}: {error}") from None
    head = _HEADER.pack(_MAGIC, FORMAT, len(name), version, len(payload))
    body = b"".join((head, name, payload))
    return body + _digest(body)


def decode(kind: str, data: bytes) -> tuple[int, State]:
    """Which version and state do these bytes hold? Arrays are writable and share no memory with `data`.

    Raises StateError for bytes that are damaged, cut short, of a newer format or of another kind.
    """
    if data[:4] != _MAGIC or len(data) < _HEADER.size:
        raise StateError(f"state of {kind}: these {len(data)} bytes are no streamcheck state (damaged, another file)")
    _, fmt, name_bytes, version, payload_bytes = _HEADER.unpack_from(data)
    if fmt not in FORMATS:
        raise StateError(
            f"state of {kind} is in format {fmt}, this streamcheck reads formats up to {FORMAT}: "
            "it was written by a newer release (use that one), or is damaged"
        )
    start = _HEADER.size + name_bytes
    end = start + payload_bytes
    if len(data) != end + _DIGEST_BYTES:
        raise StateError(f"state of {kind} is cut short or damaged: {len(data)} bytes, {end + _DIGEST_BYTES} expected")
    if _digest(data[:end]) != data[end:]:
        raise StateError(f"state of {kind} is damaged: its checksum does not match its {len(data)} bytes")
    found = data[_HEADER.size : start].decode(errors="replace")
    if found != kind:
        raise StateError(f"this is the state of {found!r}, the state of {kind!r} was expected")
    try:
        state = msgspec.msgpack.decode(data[start:end], type=dict[str, Any], ext_hook=_ext)
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        raise StateError(f"state of {kind} is damaged: {error}") from error
    return version, state


def is_state(data: bytes) -> bool:
    """Whether these bytes claim to be an encoded state.

    >>> is_state(encode("engine", 1, {})), is_state(b"{}")
    (True, False)
    """
    return data[:4] == _MAGIC


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _plain(value: Any) -> Any:
    """The value with arrays and big numbers replaced by extensions, everything else checked."""
    kind = type(value)
    if kind is float:
        assert value == value, "a NaN never enters a state"  # noqa: PLR0124 - a NaN alone differs from itself
        return value
    if kind is int:
        return value if _INT64_MIN <= value <= _UINT64_MAX else msgspec.msgpack.Ext(_EXT_INT, _int_bytes(value))
    if kind is dict:
        assert set(map(type, value)) <= {str}, f"keys of a state are str, not {list(value)!r}"
        return {key: _plain(item) for key, item in value.items()}
    if kind is list:
        return list(map(_plain, value))
    if kind is np.ndarray:
        return _array(value)
    assert kind in _SIMPLE, f"{kind.__name__} has no place in a state"
    return value


def _path(value: Any, path: str) -> str:
    """Where in it is what `_plain` refuses?"""
    inner = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for at, item in inner:
        try:
            _plain(item)
        except AssertionError:
            return _path(item, f"{path}.{at}" if type(value) is dict else f"{path}[{at}]")
    return path


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _array(array: npt.NDArray[Any]) -> msgspec.msgpack.Ext:
    little = array if array.dtype.str in DTYPES else array.astype(array.dtype.newbyteorder("<"))
    assert little.dtype.str in DTYPES, f"arrays of dtype {array.dtype} have no place in a state"
    assert little.ndim <= NDIM_MAX, f"{little.ndim} dimensions, at most {NDIM_MAX} are kept"
    assert little.dtype.kind != "f" or not np.isnan(little).any(), "a NaN never enters a state"
    narrow = _narrowed(little) if little.size >= NARROW_MIN and little.dtype.itemsize == 8 else None
    if narrow is not None:
        least, above = narrow
        parts = (little.dtype.str, little.shape, least, above.dtype.str, above.tobytes())
        return msgspec.msgpack.Ext(_EXT_NARROW, msgspec.msgpack.encode(parts))
    return msgspec.msgpack.Ext(_EXT_ARRAY, msgspec.msgpack.encode((little.dtype.str, little.shape, little.tobytes())))


def _narrowed(array: npt.NDArray[Any]) -> tuple[int, npt.NDArray[Any]] | None:
    """The least of 64-bit numbers and what each is above it, in fewer bytes; None where that cannot be, exactly."""
    least, most = array.min(), array.max()
    if array.dtype.kind == "f" and not -_EXACT_MAX <= least <= most <= _EXACT_MAX:
        return None
    base = int(least)
    wide = next((dtype for dtype in _NARROW if int(most) - base <= np.iinfo(dtype).max), None)
    if wide is None:
        return None
    above = (array - least).astype(wide)
    exact = array.dtype.kind != "f" or _widened(array.dtype, base, above).tobytes() == array.tobytes()
    return (base, above) if exact else None


def _widened(dtype: npt.DTypeLike, base: int, above: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = above.astype(dtype)
    found += np.array(base, dtype)
    return found


def _ext(code: int, data: memoryview) -> Any:
    if code == _EXT_INT:
        return int.from_bytes(data, "little", signed=True)
    if code not in (_EXT_ARRAY, _EXT_NARROW):
        raise ValueError(f"unknown extension {code}")
    if code == _EXT_NARROW:
        dtype, shape, base, held, raw = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...], int, str, bytes])
        if dtype not in {"<i8", "<u8", "<f8"} or held not in {each.str for each in _NARROW}:
            raise ValueError(f"numbers of dtype {dtype!r} in {held!r} cannot be")
        return _widened(np.dtype(dtype).newbyteorder("="), base, _held(held, shape, raw))
    dtype, shape, raw = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...], bytes])
    array = _held(dtype, shape, raw)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _held(dtype: str, shape: tuple[int, ...], raw: bytes) -> npt.NDArray[Any]:
    if dtype not in DTYPES or len(shape) > NDIM_MAX or any(side < 0 for side in shape):
        raise ValueError(f"an array of dtype {dtype!r} and shape {shape} cannot be")
    # math.prod counts in unbounded ints: an enormous declared shape is a mismatch, never an allocation.
    if math.prod(shape) * np.dtype(dtype).itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} and dtype {dtype} does not have {len(raw)} bytes")
    return np.empty(shape, dtype) if not raw else np.frombuffer(raw, dtype).reshape(shape).copy()
