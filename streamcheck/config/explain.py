"""What does a config come to, for people? Monitors with everything filled in, the budget, the limits they bear."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from streamcheck.config.kafka_options import FAST_CLIENT
from streamcheck.config.load import Loaded
from streamcheck.config.models import LimitsSection
from streamcheck.config.shares import RARE_WEIGHT, calibrated
from streamcheck.config.values import budget_text, duration_text, size_text
from streamcheck.config.zones import tzdata_version
from streamcheck.core.budgets import KNOWN_SHARE, Grant, Roll, granted
from streamcheck.core.calibration import PANES_MIN
from streamcheck.core.components import build, find
from streamcheck.core.detectors.base import PaneDetector, RowDetector
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.keys import LIMIT, limit_rows, reference_measure, standard_measure
from streamcheck.core.plan import ComponentSpec, Finds, Format, JoinRules, MonitorSpec, Plan, Schema, Target, Window
from streamcheck.core.profiles import Profile
from streamcheck.core.references.base import Reference
from streamcheck.core.row_monitors import ERRORS, SCORED
from streamcheck.core.rules import KpiRules, ShadowRules
from streamcheck.core.types import Signal
from streamcheck.core.wording import counted, moment
from streamcheck.core.zones import UTC

DURATION_PARAMS = ("span_ms", "over_ms")


@dataclass(frozen=True, slots=True)
class MonitorView:
    """One monitor, everything filled in.

    input: what the detector is fed; threshold: where it comes from; share: of the budget, 0 outside it;
    panes_per_alarm, alarms_per_week: what the share comes to, all segments together, None outside the budget;
    split: how segments share it; limit: the score h above which it drifts, where there is one segment, and of each of
    ten (limit_of_ten). h is in standard errors for `scan`; where panes visibly scatter more than their rows do, and the
    reference's own panes tell how far, its statistic must exceed limit_of_panes. None what is not known before there
    are data. finds: drift, skew (against training data) or limit.
    """

    id: str
    column: str
    segments: str
    measure: str
    measure_params: dict[str, Any]
    detector: str
    params: dict[str, Any]
    input: str
    threshold: str
    reference: str
    window: str | None
    block_rows: int | None
    alert_for: str
    cooldown: str
    severity: str
    escalates: str | None
    owner: str | None
    runbook: str | None
    share: float
    panes_per_alarm: int | None
    alarms_per_week: float | None
    split: str | None
    limit: float | None
    limit_of_ten: float | None
    limit_of_panes: float | None
    reference_panes: int | None
    default: bool
    finds: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A config, explained; `facts` are lines about time, budget and limits, each a subject and what holds of it."""

    name: str
    facts: tuple[tuple[str, str], ...]
    monitors: tuple[MonitorView, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"name": self.name, "facts": dict(self.facts), "monitors": [asdict(view) for view in self.monitors]}


def explain(loaded: Loaded) -> Explanation:
    """Everything that `streamcheck explain` prints."""
    plan = loaded.plan
    return Explanation(plan.name, tuple(_facts(loaded)), tuple(_view(spec, plan) for spec in plan.monitors))


def component_params(family: str, spec: ComponentSpec) -> dict[str, Any]:
    """All parameters of a component, defaults included; durations as a config writes them."""
    given = dict(spec.params)
    params = {p.name: given.get(p.name, p.default) for p in find(family, spec.name).params}
    return {
        name.removesuffix("_ms") if name in DURATION_PARAMS else name: duration_text(value)
        if name in DURATION_PARAMS and isinstance(value, int)
        else value
        for name, value in params.items()
    }


def _view(spec: MonitorSpec, plan: Plan) -> MonitorView:
    rows = issubclass(find("detector", spec.detector.name), RowDetector)
    in_budget = calibrated(spec)
    grant = granted(spec, plan.budget, plan.time.pane_ms)
    judged = _one_of(1 if spec.by else 0, spec, plan) if spec.share and not rows else None
    panes = _reference_panes(spec, plan)
    return MonitorView(
        id=spec.id,
        column=spec.column,
        segments=spec.by.name if spec.by else "all",
        measure=spec.measure.name if spec.measure else "rows",
        measure_params=component_params("measure", spec.measure) if spec.measure else {},
        detector=spec.detector.name,
        params=_detector_params(spec),
        input=_input(spec, plan),
        threshold=_threshold(in_budget=in_budget, rows=rows),
        reference=_reference(spec, plan),
        window=_window(spec.window) if spec.window and not rows else None,
        block_rows=spec.block_rows if spec.target is Target.LABELLED and not rows else None,
        alert_for=duration_text(spec.rule.for_ms),
        cooldown=duration_text(spec.rule.cooldown_ms),
        severity=spec.rule.severity,
        escalates=_escalates(spec),
        owner=spec.rule.owner,
        runbook=spec.rule.runbook,
        share=spec.share,
        panes_per_alarm=math.floor(grant.steps) if spec.share else None,
        alarms_per_week=grant.alarms_per_week if spec.share else None,
        split=_split(spec),
        limit=None if judged is None else _limit(judged),
        limit_of_ten=_limit(_one_of(10, spec, plan)) if judged is not None and spec.by is not None else None,
        limit_of_panes=judged.statistic(panes) if isinstance(judged, Scan) and panes is not None else None,
        reference_panes=panes,
        default=spec.default,
        finds=spec.finds.value,
    )


