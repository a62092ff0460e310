"""Alerts against known incidents: the matching rules, the dummies, and the file that names incidents."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from streamcheck.config.incidents import load_incidents
from streamcheck.config.load import load, loads
from streamcheck.core.truth import Incident
from streamcheck.errors import ConfigError
from streamcheck.report.record.rows import RowsInTime
from streamcheck.report.result.truth import Fired, judge, match, score

H = 3_600_000
CONFIG = """
version: 1
name: demo
streams: {predictions: {topic: t, features: {amount: numeric, items: numeric}, segments: [tier]}}
monitors:
  - {name: shift, on: amount, by: [tier], measure: mean_shift}
  - {on: items}
"""


def hourly(rows: int = 100, hours: int = 168) -> RowsInTime:
    made = RowsInTime(60_000)
    for hour in range(hours):
        made.add(np.arange(rows, dtype=np.int64) * (H // rows) + hour * H)
    return made


def at(hour: float, monitor: str = "m", group: str | None = None, **segment: str) -> Fired:
    return Fired(round(hour * H), group or f"{hour}{monitor}", monitor, "amount", tuple(segment.items()))


def test_one_alert_finds_one_incident_and_the_rest_repeat_or_are_false() -> None:
    incidents = [Incident(10 * H, 12 * H), Incident(50 * H, 51 * H, tolerance_ms=H), Incident(90 * H, 91 * H)]
    alerts = [at(5), at(10), at(11), at(11.5), at(52), at(53)]
    found = score("x", incidents, alerts, hourly())
    assert (found.found, found.recall, found.repeats, found.false) == (2, 0.6667, 1, 3)
    assert found.precision == 0.4
    assert (found.delay_ms_median, found.delay_ms_max) == (H, 2 * H)
    assert (found.delay_rows_median, found.delay_rows_max) == (100, 200)
    assert found.false_per_10000_rows == round(10_000 * 3 / 16_800, 3)
    assert found.false_per_week == pytest.approx(3.0, abs=0.01)


def test_overlapping_incidents_are_given_an_alert_each_where_that_is_possible() -> None:
    wide, narrow = Incident(0, 10 * H), Incident(1 * H, 3 * H, monitors=("a",))
    assert match([wide, narrow], [at(2, "a"), at(5, "b")]) == [1, 0]
    assert match([wide, narrow], [at(2, "b"), at(2.5, "a")]) == [0, 1]
    assert match([wide, narrow], [at(2, "b")]) == [0, None]


@pytest.mark.parametrize("seed", range(30))
def test_as_many_incidents_are_found_as_can_be(seed: int) -> None:
    """Against every assignment there is."""
    rng = random.Random(seed)
    incidents = []
    for _ in range(4):
        start = rng.randrange(20)
        incidents.append(Incident(start * H, (start + rng.randrange(1, 8)) * H, monitors=(rng.choice("ab*"),)))
    alerts = [at(rng.randrange(1, 25), rng.choice("ab")) for _ in range(5)]
    places = [*range(5), *[None] * 4]
    best = max(
        sum(place is not None for place in chosen)
        for chosen in set(itertools.permutations(places, 4))
        if all(place is None or alerts[place].covers(each) for place, each in zip(chosen, incidents, strict=True))
    )
    found = match(incidents, alerts)
    taken = [place for place in found if place is not None]
    assert len(taken) == len(set(taken)) == best
    assert all(place is None or alerts[place].covers(each) for place, each in zip(found, incidents, strict=True))


def test_whom_an_incident_concerns() -> None:
    incident = Incident(0, 10 * H, ("shift*",), ("items",), (("tier", "premium"),))
    assert at(1, "shift-by-tier", tier="premium").covers(incident)
    assert at(1, "shift").covers(incident)
    assert not at(1, "shift-by-tier", tier="general").covers(incident)
    assert at(1, "shift-by-country", country="DE").covers(incident)
    assert not at(1, "volume").covers(incident)
    assert Fired(H, "g", "volume", "items").covers(incident)


def test_groups_are_false_only_as_a_whole() -> None:
    incidents = [Incident(10 * H, 12 * H, monitors=("a",))]
    alerts = [at(11, "a", "g1"), at(11, "b", "g1"), at(30, "b", "g2"), at(30, "c", "g2")]
    found = score("x", incidents, alerts, hourly())
    assert (found.false, found.groups, found.false_groups) == (3, 2, 1)


def test_the_dummies_stand_beside() -> None:
    incidents = [Incident(10 * H, 12 * H), Incident(500 * H, 501 * H)]
    told = judge(incidents, [at(11, "shift"), at(40, "x")], hourly())
    assert told.outside == 1
    assert told.verdicts == ("found", "false")
    mine, never, every = told.scores
    assert (mine.name, mine.recall, mine.precision) == ("this config", 1.0, 0.5)
    assert (never.name, never.alerts, never.recall, never.precision) == ("never", 0, 0.0, None)
    assert (every.name, every.alerts, every.recall) == ("every 8,400 rows", 2, 0.0)
    [incident] = told.incidents
    assert (incident.found_by, incident.delay_ms, incident.delay_rows) == ("shift", H, 100)
    assert judge(incidents, [], hourly()).scores[2].name == "every 10,000 rows"


def test_who_fires_already_finds_nothing_and_is_named() -> None:
    incident = Incident(10 * H, 12 * H, monitors=("a",))
    lives = (("a", None), ("a", 6 * H), ("b", None))
    on, off, other = (Fired(5 * H, "g", monitor, until_ms=until) for monitor, until in lives)
    for alerts, named in (([other, on], "a"), ([off], None), ([other], None)):
        [known] = judge([incident], alerts, hourly()).incidents
        assert (known.found_ms, known.already) == (None, named)


def test_times_before_1970_count() -> None:
    rows = RowsInTime(60_000)
    rows.add(np.array([-3 * H, -H]))
    assert (rows.seen_ms, rows.span_ms, rows.overlaps(-2 * H, -H)) == ((-3 * H, -H), 2 * H, True)


def test_rows_in_time_grow_coarse_and_stay_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcheck.report.record.rows.CELLS_MAX", 8)
    rows = hourly(hours=10)
    assert rows.total == 1_000
    assert rows.between(-1, 2**60) == 1_000
    assert len(rows.every(100)) == 10


# ------------------------------------------------------------------ the file
def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "incidents.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_incidents(path, loads(CONFIG, {}).plan)
    return [str(mistake) for mistake in error.value.mistakes]


def test_incidents_are_read(tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(
        "version: 1\ntolerance: 30m\nincidents:\n"
        "  - {start: 2026-03-02T00:00:00Z, end: 2026-03-02T01:00:00Z, columns: items}\n"
        "  - start: 2026-03-01T00:00:00Z\n    end: 2026-03-01T06:00:00Z\n    monitors: [shift*]\n"
        "    segment: {tier: premium}\n    note: new campaign\n"
    )
    first, second = load_incidents(tmp_path / "i.yaml", loads(CONFIG, {}).plan)
    assert (first.note, first.monitors, first.segment) == ("new campaign", ("shift*",), (("tier", "premium"),))
    assert (second.columns, second.tolerance_ms, second.end_ms - second.start_ms) == (("items",), 1_800_000, H)


def test_the_example_fits_its_config() -> None:
    examples = Path(__file__).parents[2] / "configs" / "examples"
    assert len(load_incidents(examples / "bank.incidents.yaml", load(examples / "bank.yaml", {}).plan)) == 8


def test_every_mistake_is_told_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        "version: 2\ntolerence: 1h\nincidents:\n  - {start: yesterday, end: 2026-03-01T00:00:00Z, colums: [amount]}\n"
        "  - {start: 2026-03-02T00:00:00Z, end: 2026-03-01T00:00:00Z, monitors: shft, segment: {teir: a}}\n  - 7\n",
    )
    assert found == [
        "line 1: version: expected 1, the only version of this format, got 2",
        "line 2: tolerence: unknown key; known here: version, tolerance, incidents (did you mean 'tolerance'?)",
        "line 4: incidents[0].start: expected a time with an offset such as 2026-03-01T00:00:00Z, got 'yesterday'",
        (
            "line 4: incidents[0].colums: unknown key; known here: start, end, monitors, columns, segment, note "
            "(did you mean 'columns'?)"
        ),
        "line 5: incidents[1].end: end must lie behind start",
        "line 5: incidents[1].monitors: the config has no monitor 'shft' (did you mean 'shift'?)",
        "line 5: incidents[1].segment.teir: the config has no segment 'teir'; it has tier (did you mean 'tier'?)",
        "line 6: incidents[2]: expected a mapping with start, end, monitors, columns, segment, note, got 7",
    ]
    assert "cannot be read" in mistakes(tmp_path, "")[0] or "empty" in mistakes(tmp_path, "")[0]
