# ruff: noqa: E501 (tables: one row per mistake, its message whole)
"""Which monitors come of a config: defaults, names, segments, shares; what does not go together."""

import pytest

from streamcheck.config.load import loads
from streamcheck.core.plan import ComponentSpec, MonitorSpec, Segmentation, Target, Window
from streamcheck.errors import ConfigError

BINARY = """\
version: 1
name: payments
streams:
  predictions:
    topic: p
    id: id
    prediction: fraud
    score: probability
    model_version: model.version
    task: binary
    features: {amount: {kind: numeric, range: [0, 100]}, country: categorical}
    segments: [tier]
  labels: {topic: l, id: id, label: fraud}
alerts: {owner: me}
monitors:
"""
REGRESSION = BINARY.replace("task: binary", "task: regression")
UNLABELLED = BINARY.replace("  labels: {topic: l, id: id, label: fraud}\n", "")
MULTICLASS = BINARY.replace("task: binary", "task: multiclass")


def specs(entries: str, base: str = BINARY) -> tuple[MonitorSpec, ...]:
    return loads(base + entries, {}).plan.monitors


def ids(entries: str, base: str = BINARY) -> list[str]:
    return [spec.id for spec in specs(entries, base)]


def mistakes(entries: str, base: str = BINARY) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(base + entries, {})
    return [str(mistake) for mistake in caught.value.mistakes]


OF_VALUES = ["amount-stuck", "amount-zeros", "amount-unit_change"]
AMOUNT = ["amount-mean_shift", "amount-scale", "amount-outside", *OF_VALUES, "amount-missing_rate", "amount-wrong_type_rate", "amount-out_of_range"]
COUNTRY = ["country-category_share", "country-unseen", "country-missing_rate", "country-wrong_type_rate"]
ESTIMATES = ("estimated_accuracy-scan", "estimate_gap-scan")
SCORE = ["score-mean_shift", "score-scale", "score-outside", "score-stuck"]
STREAM = ["volume-scan", "late_rate-scan", "reject_rate-scan", "duplicate_rate-scan", "freshness-threshold", "schema_changes-threshold"]
LIMITS = {"amount-unit_change", "freshness-threshold", "schema_changes-threshold"}


def sides(monitors: tuple[MonitorSpec, ...]) -> dict[str, str]:
    return {spec.id: dict(spec.detector.params).get("side", "both") for spec in monitors}


def test_defaults_of_a_binary_task() -> None:
    made = specs("")
    assert [spec.id for spec in made] == [
        *AMOUNT,
        *COUNTRY,
        "prediction-category_share",
        *SCORE,
        *STREAM,
        "accuracy-scan",
        "accuracy-scan-by-tier",
        *ESTIMATES,
    ]
    assert {spec.id for spec in made if spec.detector.name == "threshold"} == LIMITS
    assert {spec.detector.name for spec in made} == {"scan", "threshold"}
    assert all(spec.default for spec in made)
    assert {name for name, side in sides(made).items() if side == "up"} == {
        "amount-outside",
        "amount-stuck",
        "amount-zeros",
        "amount-wrong_type_rate",
        "amount-out_of_range",
        "country-unseen",
        "country-wrong_type_rate",
        "score-outside",
        "score-stuck",
        "late_rate-scan",
        "reject_rate-scan",
        "duplicate_rate-scan",
    }
    down = {name for name, side in sides(made).items() if side == "down"}
    assert down == {"accuracy-scan", "accuracy-scan-by-tier", "estimated_accuracy-scan"}
    targets = {spec.column: spec.target for spec in made}
    assert (targets["amount"], targets["volume"], targets["accuracy"]) == (Target.COLUMN, Target.STREAM, Target.LABELLED)
    assert {spec.window for spec in made if spec.column == "accuracy"} == {Window(rows=1000)}
    assert {spec.window for spec in made if spec.column != "accuracy"} == {None}


def test_defaults_of_a_regression() -> None:
    made = specs("", REGRESSION)
    assert [spec.id for spec in made if spec.column in ("prediction", "mae", "bias", "accuracy")] == [
        "prediction-mean_shift",
        "prediction-scale",
        "prediction-outside",
        "prediction-stuck",
        "mae-scan",
        "mae-scan-by-tier",
        "bias-scan",
        "bias-scan-by-tier",
    ]
    assert (sides(made)["mae-scan"], sides(made)["bias-scan"]) == ("up", "both")


