"""Under which names do monitors and windows stand in a saved state, and when does a saved one still mean the same?"""

from typing import Any

from streamcheck.core.alerts import digest
from streamcheck.core.components import components, find
from streamcheck.core.detectors.base import Domain, RowDetector
from streamcheck.core.detectors.threshold import ROWS_MIN
from streamcheck.core.measures.base import Needs
from streamcheck.core.measures.dependence import FEATURES_MAX
from streamcheck.core.plan import ComponentSpec, Kind, MonitorSpec, Plan, Role, Target, Task, Window
from streamcheck.core.summaries import StreamSummary

LIMIT = "threshold"
"""The detector that compares a value with a line that the user has drawn."""


def fingerprint(spec: MonitorSpec, plan: Plan) -> str:
    """Changes when anything changes that gives a monitor's state its meaning.

    Its owner and runbook do not, nor does its share of the budget: that only moves the threshold of what is measured.
    """
    return digest(
        spec.target,
        spec.column,
        spec.detector,
        spec.measure,
        spec.by,
        spec.block_rows,
        spec.reference,
        plan.time.pane_ms,
        *([] if spec.between is None else [spec.between]),
        *_given_layout(spec, plan),
        *_standard(spec, plan),
        *_revisions(spec),
    )


def _revisions(spec: MonitorSpec) -> list[str]:
    """Of components that give something else than they did at first; nothing for others."""
    named = (("detector", spec.detector), ("measure", spec.measure), ("reference", spec.reference))
    found = [(part.name, find(family, part.name).revision) for family, part in named if part is not None]
    return [f"{name} {revision}" for name, revision in found if revision > 1]


def _given_layout(spec: MonitorSpec, plan: Plan) -> list[str]:
    """The profile that a column's bins come from, whichever reference this monitor has; nothing without one."""
    return [mark for mark, profile in plan.profiles.items() if spec.column in profile.layouts][:1]


def _standard(spec: MonitorSpec, plan: Plan) -> list[str]:
    """What the rows of a calibrated row detector are standardised by; nothing for others."""
    return [standard_measure(spec, plan)] if is_row(spec) and spec.detector.auto else []


def instance_key(spec: MonitorSpec, number: int) -> str:
    """Of a monitor for one segment."""
    return f"monitor/{spec.id}/{number}"


def roll_key(spec: MonitorSpec) -> str:
    """Of who shares a monitor's budget."""
    return f"roll/{spec.id}"


def window_key(by: str, window: Window, number: int) -> str:
    """Of the window of one segment, which monitors share."""
    size = f"rows{window.rows}" if window.rows else f"span{window.span_ms}"
    return f"window/{by}/{size}/{number}"


def by_name(spec: MonitorSpec) -> str:
    """The monitor's segmentation, "" for all rows together."""
    return spec.by.name if spec.by else ""


def hears(measure: ComponentSpec | None, summary: StreamSummary) -> bool:
    """Whether a pane of the stream says something to a monitor."""
    if measure is None or sees_nothing(measure):
        return True
    of_labels = getattr(find("measure", measure.name), "of_labels", False)
    return bool(summary.labelled or summary.unlabelled) if of_labels else summary.any


def learns(spec: MonitorSpec) -> bool:
    """Whether its measure takes a reference: not where a limit judges what the measure says by itself."""
    if spec.measure is None:
        return True
    cls: Any = find("measure", spec.measure.name)
    alone = spec.detector.name == LIMIT and cls.alone(dict(spec.measure.params))
    return bool(cls.learns and not alone)


def limit_rows(spec: MonitorSpec) -> int:
    """Of a limit: rows below which a step is not judged."""
    given = dict(spec.detector.params).get("rows_min")
    if given is not None:
        return int(given)
    cls: Any = None if spec.measure is None else find("measure", spec.measure.name)
    return 1 if cls is not None and cls.sure else ROWS_MIN


def on_level(detector: str, measure: str) -> bool:
    """Whether that is a limit of what people see, to be drawn beside it; names as a Reading has them."""
    cls: Any = components("measure").get(measure)
    return detector == LIMIT and not (cls is not None and cls.ratio)


def sees_nothing(measure: ComponentSpec) -> bool:
    """Whether a pane without events says something to it."""
    return bool(getattr(find("measure", measure.name), "empty_panes", False))


def reference_measure(spec: MonitorSpec, plan: Plan) -> str | None:
    """The measure whose content the monitor's reference holds; None where it needs no reference."""
    if is_row(spec):
        return standard_measure(spec, plan) if spec.detector.auto else None
    on_window = spec.target is Target.LABELLED and spec.detector.name == LIMIT and spec.window is not None
    return None if on_window or spec.measure is None or not learns(spec) else spec.measure.name


def standard_measure(spec: MonitorSpec, plan: Plan) -> str:
    """Whose reference says what is normal for a row detector: scores where it takes any number, else the mean."""
    if spec.target is Target.LABELLED:
        return "mae" if plan.task is Task.REGRESSION else "error_rate"
    numeric = any(c.name == spec.column and c.kind is Kind.NUMERIC for c in plan.predictions.columns)
    real = getattr(find("detector", spec.detector.name), "domain", None) is Domain.REAL
    return "mean_shift" if numeric and real else "mean"


def is_row(spec: MonitorSpec) -> bool:
    """Whether its detector steps once per row."""
    return issubclass(find("detector", spec.detector.name), RowDetector)


def binned_columns(plan: Plan) -> list[str]:
    """Numeric columns of which a monitor needs a histogram or scores, or sums about its origin, by name."""
    numeric = {c.name for c in plan.predictions.columns if c.kind is Kind.NUMERIC}
    of_columns = [m for m in plan.monitors if m.target is Target.COLUMN]
    wanted = {m.column for m in of_columns if reference_measure(m, plan) or _is_limit_of_scores(m)}
    together = watched_together(plan) if any(m.target is Target.FEATURES for m in plan.monitors) else ()
    return sorted(numeric & wanted | {*together})


def _is_limit_of_scores(spec: MonitorSpec) -> bool:
    """Whether it is a limit on the raw numbers beside scores: far from 0 a layout makes them exact."""
    cls: Any = None if spec.measure is None else find("measure", spec.measure.name)
    return spec.detector.name == LIMIT and cls is not None and cls.binned and cls.needs is Needs.NUMERIC


def on_bins(spec: MonitorSpec, plan: Plan) -> tuple[str, ...]:
    """The columns whose histograms give the monitor's reference its meaning."""
    measure = reference_measure(spec, plan)
    if measure is None or not getattr(find("measure", measure), "binned", False):
        return ()
    return watched_together(plan) if spec.target is Target.FEATURES else (spec.column,)


def watched_together(plan: Plan) -> tuple[str, ...]:
    """The numeric features whose dependence is watched, in the order of the plan."""
    numeric = [c.name for c in plan.predictions.numeric if c.role is Role.FEATURE]
    return tuple(numeric[:FEATURES_MAX])


def windowed(spec: MonitorSpec) -> bool:
    """Whether its quality is that of a rolling window, too."""
    return spec.window is not None and spec.target is Target.LABELLED and not is_row(spec)
