"""Columns that are made through msgpack: the same values, or none at all."""

import struct
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.core.ids import keys_of
from streamcheck.runtime.decode.identity import BAD_ID, read_keys
from streamcheck.runtime.decode.packing import floats, texts, wholes

SCALARS = st.one_of(
    st.text(max_size=40),
    st.text("ab", min_size=2, max_size=2),
    st.integers(-(2**70), 2**70),
    st.integers(2**32, 2**64),
    st.floats(),
    st.none(),
    st.booleans(),
    st.sampled_from(["\ud800", "é", "x" * 31, "x" * 32, "", 0xA1, 2**31, 2**63, -0.0]),
)
COLUMNS = st.one_of(
    st.lists(SCALARS, max_size=4),
    st.lists(st.text("abé", min_size=3, max_size=3), min_size=1, max_size=20),
    st.lists(st.integers(2**31, 2**32), min_size=1, max_size=20),
    st.lists(st.integers(2**32, 2**63), min_size=1, max_size=20),
    st.lists(st.floats(), min_size=1, max_size=20),
    st.lists(st.lists(SCALARS, max_size=2), max_size=3),
)


def bits(number: float) -> bytes:
    return struct.pack(">d", number)


@settings(max_examples=1_000, deadline=None)
@given(COLUMNS, st.sampled_from([list, tuple]))
def test_what_becomes_a_column_is_what_there_was(values, kind) -> None:
    given = kind(values)
    found = floats(given)
    assert (found is not None) == (bool(values) and set(map(type, values)) == {float})
    assert found is None or list(map(bits, found.tolist())) == list(map(bits, values))
    numbers = wholes(given)
    assert numbers is None or (numbers.tolist() == values and set(map(type, values)) == {int})
    rows = texts(given)
    assert rows is None or [row.tobytes().decode() for row in rows] == values


def test_ids_of_one_length_and_times_go_that_way() -> None:
    assert wholes([1_767_225_600_000, 1_767_225_600_001]).dtype == np.int64
    assert wholes([1_767_225_600, 1_767_225_601]).tolist() == [1_767_225_600, 1_767_225_601]
    assert texts(["e000000001", "e000000002"]).shape == (2, 10)


@settings(max_examples=300, deadline=None)
@given(COLUMNS)
def test_keys_are_the_same_either_way(values) -> None:
    plain, doubts = read_keys(values)
    quick, same = read_keys(values, json=True)
    assert (quick.tobytes(), same) == (plain.tobytes(), doubts)


def test_what_msgpack_writes_as_text_is_no_id() -> None:
    """A schema's decimals, say. From JSON they cannot come."""
    keys, doubts = read_keys([Decimal("12.5"), Decimal("13.5")])
    assert doubts == {0: BAD_ID, 1: BAD_ID}
    assert keys.tobytes() == keys_of(["", ""]).tobytes()