def _detector_params(spec: MonitorSpec) -> dict[str, Any]:
    params = component_params("detector", spec.detector)
    return params | {"rows_min": limit_rows(spec)} if spec.detector.name == LIMIT else params


def _escalates(spec: MonitorSpec) -> str | None:
    rule = spec.rule
    return None if rule.escalate_ms is None else f"{rule.escalate_to} after {duration_text(rule.escalate_ms)}"


def _split(spec: MonitorSpec) -> str | None:
    if spec.by is None or not spec.share:
        return None
    return f"segments known when its reference is ready: {KNOWN_SHARE:.0%}, equally; later ones: the rest"


def _detector(spec: MonitorSpec, grant: Grant) -> PaneDetector:
    """The detector as it is calibrated to a grant."""
    detector: PaneDetector = build("detector", spec.detector.name, dict(spec.detector.params))
    detector.calibrate(grant.steps)
    return detector


def _one_of(segments: int, spec: MonitorSpec, plan: Plan) -> PaneDetector:
    """The detector of each of so many segments, known when the reference is ready; 0: of all rows together."""
    part = Roll(segments).share(1, plan.limits.segments) if segments else 1.0
    return _detector(spec, granted(spec, plan.budget, plan.time.pane_ms, part))


def _reference_panes(spec: MonitorSpec, plan: Plan) -> int | None:
    """How many panes the reference learns from, if none is empty; None for blocks of labels, and for a profile."""
    if spec.target is Target.LABELLED or not spec.share or reference_measure(spec, plan) is None:
        return None
    reference: Reference = build("reference", spec.reference.name, dict(spec.reference.params))
    return reference.learning_ms // plan.time.pane_ms or None


def _limit(detector: PaneDetector) -> float | None:
    """The threshold that the detector has chosen."""
    limit = detector.step(Signal(0.0, 0.0, 1.0, 1, 0.0, 0.0), 0).threshold
    return limit if math.isfinite(limit) else None


def _input(spec: MonitorSpec, plan: Plan) -> str:
    cls = find("detector", spec.detector.name)
    if not issubclass(cls, RowDetector):
        if spec.target is not Target.LABELLED:
            return "one value per pane"
        return (
            f"the window of {_window(spec.window)}"
            if _on_window(spec)
            else f"one value per {spec.block_rows} labelled rows"
        )
    if not spec.detector.auto:
        return "every row as it is"
    if standard_measure(spec, plan) in (SCORED, ERRORS):
        return "every row, standardised by the reference"
    return "every row as it is (0/1 and shares are never standardised)"


def _on_window(spec: MonitorSpec) -> bool:
    return spec.target is Target.LABELLED and spec.detector.name == LIMIT and spec.window is not None


def _threshold(*, in_budget: bool, rows: bool) -> str:
    if in_budget:
        return "chosen by its share of the budget" + (f", after {PANES_MIN} panes of normal rows" if rows else "")
    return "the method's own, outside the budget" if rows else "as given, outside the budget"


def _reference(spec: MonitorSpec, plan: Plan) -> str:
    if reference_measure(spec, plan) is None:
        return "none"
    params = component_params("reference", spec.reference)
    said = " ".join([spec.reference.name, *(f"{name}={value}" for name, value in params.items())])
    return said + (" (training data: its alerts say skew)" if spec.finds is Finds.SKEW else "")


def _window(window: Window | None) -> str:
    if window is None:
        return "all rows"
    return f"{window.rows} rows" if window.rows is not None else duration_text(window.span_ms or 0)


