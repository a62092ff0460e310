"""Which monitors does a config get without asking? One table, and what completes a monitor that is half written."""

from dataclasses import dataclass
from enum import StrEnum

from streamcheck.core.measures.base import Measure
from streamcheck.core.plan import ComponentSpec

DETECTOR = "scan"
INDEX_DETECTOR = "cusum"
"""For indices of a whole distribution, whose steps do not add up to the index of a longer window."""
INDICES = ("psi", "category_shift", "dependence")
WINDOW_ROWS = 1_000
"""Labelled rows behind a quality's gauges: an accuracy of 0.9 is then known to 0.02 (two standard errors)."""
BLOCK_ROWS = 50


class Signals(StrEnum):
    """What a monitor's subject offers to look at."""

    NUMERIC = "numeric feature, score, numeric prediction"
    NUMERIC_FEATURE = "numeric feature"
    CATEGORICAL = "categorical feature, class prediction"
    CATEGORICAL_FEATURE = "categorical feature"
    FEATURE = "every feature"
    RANGED = "feature with a range"
    STREAM = "the predictions stream"
    KPI = "the KPI stream"
    LABELLED_CLASS = "labelled rows of classes"
    LABELLED_NUMBER = "labelled rows of numbers"
    LABELLED_SCORE = "labelled rows of a binary task with scores"


@dataclass(frozen=True, slots=True)
class Default:
    """One default monitor: a measure, watched by `detector` on this side. Labelled ones run per segmentation, too."""

    signals: Signals
    measure: str
    side: str = "both"


DEFAULTS: tuple[Default, ...] = (
    Default(Signals.NUMERIC, "mean_shift"),
    Default(Signals.NUMERIC, "scale"),
    Default(Signals.NUMERIC, "outside", "up"),
    Default(Signals.NUMERIC, "stuck", "up"),
    Default(Signals.NUMERIC_FEATURE, "zeros", "up"),
    Default(Signals.NUMERIC_FEATURE, "unit_change", "up"),
    Default(Signals.CATEGORICAL, "category_share"),
    Default(Signals.CATEGORICAL_FEATURE, "unseen", "up"),
    Default(Signals.FEATURE, "missing_rate"),
    Default(Signals.FEATURE, "wrong_type_rate", "up"),
    Default(Signals.RANGED, "out_of_range", "up"),
    Default(Signals.STREAM, "volume"),
    Default(Signals.STREAM, "late_rate", "up"),
    Default(Signals.STREAM, "reject_rate", "up"),
    Default(Signals.STREAM, "duplicate_rate", "up"),
    Default(Signals.STREAM, "freshness", "up"),
    Default(Signals.STREAM, "schema_changes", "up"),
    Default(Signals.LABELLED_CLASS, "accuracy", "down"),
    Default(Signals.LABELLED_SCORE, "estimated_accuracy", "down"),
    Default(Signals.LABELLED_SCORE, "estimate_gap"),
    Default(Signals.LABELLED_NUMBER, "mae", "up"),
    Default(Signals.LABELLED_NUMBER, "bias"),
    Default(Signals.KPI, "mean"),
)


def side(measure: type[Measure]) -> str:
    """On which side of normal does this measure mean trouble?"""
    for default in DEFAULTS:
        if default.measure == measure.name:
            return default.side
    return {1: "up", -1: "down", 0: "both"}[measure.direction]


def detector(measure: type[Measure]) -> ComponentSpec:
    """What watches this measure unless the config says otherwise?"""
    if measure.limit is not None:
        return ComponentSpec("threshold", (("above", measure.limit), ("rows_min", 1)))
    return ComponentSpec(INDEX_DETECTOR if measure.name in INDICES else DETECTOR, auto=True)
