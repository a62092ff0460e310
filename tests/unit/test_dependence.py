"""Does a monitor of dependence see features that begin to hang together, and nothing else, whatever the batches?"""

from datetime import datetime

import numpy as np
import orjson
import pytest

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.measures.dependence import FEATURES_MAX, Dependence
from streamcheck.core.summaries import Layout, fold_features
from streamcheck.core.types import SourcePartition
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

CONFIG = """
version: 1
name: together
streams:
  predictions: {topic: p, features: {a: numeric, b: numeric, c: numeric}}
time: {pane: 1s, lateness: 1ms}
reference: {first: 60s}
alarm_budget: 1 per hour
monitors:
  - {on: dependence}
"""
SOURCE = SourcePartition("p", 0)
ROWS, PER_S, CHANGE_S = 12_000, 50, 160


def events(seed: int = 1, *, moves: bool = False) -> list[dict[str, float | None]]:
    """From CHANGE_S on, b hangs together with a (its margin stays), or all that happens is that c moves and widens."""
    a, b, c = np.random.default_rng(seed).normal(size=(3, ROWS))
    late = np.arange(ROWS) >= CHANGE_S * PER_S
    if moves:
        c = np.where(late, 3.0 * c + 2.0, c)
    else:
        b = np.where(late, 0.7 * a + np.sqrt(1 - 0.49) * b, b)
    return [
        {"a": None if at % 29 == 0 else float(a[at]), "b": float(b[at]), "c": float(c[at])} for at in range(ROWS)
    ]


def alerts(rows: list[dict[str, float | None]], step: int) -> list[bytes]:
    plan = loads(CONFIG, {}).plan
    engine = Engine(plan, "lineage")
    engine.open({SOURCE: 0})
    decode, found = Decoder(plan.predictions, None).decode, []
    for at in range(0, len(rows), step):
        times = [1_000 * k // PER_S for k in range(at, min(at + step, len(rows)))]
        found += engine.feed(decode(raw_batch("p", 0, rows[at : at + step], first_offset=at, times_ms=times))).alerts
    return [alert.record for alert in found + engine.finish().alerts]


def test_a_new_dependence_is_seen_named_and_the_same_for_any_batching() -> None:
    rows = events()
    found = alerts(rows, 997)
    assert found
    assert found == alerts(rows, 64) == alerts(rows, ROWS)
    first = orjson.loads(found[0])
    assert (first["state"], first["monitor"], first["column"]) == ("firing", "dependence-cusum", "dependence")
    assert "between a and b" in first["summary"]
    pair = first["evidence"]["pairs"][0]
    assert pair["columns"] == ["a", "b"]
    assert (pair["before"], pair["after"]) == (pytest.approx(0.0, abs=0.05), pytest.approx(0.7, abs=0.2))
    opened_s = datetime.fromisoformat(first["pane_start"]).timestamp()
    assert CHANGE_S <= opened_s <= CHANGE_S + 10, "within ten panes of fifty rows"


def test_a_column_that_moves_and_widens_by_itself_is_no_dependence() -> None:
    assert alerts(events(2, moves=True), 500) == []


def test_folds_are_exact_whatever_the_order() -> None:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(5, 4_000))
    layouts = [Layout.build(column) for column in columns]
    usable, shuffled = rng.random(4_000) < 0.9, rng.permutation(4_000)
    names = tuple("abcde")
    whole = fold_features(names, columns, usable, layouts)
    again = fold_features(names, columns[:, shuffled], usable[shuffled], layouts)
    assert (whole.rows, whole.totals.tolist()) == (again.rows, again.totals.tolist())
    assert whole.products.tolist() == again.products.tolist()
    parts = [fold_features(names, columns[:, cut], usable[cut], layouts) for cut in (slice(0, 17), slice(17, None))]
    assert (parts[0].products + parts[1].products).tolist() == whole.products.tolist()


def test_correlations_are_those_of_the_scores() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 5_000))
    x[1] = 0.5 * x[0] + np.sqrt(0.75) * x[1]
    layouts = [Layout.build(column) for column in x]
    scores = [layout.weights[layout.bins(column), 0] for column, layout in zip(x, layouts, strict=True)]
    found = fold_features(("a", "b"), list(x), np.ones(5_000, bool), layouts).correlations()
    assert found.tolist() == pytest.approx([np.corrcoef(scores)[0, 1]], abs=1e-4)


def test_independent_features_say_standard_normal_numbers() -> None:
    """So that a detector keeps its promise: mean 0, and no heavier above than a normal number would be."""
    rng, measure = np.random.default_rng(5), Dependence()
    layout = Layout.build(rng.normal(size=1_000))
    names = tuple(f"f{k}" for k in range(10))

    def pane():
        return fold_features(names, list(rng.standard_t(3, size=(10, 50))), np.ones(50, bool), [layout] * 10)

    reference = measure.accumulator()
    for _ in range(200):
        reference.add(pane())
    signals = [measure.signal(pane(), reference) for _ in range(1_500)]
    numbers = np.array([signal.value / signal.se for signal in signals])
    assert -0.6 < numbers.mean() < 0.1
    assert (numbers > 2.0).mean() < 0.03
    assert (numbers > 3.0).mean() < 0.004


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("a: numeric, b: numeric, c: numeric", "a: numeric, b: categorical", "needs two numeric features or more"),
        ("{on: dependence}", "{on: dependence, by: [b]}", "dependence is watched for all rows together"),
        ("{on: dependence}", "{on: dependense}", "did you mean 'dependence'"),
    ],
)
def test_mistakes_are_said(old: str, new: str, says: str) -> None:
    text = CONFIG.replace(old, new).replace("c: numeric}}", "c: numeric}, segments: [z]}")
    text = text.replace("by: [b]", "by: [z]")
    with pytest.raises(ConfigError) as caught:
        loads(text, {})
    assert says in str(caught.value)


def test_the_first_features_are_watched_where_there_are_many() -> None:
    features = ", ".join(f"x{k}: numeric" for k in range(FEATURES_MAX + 5))
    plan = loads(CONFIG.replace("a: numeric, b: numeric, c: numeric", features), {}).plan
    layouts = Engine(plan, "lineage").board.unlaid()
    assert sorted(layouts) == sorted(f"x{k}" for k in range(FEATURES_MAX))


def test_it_is_off_by_default() -> None:
    plan = loads(CONFIG.split("monitors:", maxsplit=1)[0], {}).plan
    assert all(spec.column != "dependence" for spec in plan.monitors)


def test_its_state_is_restored_mid_stream() -> None:
    """What no golden state holds: the accumulator and the detector go on where they stood, through bytes."""
    plan, rows = loads(CONFIG, {}).plan, events()
    decode = Decoder(plan.predictions, None).decode

    def fed(engine: Engine, first: int, last: int) -> list[bytes]:
        times = [1_000 * k // PER_S for k in range(first, last)]
        batch = decode(raw_batch("p", 0, rows[first:last], first_offset=first, times_ms=times))
        return [alert.record for alert in engine.feed(batch).alerts]

    engine = Engine(plan, "lineage")
    engine.open({SOURCE: 0})
    saver, stored = saving.Saver(engine), {}
    fed(engine, 0, 7_000)
    stored |= dict(saver.take().put)
    restored = saving.restore(plan, stored).engine
    first = restored.partitions[SOURCE].next_offset
    assert any(key.startswith("monitor/dependence-cusum/") for key in stored)
    assert fed(restored, first, ROWS) == fed(engine, 7_000, ROWS) != []
