"""Files that workers read: the rows that one process would read, and what is wrong with files told as by one."""

import gzip
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest

from streamcheck.adapters.files import sections
from streamcheck.adapters.files.source import FileLog, FilesSource
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.errors import SourceError, WorkerLost
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decoding import Decoding, Inline
from streamcheck.runtime.workers import Pool

SOURCE, OTHER = SourcePartition("t", 0), SourcePartition("t", 1)
COLUMNS = (
    Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
)
SCHEMA = Schema(StreamRole.PREDICTIONS, ("t",), ("id",), TimeField(("ts",), TimeUnit.MS), COLUMNS, 300, 0)
FORMS = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")


@pytest.fixture
def pool() -> Iterator[Pool]:
    with closing(Pool(2, [SCHEMA], None, {"t": Decoder(SCHEMA).decode}, "streamcheck.cli.worker")) as made:
        yield made


def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    names = [
        [None if code < 0 else book.values[code] for code in codes]
        for codes, book in zip(batch.codes.tolist(), batch.dictionaries, strict=True)
    ]
    columns = (batch.offsets, batch.times, batch.keys[:, 0], batch.keys[:, 1], *batch.numeric, *batch.status)
    found = [*zip(*(column.tolist() for column in columns), *names, strict=True)]
    found += zip(batch.rejects.offsets.tolist(), batch.rejects.reasons, strict=True)
    return [(batch.source, *row) for row in sorted(found, key=lambda row: row[0])]


def unread(logs: list[FileLog]) -> FilesSource:
    source = FilesSource(logs)
    source.leave_unread()
    return source


def read(decoding: Decoding, source: FilesSource, positions: dict[SourcePartition, int]) -> list[Any]:
    source.start(positions)
    found = []
    with closing(source):
        while not all(status.ended for status in source.status().values()):
            polled = source.poll(0)
            for batch in decoding.through(polled) if polled else decoding.drain():
                found += rows_of(batch)
                status = source.status()[batch.source]
                assert batch.next_offset <= status.position
        assert not decoding.pending
        assert source.done_bytes == source.total_bytes
        ends = {each: status.position for each, status in source.status().items()}
    assert all(row[1] < ends[row[0]] for row in found)
    return sorted(found, key=lambda row: row[:2])


def both(pool: Pool, logs: list[FileLog], positions: dict[SourcePartition, int]) -> list[Any]:
    """What workers read, which is what one process reads."""
    alone = read(Inline({"t": Decoder(SCHEMA).decode}), FilesSource(logs), positions)
    found = read(pool, unread(logs), positions)
    assert found == alone
    return found


@pytest.fixture
def forms(tmp_path: Path, rows: list[dict[str, Any]], write_lines: Any) -> dict[str, Path]:
    """The same rows in every form."""
    table = pa.Table.from_pylist(rows)
    papq.write_table(table, tmp_path / "a.parquet", row_group_size=1_000)
    pacsv.write_csv(table, tmp_path / "a.csv")
    found = {"jsonl": write_lines("a.jsonl", rows), "parquet": tmp_path / "a.parquet", "csv": tmp_path / "a.csv"}
    for name in ("jsonl", "csv"):
        found[f"{name}.gz"] = tmp_path / f"a.{name}.gz"
        found[f"{name}.gz"].write_bytes(gzip.compress(found[name].read_bytes()))
    return found


