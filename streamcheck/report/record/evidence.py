"""What speaks for an alert: what the column held before and since, in which segments, in which rows."""

from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.alerts import Finding
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.types import FloatArray, SourcePartition
from streamcheck.report.record.alerts import Label

SAMPLES_MAX = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """A row to look up: where it stands (None: the join keeps no positions), when it happened, what it held."""

    source: SourcePartition | None
    offset: int | None
    time_ms: int
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """Sums before and since a change, as vectors of the column's or the quality's history."""

    label: Label
    before: FloatArray
    since: FloatArray


@dataclass(slots=True, eq=False)
class Evidence:
    """One alert, from the moment it fired.

    before: the rows just before the change, from before_ms on; until_change: all that came before it; since: from the
    change until the alert was over; normal: counts of the reference as in a Look, None where no monitor of the column
    keeps them. segments: where else the column moved, and how much.
    """

    id: str
    incident: str
    spec: MonitorSpec
    segment: Label
    fired_ms: int
    finding: Finding
    summary: str
    resolved_ms: int | None = None
    before: FloatArray = field(default_factory=lambda: np.zeros(0))
    before_ms: int | None = None
    until_change: FloatArray = field(default_factory=lambda: np.zeros(0))
    since: FloatArray = field(default_factory=lambda: np.zeros(0))
    normal: FloatArray | None = None
    segments: tuple[Shift, ...] = ()
    samples: tuple[Sample, ...] = ()
