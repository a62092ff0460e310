# ruff: noqa: E501 (tables: one row per mistake, its message whole)
"""Every kind of mistake: its exact line, path, words and suggestion; all of them at once; no secret in any."""

import pytest
from pydantic import BaseModel

from streamcheck.config.load import Loaded, loads
from streamcheck.config.models import Config
from streamcheck.config.wording import PLACEHOLDERS, _models
from streamcheck.errors import ConfigError

BASE = """\
version: 1
name: payments
kafka: {bootstrap_servers: "localhost:9092"}
streams:
  predictions:
    topic: payments.predictions
    id: event_id
    prediction: fraud
    score: fraud_probability
    task: binary
    features: {amount: {kind: numeric, range: [0, 100]}, items: numeric, country: categorical}
    segments: [tier, country]
  labels: {topic: payments.labels, id: event_id, label: fraud}
alerts: {topic: payments.alerts, owner: me}
"""
CANARY = "canary-secret-4711"


def mistakes(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text, environ or {}, "file")
    return [str(mistake) for mistake in caught.value.mistakes]


def changed(old: str, new: str) -> str:
    assert old in BASE
    return BASE.replace(old, new)


def loaded(text: str) -> Loaded:
    return loads(text, {})


def test_the_base_has_no_mistake() -> None:
    assert loaded(BASE).warnings == ()