def test_workers_read_what_one_process_reads(
    pool: Pool, forms: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = None
    for form in FORMS:
        for section_bytes in (5_000, 1 << 20):
            monkeypatch.setattr(sections, "SECTION_BYTES", section_bytes)
            found = both(pool, [FileLog(SOURCE, (forms[form],), SCHEMA)], {SOURCE: 0})
            assert len(found) == 3_600
            assert found == (alone := alone or found)


def test_several_files_of_several_partitions_from_any_row(
    pool: Pool, forms: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SECTION_BYTES", 7_000)
    three = tuple(forms[form] for form in ("jsonl", "parquet", "jsonl", "csv.gz", "csv"))
    logs = [FileLog(SOURCE, three, SCHEMA), FileLog(OTHER, three[::-1], SCHEMA, first_offset=40)]
    for first in (0, 3_600, 8_000, 5 * 3_600):
        found = both(pool, logs, {SOURCE: first, OTHER: 40 + first})
        assert len(found) == 2 * (5 * 3_600 - first)


@pytest.mark.parametrize("section_bytes", [1, 7, 64, 299, 301, 1 << 20])
def test_lines_of_any_kind_and_length(
    pool: Pool, tmp_path: Path, section_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(at: int, more: str = "") -> str:
        return f'{{"id": "e{at}", "ts": {at}, "amount": {at}{more}}}'

    long = line(3, ', "x": "' + "y" * 70_000 + '"')
    lines = [line(0), "", "nonsense", long, "[1]", "null", line(6), "", "", line(9), long, line(11), ""]
    monkeypatch.setattr(sections, "SECTION_BYTES", section_bytes)
    for number, end in enumerate(("", "\n", "\r\n", "\n\n\n")):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\ufeff" + "\r\n".join(lines) + end)
        found = both(pool, [FileLog(SOURCE, (path, path), SCHEMA)], {SOURCE: 0})
        assert [row[2] for row in found[:4]] == [0, "not JSON", "too large", "not an object"]
    (tmp_path / "empty.jsonl").write_text("")
    assert both(pool, [FileLog(SOURCE, (tmp_path / "empty.jsonl",), SCHEMA)], {SOURCE: 0}) == []


def test_rows_of_csv_that_are_none_keep_their_numbers(pool: Pool, tmp_path: Path) -> None:
    text = "id,ts,amount,country,fraud\na,1,2,x,1\nb,1\n,3,4,x,0\n" + "c,5,6,y,0\n" * 3 + "d\n"
    (tmp_path / "a.csv").write_text(text)
    found = both(pool, [FileLog(SOURCE, (tmp_path / "a.csv",), SCHEMA)], {SOURCE: 0})
    assert [row[1] for row in found] == list(range(7))
    assert found[1][2] == "2 cells, expected 5"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"[1, 2]", "begins with '\\['"),
        ("a.csv", b"id,ts,amount\n\xff,1,2\n", "UTF-8"),
        ("a.csv", b"ts,amount\n1,2\n", "has no column 'id'"),
        ("a.parquet", b"PAR1 no more", "a.parquet: "),
        ("a.jsonl.gz", gzip.compress(b"{}\n" * 1_000, mtime=0)[:30], "cannot be unpacked"),
    ],
)
def test_what_cannot_be_read_is_told_as_by_one_process(
    pool: Pool, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    logs = [FileLog(SOURCE, (tmp_path / name,), SCHEMA)]
    with pytest.raises(SourceError, match=said) as alone:
        read(Inline({"t": Decoder(SCHEMA).decode}), FilesSource(logs), {SOURCE: 0})
    with pytest.raises(SourceError) as found:
        read(pool, unread(logs), {SOURCE: 0})
    assert str(found.value) == str(alone.value)


def test_a_worker_that_dies_while_it_reads_is_told_of(pool: Pool, forms: dict[str, Path]) -> None:
    for worker in pool._workers:
        os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="ended with -9"):
        read(pool, unread([FileLog(SOURCE, (forms["csv"],), SCHEMA)]), {SOURCE: 0})


def test_rows_without_a_time_are_read_by_the_owner(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("amount\n1\n2\n")
    schema = Schema(StreamRole.PREDICTIONS, ("t",), None, None, COLUMNS[:1], 300, 0)
    source = unread([FileLog(SOURCE, (tmp_path / "a.csv",), schema, step_ms=250)])
    source.start({SOURCE: 0})
    with closing(source):
        (records,) = source.poll(0)
        assert records.timestamps.tolist() == [0, 250]
