"""The benchmark's stream as files: JSON Lines with the events' bytes, CSV and Parquet with a column for each field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.batches import Octets, Text
from bench.events import LABEL_DELAY_MS, START_MS, STEP_MS, Columns, Predictions, Shape, columns, label_rows

FORMATS = ("parquet", "jsonl", "csv")
ID = Text(b"e", ("id", 9))


def write(folder: Path, shape: Shape, events: int) -> dict[str, tuple[Path, Path]]:
    """Predictions and labels in every format."""
    import pyarrow as pa  # noqa: PLC0415 (the extra `files`, here and below)
    import pyarrow.csv as pacsv  # noqa: PLC0415
    import pyarrow.parquet as papq  # noqa: PLC0415

    files = {kind: (folder / f"predictions.{kind}", folder / f"labels.{kind}") for kind in FORMATS}
    texts = Predictions(shape)
    with files["jsonl"][0].open("wb") as predictions, files["jsonl"][1].open("wb") as labels:
        for chunk in columns(shape, events):
            predictions.write(_lines(texts.rows(chunk)))
            labels.write(_lines(label_rows(chunk)))
    for at, tables in enumerate((_predictions, _labels)):
        table = pa.concat_tables(tables(shape, events))
        papq.write_table(table, files["parquet"][at])
        pacsv.write_csv(table, files["csv"][at])
    return files


def _lines(rows: Octets) -> bytes:
    return np.pad(rows, ((0, 0), (0, 1)), constant_values=ord("\n")).tobytes()


def _predictions(shape: Shape, events: int) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415

    for chunk in columns(shape, events):
        fields = {"id": _ids(chunk), "ts": START_MS + chunk.row * STEP_MS}
        fields |= {name: chunk.features[:, at] for at, name in enumerate(shape.feature_names)}
        for name, codes in zip(shape.category_names, chunk.categories, strict=True):
            fields[name] = _texts(Text(name[0].encode(), ("code", 2)).rows(len(codes), code=codes))
        fields |= {"score": chunk.score / 1e6, "prediction": chunk.prediction}
        segment = Text(b"s", ("code", shape.segment_digits)).rows(len(chunk.segment), code=chunk.segment)
        yield pa.table(fields | {"segment": _texts(segment)})


def _labels(shape: Shape, events: int) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415

    for chunk in columns(shape, events):
        known_ms = START_MS + LABEL_DELAY_MS + chunk.row * STEP_MS
        yield pa.table({"id": _ids(chunk), "ts": known_ms, "label": chunk.label})


def _ids(chunk: Columns) -> Any:
    return _texts(ID.rows(len(chunk.row), id=chunk.row))


def _texts(rows: Octets) -> Any:
    """Texts of one length, from their bytes."""
    import pyarrow as pa  # noqa: PLC0415

    count, width = rows.shape
    ends = np.arange(count + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(rows.tobytes()))
