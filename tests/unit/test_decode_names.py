"""Which events are looked into for undeclared fields: the same ones whoever decodes, however they are cut."""

import json
from itertools import pairwise

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core.panes import PaneRows
from streamcheck.core.rows import Rows
from streamcheck.core.summaries.stream import Names
from streamcheck.core.types import FieldStatus, SourcePartition
from streamcheck.core.undeclared import NAME_CHARS_MAX, NAMES_MAX, parted
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decode.names import KNOWN_MAX, FieldNames
from streamcheck.runtime.workers import Pool
from streamcheck.testing import raw_batch

CONFIG = """
version: 1
name: n
streams:
  predictions: {topic: p, %s features: {amount: numeric, grade: {kind: numeric, path: model.score}}}
"""
N = 6_400


def plan(text="id: id,"):
    return loads(CONFIG % text, {}, "config.yaml").plan


def events(n=N):
    return [
        {"id": f"e{k}", "amount": k % 7, "fee": 1, "model": {"score": 0.5, "name": "a"}}
        | ({"rare": 1} if k % 3 else {})
        for k in range(n)
    ]


def batch(made, cuts=(), text="id: id,"):
    decoder, found = Decoder(made.predictions, made.task), []
    rows, bounds = events(), [0, *cuts, N]
    for begin, end in pairwise(bounds):
        times = range(begin * 10, end * 10, 10)
        found.append(decoder.decode(raw_batch("p", 0, rows[begin:end], first_offset=begin, times_ms=times)))
    return found


def looked(batches):
    """Offset -> names, of the events that were looked into."""
    found = {}
    for each in batches:
        assert (each.status[-1] == np.where(each.codes[-1] < 0, FieldStatus.MISSING, FieldStatus.OK)).all()
        for at in np.flatnonzero(each.codes[-1] >= 0).tolist():
            found[int(each.offsets[at])] = parted(each.dictionaries[-1].values[int(each.codes[-1, at])])
    return found


@pytest.mark.parametrize("text", ["id: id,", ""])
def test_one_event_in_128_whatever_the_batches(text):
    made = plan(text)
    whole = looked(batch(made))
    assert N / 128 * 0.6 < len(whole) < N / 128 * 1.5
    assert looked(batch(made, cuts=(1, 2, 700, 701, 5_000))) == whole
    names = {"fee", "model.name"} | (set() if "id: id" in text else {"id"})
    assert all(set(found) - {"rare"} == names for found in whole.values())
    assert {"rare" in found for found in whole.values()} == {True, False}


def test_workers_look_into_the_same_events():
    made = plan()
    raw = raw_batch("p", 0, events(), first_offset=0, times_ms=range(0, N * 10, 10))
    inline = {"p": Decoder(made.predictions, made.task).decode}
    pool = Pool(2, [made.predictions], made.task, inline, "streamcheck.runtime.workers.child")
    try:
        found = [*pool.through([raw]), *pool.drain()]
        while pool.pending:
            found += pool.drain()
    finally:
        pool.close()
    assert looked(found) == looked(batch(made))


def test_nobody_looks_where_nobody_asks():
    made = loads(CONFIG % "id: id," + "monitors: [{on: amount}]\n", {}, "config.yaml").plan
    assert not made.predictions.looks
    assert len(batch(made)[0].codes) == 0


def test_a_pane_counts_who_has_what():
    made = plan()
    [one] = batch(made)
    pane = PaneRows(made.predictions, [(SourcePartition("p", 0), Rows.of(one))])
    names = pane.names()
    whole = looked([one])
    assert names.rows == len(whole)
    assert dict(names.counts) == {
        "fee": len(whole),
        "model.name": len(whole),
        "rare": sum("rare" in found for found in whole.values()),
    }
    assert names.plus(Names(2, (("new", 1),))).rows == len(whole) + 2
    assert len(pane.forms()) == 2, "declared fields only"


NAMED = FieldNames([("id",), ("a", "b", "c"), ("$key", "x")])


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ('{"id": 1, "a": {"b": {"c": 1}}}', []),
        ('{"id": 1, "a": {"b": {"c": 1, "d": 2}, "e": {}}, "z": null}', ["a.b.d", "a.e", "z"]),
        ('{"id": 1, "a": 7, "$key": "k", "$headers": {}}', []),
        ('{"x\\ny": 1, "": 2}', ["", "x?y"]),
        ("{}", []),
    ],
)
def test_names_are_those_beside_declared_fields(event, names):
    assert sorted(parted(NAMED.of(event.encode()))) == sorted(name for name in names if name or len(names) > 1)


@pytest.mark.parametrize("event", ["[1]", "nonsense", '{"a": NaN}', '"text"', '{"\udc80": 1}'])
def test_what_cannot_be_looked_into_is_left_alone(event):
    assert NAMED.of(event.encode("utf-8", "surrogatepass")) is None


def test_many_and_long_names_are_bounded():
    wild = {f"{k:04d}" + "x" * 1_000: 1 for k in range(5_000)}
    found = parted(NAMED.of(json.dumps(wild).encode()))
    assert len(found) == NAMES_MAX
    assert found[0].startswith("0000x")
    assert max(map(len, found)) == NAME_CHARS_MAX


def test_names_that_never_come_again_are_not_kept():
    made = FieldNames([("id",)])
    for k in range(2_000):
        assert made.of(json.dumps({"id": 1, f"u{k}": 2}).encode()) == f"u{k}"
    assert len(made._known) <= KNOWN_MAX
    made.of(json.dumps({f"{k:04d}" + "x" * 100: 1 for k in range(100)}).encode())
    assert max(len(text) for text in made._known.values()) < 100


def test_the_same_names_in_another_order_or_another_object_are_told_alike():
    made = FieldNames([("a", "b"), ("c", "d")])
    first = made.of(b'{"a": {"b": 1, "x": 2}, "c": {"d": 1}}')
    assert first == made.of(b'{"c": {"d": 1}, "a": {"x": 2, "b": 1}}') == "a.x"
    assert made.of(b'{"a": {"b": 1}, "c": {"d": 1, "x": 2}}') == "c.x"
    assert made.of(b'{"a": 1, "c": null}') == ""
