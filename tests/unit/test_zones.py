"""Do hours of a time zone go by its clocks, daylight saving included, and is a config held to zones that exist?"""

import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources

import numpy as np
import orjson
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.config.explain import explain
from streamcheck.config.load import loads
from streamcheck.config.zones import names, tzdata_version, zone, zones
from streamcheck.core.components import build
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Target
from streamcheck.core.room import unlimited
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import SourcePartition
from streamcheck.core.zones import UTC as PLAIN
from streamcheck.core.zones import Timing
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
CONFIG = """
version: 1
name: zones
streams: {predictions: {topic: t, model_version: model, features: {age: numeric}}}
reference: REFERENCE
"""


def ms(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
def test_tables_say_what_zoneinfo_says(name):
    rng = np.random.default_rng(1)
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        rules = zoneinfo.ZoneInfo.from_file(file)
    table = zone(name)
    changes = [start // 1000 + d for start in table.starts_ms for d in (-1, 0)]
    moments = [*rng.integers(0, 4_100_000_000, 2_000).tolist(), *changes]
    for seconds in moments:
        if seconds >= 0:
            expected = datetime.fromtimestamp(seconds, UTC).astimezone(rules).utcoffset()
            assert table.local_ms(seconds * 1000) - seconds * 1000 == expected / timedelta(milliseconds=1)


def test_before_and_after_the_table_its_ends_hold():
    berlin = zone("Europe/Berlin")
    assert berlin.local_ms(-DAY_MS) == -DAY_MS + HOUR_MS
    assert berlin.local_ms(5_000_000_000_000) - 5_000_000_000_000 == HOUR_MS


def season(name, **params):
    made = build("reference", "season", {"slots": "hour_of_day", "over_ms": 14 * DAY_MS, "zone": name, **params})
    made.bind(build("measure", "volume", {}).accumulator, unlimited(), Timing(HOUR_MS, zones([name])))
    return made


def test_the_clocks_change_and_nine_o_clock_stays_nine_o_clock():
    """Two weeks around the last Sunday of March: 100 rows an hour from 9 to 17 by the clocks of Berlin, else 10."""
    berlin, first = zone("Europe/Berlin"), ms("2026-03-22T00:00:00")

    def rows(at):
        return 100 if 9 <= berlin.local_ms(at) // HOUR_MS % 24 < 17 else 10

    local, plain = season("Europe/Berlin"), season("UTC")
    for hour in range(14 * 24 + 2):
        for reference in (local, plain):
            reference.observe(first + hour * HOUR_MS, StreamSummary(rows(first + hour * HOUR_MS)), quiet=True)
    later = ms("2026-06-01T00:00:00")
    for hour in range(48):
        at = later + hour * HOUR_MS
        assert local.baseline(at).moment.mean == rows(at)
    off = [h for h in range(24) if plain.baseline(later + h * HOUR_MS).moment.mean != rows(later + h * HOUR_MS)]
    assert off, "by UTC, the hours at which it begins and ends would be mixed"


def test_the_hour_that_comes_twice_and_the_one_that_never_comes():
    autumn, spring = ms("2026-10-24T22:00:00"), ms("2026-03-27T23:00:00")
    doubled = season("Europe/Berlin", over_ms=DAY_MS)
    for half in range(52):
        doubled.observe(autumn + half * HOUR_MS // 2, StreamSummary(7), quiet=True)
    assert doubled.baseline(ms("2026-11-02T01:00:00")).moment.n == 4  # two hours of two panes, called two o'clock both
    skipped = season("Europe/Berlin", over_ms=DAY_MS)
    for hour in range(24, 60):  # from Sunday 0:00 to Monday noon
        skipped.observe(spring + hour * HOUR_MS, StreamSummary(hour), quiet=True)
    at = ms("2026-06-01T00:30:00")  # half past two: on that Sunday it was never half past two
    assert "2:00 Europe/Berlin" in skipped.describe(at)


def test_a_zone_with_an_odd_half_hour():
    made = season("Asia/Kathmandu", over_ms=2 * DAY_MS)
    first = ms("2026-03-01T18:15:00")  # midnight
    for hour in range(50):
        made.observe(first + hour * HOUR_MS, StreamSummary(hour % 24), quiet=True)
    assert made.baseline(first + 100 * DAY_MS + 5 * HOUR_MS).moment.mean == 5
    assert made.describe(first + 100 * DAY_MS + 5 * HOUR_MS) == "the hour from 05:00 Asia/Kathmandu"


def plan(reference):
    return loads(CONFIG.replace("REFERENCE", reference), {}).plan


def test_a_config_names_a_zone():
    made = plan("{zone: Europe/Berlin}")
    assert {spec.reference.name for spec in made.monitors} == {"auto"}
    assert set(made.zones) == {"UTC", "Europe/Berlin"}
    assert set(plan("auto").zones) == {"UTC"}
    assert plan("auto").zones["UTC"] is PLAIN
    weekly = plan("{season: hour_of_week, over: 4w, zone: America/New_York}")
    assert dict(weekly.monitors[0].reference.params)["zone"] == "America/New_York"
    loaded = loads(CONFIG.replace("REFERENCE", "{zone: Europe/Berlin}"), {})
    assert dict(explain(loaded).facts)["time zones"] == f"Europe/Berlin, by the rules of tzdata {tzdata_version()}"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("{zone: Europe/Berln}", "expected a time zone such as Europe/Berlin, got 'Europe/Berln'"),
        ("{first: 1h, zone: Europe/Berlin}", "a zone is for hours of auto or season; first has none"),
        ("{zone: ../etc/passwd}", "expected a time zone such as Europe/Berlin"),
    ],
)
def test_what_is_no_zone_is_a_mistake(reference, message):
    with pytest.raises(ConfigError) as caught:
        plan(reference)
    assert message in str(caught.value)
    assert "Europe/Berln" not in reference or "did you mean 'Europe/Berlin'" in str(caught.value)


def test_the_database_is_the_package_s():
    assert {"Europe/Berlin", "UTC", "America/New_York"} <= names()


def test_a_reference_for_each_model_version():
    made = plan("{first: 1h, per: model_version}")
    by = {spec.id: spec.by.name if spec.by else None for spec in made.monitors}
    of_the_stream = {spec.id for spec in made.monitors if spec.target is Target.STREAM}
    assert {by.pop(name) for name in of_the_stream} == {None}
    assert set(by.values()) == {"model_version"}
    assert "age-mean_shift-by-model_version" in by
    segments = "features: {age: numeric}, segments: [tier]}}\nmonitors: [{on: age, by: [tier]}]"
    text = CONFIG.replace("features: {age: numeric}}}", segments)
    crossed = loads(text.replace("REFERENCE", "{per: model_version}"), {}).plan
    assert {spec.by.fields for spec in crossed.monitors} >= {("model_version",), ("tier", "model_version")}


@pytest.mark.parametrize("seed", [1, 3, 7, 9])
def test_a_new_version_starts_its_own_reference_and_the_old_one_keeps_its_own(seed):
    """Version b says more from the beginning: that is normal for it. Then a says more than it used to."""
    made = plan("{first: 60s, per: model_version}")
    made = replace(made, time=replace(made.time, pane_ms=1_000, lateness_ms=0))
    engine, rng = Engine(made, "lineage"), np.random.default_rng(seed)
    engine.open({SourcePartition("t", 0): 0})
    fired = []
    parts = ((0, 100, {"a": 0}), (100, 100, {"a": 0, "b": 5}), (200, 50, {"a": 1, "b": 5}))
    for first, panes, levels in parts:
        n, offset = panes * 40, engine.partitions[SourcePartition("t", 0)].next_offset
        versions = rng.choice(sorted(levels), n).tolist()
        rows = [{"model": version, "age": levels[version] + float(rng.normal())} for version in versions]
        times = [first * 1_000 + i * 25 for i in range(n)]
        batch = raw_batch("t", 0, rows, first_offset=offset, times_ms=times)
        outcome = engine.feed(Decoder(made.predictions, None).decode(batch))
        records = [orjson.loads(a.record) for a in outcome.alerts if a.state == "firing"]
        fired += [(first, record["monitor"], record["segment"]) for record in records]
    shifts = [each for each in fired if each[1].startswith("age-mean_shift")]
    assert shifts == [(200, "age-mean_shift-by-model_version", {"model_version": "a"})]
    shown = [r for r in engine.reading().monitors if "mean_shift" in r.monitor]
    normal = {dict(r.segment)["model_version"]: r.reference for r in shown}
    assert normal["a"] == pytest.approx(0, abs=0.1)
    assert normal["b"] == pytest.approx(5, abs=0.1)


def test_without_model_versions_there_is_none():
    text = CONFIG.replace("model_version: model, ", "").replace("REFERENCE", "{per: model_version}")
    with pytest.raises(ConfigError, match="add model_version: FIELD"):
        loads(text, {})
