"""The table in streamcheck.runtime.decode, line by line."""

import time

import numpy as np
import pytest

from streamcheck.core.ids import keys_of
from streamcheck.core.plan import Column, Kind, Role, Schema, Task, TimeField, TimeUnit
from streamcheck.core.types import Batch, FieldStatus, SourcePartition, StreamRole
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder, codings, decoder
from streamcheck.runtime.ports import RawBatch

SOURCE = SourcePartition("payments", 3)
STAMP = 1_772_359_200_000
COLUMNS = (
    Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
    Column("deep", ("features", "deep", "x"), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
    Column("verdict", ("verdict",), Kind.BINARY, Role.SEGMENT, positive="true"),
)
PREDICTIONS = Schema(
    StreamRole.PREDICTIONS, ("payments",), ("id",), TimeField(("ts",), TimeUnit.MS), COLUMNS, 100_000, 300_000
)
LABEL = Column("is_fraud", ("is_fraud",), Kind.BINARY, Role.LABEL)
LABELS = Schema(StreamRole.LABELS, ("labels",), ("id",), None, (LABEL,), 1_000, 300_000)
NUMERIC_LABELS = Schema(
    StreamRole.LABELS, ("labels",), ("id",), None, (Column("y", ("y",), Kind.NUMERIC, Role.LABEL),), 1_000, 300_000
)
GOOD = b'{"id": "g", "ts": 1772359200000, "amount": 1.5, "country": "DE", "fraud": 1}'


def brief(case: object) -> str:
    """A readable test id for long values."""
    return repr(case)[:40]


def raw(*values: bytes | None, stamps: list[int] | None = None, **more: object) -> RawBatch:
    n = len(values)
    times = np.array(stamps if stamps is not None else [STAMP] * n, np.int64)
    return RawBatch(SOURCE, 100 + 2 * np.arange(n), times, [None] * n, values, 100 + 2 * n, **more)


def decode(*values: bytes | None, schema: Schema = PREDICTIONS) -> Batch:
    return Decoder(schema).decode(raw(*values))


def event(**fields: str) -> bytes:
    """A good event with some fields written as this JSON text; an empty text leaves the field out."""
    written = {"id": '"e"', "ts": "1772359200000"} | fields
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in written.items() if text) + "}").encode()


def reason(value: bytes | None, schema: Schema = PREDICTIONS) -> str:
    """Why it is rejected, or "row"; a good event beside it must not change."""
    good = GOOD if schema is PREDICTIONS else b'{"id": "g", "is_fraud": 1, "y": 1}'
    batch = decode(good, value, good, schema=schema)
    assert (batch.keys[[0, -1]] == keys_of(["g", "g"])).all()
    assert len(batch) + len(batch.rejects.offsets) == 3
    return batch.rejects.reasons[0] if batch.rejects.reasons else "row"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "tombstone"),
        (b'{"id": "' + b"x" * 100_000 + b'"}', "too large"),
        (b"x" * 100_001, "too large"),
        (b"", "not JSON"),
        (GOOD[:-1], "not JSON"),
        (GOOD + b"x", "not JSON"),
        (b"\xef\xbb\xbf" + GOOD, "not JSON"),
        (event(amount="NaN"), "row"),
        (event(other="-Infinity"), "row"),
        (event(amount="1NaN"), "not JSON"),
        (event(amount="NaN")[:-1], "not JSON"),
        (b"NaN", "not an object"),
        (event(amount="01"), "not JSON"),
        (event(country='"\\ud800"'), "not JSON"),
        (event(other='"\\ud800"'), "not JSON"),
        (b'{"id": "e", "ts": 1772359200000, "country": "\xff"}', "not JSON"),
        (b'{"id": "e", "ts": 1772359200000, "other": "\xff"}', "row"),
        (b"[" * 50_000 + b"]" * 50_000, "not JSON"),
        (b"[" * 99_000, "not JSON"),
        (event(other='{"a":' * 501 + "1" + "}" * 501), "not JSON"),
        (event(other="[" * 499 + "]" * 499), "row"),
        (event(other="[" * 500 + "]" * 500), "not JSON"),
        (event(other="[" + "[], " * 1_000 + "[]]"), "row"),
        (event(other='"' + "[" * 1_000 + '\\""'), "row"),
        (event(amount="1e400", other="x"), "not JSON"),
        (b"[1e400, 2]", "not an object"),
        (b"[1e400, x]", "not JSON"),
        (b"[1, 2]", "not an object"),
        (b"null", "not an object"),
        (b'"text"', "not an object"),
        (b"17", "not an object"),
        (event(id=""), "missing id"),
        (event(id="null"), "missing id"),
        (event(id='""'), "missing id"),
        (event(id="true"), "bad id"),
        (event(id="1.5"), "bad id"),
        (event(id="1e400"), "bad id"),
        (event(id="[1]"), "bad id"),
        (event(id="{}"), "bad id"),
        (event(id='"' + "i" * 257 + '"'), "bad id"),
        (event(id="1" + "0" * 256), "bad id"),
        (event(id="1" + "0" * 5_000), "bad id"),
        (event(id='"' + "i" * 256 + '"'), "row"),
        (event(ts=""), "missing time"),
        (event(ts="null"), "missing time"),
        (event(ts='"1772359200000"'), "bad time"),
        (event(ts="true"), "bad time"),
        (event(ts="-1"), "bad time"),
        (event(ts="253402300800000"), "bad time"),
        (event(ts="1e400"), "bad time"),
        (event(ts=str(STAMP + 300_000)), "row"),
        (event(ts=str(STAMP + 300_001)), "time in future"),
        (event(ts="0"), "row"),
        (event(id="null", ts="null"), "missing id"),
    ],
    ids=brief,
)
def test_every_reason(value: bytes | None, expected: str) -> None:
    assert reason(value) == expected


