"""Events take a quick way or a slow one, by what the other events of a chunk hold: the same bits on both."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Column, Kind, Role, Schema
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch


def decode(*values: bytes | None, schema: Schema, block: Pieces | None = None) -> Batch:
    n = len(values)
    given = values if block is None else block
    return Decoder(schema).decode(RawBatch(SourcePartition("p", 0), np.arange(n), np.arange(n), [None] * n, given, n))


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


PIECES = [
    b'{"id": "a", "y": 1}',
    b'{"id": "a", "y": 2.5, "f": {"x": 1}, "c": "x"}',
    *(b'{"id": "a"', b', "y": 1}', b'{"id":', b'"x"}', b'{"id": "b", "f": ', b'{"x": 2}}'),
    *(b'{"id": "a", "f": [{}', b"{}]}", b'{"id": "a", "u": "}', b'{"}', b'{"id": "a", "u": "\\', b'{"id": "\n"}'),
    *(b"{} {}", b'{"id": "a"}{"id": "b"}', b'{"id": "a"}\n{"id": "b"}', b'{"id": "a"}\n', b'{"id": "a",\n "y": 3}'),
    *(b"{}", b"", b" ", b"\n", None, b"[]", b"[", b"{}]", b"1", b'"', b"\xff", b"}", b"{"),
    b'\r\t {"id": "c", "y": -0.0, "f": {"x": null}} ',
    *(b'{"id": "a", "y": NaN}', b'{"id": "a", "y": "4"}', b'{"id": "a", "f": null, "c": true}', b'{"id": "a", "c": 1}'),
]
COLUMNS = (
    Column("x", ("f", "x"), Kind.NUMERIC, Role.FEATURE),
    Column("y", ("y",), Kind.NUMERIC, Role.FEATURE),
    Column("c", ("c",), Kind.CATEGORICAL, Role.FEATURE),
)
WITH_ID = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, COLUMNS, 1_000, 0)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=6))
def test_events_together_are_what_each_is_alone(values: list[bytes | None]) -> None:
    """What is no event cannot become one with its neighbour, nor spoil it."""
    together = decode(*values, schema=WITH_ID)
    alone = [decode(value, schema=WITH_ID) for value in values]
    kept = [batch for batch in alone if len(batch)]
    assert together.rejects.reasons == tuple(reason for batch in alone for reason in batch.rejects.reasons)
    assert together.rejects.offsets.tolist() == [at for at, batch in enumerate(alone) if len(batch.rejects.offsets)]
    assert together.keys.tolist() == [batch.keys[0].tolist() for batch in kept]
    assert together.numeric.T.tobytes() == b"".join(batch.numeric.T.tobytes() for batch in kept)
    assert together.status.T.tolist() == [batch.status.T[0].tolist() for batch in kept]
    texts = [[b.dictionaries[0].values[c] if c >= 0 else None for c in b.codes[0].tolist()] for b in (together, *kept)]
    assert texts[0] == [text for found in texts[1:] for text in found]


def test_an_event_is_the_same_in_any_block() -> None:
    """Blocks are parsed as a whole, or value by value for a while after an odd one; nothing shows which."""
    rng = np.random.default_rng(5)
    good = [b'{"id": "e%d", "y": %d.5, "f": {"x": %d}, "c": "k%d"}' % (at, at, -at, at % 300) for at in range(3_000)]
    odd = {int(at): PIECES[int(rng.integers(len(PIECES)))] for at in rng.choice(2_400, 9, replace=False)}
    values = [odd.get(at, event) for at, event in enumerate(good)]
    together, alone = decode(*values, schema=WITH_ID), [decode(value, schema=WITH_ID) for value in values]
    assert together.numeric.T.tobytes() == b"".join(batch.numeric.T.tobytes() for batch in alone)
    assert together.keys.tobytes() == b"".join(batch.keys.tobytes() for batch in alone)
    assert together.rejects.reasons == tuple(reason for batch in alone for reason in batch.rejects.reasons)


GAPS = (b"\n", b"", b"\x00\x0e{", b"x" * 300, b"\n\n", b'"')


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), min_size=1, max_size=6))
def test_what_lies_between_events_in_a_block_is_nothing(found: list[tuple[bytes | None, bytes]]) -> None:
    """Record heads, keys, quotes and braces between two values neither end nor begin an event, nor join two."""
    data, begins, ends = b"", [], []
    for value, gap in found:
        begins.append(len(data))
        data += value or b""
        ends.append(begins[-1] - 1 if value is None else len(data))
        data += gap
    pieces = Pieces(data, np.array(begins, np.int64), np.array(ends, np.int64))
    values = [value for value, _ in found]
    assert list(pieces) == values == [pieces[at] for at in range(len(values))]
    assert list(Pieces.together([pieces[:1], pieces[1:], pieces[:0]])) == values
    begins, ends, held = pieces[1:].apart()
    assert list(Pieces(held, begins, ends)) == values[1:]
    ours, theirs = decode(*pieces, schema=WITH_ID, block=pieces), decode(*values, schema=WITH_ID)
    assert (ours.rejects.reasons, ours.offsets.tolist()) == (theirs.rejects.reasons, theirs.offsets.tolist())
    for name in ("keys", "numeric", "codes", "status"):
        assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes()


def test_codes_are_those_of_values_met_for_the_first_time() -> None:
    """What has been met before is looked up: 1, 1.0 and true are equal, and not the same category."""
    columns = (
        Column("c", ("c",), Kind.CATEGORICAL, Role.FEATURE),
        Column("b", ("c",), Kind.BINARY, Role.FEATURE),
        Column("p", ("c",), Kind.BINARY, Role.FEATURE, positive="true"),
    )
    decoder = Decoder(Schema(StreamRole.PREDICTIONS, ("p",), None, None, columns, 1_000, 0))
    seen: dict[str, tuple[object, ...]] = {}
    polls = ("1 1.0 0", "true 1 0", "1 1", "1.0 true", '"1" "true" "x"', "null 1", "x [] 1", '"x" null', "2 2.0 false")
    for poll in (*polls, *reversed(polls)):
        texts = [text for text in poll.split() if text != "x"]
        n, values = len(texts), [b'{"c": %s}' % text.encode() for text in texts]
        batch = decoder.decode(RawBatch(SourcePartition("p", 0), np.arange(n), np.arange(n), [None] * n, values, n))
        categories = [*batch.dictionaries[0].values, None]
        for at, text in enumerate(texts):
            codes = batch.codes[:, at].tolist()
            row = (categories[codes[0]], *codes[1:], *batch.status[:, at].tolist())
            assert seen.setdefault({"1.0": "1", "2.0": "2"}.get(text, text), row) == row, (poll, text)
    assert seen["true"] == ("true", 1, 1, 0, 0, 0)
    assert seen["1"] == ("1", 1, 0, 0, 0, 0)
    assert seen["null"] == (None, -1, -1, 1, 1, 1)
