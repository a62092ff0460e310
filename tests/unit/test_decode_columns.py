"""Columns are judged as JSON is: keys bit for bit, and each kind of value."""

from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamcheck.core.columns import Coded, ColumnBatch, Numbers, Texts, Values, nothing
from streamcheck.core.ids import keys_of
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import Batch, FieldStatus, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decode.columns import keys, times

OK, MISSING, WRONG, NON_FINITE = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE, FieldStatus.NON_FINITE
AMOUNT = Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE)
TIER = Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT)
FRAUD = Column("fraud", ("fraud",), Kind.BINARY, Role.LABEL)
LABELS = Schema(StreamRole.LABELS, ("l",), ("id",), TimeField(("ts",), TimeUnit.S), (AMOUNT, TIER, FRAUD), 1024, 0)


def texts(*values: str | None, before: str = "") -> Texts:
    encoded = [(value or "").encode() for value in values]
    data = np.frombuffer(before.encode() + b"".join(encoded), np.uint8)
    starts = len(before.encode()) + np.cumsum([0, *map(len, encoded)])
    return Texts(data, starts, np.array([value is not None for value in values], np.bool_))


def some(*values: float | None, **more: object) -> Numbers:
    present = np.array([value is not None for value in values], np.bool_)
    return Numbers(np.array([value or 0 for value in values]), present, **more)  # type: ignore[arg-type]


def by_definition(text: str) -> bytes:
    held = text.encode("utf-8", "surrogatepass")
    if len(held) > 15:
        return blake2b(held, digest_size=15).digest() + bytes([255])
    return held.ljust(15, b"\0") + bytes([len(held)])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40)), st.text("ab\x00é", max_size=9))
def test_keys_are_as_they_are_defined(ids: list[str], before: str) -> None:
    wanted = b"".join(map(by_definition, ids))
    assert keys_of(ids).tobytes() == wanted
    assert keys(texts(*ids, before=before))[0].tobytes() == wanted


def test_lengths_around_words_make_no_difference() -> None:
    for letter in ("x", "é", "\x00", "\udc80"):
        ids = [letter * length for length in range(20)]
        assert keys_of(ids).tobytes() == b"".join(map(by_definition, ids))
        for text in ids:
            assert keys_of([text, text[::-1]]).tobytes() == by_definition(text) + by_definition(text[::-1])


def test_what_is_no_id_is_named() -> None:
    _, doubts = keys(texts("a", "", None, "é" * 256, "x" * 256, "x" * 257, "é" * 257, "€" * 400))
    assert doubts == {1: "missing id", 2: "missing id", 5: "bad id", 6: "bad id", 7: "bad id"}
    found, doubts = keys(Coded(np.array([1, -1, 0, 2], np.int32), ([], 7, 1.5)))
    assert doubts == {1: "missing id", 2: "bad id", 3: "bad id"}
    assert found[0].tolist() == keys_of(["7"])[0].tolist()


def test_times_in_their_own_unit_or_the_declared_one() -> None:
    assert times(some(1.5, None, -1.0, float("nan")), TimeUnit.S).tolist() == [1_500, -2, -1, -1]
    assert times(some(7, None), TimeUnit.MS).tolist() == [7, -2]
    assert times(some(7_000, unit=TimeUnit.US), TimeUnit.ISO8601).tolist() == [7]
    assert times(some(7), TimeUnit.ISO8601).tolist() == [-1]
    assert times(some(7, 8, foreign=np.array([True, False])), TimeUnit.MS).tolist() == [-1, 8]


def decode(offsets: list[int], stamps: list[int], *fields: Values, faults: tuple[tuple[int, str], ...] = ()) -> Batch:
    known, ts, *columns = fields
    at = np.array(offsets), np.array(stamps)
    return Decoder(LABELS).decode(ColumnBatch(SourcePartition("l", 0), *at, known, ts, tuple(columns), 90, faults))


def test_reasons_come_in_the_order_of_the_table() -> None:
    none = Coded(np.array([-1] * 5, np.int32), ())
    fraud = Coded(np.array([1, 0, -1, 1, 1], np.int32), ("odd", True))
    batch = decode(
        [10, 11, 13, 14, 15],
        [-1, -1, -1, -1, 3_000],
        texts("a", "b", "c", "", "e"),
        some(1, 2, 3, 4, 5),
        some(1, 2, 3, None, 5),
        none,
        fraud,
        faults=((12, "cut off"),),
    )
    assert batch.rejects.offsets.tolist() == [11, 12, 13, 14, 15]
    assert batch.rejects.reasons == ("bad label", "cut off", "missing label", "missing id", "time in future")
    assert (batch.offsets.tolist(), batch.times.tolist(), batch.next_offset) == ([10], [1_000], 90)
    assert (batch.numeric.tolist(), batch.codes.tolist()) == ([[1.0]], [[-1], [1]])
    assert batch.status.tolist() == [[OK], [MISSING], [OK]]
    assert batch.keys.tolist() == keys_of(["a"]).tolist()


def test_numbers_texts_and_odd_values_in_a_numeric_column() -> None:
    rows = [1_000] * 3
    head = (texts("a", "b", "c"), some(1, 1, 1))
    tail = (nothing(3), Coded(np.zeros(3, np.int32), (1,)))

    def amounts(values: Values) -> tuple[list[float], list[int]]:
        batch = decode([0, 1, 2], rows, *head, values, *tail)
        return batch.numeric[0].tolist(), batch.status[0].tolist()

    assert amounts(some(1.5, None, float("inf"))) == ([1.5, 0.0, 0.0], [OK, MISSING, NON_FINITE])
    assert amounts(some(1, 2, 3, foreign=np.array([False, True, False]))) == ([1.0, 0.0, 3.0], [OK, WRONG, OK])
    assert amounts(texts("1", None, "x")) == ([0.0] * 3, [WRONG, MISSING, WRONG])
    assert amounts(some(1, 2, None, unit=TimeUnit.S)) == ([0.0] * 3, [WRONG, WRONG, MISSING])
    assert amounts(Coded(np.array([2, 0, 1], np.int32), (True, [], 2**70))) == ([2.0**70, 0.0, 0.0], [OK, WRONG, WRONG])


def test_categories_that_do_not_appear_are_not_learnt() -> None:
    rows = [1_000] * 2
    tier = Coded(np.array([2, 2], np.int32), ("a", "b", "c"))
    batch = decode([0, 1], rows, texts("a", "b"), some(1, 1), some(1, 2), tier, Coded(np.zeros(2, np.int32), (1,)))
    assert batch.dictionaries[0].values == ["c"]
    assert batch.codes[0].tolist() == [0, 0]
