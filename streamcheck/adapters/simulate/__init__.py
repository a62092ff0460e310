"""A payments service to try things on: predictions, late labels, named incidents; the same bytes for the same seed."""

from streamcheck.adapters.simulate.incidents import (
    DEMO,
    QUIET,
    Incident,
    MissedFraud,
    MissingValues,
    NewCategory,
    Scenario,
    SlowDrift,
    StoppedProducer,
    UnitChange,
)
from streamcheck.adapters.simulate.payments import LABELS, PREDICTIONS, PaymentsStream, Record
from streamcheck.adapters.simulate.source import SimulatedClock, SimulatedSource

__all__ = [
    "DEMO",
    "LABELS",
    "PREDICTIONS",
    "QUIET",
    "Incident",
    "MissedFraud",
    "MissingValues",
    "NewCategory",
    "PaymentsStream",
    "Record",
    "Scenario",
    "SimulatedClock",
    "SimulatedSource",
    "SlowDrift",
    "StoppedProducer",
    "UnitChange",
]