STRUCTURE = [
    ("version: 1\n", "", "line 1: version: version is missing: Version of the config format: 1."),
    ("version: 1\n", "version: 2\n", "line 1: version: expected 1, the only version of the config format, got 2"),
    ("name: payments", "name: my payments", "line 2: name: expected a name of letters, digits, '.', '_' and '-' (at most 100), got 'my payments'"),
    ("name: payments", "nam: payments", "line 2: nam: unknown key; known here: KNOWN (did you mean 'name'?)"),
    ("    topic: payments.predictions", "    topic: a b", "line 6: streams.predictions.topic: expected a topic name or a list of them (letters, digits, '.', '_', '-'), got 'a b'"),
    ("task: binary", "task: binray", "line 10: streams.predictions.task: expected binary, multiclass or regression, got 'binray' (did you mean 'binary'?)"),
    ("items: numeric", "items: number", "line 11: streams.predictions.features.items: expected numeric or categorical, got 'number' (did you mean 'numeric'?)"),
    ("items: numeric", "items: {knd: numeric}", "line 11: streams.predictions.features.items.knd: unknown key; known here: kind, path, range (did you mean 'kind'?)"),
    ("items: numeric", "items: {path: a}", "line 11: streams.predictions.features.items.kind: kind is missing: numeric: statistics of numbers. categorical: shares of values."),
    ("items: numeric", "items: 3", "line 11: streams.predictions.features.items: expected a mapping of settings (key: value), got 3"),
    ("range: [0, 100]", "range: [100, 0]", "line 11: streams.predictions.features.amount.range: expected two numbers, the smaller first, such as [0, 100], got a list of 2"),
    ("segments: [tier, country]", "segments: tier", "line 12: streams.predictions.segments: expected a list of fields such as [tier, country]; [[tier, country]] crosses them (at most 4), got 'tier'"),
    ("label: fraud}", "label: fraud, horizon: ten}", "line 13: streams.labels.horizon: expected a duration such as 10s, got 'ten'"),
    ("label: fraud}", "label: fraud, horizon: 2000d}", "line 13: streams.labels.horizon: expected a duration between 1ms and 366d, got '2000d'"),
    ("label: fraud}", "label: fraud, corrections: latest}", "line 13: streams.labels.corrections: expected last or first, got 'latest' (did you mean 'last'?)"),
    ("id: event_id, label", "label", "line 13: streams.labels.id: id is missing: Field with the id of the prediction."),
    ("  labels:", "  costs: {topic: a}\n  labels:", "line 13: streams.costs: unknown key; known here: predictions, labels, kpi, shadow"),
    ("alerts: {", "start: later\nalerts: {", "line 14: start: expected earliest, latest or a time with an offset such as 2026-03-01T00:00:00Z, got 'later' (did you mean 'latest'?)"),
    ("alerts: {", "start: 2026-03-01T00:00:00\nalerts: {", "line 14: start: expected earliest, latest or a time with an offset such as 2026-03-01T00:00:00Z, got '2026-03-01T00:00:00'"),
    ("alerts: {", "time: {pane: 0s}\nalerts: {", "line 14: time.pane: expected a duration between 100ms and 1d, got '0s'"),
    ("alerts: {", "time: {lateness: 10}\nalerts: {", "line 14: time.lateness: expected a duration such as 10s, got 10"),
    ("alerts: {", "alarm_budget: weekly\nalerts: {", "line 14: alarm_budget: expected a rate such as 1 per week, 2 per day, 1 per hour or 0.001 per pane, got 'weekly'"),
    ("alerts: {", "limits: {join_memory: 512MB}\nalerts: {", "line 14: limits.join_memory: expected a size such as 512MiB, got '512MB'"),
    ("alerts: {", "limits: {segments: 0}\nalerts: {", "line 14: limits.segments: expected a whole number of at least 1 and at most 1000000, got 0"),
    ("alerts: {", "on_gap: ignore\nalerts: {", "line 14: on_gap: expected refuse or skip, got 'ignore'"),
    ("alerts: {", "prometheus: {listen: 9108}\nalerts: {", "line 14: prometheus.listen: expected HOST:PORT such as 127.0.0.1:9108, or off, got 9108"),
    ("alerts: {", "state:\nalerts: {", "line 14: state: expected a mapping of settings (key: value), got nothing"),
    ("alerts: {", "journal: payments.journal\nalerts: {", "line 14: journal: expected a mapping of settings (key: value, such as topic: NAME), got 'payments.journal'"),
    ("alerts: {", "monitors: {on: amount}\nalerts: {", "line 14: monitors: expected a list, got a mapping with on"),
    ("alerts: {", "monitors: [amount]\nalerts: {", "line 14: monitors[0]: expected a mapping of settings (key: value), got 'amount'"),
    ("owner: me", "ownr: me", "line 14: alerts.ownr: unknown key; known here: topic, operations_topic, owner, escalate (did you mean 'owner'?)"),
]
SEMANTICS = [
    ("    id: event_id\n", "", "line 5: streams.predictions: labels are joined by id; add id: FIELD to the predictions"),
    ("    prediction: fraud\n", "", "line 5: streams.predictions: labels are compared with what the model said; add prediction: FIELD"),
    ("    task: binary\n", "", "line 5: streams.predictions: say what the model predicts; add task: binary, task: multiclass or task: regression"),
    ("    task: binary\n", "    task: multiclass\n    positive: a\n", "line 11: streams.predictions.positive: a positive class is for task: binary; here it is multiclass"),
    ("    task: binary\n", "    task: binary\n    label: fraud\n", "line 11: streams.predictions.label: the label is in the prediction event, so there can be no labels stream; remove one of the two"),
    ("    task: binary\n", "    task: binary\n    time: {field: ts}\n", "line 11: streams.predictions.time: the unit is not guessed; add unit: s, ms, us, ns or iso8601"),
    ("    task: binary\n", "    task: binary\n    time: {unit: ms}\n", "line 11: streams.predictions.time: expected {field: FIELD, unit: ms}; left out, the record timestamp counts"),
    ("    task: binary\n", "    task: binary\n    time: {field: ts, unit: ms, step: 1s}\n", "line 11: streams.predictions.time.step: expected field and unit, or step, not both"),
    ("items: numeric", "volume: numeric", "line 11: streams.predictions.features.volume: 'volume' is a name that streamcheck uses itself; choose another name and write {path: volume, kind: numeric}"),
    ("items: numeric", "a..b: numeric", r"line 11: streams.predictions.features.a..b: expected a field name, with dots for nested ones; write \. for a dot inside a name"),
    ("country: categorical", "country: {kind: categorical, range: [0, 1]}", "line 11: streams.predictions.features.country.range: a range is for numeric features; country is categorical"),
    ("[tier, country]", "[tier, amount]", "line 12: streams.predictions.segments[1]: a segment needs categories; amount is numeric"),
    ("[tier, country]", "[score]", "line 12: streams.predictions.segments[0]: 'score' is a name that streamcheck uses itself; segments are features or other fields"),
    ("topic: payments.labels", "topic: payments.predictions", "line 13: streams.labels.topic: 'payments.predictions' is the topic of streams.predictions.topic already; a topic has one role"),
    ("topic: payments.alerts", "topic: payments.labels", "line 14: alerts.topic: 'payments.labels' is the topic of streams.labels.topic already; a topic has one role"),
    ("alerts: {", "reference: {profile: a.json}\nalerts: {", "line 14: reference.profile: 'a.json': cannot be read: No such file or directory"),
    ("alerts: {", "reference: {first: 1h, rolling: 2h}\nalerts: {", "line 14: reference: expected one kind of reference, got first and rolling"),
    ("alerts: {", "reference: {over: 4w}\nalerts: {", "line 14: reference.over: over says how far back a season looks; add season: hour_of_day or hour_of_week"),
    ("alerts: {", "reference: {}\nalerts: {", "line 14: reference: expected auto, {first: 1h}, {rolling: 7d}, {season: hour_of_week, over: 4w} or {profile: FILE}"),
    ("alerts: {", "reference: autoo\nalerts: {", "line 14: reference: expected auto, {first: 1h}, {rolling: 7d}, {season: hour_of_week, over: 4w} or {profile: FILE}, got 'autoo' (did you mean 'auto'?)"),
    ("alerts: {", "reference: Auto\nalerts: {", "line 14: reference: expected auto, {first: 1h}, {rolling: 7d}, {season: hour_of_week, over: 4w} or {profile: FILE}, got 'Auto' (did you mean 'auto'?)"),
    ("alerts: {", "reference: {season: hour_of_week, over: 2d}\nalerts: {", "line 14: reference.over: the span is too short for season, which needs one week or more; got '2d'"),
    ("alerts: {", "reference: {rolling: 1ms}\nalerts: {", "line 14: reference.rolling: the span is too short for rolling, which needs a longer one; got '1ms'"),
    ("alerts: {", "reference: {rolling: 290s}\nalerts: {", "line 14: reference.rolling: the span is too short for rolling, which needs 30 panes of 10s (5m) before it compares; got '290s'"),
    ("alerts: {", "time: {pane: 5m}\nreference: {rolling: 2h}\nalerts: {", "line 15: reference.rolling: the span is too short for rolling, which needs 30 panes of 5m (150m) before it compares; got '2h'"),
    ("alerts: {", "time: {pane: 1h, max_jump: 1m}\nalerts: {", "line 14: time.max_jump: expected max_jump of at least one pane"),
    ("alerts: {", "monitors: []\nalerts: {", "line 14: monitors: nothing is watched; leave monitors out to get the defaults"),
]


