"""Who is evaluated: what a config may name, river's detectors row by row, and two that look at nothing.

A contender of the engine is a list of monitors, as a config has it. river's detectors with parameters see every row,
and `run` can show their alarms only when a pane has closed; so that their delays are not rounded up to whole panes,
they are stepped here as the engine steps them, without it (tests/evaluate compares the two).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import streamcheck.core.detectors  # noqa: F401 (registers what `build` finds)
from evaluate.streams import Floats, Ints
from streamcheck.core.components import build
from streamcheck.core.detectors.base import RowDetector

Monitors = list[dict[str, Any]]
SEED = 1
OLD_MEASURES = {"mean_shift": "both", "scale": "both", "psi": "up", "missing_rate": "both", "wrong_type_rate": "up"}


@dataclass(frozen=True, slots=True)
class Own:
    """Monitors of a config, for features and for labelled rows; None where it has none.

    categories: whether those for features suit categorical ones.
    """

    key: str
    title: str
    features: Monitors | None
    labelled: Monitors | None
    categories: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A river detector on every row. knob: the parameter that trades false alarms for delay.

    strict, loose: the ends of its range. numbers, errors: which signals it takes.
    """

    key: str
    detector: str
    params: Mapping[str, Any]
    knob: str
    strict: float
    loose: float
    numbers: bool
    errors: bool

    def alarms(self, values: Floats, setting: float | None = None) -> Ints:
        """Rows at which it alarms in one column, over all its rows. setting: of the knob; river's default without."""
        params = dict(self.params) if setting is None else {**self.params, self.knob: setting}
        detector: RowDetector = build("detector", self.detector, params)
        detector.seed(SEED)
        return detector.step(values).drifts


DEFAULT = Own("default", "streamcheck's default", [{"on": "features"}], [{"on": "accuracy"}], categories=True)
OWN: tuple[Own, ...] = (
    DEFAULT,
    Own(
        "cusum",
        "cusum on mean, scale, psi, missing, wrong type; on accuracy",
        [{"on": "features", "measure": m, "detector": {"cusum": {"side": side}}} for m, side in OLD_MEASURES.items()],
        [{"on": "accuracy", "measure": "accuracy", "detector": {"cusum": {"side": "down"}}}],
    ),
    Own(
        "psi",
        "psi above .2",
        [{"on": "features", "measure": "psi", "detector": {"threshold": {"above": 0.2}}}],
        None,
    ),
    Own("adwin-auto", "adwin: auto", [{"on": "features", "detector": {"adwin": "auto"}}], None),
    Own(
        "page_hinkley-auto", "page_hinkley: auto", [{"on": "features", "detector": {"page_hinkley": "auto"}}], None
    ),
)
DEPENDENCE = Own(
    "default, dependence", "the default, and a monitor of dependence", [{"on": "features"}, {"on": "dependence"}], None
)
"""Only for changes that leave every column as it is: the monitor sees all features of a config at once."""
ROWS: tuple[Rows, ...] = (
    Rows("adwin", "adwin", {}, "delta", 1e-9, 0.9, numbers=True, errors=True),
    Rows("page_hinkley", "page_hinkley", {}, "threshold", 5_000.0, 1.0, numbers=True, errors=True),
    Rows("kswin", "kswin", {}, "alpha", 1e-12, 0.05, numbers=True, errors=False),
    Rows("ddm", "ddm", {}, "drift_threshold", 20.0, 2.0, numbers=False, errors=True),
    Rows("eddm", "eddm", {}, "beta", 0.2, 0.94, numbers=False, errors=True),
    Rows("fhddm", "fhddm", {}, "confidence_level", 1e-12, 0.5, numbers=False, errors=True),
    Rows("hddm_a", "hddm_a", {"two_sided_test": True}, "drift_confidence", 1e-12, 0.004, numbers=False, errors=True),
    Rows("hddm_w", "hddm_w", {"two_sided_test": True}, "drift_confidence", 1e-12, 0.004, numbers=False, errors=True),
)
DUMMY_ROWS = 1_000
"""The dummy alarms at every row that is a multiple of this."""


def never(values: Floats) -> Ints:  # noqa: ARG001
    """No alarm at all: the recall of those who look at nothing."""
    return np.empty(0, np.int64)


def every(values: Floats) -> Ints:
    """An alarm every 1,000 rows: finds everything."""
    return np.arange(DUMMY_ROWS - 1, len(values), DUMMY_ROWS)


DUMMIES: dict[str, Callable[[Floats], Ints]] = {"never": never, "every 1,000 rows": every}
OWN_BY_KEY = {own.key: own for own in OWN}
ROWS_BY_KEY = {rows.key: rows for rows in ROWS}
