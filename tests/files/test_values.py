"""The same values as JSON, Parquet and CSV: the same columns, the same rejects."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as papq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.adapters.files.source import FileLog, FilesSource
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder

SOURCE = SourcePartition("t", 0)
COLUMNS = (
    Column("amount", ("f", "amount"), Kind.NUMERIC, Role.FEATURE),
    Column("count", ("count",), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("code", ("count",), Kind.CATEGORICAL, Role.FEATURE),
    Column("level", ("f", "amount"), Kind.CATEGORICAL, Role.FEATURE),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
    Column("home", ("country",), Kind.BINARY, Role.FEATURE, positive="DE"),
)
UNITS = (TimeUnit.S, TimeUnit.MS, TimeUnit.US, TimeUnit.NS)


def schema(unit: TimeUnit = TimeUnit.MS, columns: tuple[Column, ...] = COLUMNS, **more: Any) -> Schema:
    given = {"id_path": ("id",), "time": TimeField(("ts",), unit)} | more
    return Schema(StreamRole.PREDICTIONS, ("t",), columns=columns, message_bytes_max=10_000, max_future_ms=0, **given)


def shown(batch: Batch) -> dict[str, Any]:
    """A batch without what is free: categories as texts."""
    coded = [
        [None if code < 0 else book.values[code] for code in row]
        for row, book in zip(batch.codes.tolist(), batch.dictionaries, strict=True)
    ]
    return {
        "offsets": batch.offsets.tolist(),
        "times": batch.times.tolist(),
        "keys": batch.keys.tolist(),
        "numeric": batch.numeric.tolist(),
        "categories": coded,
        "status": batch.status.tolist(),
        "rejects": (batch.rejects.offsets.tolist(), batch.rejects.reasons),
        "next": batch.next_offset,
    }


def read(paths: Any, known: Schema, first: int = 0) -> dict[str, Any]:
    """All batches of a file, put together."""
    source = FilesSource([FileLog(SOURCE, tuple(paths), known)])
    source.start({SOURCE: first})
    decoder, found = Decoder(known), []
    while not source.status()[SOURCE].ended:
        found += [shown(decoder.decode(records)) for records in source.poll(0.1)]
    source.close()
    if not found:
        return {"next": source.status()[SOURCE].position}
    flat = {name: [x for part in found for x in part[name]] for name in ("offsets", "times", "keys")}
    wide = {
        name: [[x for part in found for x in part[name][row]] for row in range(len(found[0][name]))]
        for name in ("numeric", "categories", "status")
    }
    rejects = ([x for part in found for x in part["rejects"][0]], [x for part in found for x in part["rejects"][1]])
    return {**flat, **wide, "rejects": rejects, "next": found[-1]["next"]}


def nested(row: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in row.items() if k != "amount"}, "f": {"amount": row["amount"]}}


def write_jsonl(path: Any, rows: list[dict[str, Any]]) -> Any:
    path.write_text("".join(json.dumps(nested(row)) + "\n" for row in rows))
    return path


def write_parquet(path: Any, rows: list[dict[str, Any]], types: dict[str, Any], **options: Any) -> Any:
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items() if name != "amount"}
    columns["f"] = pa.StructArray.from_arrays([pa.array([row["amount"] for row in rows], types["amount"])], ["amount"])
    papq.write_table(pa.table(columns), path, **options)
    return path


def csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return "true" if value is True else "false" if value is False else repr(value)


def write_csv(path: Any, rows: list[dict[str, Any]]) -> Any:
    names = ["id", "ts", "amount", "count", "country", "fraud"]
    header = ",".join("f.amount" if name == "amount" else name for name in names)
    lines = [",".join(csv_cell(row[name]) for name in names) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80)
WHOLE = st.none() | st.integers(-(2**63), 2**63 - 1)
FLOATS = st.none() | st.floats(allow_nan=True, allow_infinity=True)
TRUTHS = st.none() | st.booleans()


def rows_of(**more: Any) -> Any:
    fields = {"id": TEXTS, "ts": WHOLE, "amount": FLOATS, "count": WHOLE, "country": TEXTS, "fraud": TRUTHS} | more
    return st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=12)


KINDS = {
    "id": pa.string(),
    "ts": pa.int64(),
    "amount": pa.float64(),
    "count": pa.int64(),
    "country": pa.string(),
    "fraud": pa.bool_(),
}


@settings(max_examples=60, deadline=None)
@given(rows_of(), st.sampled_from(UNITS), st.sampled_from([1, 3, 100]))
def test_parquet_is_judged_as_json(tmp_path_factory: Any, rows: Any, unit: TimeUnit, group: int) -> None:
    folder, known = tmp_path_factory.mktemp("p"), schema(unit)
    expected = read([write_jsonl(folder / "a.jsonl", rows)], known)
    assert read([write_parquet(folder / "a.parquet", rows, KINDS, row_group_size=group)], known) == expected


@settings(max_examples=40, deadline=None)
@given(rows_of(id=st.none() | st.integers(-(2**63), 2**63 - 1), ts=FLOATS, fraud=WHOLE), st.sampled_from(UNITS))
def test_parquet_of_other_types_is_judged_as_json(tmp_path_factory: Any, rows: Any, unit: TimeUnit) -> None:
    kinds = KINDS | {"id": pa.int64(), "ts": pa.float64(), "fraud": pa.int64(), "country": pa.large_string()}
    folder, known = tmp_path_factory.mktemp("p"), schema(unit)
    expected = read([write_jsonl(folder / "a.jsonl", rows)], known)
    assert read([write_parquet(folder / "a.parquet", rows, kinds, use_dictionary=False)], known) == expected


@settings(max_examples=60, deadline=None)
@given(rows_of(count=st.none() | st.integers(-99, 99), amount=st.none() | st.floats(allow_nan=False)))
def test_csv_is_judged_as_json(tmp_path_factory: Any, rows: Any) -> None:
    # A cell is text: as a category, 1.0 and 1e5 stand as they are, where JSON's numbers have one text each.
    folder, known = tmp_path_factory.mktemp("c"), schema(columns=tuple(c for c in COLUMNS if c.name != "level"))
    expected = read([write_jsonl(folder / "a.jsonl", rows)], known)
    assert read([write_csv(folder / "a.csv", rows)], known) == expected


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(38, 2), pa.dictionary(pa.int8(), pa.string())]
)
def test_arrow_types_that_json_lacks(tmp_path: Any, kind: Any) -> None:
    values = ["a", None, "a"] if pa.types.is_dictionary(kind) else [1, None, 2]
    columns = (Column("n", ("v",), Kind.NUMERIC, Role.FEATURE), Column("c", ("v",), Kind.CATEGORICAL, Role.FEATURE))
    known = schema(columns=columns, id_path=None)
    papq.write_table(pa.table({"v": pa.array(values).cast(kind), "ts": pa.array([1, 2, 3])}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"v": v, "ts": at + 1}) + "\n" for at, v in enumerate(values)))
    assert read([tmp_path / "a.parquet"], known) == read([tmp_path / "a.jsonl"], known)


def test_a_timestamp_has_its_own_unit(tmp_path: Any) -> None:
    at = [1_772_359_200_123_456_789, None, 7]
    for unit, per_ms in (("s", 0), ("ms", 1), ("us", 10**3), ("ns", 10**6)):
        factor = 10**9 if unit == "s" else 10**6 // per_ms
        kind = pa.timestamp(unit, "Europe/Madrid" if unit == "us" else None)
        column = pa.array([None if x is None else x // factor for x in at], pa.int64()).cast(kind)
        papq.write_table(pa.table({"ts": column}), tmp_path / "a.parquet", coerce_timestamps=None, version="2.6")
        found = read([tmp_path / "a.parquet"], schema(TimeUnit.ISO8601, (), id_path=None))
        assert found["times"] == [1_772_359_200_000 if unit == "s" else 1_772_359_200_123, 0]
        assert found["rejects"] == ([1], ["missing time"])
    papq.write_table(pa.table({"ts": pa.array([1, None]).cast(pa.int32()).cast(pa.date32())}), tmp_path / "a.parquet")
    assert read([tmp_path / "a.parquet"], schema(TimeUnit.MS, (), id_path=None))["times"] == [86_400_000]


def test_iso_times_of_all_forms(tmp_path: Any) -> None:
    texts = ["2026-03-01T10:00:00Z", None, "soon", "2026-03-01 11:00:00.5+01:00", "2026-03-01T10:00:00Z"]
    known = schema(TimeUnit.ISO8601, (), id_path=None)
    papq.write_table(pa.table({"ts": texts}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("x,ts\n" + "".join(f"1,{text or ''}\n" for text in texts))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"ts": text}) + "\n" for text in texts))
    expected = read([tmp_path / "a.jsonl"], known)
    assert expected["rejects"] == ([1, 2], ["missing time", "bad time"])
    assert read([tmp_path / "a.parquet"], known) == read([tmp_path / "a.csv"], known) == expected


def test_structs_lists_and_paths_through_what_is_no_struct(tmp_path: Any) -> None:
    values = [{"x": 1.5}, None, {"x": None}]
    columns = tuple(
        Column(".".join(path), path, kind, Role.FEATURE)
        for path in (("v", "x"), ("v",), ("v", "x", "y"), ("l",), ("v", "z"), ("n", "x"))
        for kind in (Kind.NUMERIC, Kind.CATEGORICAL)
    )
    rows = [{"v": v, "l": [1], "n": None, "ts": at} for at, v in enumerate(values)]
    papq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = schema(columns=columns, id_path=None)
    assert read([tmp_path / "a.parquet"], known) == read([tmp_path / "a.jsonl"], known)


def test_cells_of_csv_by_the_kind_of_their_column(tmp_path: Any) -> None:
    cells = [" 1.5 ", "1,5", "NaN", "-inf", "", '""', "+3", "0x10", "1e400", "1_0"]
    quoted = [f'"{c}"' if "," in c else c for c in cells]
    (tmp_path / "a.csv").write_text("n,ts\r\n" + "".join(f"{c},{at}\r\n" for at, c in enumerate(quoted)))
    column = Column("n", ("n",), Kind.NUMERIC, Role.FEATURE)
    found = read([tmp_path / "a.csv"], schema(columns=(column,), id_path=None))
    assert found["numeric"] == [[1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]]
    assert found["status"] == [[0, 2, 3, 3, 1, 2, 0, 2, 3, 2]]
    (tmp_path / "b.csv").write_text(
        "n,ts\n" + "".join(f"{c},7\n" for c in ["True", "false", "1.0", "0", "yes", "", '""'])
    )
    column = Column("n", ("n",), Kind.BINARY, Role.PREDICTION)
    found = read([tmp_path / "b.csv"], schema(columns=(column,), id_path=None))
    assert found["categories"] == [["1", "0", "1", "0", None, None, None]]
    assert found["status"] == [[0, 0, 0, 0, 2, 1, 2]]


@pytest.mark.parametrize(
    ("cell", "unit", "time"), [("1.5", "s", 1_500), ("007", "ms", 7), ("1e3", "ms", 1_000), ("x", "ms", None)]
)
def test_times_in_csv_do_not_depend_on_their_neighbours(tmp_path: Any, cell: str, unit: str, time: int | None) -> None:
    known = schema(TimeUnit(unit), (), id_path=None)
    for others in ([], ["x"], ["1.5"], ["3"]):
        (tmp_path / "a.csv").write_text("x,ts\n" + "".join(f",{c}\n" for c in [cell, *others]))
        found = read([tmp_path / "a.csv"], known)
        assert (found["times"][0] if 0 in found["offsets"] else None) == time


def test_numbers_keep_every_bit(tmp_path: Any) -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2**53 + 1, math.pi]
    rows = [{"id": "a", "ts": 1, "amount": float(v), "count": 1, "country": "", "fraud": True} for v in values]
    wanted = (np.array(values, np.float64) + 0.0).tobytes()  # but a zero has no sign
    for path in (write_csv(tmp_path / "a.csv", rows), write_parquet(tmp_path / "a.parquet", rows, KINDS)):
        assert np.array(read([path], schema())["numeric"][0]).tobytes() == wanted
