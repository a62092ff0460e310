"""Under which names do monitors and windows stand in a saved state, and when does a saved one still mean the same?"""

from streamcheck.core.alerts import digest
from streamcheck.core.components import find
from streamcheck.core.detectors.base import RowDetector
from streamcheck.core.plan import MonitorSpec, Plan, Window


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
    )


def instance_key(spec: MonitorSpec, number: int) -> str:
    """Of a monitor for one segment."""
    return f"monitor/{spec.id}/{number}"


def window_key(by: str, window: Window, number: int) -> str:
    """Of the window of one segment, which monitors share."""
    size = f"rows{window.rows}" if window.rows else f"span{window.span_ms}"
    return f"window/{by}/{size}/{number}"


def by_name(spec: MonitorSpec) -> str:
    """The monitor's segmentation, "" for all rows together."""
    return spec.by.name if spec.by else ""


def is_row(spec: MonitorSpec) -> bool:
    """Whether its detector steps once per row."""
    return issubclass(find("detector", spec.detector.name), RowDetector)