def _facts(loaded: Loaded) -> list[tuple[str, str]]:
    plan, settings, limits = loaded.plan, loaded.settings, loaded.config.limits
    inside = sum(1 for spec in plan.monitors if spec.share)
    outside = len(plan.monitors) - inside
    facts = [
        (
            "predictions",
            f"{', '.join(plan.predictions.topics)}: {len(plan.predictions.columns)} columns, time from {_clock(plan)}"
            + _form(plan.predictions),
        ),
        ("time", _times(plan)),
        ("start", settings.start if isinstance(settings.start, str) else f"event time {settings.start} ms"),
        ("segments", ", ".join(s.name for s in plan.segmentations) or "none"),
        (
            "budget",
            f"{budget_text(plan.budget)} for {inside} monitors" + (f"; {outside} outside it" if outside else "")
            + f"; split equally over columns, then over monitors: what hardly ever happens counts {RARE_WEIGHT:g}",
        ),
        ("alerts", f"topic {settings.topics.alerts}" if settings.topics.alerts else "shown, not published"),
        ("state", f"{settings.state_dir}, committed at least every {duration_text(settings.commit_every_ms)}"),
        ("page and gauges", ":".join(map(str, settings.listen)) if settings.listen else "off"),
        ("limits", _limits(limits)),
    ]
    if settings.kafka_client == FAST_CLIENT:
        facts.insert(0, ("kafka", "read by confluent-kafka: batches expand without a limit (docs/security.md)"))
    others = sorted(plan.zones.keys() - {UTC.name})
    if others:
        facts.append(("time zones", f"{', '.join(others)}, by the rules of tzdata {tzdata_version()}"))
    facts += [("profile", _profile(profile)) for profile in plan.profiles.values()]
    if plan.labels is not None and plan.join is not None:
        facts.insert(1, ("labels", _labels(plan)))
        facts.append(("join", _held(plan.join, limits.join_memory, limits.join_disk, "early labels")))
    if plan.kpi is not None and plan.kpi_rules is not None:
        facts.insert(1, ("kpi", _kpi(plan.kpi, plan.kpi_rules)))
    if plan.shadow is not None and plan.shadow_rules is not None:
        facts.insert(1, ("shadow", _shadow(plan.shadow, plan.shadow_rules)))
        facts.append(("shadow join", _held(plan.shadow_rules.join, limits.join_memory, limits.join_disk, "rows")))
    return facts


def _profile(profile: Profile) -> str:
    """What a reference profile holds, in a line; `streamcheck profile show` has it all."""
    columns = sorted({key.column for key in profile.contents})
    segments = len({key.segment for key in profile.contents if key.segment})
    return (
        f"{counted(profile.rows, 'row')} of {profile.name} from {moment(profile.from_ms)} to {moment(profile.to_ms)} "
        f"(digest {profile.digest}): {', '.join(columns)}; {counted(segments, 'segment')}"
    )


def _form(schema: Schema) -> str:
    """How events lie in the topic, where they are not plain JSON."""
    encoding = schema.encoding
    by = "by the registry's schemas" if encoding.by_registry else "by a schema in a file" if encoding.schema else ""
    said = [f"{encoding.format} {by}".strip()] if encoding.format is not Format.JSON else []
    said += [f"in {encoding.envelope} envelopes"] if encoding.envelope is not None else []
    return "".join(f", {each}" for each in said)


def _clock(plan: Plan) -> str:
    return ".".join(plan.predictions.time.path) if plan.predictions.time else "the record timestamp"


def _times(plan: Plan) -> str:
    rules = plan.time
    return (
        f"panes of {duration_text(rules.pane_ms)}, lateness {duration_text(rules.lateness_ms)}, "
        f"a partition is idle after {duration_text(rules.idle_after_ms)}"
    )


def _limits(limits: LimitsSection) -> str:
    return (
        f"{limits.segments:,} values per segmentation, {limits.pane_rows:,} rows per partition and pane, "
        f"{size_text(limits.message_bytes)} per event"
    )


def _labels(plan: Plan) -> str:
    assert plan.labels is not None
    assert plan.join is not None
    counts = "the last label counts" if plan.join.corrections_last else "the first label counts"
    horizon = duration_text(plan.join.horizon_ms)
    return f"{', '.join(plan.labels.topics)}: joined for {horizon}, {counts}{_form(plan.labels)}"


def _kpi(schema: Schema, rules: KpiRules) -> str:
    """What it is compared with."""
    what = "added up" if rules.added else "averaged"
    compared = " and ".join(rules.against) or "nothing"
    return (
        f"{', '.join(schema.topics)}: {rules.name}, {what}; compared with {compared} by "
        f"{duration_text(rules.span_ms)}, up to {rules.lags} behind{_form(schema)}"
    )


def _shadow(schema: Schema, rules: ShadowRules) -> str:
    """Who is compared, on what."""
    return (
        f"{', '.join(schema.topics)}: {rules.name} beside the model in use, on the same labelled rows, joined for "
        f"{duration_text(rules.join.horizon_ms)}{_form(schema)}"
    )


def _held(rules: JoinRules, join_memory: int, join_disk: int, early: str) -> str:
    """What event rate a join's limits bear at its horizon."""
    seconds = rules.horizon_ms / 1000
    return (
        f"{rules.predictions_max:,} predictions ({size_text(join_disk)} of disk), {rules.memory_max or 0:,} of "
        f"them in memory ({size_text(join_memory)}), and {rules.labels_max:,} {early} may wait; that bears "
        f"{rules.predictions_max / seconds:,.1f} predictions/s over {duration_text(rules.horizon_ms)}, "
        f"{(rules.memory_max or 0) / seconds:,.1f} in memory; beyond that the oldest are evicted and counted"
    )
