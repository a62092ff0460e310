"""What payments look like on a day without incidents.

Amounts are lognormal, countries have shares, one customer in seven is a premium one, volume follows the day mildly. The
fraud model is calibrated by construction: fraud is drawn with exactly the probability that the model states, and its
verdict is `probability >= 0.5`. That gives an accuracy of about 0.93 and 8 % of fraud.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import BoolArray, FloatArray, IntArray

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

PRODUCERS = 4
"""Application servers; each writes a partition of its own."""

COUNTRIES = {"DE": 0.31, "FR": 0.2, "NL": 0.13, "ES": 0.11, "IT": 0.1, "PL": 0.08, "AT": 0.05, "BE": 0.02}
DEVICES = {"android": 0.42, "ios": 0.38, "desktop": 0.2}
CHANNELS = {"app": 0.55, "web": 0.33, "partner": 0.12}
PREMIUM_SHARE = 0.15

DAILY_CYCLE = 0.02
"""Part by which volume rises above its mean in the afternoon and falls below it at night."""
NETWORK_MS_MEAN = 400
NETWORK_MS_MAX = 3_000
"""From a payment to its record. Below the lateness of configs/payments.yaml (5 s): out of order, never late."""

LABEL_COVERAGE = 0.9
LABEL_DELAY_MS_MEDIAN = 2 * HOUR_MS
LABEL_DELAY_SPREAD = 0.35
"""Of the logarithm: nine in ten labels come within 1.1 to 3.6 hours."""
LABEL_DELAY_MS_MIN = 5 * MINUTE_MS
LABEL_DELAY_MS_MAX = 12 * HOUR_MS
LABEL_REPEATED = 0.01
LABEL_CORRECTED = 0.005

LATENCY_MS_MEDIAN = 40.0
LATENCY_SPREAD = 0.5
"""Of the logarithm: of a thousand answers about one takes longer than 190 ms."""
VERSION = "v3"
CARDS = 20_000

TextArray = npt.NDArray[Any]


@dataclass(slots=True, eq=False)
class Traffic:
    """Payments in the order of their time, as columns of equal length; incidents change them in place.

    account_age_days is NaN where missing. Of the label: labelled (whether one ever comes), delay_ms until it does, and
    again_ms from the first to a second one. Which payments have a second, `fate` says: below LABEL_CORRECTED the first
    was wrong; the next LABEL_REPEATED are sent twice. latency_ms: of the answer; version: of the model that gave it;
    card: with which it was paid.
    """

    number: IntArray
    time_ms: IntArray
    published_ms: IntArray
    producer: IntArray
    amount: FloatArray
    account_age_days: FloatArray
    items: IntArray
    distance_km: FloatArray
    country: TextArray
    device: TextArray
    channel: TextArray
    premium: BoolArray
    probability: FloatArray
    truth: BoolArray
    labelled: BoolArray
    delay_ms: IntArray
    fate: FloatArray
    again_ms: IntArray
    latency_ms: FloatArray
    version: TextArray
    card: TextArray

    def __len__(self) -> int:
        return len(self.number)

    def where(self, rows: BoolArray) -> "Traffic":
        """These rows alone."""
        return Traffic(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels in no particular order: of which payment, when it became known, what it says."""

    number: IntArray
    known_ms: IntArray
    truth: BoolArray


def draw_traffic(rng: np.random.Generator, start_ms: int, end_ms: int, rate: float, first_number: int) -> Traffic:
    """The payments from start_ms until end_ms, at `rate` a second on the mean of the day."""
    expected = rate * (end_ms - start_ms) / 1_000 * daily_factor((start_ms + end_ms) // 2)
    n = int(rng.poisson(expected))
    time_ms = np.sort(rng.integers(start_ms, end_ms, n))
    network_ms = np.minimum(rng.exponential(NETWORK_MS_MEAN, n), NETWORK_MS_MAX).astype(np.int64)
    premium = rng.random(n) < PREMIUM_SHARE
    amount_z = rng.standard_normal(n)
    channel = _draw(rng, CHANNELS, n)
    risk = 0.9 * amount_z + 0.9 * (channel == "partner") + 2.0 * rng.standard_normal(n)
    probability = np.round(1.0 / (1.0 + np.exp(6.0 - 2.0 * risk)), 4)
    delay_ms = LABEL_DELAY_MS_MEDIAN * np.exp(LABEL_DELAY_SPREAD * rng.standard_normal(n))
    return Traffic(
        number=first_number + np.arange(n),
        time_ms=time_ms,
        published_ms=time_ms + network_ms,
        producer=rng.integers(0, PRODUCERS, n),
        amount=np.round(np.exp(3.6 + 0.7 * amount_z) * np.where(premium, 1.5, 1.0), 2),
        account_age_days=np.floor(rng.gamma(2.0, 400.0, n)),
        items=1 + rng.poisson(1.4, n),
        distance_km=np.round(rng.gamma(2.0, 6.0, n), 2),
        country=_draw(rng, COUNTRIES, n),
        device=_draw(rng, DEVICES, n),
        channel=channel,
        premium=premium,
        probability=probability,
        truth=rng.random(n) < probability,
        labelled=rng.random(n) < LABEL_COVERAGE,
        delay_ms=np.clip(delay_ms, LABEL_DELAY_MS_MIN, LABEL_DELAY_MS_MAX).astype(np.int64),
        fate=rng.random(n),
        again_ms=rng.integers(10 * MINUTE_MS, 2 * HOUR_MS, n),
        latency_ms=np.round(LATENCY_MS_MEDIAN * np.exp(LATENCY_SPREAD * rng.standard_normal(n)), 1),
        version=np.full(n, VERSION),
        card=_cards(first_number + np.arange(n)),
    )


def daily_factor(time_ms: int) -> float:
    """How busy this time of day is, on average 1.

    >>> daily_factor(15 * HOUR_MS), daily_factor(3 * HOUR_MS)
    (1.02, 0.98)
    """
    return 1.0 + DAILY_CYCLE * math.sin(2 * math.pi * (time_ms % DAY_MS - 9 * HOUR_MS) / DAY_MS)


def draw_labels(traffic: Traffic) -> Labels:
    """The labels that come for these payments; repeated and corrected payments have two."""
    corrected = traffic.fate < LABEL_CORRECTED
    twice = traffic.labelled & (traffic.fate < LABEL_CORRECTED + LABEL_REPEATED)
    known_ms = traffic.time_ms + traffic.delay_ms
    once = traffic.labelled
    return Labels(
        number=np.concatenate([traffic.number[once], traffic.number[twice]]),
        known_ms=np.concatenate([known_ms[once], (known_ms + traffic.again_ms)[twice]]),
        truth=np.concatenate([(traffic.truth ^ corrected)[once], traffic.truth[twice]]),
    )


def _cards(number: IntArray) -> TextArray:
    """Of each payment, by its number alone: some card of CARDS."""
    mixed = (number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)
    return np.array([f"card-{card:05d}" for card in (mixed % np.uint64(CARDS)).tolist()])


def _draw(rng: np.random.Generator, shares: dict[str, float], n: int) -> TextArray:
    names = np.array(list(shares))
    picked: TextArray = names[rng.choice(len(names), n, p=list(shares.values()))]
    return picked