def test_without_labels_there_is_no_quality() -> None:
    assert [spec.id for spec in specs("", UNLABELLED)][-6:] == STREAM


def test_labels_inside_the_prediction_event_are_labels_too() -> None:
    inside = UNLABELLED.replace("    task: binary\n", "    task: binary\n    label: truth\n")
    plan = loads(inside, {}).plan
    assert [spec.id for spec in plan.monitors][-4:-2] == ["accuracy-scan", "accuracy-scan-by-tier"]
    assert plan.labels is None
    assert plan.join is None


def test_a_share_is_equal_per_column_then_by_weight() -> None:
    """Two monitors of drift and six of rare things: 2.6; one of drift and three of rare things: 1.3."""
    made = specs("  - on: features\n  - {on: volume}\n  - {name: raw, on: amount, detector: {adwin: {delta: 0.01}}}\n")
    shares = {spec.id: spec.share for spec in made}
    assert shares["volume-scan"] == pytest.approx(1 / 3)
    assert shares["amount-mean_shift"] == pytest.approx(1 / 3 / 2.6)
    assert shares["amount-outside"] == pytest.approx(1 / 3 / 26)
    assert shares["country-unseen"] == pytest.approx(1 / 3 / 13)
    assert shares["raw"] == 0.0
    assert shares["amount-unit_change"] == 0.0
    assert sum(shares.values()) == pytest.approx(1.0)


def test_what_goes_wrong_with_events_of_the_stream_has_the_share_of_one_column() -> None:
    shares = {spec.id: spec.share for spec in specs("  - on: [volume, late_rate, reject_rate, duplicate_rate, freshness]\n")}
    assert shares == {STREAM[0]: 1 / 2, **dict.fromkeys(STREAM[1:4], pytest.approx(1 / 6)), STREAM[4]: 0.0}


def test_rare_things_alone_share_all_that_their_column_has() -> None:
    made = specs("  - {on: amount, measure: missing_rate}\n  - {on: amount, measure: zeros}\n")
    assert [spec.share for spec in made] == [pytest.approx(1 / 2)] * 2


def test_given_thresholds_stand_outside_the_budget() -> None:
    made = specs("  - {on: amount, measure: psi, detector: {cusum: {h: 8}}}\n  - {on: volume, detector: {threshold: {below: 3}}}\n  - on: score\n")
    assert {spec.id: spec.share > 0 for spec in made} == {"amount-psi": False, "volume-threshold": False, **dict.fromkeys(SCORE, True)}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("  - on: features\n", AMOUNT + COUNTRY),
        ("  - on: amount\n", AMOUNT),
        ("  - {on: amount, measure: psi}\n", ["amount-psi"]),
        ("  - {on: amount, measure: psi, by: [tier]}\n", ["amount-psi", "amount-psi-by-tier"]),
        ("  - {on: amount, measure: psi, by: [tier, [tier]]}\n", ["amount-psi", "amount-psi-by-tier"]),
        ("  - {on: amount, detector: adwin}\n", ["amount-adwin"]),
        ("  - {on: amount, detector: cusum}\n", ["amount-mean_shift"]),
        ("  - {on: amount, detector: {threshold: {above: 5}}}\n", ["amount-mean"]),
        ("  - {on: features, detector: adwin}\n", ["amount-adwin"]),
        ("  - {on: [amount, score], measure: scale}\n", ["amount-scale", "score-scale"]),
        ("  - {on: [amount, score], measure: scale, name: spread}\n", ["spread-amount", "spread-score"]),
        ("  - {on: score, name: s}\n", ["s-mean_shift", "s-scale", "s-outside", "s-stuck"]),
        ("  - {on: amount, detector: adwin, by: [tier], name: amount-adwin}\n", ["amount-adwin", "amount-adwin-by-tier"]),
        ("  - {on: accuracy}\n", ["accuracy-scan"]),
        ("  - {on: accuracy, by: [tier], detector: ddm}\n", ["error-ddm", "error-ddm-by-tier"]),
        ("  - {on: error}\n", ["error_rate-scan"]),
        ("  - {on: error, detector: adwin}\n", ["error-adwin"]),
        ("  - {on: f1}\n", ["f1-scan"]),
        ("  - on: features\n  - {on: amount, enabled: false}\n", COUNTRY),
        ("  - on: features\n  - {on: features, measure: outside, enabled: false}\n", [name for name in AMOUNT + COUNTRY if name != "amount-outside"]),
        ("  - on: features\n  - {on: amount, name: amount-outside, enabled: false}\n", [name for name in AMOUNT + COUNTRY if name != "amount-outside"]),
        ("  - on: amount\n  - {on: amount, detector: adwin, enabled: false}\n", AMOUNT),
        ("  - on: features\n  - {on: amount, measure: outside, reference: {first: 1h}}\n", AMOUNT + COUNTRY),
        ("  - {on: [features, score], enabled: false}\n", ["prediction-category_share", *STREAM, "accuracy-scan", "accuracy-scan-by-tier", *ESTIMATES]),
        ("  - {on: accuracy, by: [tier], enabled: false}\n", [*AMOUNT, *COUNTRY, "prediction-category_share", *SCORE, *STREAM, "accuracy-scan", *ESTIMATES]),
    ],
    ids=range(25),
)
def test_ids(entries: str, expected: list[str]) -> None:
    assert ids(entries) == expected


