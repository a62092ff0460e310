"""Do rolling windows hold what a plain list would, and do all qualities over them equal their formulas?"""

import math

import numpy as np
import pytest

import streamcheck.core.measures  # noqa: F401 - registers the measures
from streamcheck.core import codec
from streamcheck.core.components import build
from streamcheck.core.plan import Task, Window
from streamcheck.core.qualities import qualities
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.windows import RollingWindow

HISTORIES = 120
SHARES = {"accuracy", "error_rate", "precision", "recall", "f1", "brier"}


class Oracle:
    """A list of [ordinal, prediction, label, score, time]; everything by walking through it."""

    def __init__(self, window):
        self.window, self.rows = window, []

    def add(self, rows, time_ms):
        self.rows += [[*row, time_ms] for row in rows]
        if self.window.rows is not None:
            self.rows = self.rows[max(0, len(self.rows) - self.window.rows) :]
        self.expire(time_ms)

    def expire(self, now_ms):
        if self.window.span_ms is not None:
            self.rows = [row for row in self.rows if row[4] > now_ms - self.window.span_ms]

    def revise(self, ordinal, label):
        for row in self.rows:
            if row[0] == ordinal:
                row[2] = label
                return True
        return False


def ratio(events, n):
    return (events / n, n) if n else None


def formula(name, rows):
    """The quality of plain rows and its n; None where it says nothing."""
    pairs = [(p, y) for _, p, y, _, _ in rows]
    scored = [(s, y) for _, _, y, s, _ in rows if s is not None]
    hits = sum(p == 1 and y == 1 for p, y in pairs)
    said, true = sum(p == 1 for p, _ in pairs), sum(y == 1 for _, y in pairs)
    errors = [p - y for p, y in pairs]
    given = [min(max(s if y == 1 else 1 - s, 1e-15), 1 - 1e-15) for s, y in scored]
    match name:
        case "accuracy":
            return ratio(sum(p == y for p, y in pairs), len(pairs))
        case "error_rate":
            return ratio(sum(p != y for p, y in pairs), len(pairs))
        case "precision":
            return ratio(hits, said)
        case "recall":
            return ratio(hits, true)
        case "f1":
            return (2 * hits / (said + true), said + true - hits) if said + true else None
        case "log_loss":
            found = ratio(-sum(map(math.log, given)), len(given))
        case "brier":
            found = ratio(sum((s - y) ** 2 for s, y in scored), len(scored))
        case "calibration_error":
            found = ratio(sum((s - y) * (2 * s - 1) for s, y in scored), len(scored))
        case "mae":
            found = ratio(sum(map(abs, errors)), len(errors))
        case "rmse":
            found = ratio(sum(e * e for e in errors), len(errors))
            found = found and (math.sqrt(found[0]), found[1])
        case "bias":
            found = ratio(sum(errors), len(errors))
    return found if found and found[1] >= 2 else None


def check_qualities(window, oracle, task, *, scored):
    held = window.rows()
    assert qualities(task, scored=scored)
    for name in qualities(task, scored=scored):
        expected, estimate = formula(name, oracle.rows), build("measure", name, {}).estimate(held)
        if expected is None:
            assert estimate is None, name
            continue
        assert estimate.n == expected[1], name
        assert estimate.value == pytest.approx(expected[0], rel=1e-9, abs=1e-12), name
        assert estimate.low <= estimate.value <= estimate.high, name
        if name in SHARES - {"brier"}:
            assert 0.0 <= estimate.low < estimate.high <= 1.0, name


def new_rows(rng, task, first, n, *, scored):
    def value():
        return (
            float(rng.normal(0, 3)) if task is Task.REGRESSION else float(rng.integers(0, 2 + (task == "multiclass")))
        )

    # A score may be absent from any event; it spoils the score, not the row.
    scores = [float(rng.choice([0.0, 1.0, rng.random()])) if rng.random() < 0.9 else None for _ in range(n)]
    return [(first + i, value(), value(), scores[i] if scored else None) for i in range(n)]


def as_labelled(rows, task, *, scored):
    columns = [np.array([row[place] for row in rows], np.float64) for place in (1, 2)]
    score = np.array([math.nan if row[3] is None else row[3] for row in rows], np.float64) if scored else None
    return LabelledRows(*columns, score, task)


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_equal_to_the_oracle(seed):
    rng = np.random.default_rng(seed)
    task = (Task.BINARY, Task.MULTICLASS, Task.REGRESSION)[seed % 3]
    scored = task is Task.BINARY and seed % 2 == 0
    size = (
        Window(rows=int(rng.choice([1, 5, 60, 500])))
        if rng.random() < 0.5
        else Window(span_ms=int(rng.choice([1_000, 5_000, 60_000])))
    )
    window, oracle, now_ms, ordinal = RollingWindow(size, task, scored=scored), Oracle(size), 0, 0
    for _ in range(int(rng.integers(3, 40))):
        now_ms += 1_000 * int(rng.choice([1, 1, 2, 30]))
        rows = new_rows(rng, task, ordinal, int(rng.integers(1, 30)), scored=scored)
        window.add(np.array([row[0] for row in rows]), as_labelled(rows, task, scored=scored), now_ms)
        oracle.add(rows, now_ms)
        ordinal += len(rows)
        for revised in rng.integers(0, ordinal, int(rng.integers(0, 6))).tolist():
            label = float(rng.integers(0, 2))
            assert window.revise(revised, label) == oracle.revise(revised, label)
        if rng.random() < 0.2:
            now_ms += int(rng.integers(0, 8_000))
            window.expire(now_ms)
            oracle.expire(now_ms)
        if rng.random() < 0.3:
            state = codec.decode("window", codec.encode("window", 1, window.export()))[1]
            window = RollingWindow(size, task, scored=scored)
            window.restore(state)
        held = window.rows()
        assert len(window) == len(held) == len(oracle.rows)
        assert held.prediction.tolist() == [row[1] for row in oracle.rows]
        assert held.label.tolist() == [row[2] for row in oracle.rows]
        check_qualities(window, oracle, task, scored=scored)


def test_an_empty_window_says_nothing_instead_of_zero():
    for task in Task:
        window = RollingWindow(Window(rows=10), task, scored=task is Task.BINARY)
        for name in qualities(task, scored=task is Task.BINARY):
            assert build("measure", name, {}).estimate(window.rows()) is None


def test_exported_state_shares_no_memory():
    window = RollingWindow(Window(rows=10), Task.BINARY, scored=False)
    window.add(np.arange(3), LabelledRows(np.ones(3), np.ones(3), None, Task.BINARY), 1_000)
    state = window.export()
    twins = [RollingWindow(Window(rows=10), Task.BINARY, scored=False) for _ in range(2)]
    for twin in twins:
        twin.restore(state)
    assert window.revise(0, 0.0)
    assert twins[0].revise(1, 0.0)
    assert [w.rows().label.tolist() for w in (window, *twins)] == [[0, 1, 1], [1, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize("n", [10, 1_000])
def test_intervals_narrow_with_the_rows_behind_them(n):
    """By the root of the number of rows, about: ten times narrower with a hundred times the rows."""
    rng = np.random.default_rng(n)
    widths = []
    for rows in (n, 100 * n):
        window = RollingWindow(Window(rows=rows), Task.REGRESSION, scored=False)
        label = rng.normal(size=rows)
        window.add(np.arange(rows), LabelledRows(label + rng.normal(1, 2, rows), label, None, Task.REGRESSION), 1_000)
        estimate = build("measure", "bias", {}).estimate(window.rows())
        widths.append(estimate.high - estimate.low)
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.5)
