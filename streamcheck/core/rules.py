"""How do streams beside predictions and labels count: a KPI, a challenger in shadow?"""

from dataclasses import dataclass

from streamcheck.core.plan import JoinRules


@dataclass(frozen=True, slots=True)
class KpiRules:
    """How a KPI counts. name: for people; added: whether the values of a pane, or a span, are added up, or averaged.

    span_ms: by which it is compared with the model (hours, as a rule), up to `lags` spans behind it; spans: so many of
    the newest are kept; against: with what of the model, by name.
    """

    name: str
    added: bool = False
    span_ms: int = 3_600_000
    lags: int = 24
    spans: int = 672
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShadowRules:
    """How a challenger in shadow is compared. name: for people; with another one the comparison begins anew.

    join: how its predictions meet the champion's labelled rows, of which `labels_max` may wait for theirs.
    """

    name: str
    join: JoinRules
