"""Does the harness say of a detector what is true of it? Small versions of the cells, in seconds."""

from functools import partial

import numpy as np
import pytest

from evaluate import changes, configs, cost, delays, nulls, real, river, seasons, tornado, tuning
from evaluate.contenders import DEFAULT, DEPENDENCE, OWN_BY_KEY, ROWS_BY_KEY, Own
from evaluate.feed import START_MS, Alarm, Panes, Run, plan_of
from evaluate.sets import Table
from evaluate.streams import NUMBERS, RATES, Purpose, rng, sizes_fixed, sizes_varying

ABOVE_ALL = {"on": "features", "measure": "psi", "detector": {"threshold": {"above": -1}}}
ALWAYS = Own("always", "alarms in every pane", [ABOVE_ALL], None)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten trials in all."""
    for module in (delays, river):
        monkeypatch.setattr(module, "TRIALS", 10)
        monkeypatch.setattr(module, "PARTS", 1)


# ------------------------------------------------------------------ streams
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_have_mean_0_and_sd_1_and_the_dependence_that_they_claim(name: str) -> None:
    values = NUMBERS[name](40, rng(Purpose.TUNING, "test", 0)).rows(sizes_fixed(288, 50))
    season = float(name.removeprefix("season-")) if name.startswith("season") else 0.0
    assert abs(values.mean()) < 0.02
    assert values.std() == pytest.approx(np.sqrt(1 + season**2 / 2), rel=0.03 if name != "lognormal" else 0.1)
    lag1 = np.mean([np.corrcoef(column[:-1], column[1:])[0, 1] for column in values])
    within = {"ar-.5": 0.5, "ar-.95": 0.95, "pane-effects": 0.04}.get(name, season**2 / 2 / (1 + season**2 / 2))
    assert lag1 == pytest.approx(within, abs=0.02)


@pytest.mark.parametrize("name", RATES)
def test_rates_have_their_share_and_dependence(name: str) -> None:
    values = RATES[name](40, rng(Purpose.TUNING, "test", 0)).rows(sizes_fixed(288, 50))
    assert np.unique(values).tolist() == [0, 1]
    assert values.mean() == pytest.approx(0.01 if name == "rare" else 0.1, rel=0.05)
    panes = values.reshape(40, 288, 50).mean(axis=2)
    phi = panes.var() / (values.mean() * (1 - values.mean()) / 50)
    assert phi == pytest.approx({"errors-beta": 2.36, "errors-sticky": 2.92}.get(name, 1.0), rel=0.1)


@pytest.mark.parametrize("name", [*NUMBERS, *RATES])
def test_a_stream_goes_on_where_it_stopped_whatever_the_pieces(name: str) -> None:
    source = {**NUMBERS, **RATES}[name](3, rng(Purpose.TUNING, "test", 1))
    pieces = [source.rows(sizes_varying(4, np.random.default_rng(at))).shape[1] for at in range(3)]
    assert all(count >= 20 for count in pieces)
    assert source.rows(np.zeros(2, np.int64)).shape == (3, 0)


def test_seeds_for_tuning_are_no_seeds_for_reporting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rng(Purpose.TUNING, "x", 0).random() != rng(Purpose.REPORTING, "x", 0).random()
    used: list[Purpose] = []

    def recorded(purpose: Purpose, cell: str, part: int) -> np.random.Generator:
        used.append(purpose)
        return rng(purpose, cell, part)

    for module in (river, tuning, delays):
        monkeypatch.setattr(module, "rng", recorded)
    for name, value in (("COLUMNS", 2), ("OWN_COLUMNS", 2), ("STEPS", 2), ("OWN_STEPS", 1), ("LENGTH", 5_000)):
        monkeypatch.setattr(tuning, name, value)
    tuning.tune_rows(ROWS_BY_KEY["adwin"], "iid")
    for stream in tuning.OWN_STREAMS:
        tuning.tune_own(DEFAULT, stream)
    assert set(used) == {Purpose.TUNING}
    used.clear()
    river.null_part("adwin", None, "iid", 1, 0)
    assert used == [Purpose.REPORTING]


# ------------------------------------------------------------------ dummies
def test_who_never_alarms_has_recall_0_and_who_always_does_has_the_false_rate_that_it_must(few: None) -> None:
    stream, change = changes.NUMERIC["mean +1"]
    found = {
        name: delays.summary(
            river.change_part((name, None), partial(river.stream_of, stream), ("mean +1", change), river.plain, 0)
        )
        for name in ("never", "every 1,000 rows", "adwin")
    }
    never, every, adwin = found.values()
    assert (never["recall"]["value"], never["delay_rows"]["value"], never["false_per_100k"]["value"]) == (0, None, 0)
    assert (every["recall"]["value"], every["false_per_100k"]["value"]) == (1, 100)
    assert adwin["recall"]["value"] == 1
    assert 20 <= adwin["delay_rows"]["value"] <= 80
    nothing = river.null_part("never", None, "iid", 14, 0)
    assert nothing == {"rows": 14 * river.LENGTH, "alarms": 0}
    assert river.null_summary(river.null_part("every 1,000 rows", None, "iid", 14, 0))["per_100k"]["value"] == 100


def test_a_jump_is_found_at_once_and_dated_right(few: None) -> None:
    found = delays.numbers_part(DEFAULT, 100_000, "iid", changes.mean(5.0), "jump", 0)
    told = delays.summary(found)
    assert told["recall"]["value"] == 1
    assert 50 <= told["delay_rows"]["value"] <= 100  # one pane, or the two that a detector takes to be sure
    assert told["start_error_rows"]["value"] <= 50
    still = delays.numbers_part(DEFAULT, 100_000, "iid", changes.nothing, "still", 0)
    assert still["hits"] <= 2


def test_every_kind_of_change_reaches_its_monitor(few: None) -> None:
    lost = delays.numbers_part(DEFAULT, 100_000, "iid", changes.lost(0.5), "half are missing", 0)
    assert lost["hits"] == 10
    assert set(lost["by"]) == {"missing_rate"}
    pairs = delays.pairs_part(DEPENDENCE, 100_000, changes.correlation(0.95), "two columns go together", 0)
    assert pairs["hits"] + pairs["spoiled"] == pairs["trials"] == 10
    assert pairs["spoiled"] <= 1  # an alarm in 50,000 rows before: half of one is promised
    categories = delays.categories_part(DEFAULT, 100_000, changes.category(0.35), "a rare category", 0)
    assert categories["hits"] == 10
    errors = delays.errors_part(DEFAULT, 100_000, "errors", changes.rate(0.1, 0.9), "all is wrong", 0)
    assert errors["hits"] == 10
    assert max(errors["delays"]) <= 200


# ------------------------------------------------------------------ nulls
def test_panes_count_while_monitors_are_ready_and_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "PANES", 300)
    monkeypatch.setattr(nulls, "CONFIGS", 1)
    monkeypatch.setattr(nulls, "CHUNK", 5)
    quiet = nulls.part(DEFAULT, "iid", 100, 0)
    assert quiet["panes"] == 425
    assert 290 <= quiet["ready"] <= 315
    assert quiet["exposure"] <= quiet["ready"]
    loud = nulls.part(ALWAYS, "iid", 100, 0)
    assert loud["alarms"] == nulls.MONITORS
    assert loud["exposure"] <= 5  # open alerts cannot alarm: such panes say nothing of the promise
    assert nulls.summary(loud)["ratio"]["value"] < 0.01


def test_a_week_is_the_same_whether_those_before_it_ran_just_now_or_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seasons, "WEEK_PANES", 240)
    monkeypatch.setattr(seasons, "CHUNK", 60)
    in_turn = [seasons.default_part(0.1, 2, None, number) for number in range(2)]
    assert not seasons._GOING, "the last week is over"
    alone = seasons.default_part(0.1, 2, None, 1)
    for found in (*in_turn, alone):
        assert found.pop("cpu_s") > 0
        assert found["panes"] == 240
    assert alone == in_turn[1]


def test_who_is_left_out_of_the_default_config_cannot_alarm_there() -> None:
    plans = [seasons.default_plan(idle=idle) for idle in (False, True)]
    few, all_of_them = ({spec.id: spec.share for spec in plan.monitors} for plan in plans)
    left_out = {name.split("-")[1] for name in all_of_them.keys() - few.keys()}
    assert left_out == set(seasons.IDLE)
    assert few.items() <= all_of_them.items()  # with the shares that they have beside the others
    run = Run(plans[1])
    source = NUMBERS["iid"](14, rng(Purpose.TUNING, "idle", 0))
    sizes = sizes_fixed(120, 50)
    run.feed(Panes(sizes, dict(zip(configs.columns(14), source.rows(sizes), strict=True))))
    scores = {each.monitor: each.score for each in run.engine.reading().monitors if each.measure in seasons.IDLE}
    assert set(scores.values()) == {0.0}
    assert len(scores) == 14 * len(seasons.IDLE)


def test_several_configs_in_one_alarm_as_each_by_itself() -> None:
    """Whole configs of 14 features side by side; the promise is so small that there is something to compare."""
    values = NUMBERS["iid"](28, rng(Purpose.TUNING, "wide", 0)).rows(sizes_fixed(150, 50))
    values[:, 6_500:] *= 1.25

    def alarms(columns: list[int], count: int) -> list[Alarm]:
        names = [f"c{column}" for column in columns]
        streams = {"features": dict.fromkeys(names, "numeric")}
        promised = configs.budget(50, configs=count)
        assert DEFAULT.features is not None
        run = Run(plan_of(configs.config(streams, DEFAULT.features, configs.first(60), promised)))
        found = run.feed(Panes(sizes_fixed(150, 50), {name: values[c] for name, c in zip(names, columns, strict=True)}))
        return [Alarm(a.monitor, a.column, a.segment, a.pane, a.since, "", resolved=a.resolved) for a in found]

    apart = alarms(list(range(14)), 1) + alarms(list(range(14, 28)), 1)
    together = alarms(list(range(28)), 2)
    assert len(together) > 10
    order = sorted(together, key=lambda a: (a.pane, a.monitor, a.resolved))
    assert order == sorted(apart, key=lambda a: (a.pane, a.monitor, a.resolved))


@pytest.mark.parametrize(("key", "params"), [("adwin", {"delta": 0.002}), ("page_hinkley", {"threshold": 50.0})])
def test_a_river_detector_steps_here_as_in_the_engine(key: str, params: dict[str, float]) -> None:
    values = NUMBERS["iid"](1, rng(Purpose.TUNING, "engine", 3)).rows(sizes_fixed(80, 50))[0]
    values[2_000:] += 1.5
    monitor = {"on": "features", "detector": {key: params}, "alert": {"cooldown": "1ms"}}
    run = Run(plan_of(configs.config(configs.numbers(1), [monitor], configs.first(20), configs.budget(1_000))))
    alarms = run.feed(Panes(sizes_fixed(80, 50), {"c0": values})) + run.finish()
    at = ROWS_BY_KEY[key].alarms(values)
    assert len(at)
    assert [a.pane for a in alarms if not a.resolved] == sorted({int(row) // 50 for row in at})


# ------------------------------------------------------------------ what is fed
def test_columns_reach_the_engine_as_they_are() -> None:
    table = Table(
        {"x": np.array([1.0, np.nan, 3.0, 4.0])}, {"k": np.array([0.0, 1.0, np.nan, 1.0])}, {"k": ("no", "yes")}
    )
    features = {"features": {"x": "numeric", "k": "categorical"}}
    run = Run(plan_of(configs.config(features, [{"on": "features"}], configs.first(30), "1 per week")), table.texts)
    batch = run._batch(Panes(np.array([3, 0, 1]), table.columns))
    first = START_MS // 10_000 * 10_000
    assert batch.times.tolist() == [first, first + 3_333, first + 6_666, first + 20_000]
    assert batch.numeric.tolist() == [[1, 0, 3, 4]]
    assert batch.codes.tolist() == [[0, 1, -1, 1]]
    assert batch.status.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert batch.dictionaries[0].values == ["no", "yes"]
    assert batch.next_offset == 4


def test_a_table_is_followed_in_its_order_and_alarms_are_dated_in_rows() -> None:
    values = rng(Purpose.TUNING, "table", 0).standard_normal(9_000)
    values[8_000:] += 3.0
    _, alarms = real.follow(Table({"x": values}), configs.first(60), 10_000, 50, 10_000)
    first = next(a for a in alarms if not a.resolved)
    assert 8_000 <= (first.pane + 1) * 50 <= 8_100
    assert abs(first.since * 50 - 8_000) <= 50


def test_contenders_are_configs_that_load() -> None:
    for own in OWN_BY_KEY.values():
        if own.features is not None:
            assert plan_of(configs.config(configs.numbers(2), own.features, configs.first(30), "1 per week")).monitors
        if own.labelled is not None:
            assert plan_of(configs.config(configs.labelled(), own.labelled, configs.first(30), "1 per week")).monitors


def test_correlation_changes_no_margin() -> None:
    values = NUMBERS["iid"](4, rng(Purpose.TUNING, "pairs", 0)).rows(sizes_fixed(200, 50))
    changed = changes.correlation(0.8)(values, np.arange(10_000), rng(Purpose.TUNING, "pairs", 1))
    assert np.corrcoef(changed)[[0, 2, 0], [1, 3, 2]] == pytest.approx([0.8, 0.8, 0.0], abs=0.03)
    assert changed.std(axis=1) == pytest.approx([1, 1, 1, 1], abs=0.03)


def test_cost_counts_panes_after_the_warm_up_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "PANES", 20)
    found = cost.summary(cost.part(DEFAULT, 2, 0))
    assert found["monitors"] >= 2
    assert found["ms_per_pane"] > 0


def test_a_restart_makes_the_way_back_a_change_as_well(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, drifts = tornado.FILES[0], (25_000, 45_000)
    share = np.where((np.arange(60_000) >= 20_000) & (np.arange(60_000) < 40_000), 0.6, 0.1)
    wrong = (rng(Purpose.TUNING, "restart", 0).random(60_000) < share).astype(np.float64)
    monkeypatch.setattr(tornado, "errors", lambda path: wrong)  # from row 5,000 on, as the tree's
    monkeypatch.setitem(tornado.TORNADO, name, drifts)
    both = [{"on": "accuracy", "measure": "accuracy", "detector": {"cusum": {"side": "both"}}}]
    restarted = tornado.own_part(both, tmp_path, 0, restarts=True)
    assert (restarted["hits"], restarted["missed"], restarted["false"]) == (2, [], 0)
    assert max(restarted["starts"]) <= 50
    plain = tornado.own_part(both, tmp_path, 0, restarts=False)
    assert (plain["hits"], plain["missed"]) == (1, [45_000])