def test_what_is_written_for_a_column_replaces_what_a_group_makes() -> None:
    made = {spec.id: spec for spec in specs("  - {on: amount, measure: outside, reference: {first: 1h}}\n  - on: defaults\n")}
    assert made["amount-outside"].reference == ComponentSpec("first", (("span_ms", 3_600_000),))
    assert not made["amount-outside"].default
    assert made["amount-scale"].reference == ComponentSpec("auto", auto=True)
    assert made["amount-scale"].default


def test_everything_an_entry_can_say() -> None:
    (all_rows, tiers) = specs(
        "  - name: acc\n    on: accuracy\n    by: [tier]\n    window: {time: 1h}\n    block: 10\n    detector: {cusum: {k: 0.5}}\n"
        "    reference: {season: hour_of_day, over: 4w}\n"
        "    alert: {for: 1m, cooldown: 2m, severity: page, owner: you, runbook: 'https://wiki.example'}\n"
    )
    assert all_rows.by is None
    assert tiers.by == Segmentation(("tier",))
    assert tiers.window == Window(span_ms=3_600_000)
    assert tiers.block_rows == 10
    assert tiers.detector == ComponentSpec("cusum", (("k", 0.5), ("side", "down")))
    assert tiers.reference == ComponentSpec("season", (("over_ms", 2_419_200_000), ("slots", "hour_of_day")))
    rule = tiers.rule
    assert (rule.for_ms, rule.cooldown_ms, rule.severity, rule.owner, rule.runbook) == (60_000, 120_000, "page", "you", "https://wiki.example")


def test_alerts_rise_as_the_entry_or_the_config_says() -> None:
    base = BINARY.replace("{owner: me}", "{owner: me, escalate: {after: 1h}}")
    own = "alert: {escalate: {after: 10m, to: emergency}}"
    entries = f"  - {{on: amount, measure: mean, {own}}}\n  - {{on: amount, measure: psi}}\n"
    made = specs(entries + "  - {on: amount, measure: scale, alert: {severity: page}}\n", base)
    told = [(spec.rule.escalate_ms, spec.rule.escalate_to) for spec in made]
    assert told == [(600_000, "emergency"), (3_600_000, "page"), (None, None)], "what is as urgent already stays"
    assert {spec.rule.escalate_ms for spec in specs("")} == {None}


@pytest.mark.parametrize("written", ["adwin", "{adwin: auto}", "{adwin: {}}", "{adwin: }"])
def test_a_detector_without_parameters_is_auto(written: str) -> None:
    (made,) = specs(f"  - {{on: amount, detector: {written}}}\n")
    assert made.detector == ComponentSpec("adwin", (), auto=True)
    (given,) = specs("  - {on: amount, detector: {adwin: {delta: 1e-2}}}\n")
    assert given.detector == ComponentSpec("adwin", (("delta", 0.01),))


def test_errors_of_rows_feed_row_detectors() -> None:
    (made,) = specs("  - {on: accuracy, detector: fhddm}\n")
    assert (made.target, made.column, made.measure) == (Target.LABELLED, "error", None)
    (number,) = specs("  - {on: mae, detector: adwin}\n", REGRESSION)
    assert (number.target, number.column, number.measure) == (Target.LABELLED, "error", None)


