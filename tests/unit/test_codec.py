"""Do states come back exactly, and is every damage noticed?"""

import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamcheck.core.codec import DTYPES, FORMAT, NARROW_MIN, decode, encode
from streamcheck.errors import StateError

ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda dtype: hnp.arrays(
        np.dtype(dtype),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False} if "f" in dtype else None,
    )
)
NUMBERS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
SCALARS = NUMBERS | st.text(max_size=8) | st.binary(max_size=8) | ARRAYS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
STATES = st.dictionaries(st.text(max_size=6), VALUES, max_size=5)


def same(a: Any, b: Any) -> bool:
    """Equal in type, bits, order of keys."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return type(b) is list and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return type(b) is float and struct.pack("<d", a) == struct.pack("<d", b)
    return type(a) is type(b) and a == b


def forged(payload: bytes, fmt: int = FORMAT, kind: bytes = b"k") -> bytes:
    """What a writer of malice, who knows the checksum, can make."""
    body = struct.pack("<4sHHIQ", b"SCST", fmt, len(kind), 1, len(payload)) + kind + payload
    return body + hashlib.blake2b(body, digest_size=16).digest()


def forged_array(dtype: str, shape: list[int], raw: bytes) -> bytes:
    ext = msgspec.msgpack.Ext(1, msgspec.msgpack.encode([dtype, shape, raw]))
    return forged(msgspec.msgpack.encode({"a": ext}))


def forged_narrow(dtype: str, shape: list[int], base: int, held: str, raw: bytes) -> bytes:
    ext = msgspec.msgpack.Ext(3, msgspec.msgpack.encode([dtype, shape, base, held, raw]))
    return forged(msgspec.msgpack.encode({"a": ext}))


@settings(max_examples=150, deadline=None)
@given(state=STATES, version=st.integers(0, 2**32 - 1))
def test_every_state_comes_back_exactly(state: dict[str, Any], version: int) -> None:
    data = encode("some/kind", version, state)
    found, again = decode("some/kind", data)
    assert found == version
    assert same(state, again)
    assert encode("some/kind", version, again) == data


def test_special_floats_and_big_numbers() -> None:
    floats = [float("inf"), -float("inf"), -0.0, 5e-324, 0.1]
    state = {"floats": floats, "ints": [2**64, -(2**63) - 1, 2**64 - 1, 2**20000, -(2**200)]}
    assert same(state, decode("k", encode("k", 1, state))[1])


ROWS = np.arange(NARROW_MIN)


@pytest.mark.parametrize(
    ("array", "bytes_each"),
    [
        (ROWS % 2 * 1.0, 1),
        (ROWS % 256 - 1000, 1),
        (1_767_225_600_000 + ROWS, 2),
        (np.uint64(2**64 - 1) - ROWS.astype(np.uint64), 2),
        (np.where(ROWS, ROWS - 2**62, 2**31 - 2**62), 4),
        (ROWS % 2 * 2.0**53, 8),
        (np.where(ROWS, 0.0, -0.0), 8),
        (np.where(ROWS, 1.0, np.inf), 8),
        (np.where(ROWS, 0, 2**62), 8),
        (ROWS / 7, 8),
        (ROWS.reshape(4, -1) * 1.0, 2),
    ],
)
def test_long_arrays_of_whole_numbers_take_the_bytes_they_need(array: np.ndarray[Any, Any], bytes_each: int) -> None:
    data = encode("k", 1, {"a": array})
    assert same(decode("k", data)[1], {"a": array})
    assert 0 <= len(data) - bytes_each * array.size < 200


def test_states_of_the_first_format_are_read() -> None:
    assert decode("k", forged(msgspec.msgpack.encode({"rows": 3}), fmt=1)) == (1, {"rows": 3})


def test_arrays_are_kept_whatever_their_layout() -> None:
    grid = np.arange(12, dtype=np.float64).reshape(3, 4)
    state = {"transposed": grid.T, "strided": grid[:, ::2], "big_endian": grid.astype(">f8"), "scalar": np.array(3.5)}
    again = decode("k", encode("k", 1, state))[1]
    for name, array in state.items():
        assert np.array_equal(again[name], array), name
        assert again[name].shape == array.shape, name
        assert again[name].dtype == np.dtype(np.float64), name


def test_decoded_arrays_are_writable_and_share_no_memory() -> None:
    data = encode("k", 1, {"a": np.zeros(3), "b": np.empty((0, 2))})
    first, second = decode("k", data)[1], decode("k", data)[1]
    first["a"][0] = 7.0
    assert second["a"][0] == 0.0
    assert decode("k", data)[1]["a"][0] == 0.0
    assert all(array.flags.writeable and array.flags.owndata for array in first.values())


def test_every_single_bit_flip_is_noticed() -> None:
    data = encode("detector/adwin", 3, {"rows": 5, "mean": 0.25, "window": np.arange(4.0), "words": b"abc"})
    for at in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        with pytest.raises(StateError):
            decode("detector/adwin", bytes(damaged))


def test_every_truncation_and_extension_is_noticed() -> None:
    data = encode("k", 1, {"window": np.arange(4.0)})
    for size in range(len(data)):
        with pytest.raises(StateError):
            decode("k", data[:size])
    with pytest.raises(StateError, match="cut short or damaged"):
        decode("k", data + b"\0")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no streamcheck state"),
        (b"PK\x03\x04" + bytes(40), "no streamcheck state"),
        (forged(b"\x80", fmt=FORMAT + 1), f"format {FORMAT + 1}.*newer release"),
        (forged(b"\x80", kind=b"other"), "state of 'other'.*'k' was expected"),
        (encode("k", 1, {"rows": 1})[:-1], "cut short"),
        (encode("k", 1, {"rows": 1})[:-1] + b"\0", "checksum"),
    ],
)
def test_errors_say_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(StateError, match=message):
        decode("k", data)


@pytest.mark.parametrize(
    "data",
    [
        forged(b"\x93\x01\x02\x03"),                        # not a dict
        forged(b"\x81\x01\x02"),                            # a key that is no text
        forged(b"\x81\xa1a\xdd\xff\xff\xff\xff"),           # four thousand million items declared, none there
        forged(b"\x81\xa1a" + b"\x91" * 100_000),           # deep nesting
        forged(b"\x81\xa1a\xc7\x01\x09x"),                  # an unknown extension
        forged(b"\x80\x80"),                                # more than one value
        forged_array("|O", [1], bytes(8)),                  # pointers
        forged_array("<M8[ms]", [1], bytes(8)),
        forged_array("<f8", [2**40], bytes(8)),             # 8 TB declared
        forged_array("<f8", [2**32, 2**32], bytes(0)),      # a product that 64 bits would wrap to 0
        forged_array("<f8", [-1, -1], bytes(8)),
        forged_array("<f8", [1] * 60, bytes(8)),
        forged_narrow("<f4", [1], 0, "|u1", b"a"),
        forged_narrow("<f8", [1], 0, "<i8", bytes(8)),
        forged_narrow("<i8", [1], 2**64 - 1, "|u1", b"a"),
        forged_narrow("<u8", [1], -1, "|u1", b"a"),
        forged_narrow("<f8", [2**40], 0, "|u1", b"a"),
        forged_array("<f8", [0, 2**63], b""),
    ],
)
def test_hostile_bytes_end_in_a_state_error(data: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        decode("k", data)


@settings(max_examples=150, deadline=None)
@given(payload=st.binary(max_size=60))
def test_arbitrary_payloads_never_raise_anything_else(payload: bytes) -> None:
    try:
        _, state = decode("k", forged(payload))
    except StateError:
        return
    assert isinstance(state, dict)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), r"k\.a: a NaN"),
        ([1.0, float("nan")], r"k\.a\[1\]: a NaN"),
        (np.array([1.0, np.nan]), r"k\.a: a NaN"),
        ((1, 2), "tuple has no place"),
        (np.float64(1.0), "float64 has no place"),
        ({1: 2}, "keys of a state are str"),
        (np.array(["x"]), "dtype <U1"),
        (np.array([object()]), "dtype object"),
    ],
)
def test_what_may_not_enter_a_state_is_asserted_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        encode("k", 1, {"a": value})
