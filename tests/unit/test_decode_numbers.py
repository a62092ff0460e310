"""Numbers take a quick way or a slow one, by what the other events of a chunk hold: the same bits on both."""

import numpy as np

from streamcheck.core.plan import Column, Kind, Role, Schema
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch


def decode(*values: bytes, schema: Schema) -> Batch:
    n = len(values)
    return Decoder(schema).decode(RawBatch(SourcePartition("p", 0), np.arange(n), np.arange(n), [None] * n, values, n))


def test_a_number_is_the_same_whatever_its_neighbours_are() -> None:
    columns = (Column("x", ("f", "x"), Kind.NUMERIC, Role.FEATURE), Column("y", ("y",), Kind.NUMERIC, Role.FEATURE))
    schema = Schema(StreamRole.PREDICTIONS, ("p",), None, None, columns, 1_000, 0)
    texts = ("-0", "-0.0", "9007199254740993", "18446744073709551617", "1e-400", "0.1", "null", "1" * 400, "1e999")
    events = [f'{{"f": {{"x": {text}}}, "y": {text}}}'.encode() for text in texts]
    for others in ([], [b'{"f": {"x": "text"}, "y": true}'], [b'{"y": 1}'], [b'{"f": {}, "y": 1}'], [b'{"f": 3}']):
        for event in events:
            near, alone = decode(event, *others, schema=schema), decode(event, schema=schema)
            assert near.numeric[:, 0].tobytes() == alone.numeric[:, 0].tobytes(), (event, others)
            assert near.status[:, 0].tolist() == alone.status[:, 0].tolist()
    assert not np.signbit(decode(*events, schema=schema).numeric).any()