def test_segments_of_monitors_join_those_declared() -> None:
    crossed = BINARY.replace("[tier]", "[tier, country]")
    plan = loads(crossed + "  - {on: amount, measure: psi, by: [[country, tier]]}\n  - {on: score, measure: psi, by: [[country, tier]]}\n", {}).plan
    assert [s.name for s in plan.segmentations] == ["tier", "country", "country*tier"]
    declared = BINARY.replace("[tier]", "[[tier, country]]")
    plan = loads(declared + "  - {on: amount, measure: psi, by: [[country, tier]]}\n", {}).plan
    assert [s.name for s in plan.segmentations] == ["tier*country"]


MISTAKES = [
    ("  - {on: amount, alert: {severity: page, escalate: {after: 30m}}}\n", "monitors[0].alert.escalate.to: its severity is page from the beginning; name one that is more urgent"),
    ("  - on: amuont\n", "monitors[0].on: unknown column or quality 'amuont'; known: amount, country, features, defaults, prediction, score, error, duplicate_rate, freshness, label_coverage, late_rate, reject_rate, schema_changes, throughput, volume, dependence, entropy, estimated_accuracy, QUALITIES (did you mean 'amount'?)"),
    ("  - {on: amount, by: [teir]}\n", "monitors[0].by: unknown segment 'teir'; known: tier (did you mean 'tier'?)"),
    ("  - {on: volume, by: [tier]}\n", "monitors[0].by: volume is counted for all rows together; leave by out"),
    ("  - {on: amount, detector: adwinn}\n", "monitors[0].detector: unknown detector 'adwinn'; known: DETECTORS (did you mean 'adwin'?)"),
    ("  - {on: amount, measure: psii}\n", "monitors[0].measure: unknown measure 'psii'; known: MEASURES (did you mean 'psi'?)"),
    ("  - {on: amount, detector: {adwin: {delta: 2}}}\n", "monitors[0].detector.adwin.delta: expected a number > 0 and < 1, got 2"),
    ("  - {on: amount, detector: {page_hinkley: {treshold: 2}}}\n", "monitors[0].detector.page_hinkley.treshold: unknown parameter of detector page_hinkley 'treshold'; known: min_instances, delta, threshold, alpha, mode (did you mean 'threshold'?)"),
    ("  - {on: error, detector: {ddm: {warning_threshold: 5.0, drift_threshold: 2.0}}}\n", "monitors[0].detector.ddm: warning_threshold (5) must not be above drift_threshold (2): a warning comes before a drift"),
    ("  - {on: amount, detector: ddm}\n", "monitors[0].detector: ddm needs a 0/1 signal such as error; amount is any number"),
    ("  - {on: amount, detector: hddm_a}\n", "monitors[0].detector: hddm_a needs a share between 0 and 1, such as score or error; amount is any number"),
    ("  - {on: score, detector: eddm}\n", "monitors[0].detector: eddm needs a 0/1 signal such as error; score is a share between 0 and 1"),
    ("  - {on: country, detector: adwin}\n", "monitors[0].detector: adwin needs a number per row; country is no number; a pane detector such as scan takes it"),
    ("  - {on: f1, detector: adwin}\n", "monitors[0].detector: adwin needs a number per row; f1 is no number; a pane detector such as scan takes it"),
    ("  - {on: amount, measure: psi, detector: adwin}\n", "monitors[0].measure: adwin reads rows, not a measure of them; leave measure out"),
    ("  - {on: amount, measure: category_share}\n", "monitors[0].measure: category_share says nothing about amount; measures for it: FITTING"),
    ("  - {on: accuracy, measure: f1}\n", "monitors[0].measure: accuracy is a measure itself; leave measure out, or write on: f1"),
    ("  - {on: accuracy, measure: psi}\n", "monitors[0].measure: accuracy is a measure itself; leave measure out"),
    ("  - {on: accuracy, measure: mae}\n", "monitors[0].measure: accuracy is a measure itself; leave measure out"),
    ("  - {on: score, measure: out_of_range}\n", "monitors[0].measure: out_of_range needs a range: score: {kind: numeric, range: [LOW, HIGH]}"),
    ("  - {on: amount, window: {rows: 10}}\n", "monitors[0].window: a window is for labelled qualities such as accuracy; other measures are taken per pane"),
    ("  - {on: amount, block: 10}\n", "monitors[0].block: a block is for labelled qualities such as accuracy; other measures are taken per pane"),
    ("  - {on: accuracy, detector: ddm, block: 10}\n", "monitors[0].block: ddm steps once per row; leave block out"),
    ("  - {on: accuracy, window: {rows: 10, time: 1h}}\n", "monitors[0].window: expected either rows or time, such as {rows: 1000} or {time: 1h}"),
    ("  - {on: accuracy, window: {}}\n", "monitors[0].window: expected either rows or time, such as {rows: 1000} or {time: 1h}"),
    ("  - {on: mae}\n", "monitors[0].on: mae needs task: regression; here it is binary"),
    ("  - {on: features, detector: ddm}\n", "monitors[0].on: ddm suits none of features"),
    ("  - {on: amount, detector: adwin}\n  - {on: amount, detector: {adwin: {delta: 0.1}}}\n", "monitors[1]: two monitors would have the id amount-adwin: the entry on line 16 makes it, too; give one another name"),
    ("  - {on: amount, detector: adwin, name: a}\n  - {on: score, detector: adwin, name: a}\n", "monitors[1].name: two monitors would have the id a: the entry on line 16 makes it, too; give one another name"),
    ("  - {on: amount, reference: {profile: x}}\n", "monitors[0].reference.profile: 'x': cannot be read: No such file or directory"),
    ("  - {on: amount, alert: {for: soon}}\n", "monitors[0].alert.for: expected a duration such as 10s, got 'soon'"),
    ("  - {on: amount, name: 'a b'}\n", "monitors[0].name: expected a name of letters, digits, '.', '_' and '-' (at most 100), got 'a b'"),
    ("  - {on: amount, detector: {adwin: 3}}\n", "monitors[0].detector: expected the name of a detector, {NAME: auto} or {NAME: {PARAMETER: VALUE}}, got a mapping with adwin"),
    ("  - {on: amount, enabled: maybe}\n", "monitors[0].enabled: expected true or false, got 'maybe'"),
    ("  - {}\n", "monitors[0].on: on is missing: What is watched: features (all of them), defaults (everything declared), the name of a feature, prediction, score, error, volume, kpi, dependence (of the numeric features), or a labelled quality such as accuracy or mae; a list of these."),
]


