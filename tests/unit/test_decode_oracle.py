"""The decoder against a slow one that is obviously right, and against any bytes at all."""

import hashlib
import json
import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.core.ids import keys_of
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import Batch, FieldStatus, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

SOURCE = SourcePartition("t", 0)
STAMP = 1_772_359_200_000
OK, MISSING, WRONG, NON_FINITE = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE, FieldStatus.NON_FINITE
COLUMNS = (
    Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
    Column("x", ("f", "x"), Kind.NUMERIC, Role.FEATURE),
    Column("f", ("f",), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("version", ("f", "g", "version"), Kind.CATEGORICAL, Role.MODEL_VERSION),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
    Column("yes", ("country",), Kind.BINARY, Role.LABEL, positive="true"),
)
SCHEMAS = {
    "predictions": Schema(
        StreamRole.PREDICTIONS, ("t",), ("id",), TimeField(("ts",), TimeUnit.MS), COLUMNS, 3_000, 1_000
    ),
    "labels": Schema(StreamRole.LABELS, ("t",), ("f", "id"), None, COLUMNS, 3_000, 0),
}


# The slow decoder -----------------------------------------------------------------------------------------------------


class RefusedError(Exception):
    """The event is no row, for this reason."""


class Pairs(list):  # type: ignore[type-arg]
    """An object as its (key, value) pairs, duplicates included."""


@dataclass
class Row:
    id: str
    time: int
    fields: list[float | str | FieldStatus]


def whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= 4_000 else math.inf


def no_float(_constant: str) -> float:
    """NaN and Infinity, which Python writes, spoil their field only."""
    return math.inf


def parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=Pairs, parse_constant=no_float, parse_int=whole)
    except (json.JSONDecodeError, RecursionError):
        raise RefusedError("not JSON") from None


def depth(text: str) -> int:
    deepest = level = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "[{":
            level += 1
            deepest = max(deepest, level)
        elif char in "]}":
            level -= 1
    return deepest


def surrogates(value: object) -> bool:
    found, waiting = False, [value]
    while waiting:
        member = waiting.pop()
        if isinstance(member, list | tuple):
            waiting += member
        found |= isinstance(member, str) and any("\ud800" <= char <= "\udfff" for char in member)
    return found


def named_values(value: object, paths: list[tuple[str, ...]]) -> list[object]:
    """Every value that the parser reads for these paths, those of duplicate keys included."""
    if not isinstance(value, Pairs) or not any(paths):
        return [value]
    found = []
    for key, member in value:
        below = [path[1:] for path in paths if path and path[0] == key]
        if below:
            found += named_values(member, [path for path in below if path] or [()])
    return found


