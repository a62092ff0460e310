"""Do monitors at rest come out as when each is asked by itself: alerts, readings, state, byte for byte?"""

from typing import Any

import numpy as np
import pytest

from evaluate import configs
from evaluate.feed import Panes, Run, plan_of
from streamcheck.core.abreast import Abreast, Turn
from streamcheck.core.codec import encode
from streamcheck.core.monitors import PaneInstance

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
COLUMNS = 4
REFERENCES: dict[str, tuple[Any, int, int]] = {
    "first": ({"first": "40m"}, MINUTE_MS, 260),
    "rolling": ({"rolling": "40m"}, MINUTE_MS, 200),
    "season": ({"season": "hour_of_day", "over": "2d"}, HOUR_MS // 2, 200),
    "auto": ("auto", HOUR_MS // 2, 6 * 48),
}


def plan(reference: Any, pane_ms: int) -> Any:
    streams = configs.numbers(COLUMNS) | {"segments": ["tier"]}
    streams["features"] |= {"tier": "categorical"}
    monitors = [
        {"on": "features"},
        {"on": "c0", "measure": "missing_rate", "by": ["tier"]},
        {"on": "c1", "measure": "mean_shift", "by": ["tier"]},
        {"on": "c2", "measure": "edge_rate"},
    ]
    return plan_of(configs.config(streams, monitors, reference, "1 per day", pane_ms=pane_ms))


def stretches(panes: int) -> Any:
    """Panes of many sizes, with what comes and goes: values missing, a shift, a value that is stuck, enormous ones."""
    rng = np.random.default_rng(5)
    for at in range(0, panes, 20):
        sizes = np.full(20, 30) if at % 60 == 0 else rng.integers(0, 60, 20)
        rows = int(sizes.sum())
        values = {f"c{column}": rng.normal(size=rows) for column in range(COLUMNS)}
        values["c2"] = np.round(values["c2"], 1)
        values["c0"][rng.random(rows) < (0.3 if at in (140, 160) else 0.02)] = np.nan
        if 100 <= at < 160:
            values["c1"] += 1.5
        if at == 180:
            values["c3"][:] = 7.0
        if at == 60:
            values["c3"][::40] = 1e200
        yield Panes(sizes, values | {"tier": rng.integers(0, 3, rows).astype(np.float64)})


def outcome(reference: Any, pane_ms: int, panes: int, *, looks: bool) -> tuple[list[Any], dict[str, bytes]]:
    run = Run(plan(reference, pane_ms), {"tier": ("a", "b", "c")}, pane_ms)
    alerts = []
    for part in stretches(panes):
        alerts += run.feed(part)
        if looks:
            alerts += run.engine.reading().monitors
            alerts += [one.usual(run.engine.open_from * pane_ms) for one in run.engine.board.instances()]
    changes = run.engine.board.take_changes()
    return [run.engine.digest, *alerts], {key: encode(key, 1, export()) for key, export in changes.items()}


@pytest.mark.parametrize("name", REFERENCES)
def test_all_comes_out_as_one_by_one(name, monkeypatch):
    reference, pane_ms, panes = REFERENCES[name]
    seen = dict.fromkeys(Turn, 0)
    take = Abreast.take

    def counted(self, span, works):
        left = take(self, span, works)
        for work in works:
            seen[work.turn] += 1
        return left

    monkeypatch.setattr(Abreast, "take", counted)
    found = outcome(reference, pane_ms, panes, looks=True)
    rested = seen[Turn.LEARNS if name == "auto" else Turn.DONE]
    assert (rested == 0) == (name == "rolling"), seen
    if name == "first":
        assert outcome(reference, pane_ms, panes, looks=False)[1] == found[1], "who looks changes nothing"
    monkeypatch.setattr(PaneInstance, "may_rest", lambda _: False)
    alone = outcome(reference, pane_ms, panes, looks=True)
    assert len(found[0]) > panes, "there is something to compare"
    for one, other in zip(found[0], alone[0], strict=True):
        assert one == other
    assert found[1] == alone[1]
