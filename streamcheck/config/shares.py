"""How is the false-alarm budget split over the monitors?"""

from dataclasses import replace

from streamcheck.core.components import find
from streamcheck.core.detectors.base import PaneDetector, RowDetector
from streamcheck.core.plan import MonitorSpec

RARE_WEIGHT = 0.1
"""What a monitor of a rare thing (`Measure.rare`) counts, where one of drift counts 1: its threshold rises by half a
standard error, for it grows as the root of a logarithm, while a fault (a field is lost) moves such a share by many.
With equal weights four monitors of a clean numeric feature held 57 % of its share, and never used it."""
STREAM_SHARES = ("late_rate", "reject_rate", "duplicate_rate", "label_coverage")


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


def weight(spec: MonitorSpec) -> float:
    """By how much it counts where monitors of one column share; 0 where its share decides nothing."""
    if not calibrated(spec):
        return 0.0
    rare = spec.measure is not None and getattr(find("measure", spec.measure.name), "rare", False)
    return RARE_WEIGHT if rare else 1.0


def shared(specs: list[MonitorSpec]) -> tuple[MonitorSpec, ...]:
    """The specs with the budget split: equally over columns, then within each by weight."""
    per_column: dict[str, float] = {}
    for spec in specs:
        if calibrated(spec):
            per_column[_column(spec)] = per_column.get(_column(spec), 0.0) + weight(spec)
    return tuple(
        replace(spec, share=weight(spec) / per_column[_column(spec)] / len(per_column) if calibrated(spec) else 0.0)
        for spec in specs
    )


def _column(spec: MonitorSpec) -> str:
    """Shares of the stream's own events that went wrong are looked at together, as those of one column."""
    return "late, rejected, repeated" if spec.column in STREAM_SHARES else spec.column
