"""Files as partitions: every form, packed or not, cut anywhere, begun anywhere; and what is wrong with files."""

import gzip
import io
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest
import zstandard

from streamcheck.adapters.files import jsonl, tables
from streamcheck.adapters.files.paths import expand
from streamcheck.adapters.files.source import FileLog, FilesSource
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.errors import SourceError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import GapError, Section

SOURCE = SourcePartition("t", 0)
COLUMNS = (
    Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
)
SCHEMA = Schema(StreamRole.PREDICTIONS, ("t",), ("id",), TimeField(("ts",), TimeUnit.MS), COLUMNS, 300, 0)


def taken(source: FilesSource, positions: dict[SourcePartition, int], schema: Schema = SCHEMA) -> list[tuple[Any, ...]]:
    """(offset, time, key, numbers, categories), or (offset, reason), of everything from these positions on."""
    source.start(positions)
    decoder, found = Decoder(schema), []
    with closing(source):
        while not all(status.ended for status in source.status().values()):
            for records in source.poll(0.1):
                batch = decoder.decode(records)
                codes = [
                    [None if code < 0 else book.values[code] for code in row]
                    for row, book in zip(batch.codes.tolist(), batch.dictionaries, strict=True)
                ]
                keys = map(tuple, batch.keys.tolist()) if len(batch.keys) else [()] * len(batch)
                columns = (*batch.numeric.tolist(), *codes)
                rows = zip(batch.offsets.tolist(), batch.times.tolist(), keys, *columns, strict=True)
                rejected = zip(batch.rejects.offsets.tolist(), batch.rejects.reasons, strict=True)
                found += sorted([*rows, *rejected], key=lambda row: row[0])
    return found


def read(*paths: Path, first: int = 0, schema: Schema = SCHEMA) -> list[tuple[Any, ...]]:
    return taken(FilesSource([FileLog(SOURCE, paths, schema)]), {SOURCE: first}, schema)


def pack(path: Path) -> tuple[Path, Path]:
    gz, zst = path.with_name(path.name + ".gz"), path.with_name(path.name + ".zst")
    content = path.read_bytes()
    half = len(content) // 2
    gz.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))
    packer = zstandard.ZstdCompressor()
    zst.write_bytes(packer.compress(content[:half]) + packer.compress(content[half:]))
    return gz, zst


@pytest.fixture
def forms(tmp_path: Path, rows: list[dict[str, Any]], write_lines: Any) -> dict[str, Path]:
    """The same rows in every form."""
    plain = write_lines("a.jsonl", rows)
    table = pa.Table.from_pylist(rows)
    papq.write_table(table, tmp_path / "a.parquet", row_group_size=1_000)
    pacsv.write_csv(table, tmp_path / "a.csv")
    found = {"jsonl": plain, "parquet": tmp_path / "a.parquet", "csv": tmp_path / "a.csv"}
    for name in ("jsonl", "csv"):
        found[f"{name}.gz"], found[f"{name}.zst"] = pack(found[name])
    return found


FORMS = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet", "csv", "csv.gz", "csv.zst")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows_cut_anywhere(forms: Any, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(forms["jsonl"])
    assert len(expected) == 3_600
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(tables, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(tables, "BATCH_ROWS", 77)
    assert read(forms[form]) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [1, 999, 1_000, 2_345, 3_599, 3_600])
def test_reading_begins_at_any_row(forms: Any, form: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 77)
    monkeypatch.setattr(tables, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 1_000)
    assert read(forms[form], first=first) == read(forms["jsonl"])[first:]


def test_files_of_one_log_are_one_after_the_other(forms: Any) -> None:
    three = [forms["jsonl"], forms["parquet"], forms["csv"]]
    once, whole = read(forms["jsonl"]), read(*three)
    assert [row[0] for row in whole] == list(range(3 * 3_600))
    assert [row[1:] for row in whole] == [row[1:] for row in once] * 3
    assert read(*three, first=3_700) == whole[3_700:]
    assert read(*three, first=7_200) == whole[7_200:]


def test_partitions_are_read_in_turn_and_paused(forms: Any) -> None:
    p1 = SourcePartition("t", 1)
    source = FilesSource(
        [FileLog(p1, (forms["csv"],), SCHEMA, first_offset=50), FileLog(SOURCE, (forms["jsonl"],), SCHEMA)]
    )
    assert source.partitions() == (SOURCE, p1)
    assert source.first_offsets == {SOURCE: 0, p1: 50}
    source.start(source.first_offsets)
    source.pause(frozenset({p1}))
    assert {records.source for records in source.poll(0)} == {SOURCE}
    assert source.status()[p1].position == 50
    while not source.status()[SOURCE].ended:
        source.poll(0)
    source.pause(frozenset())
    (records,) = source.poll(0)
    assert records.offsets[0] == 50
    assert source.status()[SOURCE].high_watermark == 3_600
    assert 0 < source.done_bytes <= source.total_bytes
    source.close()
    with pytest.raises(GapError):
        source.start({p1: 3})
    with pytest.raises(SourceError, match="no file was named"):
        source.start({SourcePartition("x", 0): 3})


