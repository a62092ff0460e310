"""Do alerts live as DESIGN section 10 says: pending, firing, resolved, once each, with the same bytes for ever?"""

from dataclasses import replace

import orjson
import pytest

from streamcheck.core import codec
from streamcheck.core.alerts import AlertTracker, Change, Finding, Known, Transition, alert_id
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.incidents import LONG_PANES, NEAR_PANES
from streamcheck.core.plan import AlertRule, ComponentSpec, MonitorSpec, Plan, Schema, Target, TimeRules
from streamcheck.core.readings import AlertState
from streamcheck.core.records import record, summarise
from streamcheck.core.types import StreamRole

PANE_MS = 1_000
FOUND = Finding(change_at_ms=500, value=2.0, reference=1.0, score=9.0, threshold=5.0, rows=40, direction=1)


def play(drifts, rule, *, pulsed=False, restarts=False):
    """What a tracker says pane by pane: d drifting, . well, space: no step. One (pane, state) for each transition."""
    tracker, said = AlertTracker(rule, pulsed=pulsed), []
    for pane, mark in enumerate(drifts):
        if mark == " ":
            continue
        found = replace(FOUND, change_at_ms=pane * PANE_MS, value=float(pane)) if mark == "d" else None
        said += [(pane, t) for t in tracker.step(pane * PANE_MS, (pane + 1) * PANE_MS, found)]
        if restarts:
            state = codec.decode("tracker", codec.encode("tracker", 1, tracker.export()))[1]
            tracker = AlertTracker(rule, pulsed=pulsed)
            tracker.restore(state)
    return said


def told(drifts, rule, **more):
    """The same with a letter for each state, written below the pane in which it came."""
    line = [" "] * len(drifts)
    for pane, transition in play(drifts, rule, **more):
        assert line[pane] == " ", "two transitions in one pane"
        line[pane] = {"pending": "p", "firing": "F", "resolved": "r"}[transition.state]
    return "".join(line)


FOR_3S = AlertRule(for_ms=3_000, cooldown_ms=2_000)
AT_ONCE = AlertRule(for_ms=0, cooldown_ms=2_000)
RISES = AlertRule(for_ms=0, cooldown_ms=2_000, escalate_ms=4_000, escalate_to="page")
LIVES = [
    ("at once", AT_ONCE, False, "..d..", "  F r"),
    ("no second alarm while open", AT_ONCE, False, "dddd..", "F    r"),
    ("cooldown counts from the last drift", AT_ONCE, False, "d.d.d..", "F     r"),
    ("a new alarm after it was resolved", AT_ONCE, False, "d..d..", "F rF r"),
    ("no cooldown", AlertRule(cooldown_ms=0), False, "d.d.", "FrFr"),
    ("silence holds the state", AT_ONCE, False, "d      .", "F      r"),
    ("drift long enough", FOR_3S, False, "ddddd..", "p F   r"),
    ("drift not long enough", FOR_3S, False, "dd.dd.", "p rp r"),
    ("pending through silence", FOR_3S, False, "d  d", "p  F"),
    ("pulsed at once", AT_ONCE, True, "d..d..", "F rF r"),
    ("pulsed again while open", AT_ONCE, True, "d.d..", "F   r"),
    ("pulsed counts as drifting until the cooldown", AlertRule(3_000, 5_000), True, "d.......", "p F  r  "),
    ("pulsed and over before it was long enough", FOR_3S, True, "d....", "p r  "),
    ("more urgent after a while, once", RISES, False, "ddddddddd..", "F   F     r"),
    ("more urgent from firing on, not from pending", replace(RISES, for_ms=2_000), False, "dddddddd", "pF   F"),
    ("over before it is more urgent", RISES, False, "ddd..d", "F   rF"),
    ("more urgent with the next step, after a silence", RISES, False, "d      d", "F      F"),
]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("rule", "pulsed", "drifts", "expected"), [life[1:] for life in LIVES], ids=[life[0] for life in LIVES]
)
def test_life_of_an_alert(rule, pulsed, drifts, expected, restarts):
    assert told(drifts, rule, pulsed=pulsed, restarts=restarts).rstrip() == expected.rstrip()