@pytest.mark.parametrize(("entries", "mistake"), MISTAKES, ids=range(len(MISTAKES)))
def test_one_mistake(entries: str, mistake: str) -> None:
    from streamcheck.config.surface import measures, qualities  # noqa: PLC0415 (registered by loading)
    from streamcheck.core.components import components  # noqa: PLC0415
    from streamcheck.core.measures.base import Needs  # noqa: PLC0415

    fitting = [name for name, cls in measures().items() if cls.needs in (Needs.NUMERIC, Needs.VALUES, Needs.CODES, Needs.FIELD)]
    for mark, names in (("QUALITIES", qualities()), ("DETECTORS", components("detector")), ("MEASURES", measures()), ("FITTING", fitting)):
        mistake = mistake.replace(mark, ", ".join(names))
    (found,) = mistakes(entries)
    assert found.partition(": ")[2] == mistake


@pytest.mark.parametrize(
    ("entries", "base", "mistake"),
    [
        ("  - {on: accuracy}\n", UNLABELLED, "accuracy needs labels: declare streams.labels, or label: FIELD where the prediction event carries the truth"),
        ("  - {on: error, detector: ddm}\n", UNLABELLED, "error needs labels: declare streams.labels, or label: FIELD where the prediction event carries the truth"),
        ("  - {on: accuracy}\n", REGRESSION, "accuracy needs classes (task: binary or multiclass); here it is regression"),
        ("  - {on: f1}\n", MULTICLASS, "f1 needs task: binary; here it is multiclass"),
        ("  - {on: brier}\n", BINARY.replace("    score: probability\n", ""), "brier needs a score: FIELD under streams.predictions"),
        ("  - {on: score}\n", BINARY.replace("    score: probability\n", ""), "no score is declared; add score: FIELD under streams.predictions"),
        ("  - {on: error, detector: ddm}\n", REGRESSION, "ddm needs a 0/1 signal such as error; error is any number"),
        ("  - {on: amount, by: [tier]}\n", BINARY.replace("    segments: [tier]\n", ""), "no segments are declared; add segments: [tier] under streams.predictions"),
    ],
    ids=range(8),
)
def test_what_a_stream_does_not_have(entries: str, base: str, mistake: str) -> None:
    (found,) = mistakes(entries, base)
    assert found.split(": ", 2)[2] == mistake
