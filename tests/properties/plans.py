"""The plan of a small world: every kind of monitor, a join, a KPI, a challenger, crossed segments, limits that bite."""

from dataclasses import replace
from typing import Any

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core.plan import (
    AlertRule,
    Between,
    Column,
    ComponentSpec,
    JoinRules,
    Kind,
    Limits,
    MonitorSpec,
    Plan,
    Role,
    Schema,
    Segmentation,
    Target,
    Task,
    TimeRules,
    Window,
)
from streamcheck.core.rules import KpiRules, ShadowRules
from streamcheck.core.types import StreamRole

PANE_MS = 1_000

TIER, CROSSED = Segmentation(("tier",)), Segmentation(("tier", "country"))
FIRST = ComponentSpec("first", (("span_ms", 30 * PANE_MS),))
RULE = AlertRule(cooldown_ms=8 * PANE_MS)
SLOW_RULE = AlertRule(for_ms=3 * PANE_MS, cooldown_ms=4 * PANE_MS)
CUSUM = ComponentSpec("cusum", (("h", 5.0),))
SCAN = ComponentSpec("scan", (("h", 3.5),))
CALIBRATED = ComponentSpec("cusum")


def _on(
    name: str, column: str, measure: str | ComponentSpec | None = None, detector: ComponentSpec = CUSUM, **more: Any
) -> MonitorSpec:
    spec = ComponentSpec(measure) if isinstance(measure, str) else measure
    given = {"target": Target.COLUMN, "reference": FIRST, "share": 0.1, "rule": RULE} | more
    return MonitorSpec(id=name, column=column, detector=detector, measure=spec, **given)


def _monitors() -> tuple[MonitorSpec, ...]:
    """Every kind of monitor."""
    adwin = ComponentSpec("adwin", (("delta", 0.01),))
    kswin = ComponentSpec("kswin", (("alpha", 0.001), ("window_size", 60), ("stat_size", 20)))
    floor = ComponentSpec("threshold", (("below", 0.6), ("rows_min", 20)))
    any_field = ComponentSpec("threshold", (("above", 0.0), ("rows_min", 1)))
    labelled = {"target": Target.LABELLED}
    return (
        _on("amount-mean_shift", "amount", "mean_shift"),
        _on("score-mean_shift-by-tier", "score", "mean_shift", CALIBRATED, by=TIER),
        _on("country-budgeted", "country", "category_shift", CALIBRATED, reference=ComponentSpec("auto")),
        _on("missing-budgeted", "amount", "missing_rate", CALIBRATED, by=CROSSED),
        _on("amount-scale-by-tier", "amount", "scale", by=TIER),
        _on("amount-psi", "amount", "psi", rule=SLOW_RULE),
        _on("country-shift", "country", "category_shift"),
        _on("country-unseen", "country", "unseen"),
        _on("country-share", "country", "category_share", SCAN),
        _on("amount-outside-by-tier", "amount", "outside", SCAN, by=TIER),
        _on("score-shift", "score", "mean_shift", SCAN),
        _on("amount-missing", "amount", "missing_rate"),
        _on("amount-missing-by-both", "amount", "missing_rate", by=CROSSED, rule=SLOW_RULE),
        _on("volume", "volume", "volume", target=Target.STREAM),
        _on("amount-adwin", "amount", None, adwin, by=TIER),
        _on("amount-adwin-auto", "amount", None, ComponentSpec("adwin", auto=True)),
        _on("amount-kswin", "amount", None, kswin),
        _on("amount-ph", "amount", None, ComponentSpec("page_hinkley", (("threshold", 200.0),))),
        _on("error-ddm", "error", None, ComponentSpec("ddm", auto=True), by=TIER, **labelled),
        _on("error-hddm", "error", None, ComponentSpec("hddm_w", auto=True), **labelled),
        _on("accuracy", "accuracy", "accuracy", window=Window(rows=100), block_rows=20, **labelled),
        _on("accuracy-by-tier", "accuracy", "accuracy", SCAN, by=TIER, block_rows=20, **labelled),
        _on("floor", "accuracy", "accuracy", floor, by=TIER, window=Window(span_ms=20 * PANE_MS), **labelled),
        _on("kpi", "kpi", "mean", SCAN, target=Target.KPI),
        _on("kpi-budgeted", "kpi", "mean", target=Target.KPI, reference=ComponentSpec("auto")),
        _on("coverage", "label_coverage", "label_coverage", target=Target.STREAM),
        _on("schema", "schema_changes", "schema_changes", any_field, target=Target.STREAM, share=0.0),
    )


def plan() -> Plan:
    """Every kind of monitor, a join, crossed segments, limits that bite."""
    columns = (
        Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE, (0.0, 500.0)),
        Column("score", ("score",), Kind.NUMERIC, Role.SCORE),
        Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
        Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT),
        Column("prediction", ("fraud",), Kind.BINARY, Role.PREDICTION),
    )
    label = (Column("label", ("label",), Kind.BINARY, Role.LABEL),)
    predictions = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, columns, 1 << 20, 300_000, looks=True)
    labels = Schema(StreamRole.LABELS, ("l",), ("id",), None, label, 1 << 20, 300_000)
    time = TimeRules(PANE_MS, 1_500, 5_000, 30_000)
    join = JoinRules(horizon_ms=60 * PANE_MS, predictions_max=1_500, labels_max=200)
    segmentations, limits = (TIER, CROSSED), Limits(segments=6)
    kpi = Schema(StreamRole.KPI, ("k",), None, None, (Column("kpi", ("v",), Kind.NUMERIC, Role.KPI),), 1 << 20, 300_000)
    rules = KpiRules("revenue", span_ms=5 * PANE_MS, lags=4, spans=40, against=("accuracy", "drift"))
    made = Plan("world", predictions, labels, Task.BINARY, time, join, segmentations, _monitors(), limits=limits)
    said = (Column("prediction", ("fraud",), Kind.BINARY, Role.PREDICTION),)
    shadow = Schema(StreamRole.SHADOW, ("s",), ("id",), None, said, 1 << 20, 300_000)
    beside = JoinRules(horizon_ms=60 * PANE_MS, corrections_last=False, predictions_max=1_000, labels_max=150)
    compared = ShadowRules("challenger", beside)
    return replace(made, kpi=kpi, kpi_rules=rules, shadow=shadow, shadow_rules=compared)