def test_the_change_is_dated_as_first_estimated_and_the_numbers_are_the_newest():
    (_, fired), (_, resolved) = play("ddd..", AT_ONCE)
    assert (fired.finding.change_at_ms, fired.finding.value) == (0, 0.0)
    assert (resolved.finding.change_at_ms, resolved.finding.value) == (0, 2.0)


def test_an_alert_that_nobody_acknowledges_rises_and_its_record_says_so():
    spec = MonitorSpec("m", Target.COLUMN, "x", ComponentSpec("scan"), ComponentSpec("mean"), rule=RISES)
    records = [orjson.loads(record("c", "l", 1, "i", Change(spec, (), "mean", t))) for _, t in play("ddddddd..", RISES)]
    assert [(r["state"], r["severity"]) for r in records] == [
        ("firing", "warning"), ("firing", "page"), ("resolved", "page")
    ]
    assert len({r["id"] for r in records}) == 1
    said = {"from": "warning", "fired_at": "1970-01-01T00:00:01.000Z", "after_s": 4.0}
    assert ["escalated" in r["evidence"] for r in records] == [False, True, True]
    assert records[1]["evidence"]["escalated"] == said
    assert records[1]["summary"].endswith("; acknowledged by nobody for 4 s: warning becomes page")
    assert "becomes page" not in records[2]["summary"]


def test_what_somebody_knows_does_not_rise():
    tracker = AlertTracker(RISES, pulsed=False)
    tracker.step(0, PANE_MS, FOUND)
    tracker.acknowledged = Known("kim")
    assert [tracker.step(at * PANE_MS, (at + 1) * PANE_MS, FOUND) for at in range(1, 20)] == [[]] * 19
    assert tracker.severity == "warning"


def test_all_transitions_of_one_alert_open_in_the_same_pane_and_the_next_alert_in_another():
    said = [t.opened_ms for _, t in play("dd.dddd..d..", FOR_3S)]
    assert said == [0, 0, 3_000, 3_000, 3_000, 9_000, 9_000]


def test_state_for_gauges():
    tracker = AlertTracker(FOR_3S, pulsed=False)
    states = [tracker.state]
    for pane, found in enumerate([FOUND, FOUND, FOUND, None, None]):
        tracker.step(pane * PANE_MS, (pane + 1) * PANE_MS, found)
        states.append(tracker.state)
    assert states == [AlertState.QUIET, *[AlertState.PENDING] * 2, *[AlertState.FIRING] * 2, AlertState.QUIET]


# ------------------------------------------------------------------ record
SPEC = MonitorSpec(
    "amount-adwin",
    Target.COLUMN,
    "amount",
    ComponentSpec("adwin", (("delta", 0.002),)),
    rule=AlertRule(60_000, 300_000, "page", "risk-oncall", "https://wiki.example/fraud"),
)
DETECTED = Finding(1_772_359_120_000, 212.4, 104.9, 12.7, 8.1, 812, 1, (("drift_rows", 2), ("rows_since_change", 812)))
CHANGE = Change(
    SPEC,
    (("tier", "premium"),),
    "mean",
    Transition("firing", 1_772_359_190_000, 1_772_359_200_000, 1_772_359_210_000, DETECTED),
)
GOLDEN = (
    b'{"schema":1,"id":"67e608e47ddb3f1950de8bdd","lineage":"77ab","sequence":17,"incident":"1c0d","state":"firing",'
    b'"config":"payments","monitor":"amount-adwin","column":"amount","segment":{"tier":"premium"},"severity":"page",'
    b'"owner":"risk-oncall","runbook":"https://wiki.example/fraud","pane_start":"2026-03-01T10:00:00.000Z",'
    b'"pane_end":"2026-03-01T10:00:10.000Z","change_at":"2026-03-01T09:58:40.000Z","value":212.4,"reference":104.9,'
    b'"score":12.7,"threshold":8.1,"rows":812,"detector":"adwin","summary":"amount for tier=premium rose from 104.9 to '
    b'212.4 (mean of 812 rows) since about 2026-03-01 09:58:40","evidence":{"drift_rows":2,"rows_since_change":812}}'
)