def test_many_partitions_take_turns(tmp_path: Path) -> None:
    logs = []
    for number in range(7):
        (tmp_path / f"{number}.jsonl").write_text(line(number) + "\n")
        logs.append(FileLog(SourcePartition("t", number), (tmp_path / f"{number}.jsonl",), SCHEMA))
    source = FilesSource(logs)
    source.start(source.first_offsets)
    with closing(source):
        source.pause(frozenset({SourcePartition("t", 2)}))
        polls = [[records.source.partition for records in source.poll(0)] for _ in range(3)]
        source.pause(frozenset())
        polls.append([records.source.partition for records in source.poll(0)])
    assert polls == [[0, 1, 3, 4], [5, 6], [], [2]]
    assert source.rows == 7


def test_rows_without_a_time_come_step_by_step(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("amount\n1\n2\n")
    schema = Schema(StreamRole.PREDICTIONS, ("t",), None, None, COLUMNS[:1], 300, 0)
    log = FileLog(SOURCE, (tmp_path / "a.csv", tmp_path / "b.csv"), schema, step_ms=250, first_offset=7)
    found = taken(FilesSource([log]), {SOURCE: 8}, schema)
    assert [(row[0], row[1], row[3]) for row in found] == [(8, 250, 2.0), (9, 500, 1.0), (10, 750, 2.0)]


def test_what_has_been_read_of_a_parquet_file_is_let_go(tmp_path: Path) -> None:
    table = pa.table({"id": [f"event-{at:030}" for at in range(200_000)], "ts": list(range(200_000))})
    papq.write_table(table, tmp_path / "a.parquet", row_group_size=4_000, compression="none", use_dictionary=False)
    del table
    before, held = pa.total_allocated_bytes(), []
    source = FilesSource([FileLog(SOURCE, (tmp_path / "a.parquet",), SCHEMA)])
    source.start({SOURCE: 0})
    with closing(source):
        while source.poll(0):
            held.append(pa.total_allocated_bytes() - before)
    assert source.total_bytes > 8_000_000
    assert max(held) < source.total_bytes / 2


# ------------------------------------------------------------------ lines
def line(at: int, more: str = "") -> str:
    return f'{{"id": "e{at}", "ts": {at}, "amount": {at}{more}}}'


def test_lines_that_are_blank_bad_too_long_or_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = line(3, ', "x": "' + "y" * 5_000 + '"')
    text = "\ufeff" + "\r\n".join([line(0), "", "nonsense", long, "[1]", "null", line(6), "", line(8)])
    (tmp_path / "a.json").write_text(text)
    found = []
    for block in (7, 64, 299, 300, 301, 5_000, 1 << 20):
        monkeypatch.setattr(jsonl, "BLOCK_BYTES", block)
        found.append(read(tmp_path / "a.json"))
    assert [row if len(row) == 2 else row[0] for row in found[0]] == [
        0,
        (2, "not JSON"),
        (3, "too large"),
        (4, "not an object"),
        (5, "not an object"),
        6,
        8,
    ]
    assert all(each == found[0] for each in found)


def test_a_line_without_end_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x" * 3_000_000)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 10_000)
    reader = jsonl.Lines(Section(str(tmp_path / "a.jsonl")), SOURCE, 300)
    batch = reader.read()
    reader.close()
    assert batch is not None
    assert [len(value or b"") for value in batch.values] == [301]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id,ts,amount,country,fraud\n" if name.endswith("csv") else "")
    assert read(tmp_path / name) == []
    papq.write_table(pa.table({"id": ["a"], "ts": [1]}).slice(1), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == []


# ------------------------------------------------------------------ CSV
def test_rows_of_csv_with_other_than_their_cells_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"e{at},{at},{at},DE,1" for at in range(60)]
    lines[3], lines[4], lines[40], lines[59] = "e3", "e4,4,4,DE,1,6", 'e40,40,40,"D\nE",1', "e59,1"
    (tmp_path / "a.csv").write_text("\n".join(["id,ts,amount,country,fraud", *lines]) + "\n")
    wide, few, many = read(tmp_path / "a.csv"), "1 cells, expected 5", "6 cells, expected 5"
    assert [row for row in wide if len(row) == 2] == [(3, few), (4, many), (59, "2 cells, expected 5")]
    assert [row[0] for row in wide] == list(range(60))
    assert wide[40][4] == "D\nE"
    monkeypatch.setattr(tables, "BLOCK_BYTES", 64)
    assert read(tmp_path / "a.csv") == wide
    for first in (3, 4, 5, 41, 59, 60):
        assert read(tmp_path / "a.csv", first=first) == wide[first:]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_cells_are_separated_as_the_header_is(tmp_path: Path, separator: str) -> None:
    lines = [["\ufeffid", '"ts"', "amount", "country"], ["a", "1", "2.5", '"D, E; F"'], ["b", "2", "", "FR"]]
    (tmp_path / "a.csv").write_text("\n".join(separator.join(cells) for cells in lines))
    assert [(row[1], *row[3:5]) for row in read(tmp_path / "a.csv")] == [(1, 2.5, "D, E; F"), (2, 0.0, "FR")]


# ------------------------------------------------------------------ what is wrong with files
def refusal(path: Path, schema: Schema = SCHEMA) -> str:
    with pytest.raises(SourceError) as error:
        read(path, schema=schema)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("form", ["jsonl.gz", "jsonl.zst", "csv.gz", "csv.zst", "parquet"])
def test_files_that_are_cut_off_are_told(forms: Any, form: str) -> None:
    content = forms[form].read_bytes()
    forms[form].write_bytes(content[: len(content) - 20])
    assert refusal(forms[form])
    forms[form].write_bytes(b"garbage" * 100)
    assert refusal(forms[form])


@pytest.mark.parametrize("column", ["id", "country"])
def test_damaged_texts_in_parquet_are_told(tmp_path: Path, column: str) -> None:
    table = pa.table(
        {"id": ["event-number-1", "event-number-2"], "ts": [1, 2], "country": ["Deutschland", "Frankreich"]}
    )
    plain = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    papq.write_table(table, tmp_path / "a.parquet", **plain)  # type: ignore[arg-type]
    content = (tmp_path / "a.parquet").read_bytes()
    harmed = b"event-number-2" if column == "id" else b"Deutschland"
    assert content.count(harmed) == 1
    (tmp_path / "a.parquet").write_bytes(content.replace(harmed, b"\xff" + harmed[1:]))
    assert "UTF-8" in refusal(tmp_path / "a.parquet")


def test_columns_that_are_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("id,tss,country\na,1,DE\n")
    papq.write_table(pa.table({"id": ["a"], "tss": [1]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        assert "no column 'ts', which the config names; did you mean 'tss'?" in refusal(tmp_path / name)
    (tmp_path / "b.csv").write_text("id,ts,country\na,1,DE\n")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert [row[3:] for row in read(tmp_path / "b.csv")] == [(0.0, "DE", None)]
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "has no column 'amount': its values count as missing (it has 'id', 'ts', 'country')",
        "has no column 'fraud': its values count as missing (it has 'id', 'ts', 'country')",
    ]
    label = Schema(StreamRole.LABELS, ("t",), ("id",), None, (Column("y", ("y",), Kind.BINARY, Role.LABEL),), 300, 0)
    assert "no column 'y'" in refusal(tmp_path / "b.csv", label)


def test_what_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text('\n [{"id": 1}]')
    assert "one object on each line" in refusal(tmp_path / "a.json")
    (tmp_path / "a.csv").write_text("")
    assert "expected a header line" in refusal(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("id,ts,ts\na,1,2\n")
    assert "names 'ts' twice" in refusal(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_bytes("id,ts,country\na,1,Österreich\n".encode("latin-1"))
    assert "UTF-8" in refusal(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("id,ts,country\n" + 'a,1,"' + "x" * 9_000)
    monkeypatch.setattr(tables, "BLOCK_BYTES", 1_000)
    assert "expected rows of at most 1000 bytes" in refusal(tmp_path / "d.csv")


def test_which_files_a_path_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.csv.gz", "c.parquet", "notes.txt", "B.PQ"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in expand(str(tmp_path))] == ["B.PQ", "a.csv.gz", "b.jsonl", "c.parquet"]
    assert [path.name for path in expand(str(tmp_path / "[ab].*"))] == ["a.csv.gz", "b.jsonl"]
    assert expand(str(tmp_path / "c.parquet")) == (tmp_path / "c.parquet",)
    for wrong, why in (
        ("no.csv", "no such file"),
        ("x*.csv", "no such file"),
        ("notes.txt", "cannot tell what it holds"),
    ):
        with pytest.raises(SourceError, match=why):
            expand(str(tmp_path / wrong))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no file that can be read"):
        expand(str(tmp_path / "empty"))


def test_pyarrow_is_an_extra(forms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "streamcheck.adapters.files.tables", None)
    assert "pip install 'streamcheck[files]'" in refusal(forms["parquet"])
    assert len(read(forms["jsonl.gz"])) == 3_600


def test_zstd_frames_of_any_size(tmp_path: Path) -> None:
    content = b"".join(line(at).encode() + b"\n" for at in range(500))
    out = io.BytesIO()
    for at in range(0, len(content), 900):
        out.write(zstandard.ZstdCompressor().compress(content[at : at + 900]))
    (tmp_path / "a.jsonl.zst").write_bytes(out.getvalue())
    assert [row[0] for row in read(tmp_path / "a.jsonl.zst")] == list(range(500))
