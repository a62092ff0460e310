"""All measures: importing this package registers them."""

from streamcheck.core.measures.accuracy import Accuracy
from streamcheck.core.measures.bias import Bias
from streamcheck.core.measures.brier import Brier
from streamcheck.core.measures.burn_rate import BurnRate
from streamcheck.core.measures.calibration_error import CalibrationError
from streamcheck.core.measures.category_share import CategoryShare
from streamcheck.core.measures.category_shift import CategoryShift
from streamcheck.core.measures.dependence import Dependence
from streamcheck.core.measures.duplicate_rate import DuplicateRate
from streamcheck.core.measures.edge_rate import EdgeRate
from streamcheck.core.measures.entropy import Entropy
from streamcheck.core.measures.error_rate import ErrorRate
from streamcheck.core.measures.estimate_gap import EstimateGap
from streamcheck.core.measures.estimated_accuracy import EstimatedAccuracy
from streamcheck.core.measures.f1 import F1
from streamcheck.core.measures.freshness import Freshness
from streamcheck.core.measures.label_coverage import LabelCoverage
from streamcheck.core.measures.late_rate import LateRate
from streamcheck.core.measures.log_loss import LogLoss
from streamcheck.core.measures.mae import Mae
from streamcheck.core.measures.mean import Mean
from streamcheck.core.measures.mean_shift import MeanShift
from streamcheck.core.measures.missing_rate import MissingRate
from streamcheck.core.measures.out_of_range import OutOfRange
from streamcheck.core.measures.outside import Outside
from streamcheck.core.measures.precision import Precision
from streamcheck.core.measures.psi import Psi
from streamcheck.core.measures.quantile import Quantile
from streamcheck.core.measures.recall import Recall
from streamcheck.core.measures.reject_rate import RejectRate
from streamcheck.core.measures.rmse import Rmse
from streamcheck.core.measures.scale import Scale
from streamcheck.core.measures.schema_changes import SchemaChanges
from streamcheck.core.measures.segment_gap import SegmentGap
from streamcheck.core.measures.share_of import ShareOf
from streamcheck.core.measures.stuck import Stuck
from streamcheck.core.measures.throughput import Throughput
from streamcheck.core.measures.top_share import TopShare
from streamcheck.core.measures.unit_change import UnitChange
from streamcheck.core.measures.unseen import Unseen
from streamcheck.core.measures.volume import Volume
from streamcheck.core.measures.wrong_type_rate import WrongTypeRate
from streamcheck.core.measures.zeros import Zeros

__all__ = [
    "F1",
    "Accuracy",
    "Bias",
    "Brier",
    "BurnRate",
    "CalibrationError",
    "CategoryShare",
    "CategoryShift",
    "Dependence",
    "DuplicateRate",
    "EdgeRate",
    "Entropy",
    "ErrorRate",
    "EstimateGap",
    "EstimatedAccuracy",
    "Freshness",
    "LabelCoverage",
    "LateRate",
    "LogLoss",
    "Mae",
    "Mean",
    "MeanShift",
    "MissingRate",
    "OutOfRange",
    "Outside",
    "Precision",
    "Psi",
    "Quantile",
    "Recall",
    "RejectRate",
    "Rmse",
    "Scale",
    "SchemaChanges",
    "SegmentGap",
    "ShareOf",
    "Stuck",
    "Throughput",
    "TopShare",
    "UnitChange",
    "Unseen",
    "Volume",
    "WrongTypeRate",
    "Zeros",
]