def test_the_exact_bytes_of_a_record():
    assert record("payments", "77ab", 17, "1c0d", CHANGE) == GOLDEN


def test_ids_are_stable_and_tell_alerts_apart():
    base = ("payments", "amount-adwin", (("tier", "premium"),), 1_772_359_190_000)
    assert alert_id(*base) == orjson.loads(GOLDEN)["id"]
    others = [
        ("payments2", *base[1:]),
        (base[0], "amount", *base[2:]),
        (*base[:2], (), base[3]),
        (*base[:2], (("tier", "general"),), base[3]),
        (*base[:2], (("tierpremium", ""),), base[3]),
        (*base[:3], base[3] + 1),
    ]
    assert len({alert_id(*base), *(alert_id(*other) for other in others)}) == 1 + len(others)


def test_numbers_that_json_lacks_become_null():
    finding = replace(DETECTED, value=float("inf"), score=None)
    bare = Change(SPEC, (), "mean", replace(CHANGE.transition, finding=finding))
    read = orjson.loads(record("payments", "l", 1, "i", bare))
    assert (read["value"], read["score"], read["segment"]) == (None, None, {})


@pytest.mark.parametrize(
    ("finding", "state", "expected"),
    [
        ({}, "pending", "amount rose from 104.9 to 212.4 (mean of 812 rows) since about 2026-03-01 09:58:40"),
        (
            {"direction": -1, "value": 52.1},
            "firing",
            "amount fell from 104.9 to 52.1 (mean of 812 rows) since about 2026-03-01 09:58:40",
        ),
        ({"reference": None}, "firing", "amount changed (seen by adwin) since about 2026-03-01 09:58:40"),
        ({}, "resolved", "amount has not drifted further (seen by adwin), after a change at about 2026-03-01 09:58:40"),
    ],
)
def test_one_sentence_for_people(finding, state, expected):
    transition = replace(CHANGE.transition, state=state, finding=replace(DETECTED, **finding))
    assert summarise(Change(SPEC, (), "mean", transition)) == expected


@pytest.mark.parametrize(
    ("value", "direction", "verb"),
    [
        (40.0, 1, "rose"),
        (40.0, -1, "changed"),
        (4.0, -1, "fell"),
        (4.0, 1, "changed"),
        (4.0, 0, "changed"),
    ],
)
def test_a_summary_never_contradicts_its_numbers(value: float, direction: int, verb: str) -> None:
    finding = replace(DETECTED, value=value, reference=11.9, direction=direction)
    spec = replace(SPEC, measure=ComponentSpec("scale"), detector=ComponentSpec("scan"))
    said = summarise(Change(spec, (), "standard deviation", replace(CHANGE.transition, finding=finding)))
    assert said.startswith(f"amount {verb} from 11.9 to {value:.4g} ")


@pytest.mark.parametrize(
    ("reference", "value", "said"),
    [
        (1e9, 1e9 + 1.25, "rose from 1,000,000,000 to 1,000,000,001 (mean"),
        (0.99991, 0.99992, "rose from 0.99991 to 0.99992 (mean"),
        (1e-9, 1.00001e-9, "rose from 1e-09 to 1.00001e-09 (mean"),
        (5.0, 5.0, "changed (mean"),
    ],
)
def test_numbers_that_differ_are_told_apart(reference: float, value: float, said: str) -> None:
    finding = replace(DETECTED, value=value, reference=reference, direction=1)
    spec = replace(SPEC, measure=ComponentSpec("mean_shift"), detector=ComponentSpec("scan"))
    change = Change(spec, (), "mean", replace(CHANGE.transition, finding=finding))
    assert said in summarise(change)
    limited = replace(finding, score=value, threshold=reference)
    drawn = replace(change, spec=replace(spec, detector=ComponentSpec("threshold")))
    text = summarise(replace(drawn, transition=replace(CHANGE.transition, finding=limited)))
    at, limit = text.split(" is ")[1].split(" (")[0].split(", above its limit ")
    assert (at == limit) == (value == reference)