@pytest.mark.parametrize("opening", [b"[" * 600, b'{"amount": NaN, '], ids=["deep", "NaN"])
def test_a_text_that_never_ends_takes_no_longer_than_any_other(opening: bytes) -> None:
    """A search that began again at each escaped quote took 20 s for this, and half an hour for a value of 1 MiB."""
    began = time.process_time()
    batch = decode(opening + b'"' + b'\\"' * 49_000)
    assert list(batch.rejects.reasons) == ["not JSON"]
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        (b'{"id": 1, "is_fraud": 0}', LABELS, "row"),
        (b'{"id": 1}', LABELS, "missing label"),
        (b'{"id": 1, "is_fraud": null}', LABELS, "missing label"),
        (b'{"id": 1, "is_fraud": 2}', LABELS, "bad label"),
        (b'{"id": 1, "is_fraud": "maybe"}', LABELS, "bad label"),
        (b'{"id": 1, "y": 0.5}', NUMERIC_LABELS, "row"),
        (b'{"id": 1, "y": "0.5"}', NUMERIC_LABELS, "bad label"),
        (b'{"id": 1, "y": 1e400}', NUMERIC_LABELS, "bad label"),
    ],
    ids=brief,
)
def test_a_label_event_needs_its_label(value: bytes, schema: Schema, expected: str) -> None:
    assert reason(value, schema) == expected


def test_a_label_inside_the_prediction_may_be_missing() -> None:
    schema = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, (LABEL,), 1_000, 0)
    assert decode(b'{"id": 1}', schema=schema).status.tolist() == [[FieldStatus.MISSING]]


OK, MISSING, WRONG, NON_FINITE = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE, FieldStatus.NON_FINITE


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("text", "number", "status"),
    [
        ("2", 2.0, OK),
        ("-0.0", 0.0, OK),
        ("1E2", 100.0, OK),
        ("9007199254740993", 9007199254740992.0, OK),
        ("18446744073709551617", 18446744073709551616.0, OK),
        ("1" + "0" * 300, 1e300, OK),
        ("1.7976931348623157e308", 1.7976931348623157e308, OK),
        ("", 0.0, MISSING),
        ("null", 0.0, MISSING),
        ("1e400", 0.0, NON_FINITE),
        ("NaN", 0.0, NON_FINITE),
        ("-1e400", 0.0, NON_FINITE),
        ("1" + "0" * 400, 0.0, NON_FINITE),
        ("1" + "0" * 5_000, 0.0, NON_FINITE),
        ("true", 0.0, WRONG),
        ('"1.5"', 0.0, WRONG),
        ('"1e400"', 0.0, WRONG),
        ("[1]", 0.0, WRONG),
        ("[1e400]", 0.0, WRONG),
        ('{"v": 1}', 0.0, WRONG),
    ],
    ids=brief,
)
def test_numbers(text: str, number: float, status: FieldStatus, alone: bool) -> None:
    values = [event(amount=text)] if alone else [GOOD, event(amount=text), event(amount='"x"'), GOOD]
    batch = decode(*values)
    row = 0 if alone else 1
    assert (batch.numeric[0, row], batch.status[0, row]) == (number, status)
    if not alone:
        assert batch.numeric[0, [0, 3]].tolist() == [1.5, 1.5]


