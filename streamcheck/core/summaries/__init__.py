"""What is remembered of a pane: counts, sums and histograms that merge in any number of cuts."""

from streamcheck.core.summaries.categorical import CategoricalPane, CategoricalSummary, fold_categorical
from streamcheck.core.summaries.estimated import EstimatedPane, EstimateSummary
from streamcheck.core.summaries.features import FeaturesSummary, fold_features
from streamcheck.core.summaries.labelled import LabelledRows
from streamcheck.core.summaries.layout import Layout
from streamcheck.core.summaries.moments import VALUE_MAX, Moment
from streamcheck.core.summaries.numeric import NumericPane, NumericSummary, fold_numeric
from streamcheck.core.summaries.stream import StreamSummary
from streamcheck.core.summaries.top import TopSummary, fold_top
from streamcheck.core.summaries.values import ValuesSummary

__all__ = [
    "VALUE_MAX",
    "CategoricalPane",
    "CategoricalSummary",
    "EstimateSummary",
    "EstimatedPane",
    "FeaturesSummary",
    "LabelledRows",
    "Layout",
    "Moment",
    "NumericPane",
    "NumericSummary",
    "StreamSummary",
    "TopSummary",
    "ValuesSummary",
    "fold_categorical",
    "fold_features",
    "fold_numeric",
    "fold_top",
]