def test_a_summary_names_no_numbers_that_tell_nothing() -> None:
    """Of values of 1e302, sums take each as 1e140: "rose from 1e+140 to 1e+140"."""
    finding = replace(DETECTED, value=1e140, reference=1e140, direction=1)
    spec = replace(SPEC, measure=ComponentSpec("mean_shift"), detector=ComponentSpec("scan"))
    said = summarise(Change(spec, (), "mean", replace(CHANGE.transition, finding=finding)))
    assert said.startswith("amount changed (mean of 812 rows) since about")


def test_two_segments_are_both_named():
    change = replace(CHANGE, segment=(("tier", "premium"), ("country", "DE")))
    assert summarise(change).startswith("amount for tier=premium, country=DE rose")


# ------------------------------------------------------------------ sequence, digest, incidents
def engine():
    schema = Schema(StreamRole.PREDICTIONS, ("p",), None, None, (), 1_024, 0)
    return Engine(Plan("payments", schema, None, None, TimeRules(PANE_MS), None, (), ()), "lineage")


def published(made, monitor, state, opened_pane, pane):
    outcome = Outcome()
    transition = Transition(state, opened_pane * PANE_MS, pane * PANE_MS, (pane + 1) * PANE_MS, FOUND)
    made._publish([Change(replace(SPEC, id=monitor), (), "mean", transition)], outcome)
    (alert,) = outcome.alerts
    return alert, orjson.loads(alert.record)


def test_sequence_numbers_have_no_gap_and_the_digest_covers_every_transition():
    made, seen = engine(), []
    for pane, state in enumerate(["pending", "firing", "resolved"]):
        alert, _ = published(made, "a", state, 0, pane)
        seen.append((alert.sequence, alert.state, made.digest))
    assert [s[:2] for s in seen] == [(1, "pending"), (2, "firing"), (3, "resolved")]
    assert len({s[2] for s in seen}) == 3


def test_alerts_that_open_shortly_after_one_another_are_one_incident():
    made = engine()
    first = published(made, "a", "firing", 100, 100)[1]["incident"]
    assert published(made, "b", "firing", 100 + NEAR_PANES, 100 + NEAR_PANES)[1]["incident"] == first
    assert published(made, "c", "firing", 101 + 2 * NEAR_PANES, 101 + 2 * NEAR_PANES)[1]["incident"] != first


def test_an_incident_ends_though_alerts_go_on_to_open():
    """A stream that is never quiet would be one incident for ever, and nobody called a second time."""
    made = engine()
    found = [
        published(made, f"m{at}", "firing", 100 + at, 100 + at)[1]["incident"]
        for at in range(0, 3 * (LONG_PANES + NEAR_PANES), NEAR_PANES)
    ]
    assert made.incidents.total == made.incidents.open == len(dict.fromkeys(found)) == 3
    assert found == sorted(found, key=found.index), "one after the other"


def test_an_alert_keeps_its_incident_to_the_end_and_leaves_nothing_behind():
    made = engine()
    first = published(made, "a", "firing", 100, 100)[1]["incident"]
    other = published(made, "b", "firing", 500, 500)[1]["incident"]
    restored = engine()
    restored.restore_core(codec.decode("core", codec.encode("core", 1, made.core_state()))[1])
    for twin in (made, restored):
        assert published(twin, "a", "resolved", 100, 600)[1]["incident"] == first != other
        assert published(twin, "b", "resolved", 500, 601)[1]["incident"] == other
        assert twin.incidents.open == 0
        assert twin.incidents.total == 2
    assert made.digest == restored.digest