LONG = "ü" * 65


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("text", "category"),
    [
        ('"DE"', "DE"),
        ('""', ""),
        ('"' + "a" * 64 + '"', "a" * 64),
        (f'"{LONG}"', "ü" * 40 + "…8f1aa0f1"),
        ("true", "true"),
        ("false", "false"),
        ("1", "1"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        ("1e-7", "1e-07"),
        ("1e22", "10000000000000000000000"),
        ("18446744073709551617", "18446744073709551617"),
        ("", MISSING),
        ("null", MISSING),
        ("1e400", NON_FINITE),
        ('"NaN"', "NaN"),
        ("1" + "0" * 400, NON_FINITE),
        ("[1]", WRONG),
        ("{}", WRONG),
    ],
    ids=brief,
)
def test_categories(text: str, category: str | FieldStatus, alone: bool) -> None:
    others = () if alone else (event(country="1"), event(country="true"), event(country="[]"), event(country='"FR"'))
    batch = decode(event(country=text), *others)
    code, status = batch.codes[0, 0], batch.status[2, 0]
    found = batch.dictionaries[0].values[code] if status == OK else FieldStatus(status)
    assert found == category
    assert (code == -1) == (status != OK)


@pytest.mark.parametrize(
    ("text", "plain", "positive"),
    [
        ("true", 1, 1),
        ("1", 1, 0),
        ("1.0", 1, 0),
        ('"1"', 1, 0),
        ('"true"', 1, 1),
        ("false", 0, 0),
        ("0", 0, 0),
        ("-0.0", 0, 0),
        ('"0"', 0, 0),
        ('"false"', 0, 0),
        ("2", -WRONG, 0),
        ('"yes"', -WRONG, 0),
        ('""', -WRONG, 0),
        ("[]", -WRONG, -WRONG),
        ("null", -MISSING, -MISSING),
        ("1e400", -NON_FINITE, -NON_FINITE),
    ],
    ids=brief,
)
def test_binary(text: str, plain: int, positive: int) -> None:
    batch = decode(event(fraud=text, verdict=text), event(fraud="true", verdict="1"), event(fraud="0", verdict='"x"'))
    found = [batch.codes[at, 0] if batch.status[at + 2, 0] == OK else -int(batch.status[at + 2, 0]) for at in (1, 2)]
    assert found == [plain, positive]
    assert batch.dictionaries[1].values == ["0", "1"] == batch.dictionaries[2].values


@pytest.mark.parametrize(
    ("text", "number", "status"),
    [
        ('{"deep": {"x": 4}}', 4.0, OK),
        ('{"deep": {"x": null}}', 0.0, MISSING),
        ('{"deep": {}}', 0.0, MISSING),
        ('{"deep": null}', 0.0, MISSING),
        ("{}", 0.0, MISSING),
        ("", 0.0, MISSING),
        ("null", 0.0, MISSING),
        ('{"deep": 4}', 0.0, WRONG),
        ('{"deep": [{"x": 4}]}', 0.0, WRONG),
        ("4", 0.0, WRONG),
        ('"deep"', 0.0, WRONG),
        ('{"deep": {"x": 1e400}}', 0.0, NON_FINITE),
        ('{"deep": 1e400}', 0.0, WRONG),
        ("[1e400]", 0.0, WRONG),
        ('{"deep": {"x": 5}, "deep": {"x": 4}}', 4.0, OK),
        ('{"deep": {"x": 5}, "deep": {}}', 0.0, MISSING),
    ],
    ids=brief,
)
def test_dotted_paths(text: str, number: float, status: FieldStatus) -> None:
    batch = decode(GOOD, event(features=text, amount="3"), event(features='{"deep": {"x": 7}}'))
    assert (batch.numeric[1, 1], batch.status[1, 1]) == (number, status)
    assert (batch.numeric[0, 1], batch.numeric[1, 2]) == (3.0, 7.0)


def test_ids_and_duplicate_keys() -> None:
    batch = decode(
        event(id="17"), event(id="-0"), event(id="18446744073709551617"), b'{"id":1,"ts":1,"id":"last","ts":2}'
    )
    assert (batch.keys == keys_of(["17", "0", "18446744073709551617", "last"])).all()
    assert batch.times.tolist() == [STAMP, STAMP, STAMP, 2]


def test_rows_rejects_and_faults_keep_their_offsets() -> None:
    batch = Decoder(PREDICTIONS).decode(
        raw(GOOD, b"x", GOOD, None, faults=((103, "corrupt batch"), (99, "missing codec")))
    )
    assert batch.offsets.tolist() == [100, 104]
    assert batch.rejects.offsets.tolist() == [99, 102, 103, 106]
    assert batch.rejects.reasons == ("missing codec", "not JSON", "corrupt batch", "tombstone")
    assert batch.next_offset == 108
    assert batch.source == SOURCE
    assert batch.stream is StreamRole.PREDICTIONS