def look_up(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if value is None:
            return None
        if not isinstance(value, Pairs):
            return []
        value = dict(value).get(key)
    return value


def category(value: object) -> str | FieldStatus:
    match value:
        case None:
            return MISSING
        case bool():
            return str(value).lower()
        case str():
            found = value
        case int() | float():
            try:
                as_float = float(value)
            except OverflowError:
                return NON_FINITE
            if not math.isfinite(as_float):
                return NON_FINITE
            found = str(int(value)) if as_float.is_integer() else repr(value)
        case _:
            return WRONG
    tail = hashlib.blake2b(found.encode(), digest_size=4).hexdigest()
    return found if len(found) <= 64 else found[:40] + "…" + tail


def field(value: object, column: Column) -> float | str | FieldStatus:
    if column.kind is Kind.NUMERIC:
        if value is None:
            return MISSING
        if isinstance(value, bool) or not isinstance(value, int | float):
            return WRONG
        found = category(value)
        return found if found is NON_FINITE else float(value)
    named = category(value)
    if column.kind is Kind.CATEGORICAL or isinstance(named, FieldStatus):
        return named
    if column.positive is not None:
        return "1" if named == column.positive else "0"
    return {"true": "1", "1": "1", "false": "0", "0": "0"}.get(named, WRONG)


def slow(value: bytes | None, schema: Schema) -> Row:
    document = slow_object(value, schema)
    name = look_up(document, schema.id_path or ())
    if name is None or name == "":
        raise RefusedError("missing id")
    if isinstance(name, bool) or not isinstance(name, str | int) or len(str(name)) > 256:
        raise RefusedError("bad id")
    time = slow_time(document, schema)
    fields = [field(look_up(document, column.path), column) for column in schema.columns]
    for column, found in zip(schema.columns, fields, strict=True):
        if schema.role is StreamRole.LABELS and column.role is Role.LABEL and isinstance(found, FieldStatus):
            raise RefusedError("missing label" if found is MISSING else "bad label")
    return Row(str(keys_of([str(name)])[0].tolist()), time, fields)


def slow_object(value: bytes | None, schema: Schema) -> Pairs:
    if value is None:
        raise RefusedError("tombstone")
    if len(value) > schema.message_bytes_max:
        raise RefusedError("too large")
    text = value.decode(errors="replace")
    if depth(text) > 500 or surrogates(parse(text)):
        raise RefusedError("not JSON")
    document = parse(value.decode(errors="surrogateescape"))
    paths = [column.path for column in schema.columns] + [schema.id_path or ()]
    paths += [schema.time.path] if schema.time else []
    if any(surrogates(read) for read in named_values(document, paths)):
        raise RefusedError("not JSON")
    if not isinstance(document, Pairs):
        raise RefusedError("not an object")
    return document


def slow_time(document: Pairs, schema: Schema) -> int:
    if schema.time is None:
        return STAMP
    time = look_up(document, schema.time.path)
    if time is None:
        raise RefusedError("missing time")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < 253_402_300_800_000:
        raise RefusedError("bad time")
    if time >= STAMP + schema.max_future_ms + 1:
        raise RefusedError("time in future")
    return math.floor(time)


# Events ---------------------------------------------------------------------------------------------------------------

# One JSON value (or what pretends to be one) a word; long ones are added below.
WORDS = """
1 0 1.5 -2e3 1.0 true false null "DE" "true" "1" "" "\\u0041" "ü€😀" [] {} [1,{"x":2}] {"x":3} 1e400 -1e400 1e308
9007199254740993 18446744073709551616 NaN Infinity -Infinity 01 1. .5 +1 tru "\\ud800" "\\ud83d\\ude00" "\\x" "[[[{{{"
[1e400] 5e-324 0.1 -0.0 123456789012345678901234567890.5 2.5e-7 {"x":1e400} {"g":{"version":1}} [
"""
SCALARS = [*WORDS.split(), "1" * 400, "1" * 2_000, '"' + "k" * 70 + '"', '"' + "i" * 300 + '"', '"tab\t"', "1 2"]
SCALARS += ["[" * 600 + "]" * 600, "[" * 400 + "]" * 400]
KEYS = ["id", "ts", "amount", "f", "country", "fraud", "other", "\\u0069d"]


def document(rng: random.Random) -> bytes | None:
    """Mostly a good event; often with an odd field, sometimes damaged."""
    inner = [f'"x": {rng.random()}', '"g": {"version": "v3"}', f'"id": {rng.randrange(10**6)}']
    if rng.random() < 0.3:
        inner[rng.randrange(3)] = f'"{rng.choice(["x", "g", "id", "o"])}": {rng.choice(SCALARS)}'
    fields = [
        f'"id": "e{rng.randrange(10**6)}"',
        f'"ts": {STAMP + rng.randrange(-5_000, 1_100)}',
        f'"amount": {rng.choice([str(rng.gauss(0, 100)), str(rng.randrange(100))])}',
        '"f": {' + ", ".join(inner) + "}",
        f'"country": "{rng.choice(["DE", "FR", "US"])}"',
        f'"fraud": {rng.choice(["0", "1", "true", "false"])}',
    ]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        fields.insert(rng.randrange(len(fields) + 1), f'"{rng.choice(KEYS)}": {rng.choice(SCALARS)}')
    if rng.random() < 0.1:
        del fields[rng.randrange(len(fields))]
    made = ("{" + rng.choice([", ", ",", " ,\n\t"]).join(fields) + "}").encode()
    fate = rng.random()
    if fate < 0.1:
        at = rng.randrange(len(made))
        return (
            made[:at]
            + rng.choice([b"", b"\xff", b"\xed\xa0\x80", b"\x00", b'"', b"{", b"\xc3"])
            + made[at + rng.randrange(3) :]
        )
    if fate < 0.15:
        return rng.choice(
            [None, b"", made[: rng.randrange(len(made))], rng.choice(SCALARS).encode(), b"\xef\xbb\xbf" + made]
        )
    return made


def batch_of(values: list[bytes | None]) -> RawBatch:
    n = len(values)
    return RawBatch(SOURCE, 10 + np.arange(n), np.full(n, STAMP), [None] * n, values, 10 + n)


def row_of(batch: Batch, schema: Schema, at: int) -> Row:
    fields: list[float | str | FieldStatus] = []
    plain, coded = list(schema.numeric), list(schema.coded)
    for column in schema.columns:
        place = plain.index(column) if column in plain else len(plain) + coded.index(column)
        status = FieldStatus(batch.status[place, at])
        if status is not OK:
            fields.append(status)
        elif column in plain:
            fields.append(float(batch.numeric[place, at]))
        else:
            fields.append(batch.dictionaries[place - len(plain)].values[batch.codes[place - len(plain), at]])
    return Row(str(batch.keys[at].tolist()), int(batch.times[at]), fields)


@pytest.mark.parametrize("name", list(SCHEMAS))
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_slow_decoder(name: str, seed: int) -> None:
    schema, rng = SCHEMAS[name], random.Random(seed)
    values = [document(rng) for _ in range(1_500)]
    batch = Decoder(schema).decode(batch_of(values))
    found: dict[int, Row | str] = {int(offset): row_of(batch, schema, at) for at, offset in enumerate(batch.offsets)}
    found |= dict(zip(batch.rejects.offsets.tolist(), batch.rejects.reasons, strict=True))
    kinds: set[object] = set()
    for at, value in enumerate(values):
        try:
            expected: Row | str = slow(value, schema)
        except RefusedError as refused:
            expected = str(refused)
        assert found[10 + at] == expected, value
        kinds.add(expected if isinstance(expected, str) else "row")
    wanted = {"row", "not JSON", "not an object", "missing id", "bad id", "tombstone"}
    assert wanted <= kinds
    assert ({"bad time", "missing time", "time in future"} if schema.time else {"bad label", "missing label"}) & kinds


# Any bytes ------------------------------------------------------------------------------------------------------------

GOOD = b'{"id": "g", "ts": 1772359200000, "amount": 1.5, "f": {"x": 2, "id": 5}, "country": true, "fraud": 0}'
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=2), inner, max_size=6)
    ),
    max_leaves=12,
)
ANYTHING = st.none() | st.binary(max_size=40) | TREES.map(lambda tree: json.dumps(tree).encode())
BATCHES = st.lists(st.lists(ANYTHING, max_size=8), min_size=1, max_size=3)


@pytest.mark.parametrize("name", list(SCHEMAS))
@settings(max_examples=150, deadline=None, derandomize=True)
@given(polls=BATCHES)
def test_any_bytes_become_rows_or_rejects_and_spare_the_good(name: str, polls: list[list[bytes | None]]) -> None:
    schema = SCHEMAS[name]
    kept = Decoder(schema)
    alone = row_of(Decoder(schema).decode(batch_of([GOOD])), schema, 0)
    for poll in polls:
        mixed = [value for odd in poll for value in (GOOD, odd)]
        batch = kept.decode(batch_of(mixed))
        offsets = sorted([*batch.offsets.tolist(), *batch.rejects.offsets.tolist()])
        assert offsets == list(range(10, 10 + len(mixed)))
        assert np.all(np.diff(batch.offsets) > 0)
        assert np.all(np.diff(batch.rejects.offsets) > 0)
        assert np.all(np.isfinite(batch.numeric))
        assert np.all((batch.status[: len(batch.numeric)] == OK) | (batch.numeric == 0.0))
        rows = {int(offset): at for at, offset in enumerate(batch.offsets)}
        for at in range(0, len(mixed), 2):
            assert row_of(batch, schema, rows[10 + at]) == alone