@pytest.mark.parametrize(("old", "new", "mistake"), STRUCTURE + SEMANTICS, ids=range(len(STRUCTURE + SEMANTICS)))
def test_one_mistake_one_line(old: str, new: str, mistake: str) -> None:
    known = "version, name, kafka, start, schema_registry, streams, time, reference, alarm_budget, monitors, alerts, notify, operations, journal, dead_letter, late, "
    known += "state, prometheus, limits, search, workers, on_gap"
    assert mistakes(changed(old, new)) == [mistake.replace("KNOWN", known)]


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "label: fraud}",
            "label: fraud, time: {field: ts, unit: ms}}",
            "line 13: streams.labels.time: this stream names a time field and the predictions do not: field times and record timestamps may differ",
        ),
        (
            "    task: binary\n",
            "    task: binary\n    time: {field: ts, unit: ms}\n",
            "line 11: streams.predictions.time: this stream names a time field and the labels do not: field times and record timestamps may differ",
        ),
        (", owner: me", "", "line 14: alerts: nobody owns the alerts of 37 of 37 monitors; write alerts: {owner: TEAM}"),
        ("topic: payments.alerts, ", "", "line 14: alerts: no topic for alerts is named, so they are shown but not published; write alerts: {topic: NAME}"),
        ("alerts: {", "time: {lateness: 1d, pane: 1s}\nalerts: {", "line 14: time.lateness: keeps 86,400 panes open at once; longer panes save memory"),
    ],
)
def test_one_warning(old: str, new: str, warning: str) -> None:
    assert [str(w) for w in loaded(changed(old, new)).warnings] == [warning]


