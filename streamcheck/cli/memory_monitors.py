"""How much memory may monitors take at most, with what they look back on? Part by part, with the arithmetic."""

from dataclasses import dataclass

from streamcheck.config.values import size_text
from streamcheck.core.chances import CALIBRATED, CALIBRATION_BYTES, VERSIONS_MAX
from streamcheck.core.components import build, find
from streamcheck.core.detectors.base import RowDetector
from streamcheck.core.estimates import BLOCK_BYTES
from streamcheck.core.estimates import ROWS as ESTIMATE_ROWS
from streamcheck.core.estimates import WINDOW_BYTES as ESTIMATE_BYTES
from streamcheck.core.instances import INSTANCE_BYTES
from streamcheck.core.keys import by_name, is_row
from streamcheck.core.measures._categories import CATEGORIES_MAX
from streamcheck.core.measures.base import Needs
from streamcheck.core.paired import CELL_BYTES
from streamcheck.core.plan import MonitorSpec, Plan, Target
from streamcheck.core.pool import FIELDS_MAX, SEARCHED_BYTES
from streamcheck.core.quantiles import WINDOW_BYTES as QUANTILE_BYTES
from streamcheck.core.references._pools import POOL_BYTES
from streamcheck.core.room import NAME_BYTES, WIDE
from streamcheck.core.row_monitors import CLOCK_BYTES
from streamcheck.core.windows import ROW_BYTES, SPAN_ROWS_MAX, WINDOW_BYTES
from streamcheck.runtime.decode.fields import TEXT_MAX

MIB = 1 << 20
TEXT_BYTES_MAX = 200 + WIDE * TEXT_MAX
"""A category of the longest kind in a decoder's dictionary."""


@dataclass(frozen=True, slots=True)
class Part:
    """What takes memory, how much at most, and why so much."""

    name: str
    bytes: int
    why: str


def monitors(plan: Plan) -> tuple[Part, ...]:
    """Within limits.monitor_memory, and what is beside it."""
    limit = plan.limits.monitor_bytes
    rows = [(instances(plan, spec), _instance(spec), _fullest(spec)) for spec in plan.monitors]
    windows = {
        (by_name(spec), spec.window): instances(plan, spec)
        * (WINDOW_BYTES + (spec.window.rows or SPAN_ROWS_MAX) * ROW_BYTES)
        for spec in plan.monitors
        if spec.window is not None and spec.target is Target.LABELLED and not is_row(spec)
    }
    wanted = sum(number * full for number, _, full in rows) + sum(windows.values())
    first = sum(least for _, least, _ in rows)
    watched = sum(number for number, _, _ in rows)
    most = min(max((full for _, _, full in rows), default=0), limit)
    keys = sum((plan.limits.segments + 1) * (300 + len(s.fields) * TEXT_BYTES_MAX) for s in plan.segmentations)
    said = (
        f"{len(plan.monitors)} monitors in {watched:,} segments would take {mib(wanted)}: limits.monitor_memory "
        f"{size_text(limit)}, and each monitor's first {mib(first)}"
        if wanted > limit
        else f"{len(plan.monitors)} monitors in {watched:,} segments"
    )
    return (
        Part("monitors", min(wanted, limit + first), said),
        Part("a monitor that is saved", most, "the largest one, once more"),
        *_calibrations(plan),
        *_search(plan),
        *_kpi(plan),
        *_paired(plan),
        Part("segment values", keys, f"{len(plan.segmentations)} segmentations x {plan.limits.segments + 1:,} values"),
    )


def _calibrations(plan: Plan) -> tuple[Part, ...]:
    if not any(spec.measure is not None and spec.measure.name in CALIBRATED for spec in plan.monitors):
        return ()
    number = VERSIONS_MAX if any(s.fields == ("model_version",) for s in plan.segmentations) else 1
    held = min(number * CALIBRATION_BYTES, plan.limits.monitor_bytes)
    return (Part("calibrated scores", held, f"{number} model versions x {CALIBRATION_BYTES:,} B"),)


def _search(plan: Plan) -> tuple[Part, ...]:
    columns = sum(len(s.fields) == 1 for s in plan.segmentations)
    if not plan.search_rows or plan.task is None or not columns:
        return ()
    each = 24 + 4 * min(columns, FIELDS_MAX)
    held = min(plan.search_rows * each, plan.limits.monitor_bytes)
    return (
        Part("labelled rows that are searched", held, f"search.rows {plan.search_rows:,} x {each} B"),
        Part("a search", plan.search_rows * SEARCHED_BYTES, f"{plan.search_rows:,} rows x {SEARCHED_BYTES} B"),
    )


def _kpi(plan: Plan) -> tuple[Part, ...]:
    if plan.kpi_rules is None:
        return ()
    rules, series = plan.kpi_rules, 1 + len(plan.kpi_rules.against)
    why = f"{series} series x {rules.spans} spans x 16 B, twice while they are saved"
    return (Part("KPI beside the model", 2 * 16 * series * rules.spans, why),)


def _paired(plan: Plan) -> tuple[Part, ...]:
    if plan.shadow_rules is None:
        return ()
    cells = 1 + sum(len(s.fields) == 1 for s in plan.segmentations) * (plan.limits.segments + 1)
    held = min(2 * cells * CELL_BYTES, plan.limits.monitor_bytes)
    return (Part("challenger beside the model", held, f"{cells:,} segments x {CELL_BYTES} B, twice while saved"),)


def instances(plan: Plan, spec: MonitorSpec) -> int:
    """Of one monitor, at most: one for each segment."""
    return 1 if spec.by is None else plan.limits.segments + 1


def _instance(spec: MonitorSpec) -> int:
    """One instance with an empty reference: a detector for each chart, and a block of labelled rows."""
    detector = build("detector", spec.detector.name, dict(spec.detector.params))
    measure = None if spec.measure is None else build("measure", spec.measure.name, dict(spec.measure.params))
    charts: int = 1 if measure is None else measure.charts_max
    own = INSTANCE_BYTES + charts * int(detector.held_bytes) + 2 * 24 * spec.block_rows
    if spec.target is Target.ESTIMATED:
        own += ESTIMATE_BYTES
    elif measure is not None and measure.name in CALIBRATED:
        own += BLOCK_BYTES * (ESTIMATE_ROWS // spec.block_rows + 1)
    own += QUANTILE_BYTES if measure is not None and measure.name == "quantile" else 0
    return own + (CLOCK_BYTES if is_row(spec) else 0) + _pool(spec)[0]


def _fullest(spec: MonitorSpec) -> int:
    """One instance with a reference that holds all it may."""
    empty, names = _pool(spec)
    reference = find("reference", spec.reference.name)
    pools: int = getattr(reference, "pools_max", 1)
    return _instance(spec) - empty + pools * (empty + names)


def _pool(spec: MonitorSpec) -> tuple[int, int]:
    """An empty accumulator of a monitor's reference, and what names may add to it."""
    measure = spec.measure
    if issubclass(find("detector", spec.detector.name), RowDetector) or measure is None:
        return POOL_BYTES + int(build("measure", "mean", {}).accumulator().held_bytes), 0
    made = build("measure", measure.name, dict(measure.params))
    named = CATEGORIES_MAX * (NAME_BYTES + WIDE * TEXT_MAX) if made.needs is Needs.CATEGORICAL else 0
    return POOL_BYTES + int(made.accumulator().held_bytes), named


def mib(size: int) -> str:
    """A size, for people."""
    return f"{size / MIB:,.0f} MiB" if size >= 10 * MIB else f"{size / MIB:,.1f} MiB"
