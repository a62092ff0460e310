"""How is the false-alarm budget split over the monitors?"""

from dataclasses import replace

from streamcheck.core.components import find
from streamcheck.core.detectors.base import PaneDetector, RowDetector
from streamcheck.core.plan import MonitorSpec


def calibrated(spec: MonitorSpec) -> bool:
    """Whether the monitor's threshold is chosen by its share of the budget, rather than given or a method's own."""
    cls = find("detector", spec.detector.name)
    if issubclass(cls, RowDetector):
        return spec.detector.auto
    if not issubclass(cls, PaneDetector) or cls.calibrate is PaneDetector.calibrate:
        return False
    given = {name for name, value in spec.detector.params if value is not None}
    free = [param for param in cls.params if param.nullable]
    return not free or any(param.name not in given for param in free)


STREAM_SHARES = ("late_rate", "reject_rate", "duplicate_rate")


def shared(specs: list[MonitorSpec]) -> tuple[MonitorSpec, ...]:
    """The specs with the budget split: equally over columns, then within each; 0 where it decides nothing."""
    per_column: dict[str, int] = {}
    for spec in specs:
        if calibrated(spec):
            per_column[_column(spec)] = per_column.get(_column(spec), 0) + 1
    return tuple(
        replace(spec, share=1 / len(per_column) / per_column[_column(spec)] if calibrated(spec) else 0.0)
        for spec in specs
    )


def _column(spec: MonitorSpec) -> str:
    """Shares of the stream's own events that went wrong are looked at together, as those of one column."""
    return "late, rejected, repeated" if spec.column in STREAM_SHARES else spec.column