def tiny() -> Plan:
    """The same where every limit bites: rows of a pane, monitors with references and windows, the join."""
    made = plan()
    assert made.join is not None
    limits = Limits(segments=3, pane_rows=9, pane_bytes=2_000, monitor_bytes=940_000)
    rolling = ComponentSpec("rolling", (("span_ms", 60 * PANE_MS),))
    monitors = tuple(replace(m, reference=rolling) if m.by is not None else m for m in made.monitors)
    join = replace(made.join, predictions_max=150, labels_max=20)
    assert made.shadow_rules is not None
    shadow_rules = replace(
        made.shadow_rules, join=replace(made.shadow_rules.join, predictions_max=120, labels_max=15)
    )
    return replace(made, limits=limits, join=join, monitors=monitors, shadow_rules=shadow_rules)


VERSION, COUNTRY = Segmentation(("model_version",)), Segmentation(("country",))
PAGED = AlertRule(cooldown_ms=8 * PANE_MS, escalate_ms=2 * PANE_MS, escalate_to="page")


def _limit(**bounds: float) -> ComponentSpec:
    return ComponentSpec("threshold", tuple(sorted({"rows_min": 1, **bounds}.items())))


def _with(measure: str, **params: Any) -> ComponentSpec:
    return ComponentSpec(measure, tuple(sorted(params.items())))


def _checks() -> tuple[MonitorSpec, ...]:
    """Faults, bursts, edges, quantiles, objectives, codes, the stream's rates, estimates, gaps; severity that rises."""
    labelled, stream, estimated = ({"target": target} for target in (Target.LABELLED, Target.STREAM, Target.ESTIMATED))
    between = Between(VERSION, "general", "premium")
    return (
        _on("amount-mean_shift", "amount", "mean_shift", rule=PAGED),
        _on("amount-unit", "amount", "unit_change", _limit(above=0.0), share=0.0),
        _on("amount-stuck", "amount", "stuck", SCAN),
        _on("amount-zeros", "amount", "zeros", SCAN, by=COUNTRY),
        _on("amount-missing", "amount", "missing_rate", SCAN, by=COUNTRY, rule=PAGED),
        _on("country-top", "country", "top_share", SCAN, by=VERSION),
        _on("country-top-limit", "country", "top_share", _limit(above=0.45), share=0.0),
        _on("amount-edge", "amount", _with("edge_rate", within=0.1, side="high"), SCAN, by=VERSION, rule=PAGED),
        _on("score-edge", "score", _with("edge_rate", low=0.0, high=1.0), SCAN),
        _on("amount-p90", "amount", _with("quantile", p=0.9, over_s=20), SCAN, by=VERSION),
        _on("amount-p50-limit", "amount", _with("quantile", p=0.5, over_s=7), _limit(above=40.0), share=0.0),
        _on("slow", "amount", _with("burn_rate", below=60.0, objective=0.98), _limit(above=1.0), share=0.0, rule=PAGED),
        _on("codes", "country", _with("share_of", values=("XX",), missing=True), SCAN),
        _on("codes-limit", "country", _with("share_of", values=("XX",)), _limit(above=0.05), share=0.0),
        _on("throughput", "throughput", "throughput", SCAN, **stream),
        _on("throughput-limit", "throughput", "throughput", _limit(below=8.0), share=0.0, **stream),
        _on("freshness", "freshness", _with("freshness", least_s=2), _limit(above=1.0), share=0.0, **stream),
        _on("late", "late_rate", "late_rate", SCAN, **stream),
        _on("rejected", "reject_rate", "reject_rate", SCAN, **stream),
        _on("repeated", "duplicate_rate", "duplicate_rate", SCAN, **stream),
        _on("coverage", "label_coverage", "label_coverage", SCAN, rule=PAGED, **stream),
        _on("accuracy", "accuracy", "accuracy", SCAN, by=VERSION, block_rows=10, rule=PAGED, **labelled),
        _on("apart", "accuracy", "segment_gap", SCAN, between=between, block_rows=10, **labelled),
        _on("sure", "calibration_error", "calibration_error", SCAN, block_rows=20, **labelled),
        _on("estimate", "estimated_accuracy", "estimated_accuracy", SCAN, **estimated),
        _on("kpi", "kpi", "mean", SCAN, target=Target.KPI, rule=PAGED),
        _on("kpi-floor", "kpi", "mean", _limit(below=75.0), target=Target.KPI, share=0.0),
    )


def checks() -> Plan:
    """The same world, its tiers taken for model versions: every check of a model in production, and the search."""
    made = plan()
    columns = tuple(replace(c, name="model_version") if c.name == "tier" else c for c in made.predictions.columns)
    predictions = replace(made.predictions, columns=columns)
    rules = KpiRules("revenue", added=True, span_ms=5 * PANE_MS, lags=4, spans=40, against=("accuracy", "drift"))
    parts = {"predictions": predictions, "segmentations": (VERSION, COUNTRY), "monitors": _checks()}
    return replace(made, search_rows=1_200, kpi_rules=rules, **parts)
