"""What goes wrong, when, and which monitors should say so."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from streamcheck.adapters.simulate.traffic import HOUR_MS, MINUTE_MS, PRODUCERS, Traffic
from streamcheck.core.types import BoolArray, FloatArray, IntArray

QUALITIES = (
    *("accuracy", "error", "error_rate", "precision", "recall", "f1", "log_loss", "brier", "calibration"),
    *("estimate_gap", "estimated_accuracy", "kpi"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(ABC):
    """Something that goes wrong from start_ms until end_ms after the stream's start.

    columns: what its alerts are about (a column, or a quality such as `accuracy` or `volume`); segment: where alone it
    shows, as (field, value); expected: which monitors should find it, in words. For aftermath_ms after its end alerts
    on its columns still belong to it: labels come late, windows empty slowly, and a return to normal is a change too.
    challenger: a model version that the comparison of versions is to call the loser; that finds it too.
    """

    name: str
    start_ms: int
    end_ms: int
    columns: tuple[str, ...]
    expected: str
    segment: tuple[str, str] | None = None
    aftermath_ms: int = HOUR_MS
    challenger: str | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.start_ms < self.end_ms, f"{self.name}: from {self.start_ms} to {self.end_ms}"

    @abstractmethod
    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """The traffic with this incident in it; after_ms: each row's event time after the stream's start."""

    def during(self, after_ms: IntArray) -> BoolArray:
        """Which of these times lie in the incident."""
        return (after_ms >= self.start_ms) & (after_ms < self.end_ms)

    def explains(self, column: str, after_start_ms: int) -> bool:
        """Whether an alert on `column`, this long after the stream's start, is a consequence of the incident."""
        return column in self.columns and self.start_ms <= after_start_ms < self.end_ms + self.aftermath_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChange(Incident):
    """A producer (None: all of them) writes one column in another unit."""

    column: str
    factor: float
    producer: int | None = None

    def apply(self, traffic: Traffic, after_ms: IntArray, _: np.random.Generator) -> Traffic:
        """The column times the factor."""
        wrong = self.during(after_ms)
        if self.producer is not None:
            wrong &= traffic.producer == self.producer
        _scale(traffic, self.column, np.where(wrong, self.factor, 1.0))
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCategory(Incident):
    """A value that was never seen before takes a share of the rows."""

    column: str
    value: str
    share: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """The new value in place of the old ones."""
        taken = self.during(after_ms) & (rng.random(len(traffic)) < self.share)
        setattr(traffic, self.column, np.where(taken, self.value, getattr(traffic, self.column)))
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingValues(Incident):
    """A numeric column is null in a share of the rows."""

    column: str
    share: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """NaN in place of values."""
        lost = self.during(after_ms) & (rng.random(len(traffic)) < self.share)
        setattr(traffic, self.column, np.where(lost, np.nan, getattr(traffic, self.column)))
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDrift(Incident):
    """A column grows steadily from its normal level to `factor` times that, then returns at once."""

    column: str
    factor: float

    def apply(self, traffic: Traffic, after_ms: IntArray, _: np.random.Generator) -> Traffic:
        """The column times 1 at the start to `factor` at the end."""
        done = (after_ms - self.start_ms) / (self.end_ms - self.start_ms)
        _scale(traffic, self.column, np.where(self.during(after_ms), 1.0 + (self.factor - 1.0) * done, 1.0))
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedFraud(Incident):
    """A new kind of fraud among premium customers that the model does not see: only their labels tell."""

    share: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Fraud in a share of the premium rows, whatever the model says."""
        struck = traffic.premium & (rng.random(len(traffic)) < self.share)
        traffic.truth = traffic.truth | (struck & self.during(after_ms))
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedProducer(Incident):
    """A producer sends nothing."""

    producer: int

    def apply(self, traffic: Traffic, after_ms: IntArray, _: np.random.Generator) -> Traffic:
        """The traffic without its rows."""
        return traffic.where(~(self.during(after_ms) & (traffic.producer == self.producer)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stream's incidents, in the order of their start. served: events say how long answers took, and who paid."""

    name: str
    incidents: tuple[Incident, ...]
    served: bool = False

    def __post_init__(self) -> None:
        starts = [incident.start_ms for incident in self.incidents]
        assert starts == sorted(starts), f"{self.name}: incidents start at {starts}"

    @property
    def end_ms(self) -> int:
        """When the last incident is over, after the stream's start; 0 without any."""
        return max((incident.end_ms for incident in self.incidents), default=0)


def _scale(traffic: Traffic, column: str, factors: FloatArray) -> None:
    setattr(traffic, column, np.round(getattr(traffic, column) * factors, 2))


QUIET = Scenario("quiet", ())
"""Nothing goes wrong: every alert is a false one."""

DEMO = Scenario(
    "demo",
    (
        UnitChange(
            name="amount in cents",
            start_ms=3 * HOUR_MS + 30 * MINUTE_MS,
            end_ms=4 * HOUR_MS + 15 * MINUTE_MS,
            columns=("amount",),
            expected="mean, scale and shape of amount, within a pane or two",
            column="amount",
            factor=100.0,
            producer=1,
        ),
        NewCategory(
            name="new country",
            start_ms=5 * HOUR_MS + 45 * MINUTE_MS,
            end_ms=6 * HOUR_MS + 45 * MINUTE_MS,
            columns=("country",),
            expected="unseen category and category shares of country",
            segment=("country", "BR"),
            column="country",
            value="BR",
            share=0.08,
        ),
        MissingValues(
            name="account age missing",
            start_ms=8 * HOUR_MS,
            end_ms=8 * HOUR_MS + 45 * MINUTE_MS,
            columns=("account_age_days",),
            expected="missing rate of account_age_days",
            column="account_age_days",
            share=0.25,
        ),
        SlowDrift(
            name="distance drifts",
            start_ms=10 * HOUR_MS,
            end_ms=12 * HOUR_MS,
            columns=("distance_km",),
            expected="mean, scale and shape of distance_km, as the ramp leaves the noise",
            column="distance_km",
            factor=1.8,
        ),
        MissedFraud(
            name="premium fraud missed",
            start_ms=12 * HOUR_MS + 30 * MINUTE_MS,
            end_ms=14 * HOUR_MS + 30 * MINUTE_MS,
            columns=QUALITIES,
            expected="net revenue, then accuracy for tier=premium, not for general",
            segment=("tier", "premium"),
            aftermath_ms=5 * HOUR_MS,
            share=0.35,
        ),
        StoppedProducer(
            name="a producer stops",
            start_ms=18 * HOUR_MS,
            end_ms=18 * HOUR_MS + 30 * MINUTE_MS,
            columns=("volume", "freshness"),
            expected="volume, a quarter below normal",
            producer=PRODUCERS - 1,
        ),
    ),
)
"""Six incidents in 20 hours, after 3.5 quiet ones; far enough apart that each stands alone."""
