"""A second scenario: what breaks in pipelines, one fault after the other, each for a check to find and to name."""

from dataclasses import dataclass

import numpy as np

from streamcheck.adapters.simulate.incidents import QUALITIES, Incident, Scenario, StoppedProducer, UnitChange
from streamcheck.adapters.simulate.traffic import HOUR_MS, MINUTE_MS, Traffic
from streamcheck.core.types import BoolArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class OfProducer(Incident):
    """Something in a share of one producer's rows (None: of all)."""

    producer: int | None = None
    share: float = 1.0

    def struck(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> BoolArray:
        """Which rows."""
        rows = self.during(after_ms) & (rng.random(len(traffic)) < self.share)
        return rows if self.producer is None else rows & (traffic.producer == self.producer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced(OfProducer):
    """One value takes the place of all others; None: the field is null."""

    column: str
    value: float | str | None

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """The value in the rows that are struck."""
        values = getattr(traffic, self.column).astype(object)
        values[self.struck(traffic, after_ms, rng)] = self.value
        setattr(traffic, self.column, values)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAsText(OfProducer):
    """Numbers come as texts with a unit."""

    column: str

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Texts in the rows that are struck."""
        values, rows = getattr(traffic, self.column).astype(object), self.struck(traffic, after_ms, rng)
        values[rows] = [f"{value} pcs" for value in values[rows]]
        setattr(traffic, self.column, values)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTwice(OfProducer):
    """Ids of payments a while ago come again."""

    back: int = 500

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Earlier ids in the rows that are struck."""
        rows = self.struck(traffic, after_ms, rng)
        traffic.number = np.where(rows, np.maximum(traffic.number - self.back, 0), traffic.number)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack(OfProducer):
    """Events reach the topic long after their time."""

    by_ms: int

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Earlier times in the rows that are struck."""
        traffic.time_ms = np.where(self.struck(traffic, after_ms, rng), traffic.time_ms - self.by_ms, traffic.time_ms)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowAnswers(OfProducer):
    """The model takes so many times as long."""

    factor: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Longer latencies in the rows that are struck."""
        slow = np.where(self.struck(traffic, after_ms, rng), self.factor, 1.0)
        traffic.latency_ms = np.round(traffic.latency_ms * slow, 1)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCard(OfProducer):
    """Somebody tries with one card how much is let through: amounts in the last hundredth below a limit."""

    card: str
    limit: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """The card, and such amounts, in the rows that are struck."""
        rows = self.struck(traffic, after_ms, rng)
        traffic.card = np.where(rows, self.card, traffic.card)
        tried = self.limit * (1.0 - 0.01 * rng.random(len(traffic)))
        traffic.amount = np.where(rows, np.round(tried, 2), traffic.amount)
        return traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseVersion(OfProducer):
    """A new model version answers a share of the traffic; of a part of its rows it scores another row instead."""

    challenger: str
    wrong: float

    def apply(self, traffic: Traffic, after_ms: IntArray, rng: np.random.Generator) -> Traffic:
        """Its name, and scores that have changed places, in the rows that are struck."""
        rows = self.struck(traffic, after_ms, rng)
        traffic.version = np.where(rows, self.challenger, traffic.version)
        mixed = np.flatnonzero(rows & (rng.random(len(traffic)) < self.wrong))
        traffic.probability[mixed] = traffic.probability[rng.permutation(mixed)]
        return traffic


def _at(hour: float) -> int:
    return round(hour * HOUR_MS)


FAULTS = Scenario(
    "faults",
    (
        UnitChange(
            name="amount in cents", start_ms=_at(3.5), end_ms=_at(4),
            columns=("amount",), column="amount", factor=100.0, producer=1,
            expected="unit x100 named with its partition; drift follows from it",
        ),
        Replaced(
            name="distance is stuck", start_ms=_at(5), end_ms=_at(5.5),
            columns=("distance_km",), column="distance_km", value=9.5, producer=2,
            expected="stuck at 9.5 in one partition",
        ),
        Replaced(
            name="amount defaults to zero", start_ms=_at(6.5), end_ms=_at(7),
            columns=("amount",), column="amount", value=0.0, share=0.15,
            expected="share of zeros of amount; drift follows from it",
        ),
        WrittenAsText(
            name="items as text", start_ms=_at(8), end_ms=_at(8.5), columns=("items",), column="items", share=0.4,
            expected="wrong type of items",
        ),
        Replaced(
            name="channel disappears", start_ms=_at(9.5), end_ms=_at(10),
            columns=("channel", "schema_changes"), column="channel", value=None,
            expected="schema change and missing rate of channel",
        ),
        OneCard(
            name="one card tries amounts", start_ms=_at(10.25), end_ms=_at(10.5), columns=("card", "amount"),
            share=0.08, card="card-stolen", limit=250.0,
            expected="one card behind 8 % of payments; amounts just below 250",
        ),
        SentTwice(
            name="payments sent twice", start_ms=_at(11), end_ms=_at(11.5), columns=("duplicate_rate",), share=0.3,
            expected="repeated ids",
        ),
        HeldBack(
            name="events held back", start_ms=_at(12.5), end_ms=_at(13),
            columns=("late_rate", "volume", "duplicate_rate"), share=0.3,
            by_ms=10 * MINUTE_MS,
            expected="late share, and volume",
        ),
        StoppedProducer(
            name="a producer stops", start_ms=_at(14), end_ms=_at(14.5), columns=("volume", "freshness"), producer=3,
            expected="nothing from one partition; volume follows from it",
        ),
        WorseVersion(
            name="a worse model version", start_ms=_at(15), end_ms=_at(19), columns=QUALITIES, share=0.5,
            aftermath_ms=_at(5), challenger="v4", wrong=0.4,
            expected="v4 beside v3: it loses, as labels come",
        ),
        SlowAnswers(
            name="slow answers", start_ms=_at(15.5), end_ms=_at(16.25), columns=("latency_ms",), share=0.8, factor=12.0,
            expected="99 % of latency_ms at once, then the error budget of the objective",
        ),
    ),
    served=True,
)  # fmt: skip
"""Nine faults in 14.5 hours, each for half an hour at most; then a worse version for four, and slow answers."""