def test_a_batch_of_nothing() -> None:
    given = raw()
    batch = Decoder(PREDICTIONS).decode(given)
    assert (len(batch), batch.numeric.shape, batch.codes.shape, batch.status.shape) == (0, (2, 0), (3, 0), (5, 0))
    assert batch.raw is given


def test_without_a_time_field_the_record_timestamp_counts() -> None:
    schema = Schema(StreamRole.PREDICTIONS, ("p",), None, None, (), 1_000, 0)
    batch = Decoder(schema).decode(raw(b"{}", b"{}", b"{}", stamps=[5, -1, 253_402_300_800_000]))
    assert (batch.times.tolist(), batch.keys.shape) == ([5], (0, 2))
    assert batch.rejects.reasons == ("bad time", "bad time")


def test_without_a_record_timestamp_no_time_is_in_the_future() -> None:
    assert len(Decoder(PREDICTIONS).decode(raw(GOOD, stamps=[-1]))) == 1


def test_cutting_a_batch_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [event(id=str(at), country=f'"c{at % 7}"', amount="[]" if at % 5 == 0 else str(at)) for at in range(50)]
    values[9] = values[31] = b"x"
    whole = decode(*values)
    monkeypatch.setattr(decoder, "BLOCK_ROWS", 8)
    cut = decode(*values)
    assert (whole.keys == cut.keys).all()
    assert whole.rejects.offsets.tolist() == cut.rejects.offsets.tolist() == [118, 162]
    for name in ("offsets", "times", "numeric", "codes", "status"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))
        assert getattr(whole, name).dtype == getattr(cut, name).dtype
    assert (whole.offsets.dtype, whole.times.dtype, whole.numeric.dtype) == (np.int64, np.int64, np.float64)
    assert (whole.codes.dtype, whole.status.dtype) == (np.int32, np.uint8)


def test_codes_are_stable_over_batches_until_the_dictionary_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "DICTIONARY_MAX", 3)
    kept = Decoder(PREDICTIONS)

    def countries(*names: str) -> tuple[list[int], list[str]]:
        batch = kept.decode(raw(*(event(country=f'"{name}"') for name in names)))
        return batch.codes[0].tolist(), batch.dictionaries[0].values

    assert countries("a", "b", "a") == ([0, 1, 0], ["a", "b"])
    assert countries("b", "c") == ([1, 2], ["a", "b", "c"])
    full = countries("d", "a")
    assert full == ([3, 0], ["a", "b", "c", "d"])
    assert countries("d", "a") == ([0, 1], ["d", "a"])
    assert full[1] == ["a", "b", "c", "d"]


def test_one_path_may_serve_several_columns_and_hold_others() -> None:
    columns = (
        Column("n", ("v",), Kind.NUMERIC, Role.FEATURE),
        Column("x", ("v", "x"), Kind.NUMERIC, Role.FEATURE),
        Column("c", ("v",), Kind.CATEGORICAL, Role.SEGMENT),
    )
    schema = Schema(StreamRole.PREDICTIONS, ("p",), ("v",), None, columns, 1_000, 0)
    batch = decode(b'{"v": 3}', b'{"v": {"x": 4}}', schema=schema)
    assert (batch.keys.tolist(), batch.rejects.reasons) == (keys_of(["3"]).tolist(), ("bad id",))
    assert batch.status.tolist() == [[OK], [WRONG], [OK]]
    free = Schema(StreamRole.PREDICTIONS, ("p",), None, None, columns, 1_000, 0)
    found = decode(b'{"v": 3}', b'{"v": {"x": 4}}', schema=free).status.tolist()
    assert found == [[OK, WRONG], [WRONG, OK], [OK, WRONG]]


def test_names_that_are_no_identifiers() -> None:
    columns = tuple(
        Column(name, (name,), Kind.NUMERIC, Role.FEATURE) for name in ("", "class", "Größe 1", "__init__", "a.b")
    )
    schema = Schema(StreamRole.PREDICTIONS, ("p",), None, None, columns, 1_000, 0)
    batch = decode('{"": 1, "class": 2, "Größe 1": 3, "__init__": 4, "a.b": 5}'.encode(), schema=schema)
    assert batch.numeric[:, 0].tolist() == [1, 2, 3, 4, 5]


def test_a_name_that_cannot_be_looked_for_is_a_mistake_in_the_config() -> None:
    schema = Schema(StreamRole.PREDICTIONS, ("p",), ('a"b',), None, (), 1_000, 0)
    with pytest.raises(ConfigError, match="no quote"):
        Decoder(schema)


def test_a_plan_whose_kinds_contradict_its_task_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="is_fraud is binary in a regression task"):
        Decoder(LABELS, Task.REGRESSION)
