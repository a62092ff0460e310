"""Check 5: a business figure beside the model: what does it follow, how much later, and has it fallen itself?"""

import numpy as np
import pytest

from streamcheck import Watch, replay

HOUR_S = 3_600
START_S = 1_772_323_200
ROWS = 60
CONFIG = """version: 1
name: kpi
streams:
  predictions:
    topic: p
    time: {field: ts, unit: s}
    prediction: said
    label: truth
    task: binary
    features: {amount: numeric}
  kpi:
    topic: shop.revenue
    value: eur
    name: revenue
    time: {field: ts, unit: s}
    lags: 12
time: {pane: 10m}
reference: {first: 3d}
"""


def hours(seed, n):
    """A model's accuracy by the hour: it wanders."""
    rng = np.random.default_rng(seed)
    level = np.zeros(n)
    for at in range(1, n):
        level[at] = 0.8 * level[at - 1] + 0.05 * rng.normal()
    return np.clip(0.87 + level, 0.6, 0.99)


def predictions(accuracy, seed):
    rng = np.random.default_rng(seed + 100)
    for hour, right in enumerate(accuracy):
        said, hit = rng.random(ROWS) < 0.5, rng.random(ROWS) < right
        amount = np.round(rng.lognormal(3.0, 0.5, ROWS), 2)
        for at in range(ROWS):
            truth = bool(said[at]) == bool(hit[at])
            ts = START_S + hour * HOUR_S + at * HOUR_S // ROWS
            yield {"ts": ts, "said": bool(said[at]), "truth": truth, "amount": float(amount[at])}


def revenue(accuracy, seed, lag=None, fall_from=None):
    """A value an hour; it follows accuracy, or nothing."""
    rng = np.random.default_rng(seed + 200)
    other = hours(seed + 300, len(accuracy))
    for hour in range(len(accuracy)):
        moved = 4_000 * (other[hour] - 0.87) if lag is None else 20_000 * (accuracy[max(hour - lag, 0)] - 0.87)
        value = 10_000 + moved + 300 * rng.normal()
        value *= 0.6 if fall_from is not None and hour >= fall_from else 1.0
        yield {"ts": START_S + hour * HOUR_S, "eur": round(float(value), 2)}


def watched(seed, n=200, **how):
    watch, accuracy = Watch(CONFIG), hours(seed, n)
    alerts = list(watch.run(predictions(accuracy, seed), kpi=revenue(accuracy, seed, **how))) + watch.finish()
    links = {each.against: each for each in watch.engine.reading().kpi}
    return [alert for alert in alerts if alert["state"] == "firing"], links


def test_a_kpi_that_follows_accuracy_is_seen_with_its_lag():
    _, links = watched(1, lag=3)
    link = links["accuracy"]
    assert link.lag_ms == 3 * HOUR_S * 1_000
    assert 0.3 < link.low < link.r < link.high < 1.0
    assert 150 < link.spans < 200
    assert link.daily


@pytest.mark.parametrize("seed", [0, 3])
def test_a_kpi_that_follows_nothing_is_not_said_to(seed):
    fired, links = watched(seed)
    link = links["accuracy"]
    assert link.low < 0.0 < link.high
    assert [alert["monitor"] for alert in fired if alert["column"] == "kpi"] == []


def test_a_kpi_that_falls_fires_its_own_monitor():
    fired, _ = watched(2, fall_from=160)
    (alert,) = [alert for alert in fired if alert["column"] == "kpi"]
    assert alert["monitor"] == "kpi-mean"
    assert alert["value"] < 0.8 * alert["reference"]
    assert alert["change_at"] >= "2026-03-07T12"


def test_sums_count_where_events_are_single_sales():
    config = CONFIG.replace("lags: 12", "lags: 12\n    values: sum")
    watch, accuracy = Watch(config), hours(5, 100)

    def sales():
        for hour in range(100):
            for at in range(6):
                yield {"ts": START_S + hour * HOUR_S + at * 600, "eur": 10.0 * (1 + (hour % 2))}

    list(watch.run(predictions(accuracy, 5), kpi=sales()))
    watch.finish()
    link = watch.engine.board.link
    assert sorted(set(link._sums[0][-50:-1].tolist())) == [60.0, 120.0]
    (kpi,) = [each for each in watch.monitors() if each.column == "kpi"]
    assert kpi.value in (10.0, 20.0)
    assert kpi.rows == 1


def test_without_values_the_figure_says_so():
    watch, accuracy = Watch(CONFIG), hours(6, 30)
    assert list(watch.run(predictions(accuracy, 6))) == []
    (link, _) = watch.engine.reading().kpi
    assert link.r is None
    assert link.spans == 0


def test_replay_takes_a_kpi():
    accuracy = hours(2, 200)
    given = predictions(accuracy, 2), None, revenue(accuracy, 2, fall_from=160)
    assert any(alert["column"] == "kpi" for alert in replay(CONFIG, *given))