TEN = """\
version: 1
name: ten mistakes
kafka: {bootstrap_servers: "localhost:9092", isolation_level: read_uncommitted}
streams:
  predictions:
    topic: payments.predictions
    id: event_id
    prediction: fraud
    task: binray
    features: {amount: numeric, country: categorial, volume: numeric}
time: {pane: ten}
monitors:
  - on: amuont
  - on: amount
    detector: adwinn
  - on: amount
    detector: {adwin: {delta: 2, dleta: 0.1}}
alrts: {topic: payments.alerts}
"""


def test_all_mistakes_at_once_in_file_order() -> None:
    found = mistakes(TEN)
    assert [(m.split(": ")[0], m.split(": ")[1]) for m in found] == [
        ("line 2", "name"),
        ("line 3", "kafka.isolation_level"),
        ("line 9", "streams.predictions.task"),
        ("line 10", "streams.predictions.features.country"),
        ("line 10", "streams.predictions.features.volume"),
        ("line 11", "time.pane"),
        ("line 13", "monitors[0].on"),
        ("line 15", "monitors[1].detector"),
        ("line 17", "monitors[2].detector.adwin.delta"),
        ("line 17", "monitors[2].detector.adwin.dleta"),
        ("line 18", "alrts"),
    ]
    suggested = [m.rsplit("did you mean ")[1] for m in found if "did you mean" in m]
    assert suggested == ["'binary'?)", "'categorical'?)", "'amount'?)", "'adwin'?)", "'delta'?)", "'alerts'?)"]


def test_a_missing_variable_is_named_and_nothing_else_is_said_of_its_place() -> None:
    text = changed("items: numeric", "items: '${KIND}'").replace("payments.alerts", "'${ALERTS}'")
    assert mistakes(text) == [
        "line 11: streams.predictions.features.items: the environment variable KIND is not set; set it, or write ${KIND:-default}",
        "line 14: alerts.topic: the environment variable ALERTS is not set; set it, or write ${ALERTS:-default}",
    ]


SECRET_PLACES = [
    ("name: payments", "name: 'a ${SECRET}'"),
    ("topic: payments.predictions", "topic: 'a ${SECRET}'"),
    ("topic: payments.labels", "topic: ['a ${SECRET}', b]"),
    ("task: binary", "task: ${SECRET}"),
    ("items: numeric", "items: ${SECRET}"),
    ("[tier, country]", "['.${SECRET}', tier]"),
    ("label: fraud}", "label: fraud, horizon: '${SECRET}'}"),
    ("'localhost:9092'", "${SECRET}"),
    ("'localhost:9092'", "'localhost:9092', security_protocol: '${SECRET}'"),
    ("'localhost:9092'", "'localhost:9092', request_timeout_ms: '${SECRET}'"),
    ("alerts: {", "monitors: [{on: '${SECRET}'}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, by: ['${SECRET}']}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, by: [['${SECRET}', tier]]}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, detector: '${SECRET}'}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, measure: '${SECRET}'}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, detector: {adwin: {delta: '${SECRET}'}}}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, name: '${SECRET}', alert: {severity: '${SECRET}'}}]\nalerts: {"),
    ("alerts: {", "monitors: [{on: amount, name: '${NAME}'}, {on: amount, name: '${NAME}'}]\nalerts: {"),
    ("topic: payments.alerts", "topic: '${TOPIC}', operations_topic: '${TOPIC}'"),
    ("alerts: {", "reference: {season: '${SECRET}'}\nalerts: {"),
]


@pytest.mark.parametrize(("old", "new"), SECRET_PLACES, ids=range(len(SECRET_PLACES)))
def test_no_message_holds_what_a_variable_held(old: str, new: str) -> None:
    text = BASE.replace('"localhost:9092"', "'localhost:9092'")
    assert old in text
    environ = {"SECRET": CANARY + " x", "NAME": CANARY, "TOPIC": CANARY}
    with pytest.raises(ConfigError) as caught:
        loads(text.replace(old, new), environ, "file")
    said = str(caught.value) + repr(caught.value) + repr(caught.value.mistakes)
    assert caught.value.mistakes
    assert CANARY not in said


def test_neither_settings_nor_config_show_kafka_options() -> None:
    text = BASE.replace('"localhost:9092"', "'localhost:9092', security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_plain_username: me, sasl_plain_password: '${SECRET}'")
    made = loads(text, {"SECRET": CANARY})
    assert made.settings.kafka is not None
    assert made.settings.kafka["sasl_plain_password"] == CANARY
    assert CANARY not in repr(made)


SERVED = BASE.replace("items: numeric", "items: numeric, ms: numeric, code: numeric") + "monitors:\n"
KPI = BASE.replace("  labels:", "  kpi: {topic: payments.revenue, value: eur, %s}\n  labels:")
CHECKS = [
    ("{on: ms, alert: {escalate: {to: page}}}", "alert.escalate.after: after is missing: Event time for which it fires, acknowledged by nobody."),
    ("{on: ms, alert: {escalate: {after: 30, to: page}}}", "alert.escalate.after: expected a duration such as 10s, got 30"),
    ("{on: ms, measure: {burn_rate: {below: 300}}, detector: scan}", "detector: burn_rate says by itself what is too much: leave detector out, or write {threshold: {above: NUMBER}}"),
    ("{on: ms, measure: burn_rate, detector: {threshold: {below: 2}}}", "detector: burn_rate says by itself what is too much: leave detector out, or write {threshold: {above: NUMBER}}"),
    ("{on: freshness, detector: cusum}", "detector: freshness says by itself what is too much: leave detector out, or write {threshold: {above: NUMBER}}"),
    ("{on: code, measure: {share_of: {values: [5XX, 429]}}}", "measure: code is numeric and never '5XX': expected numbers, or classes of a hundred such as 5xx"),
    ("{on: code, measure: {share_of: {values: [timeout]}}}", "measure: code is numeric and never 'timeout': expected numbers, or classes of a hundred such as 5xx"),
]


@pytest.mark.parametrize(("entry", "mistake"), CHECKS, ids=range(len(CHECKS)))
def test_mistakes_in_monitors_of_checks(entry: str, mistake: str) -> None:
    assert mistakes(f"{SERVED}  - {entry}\n") == [f"line 16: monitors[0].{mistake}"]


def test_what_says_itself_what_is_too_much_keeps_its_line_in_a_group() -> None:
    assert loaded(f"{SERVED}  - {{on: [ms, code], measure: {{burn_rate: {{below: 300}}}}, detector: {{threshold: {{above: 2}}}}}}\n")
    plan = loaded(f"{SERVED}  - {{on: defaults, detector: scan}}\n").plan
    found = {spec.column: spec.detector.name for spec in plan.monitors}
    assert (found["freshness"], found["volume"]) == ("threshold", "scan")


def test_a_span_of_the_kpi_is_whole_panes() -> None:
    expected = "line 13: streams.kpi.every: expected a multiple of time.pane (10s), got '15s'"
    assert mistakes(KPI % "every: 15s") == [expected]


def test_everything_that_is_required_has_something_to_stand_in_for_it() -> None:
    """A section that lacks a required key is checked to its end all the same."""
    seen, todo = set[type[BaseModel]](), [Config]
    while todo:
        section = todo.pop()
        seen.add(section)
        for name, one in section.model_fields.items():
            assert not one.is_required() or (one.alias or name) in PLACEHOLDERS, f"{section.__name__}.{name}"
            todo += [inner for inner in _models(one.annotation) if inner not in seen]
    assert len(seen) > 20
