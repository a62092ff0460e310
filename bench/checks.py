"""What do all default checks cost, beside the drift monitors alone?

    python -m bench checks --hours 3 --rounds 5

The demo's stream (features, scores, late labels, four partitions), decoded, judged and joined in one process: once with
the defaults, once with nothing but the drift of features, score and prediction, volume and accuracy. Both sides take
turns within a round, which the order of them changes; CPU time, so that others on the machine matter little.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - registers them
from bench.surroundings import described, keep, surroundings
from streamcheck.adapters.simulate.incidents import QUIET
from streamcheck.adapters.simulate.payments import PREDICTIONS, PaymentsStream
from streamcheck.adapters.simulate.traffic import HOUR_MS
from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Plan
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

LEAST = 0.6
"""Of the throughput of the drift monitors alone that must remain."""
RATE = 8.0
FEATURES = {
    **dict.fromkeys(("amount", "account_age_days", "items", "distance_km"), "numeric"),
    **dict.fromkeys(("country", "device", "channel"), "categorical"),
}
CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "checks",
    "streams": {
        "predictions": {
            "topic": "payments.predictions",
            "id": "event_id",
            "time": {"field": "ts", "unit": "ms"},
            "prediction": "fraud",
            "score": "fraud_probability",
            "task": "binary",
            "features": FEATURES,
            "segments": ["tier"],
        },
        "labels": {
            "topic": "payments.labels",
            "id": "event_id",
            "label": "is_fraud",
            "time": {"field": "ts", "unit": "ms"},
            "horizon": "2d",
        },
    },
    "time": {"pane": "10s", "lateness": "30s", "idle_after": "5m"},
    "reference": {"first": "30m"},
}
NUMBERS = [name for name, kind in FEATURES.items() if kind == "numeric"] + ["score"]
CATEGORIES = [name for name, kind in FEATURES.items() if kind == "categorical"] + ["prediction"]
DRIFT = [
    *({"on": NUMBERS, "measure": measure} for measure in ("mean_shift", "scale", "outside")),
    {"on": CATEGORIES, "measure": "category_share"},
    {"on": "volume"},
    {"on": "accuracy", "by": ["tier"]},
]
SIDES = {"drift": {"monitors": DRIFT, "search": {"enabled": False}}, "checks": {}}
"""What each side's config says beside CONFIG."""


def plan_of(side: str) -> Plan:
    """Of one side."""
    return loads(yaml.safe_dump({**CONFIG, **SIDES[side]}), {}, side).plan


def pass_through(plan: Plan, batches: Sequence[RawBatch]) -> float:
    """Seconds of CPU time from bytes to judged panes."""
    engine = Engine(plan, "bench")
    engine.open(dict.fromkeys((batch.source for batch in batches), 0))
    assert plan.labels is not None
    decoders = {schema.topics[0]: Decoder(schema, plan.task) for schema in (plan.predictions, plan.labels)}
    began = time.process_time()
    for batch in batches:
        engine.feed(decoders[batch.source.topic].decode(batch))
    engine.finish()
    return time.process_time() - began


def main(arguments: Sequence[str]) -> None:
    """Print what each side takes, and the ratio of their throughputs within a round; keep the figures."""
    parser = argparse.ArgumentParser(prog="bench checks", description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="event time of the stream (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    args = parser.parse_args(arguments)
    stream = PaymentsStream(seed=7, scenario=QUIET, rate=RATE, duration_ms=int(args.hours * HOUR_MS))
    batches = list(stream.batches())
    events = sum(len(batch.values) for batch in batches if batch.source.topic == PREDICTIONS)
    plans = {side: plan_of(side) for side in SIDES}
    for side, plan in plans.items():
        print(f"{side}: {len(plan.monitors)} monitors")
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(args.rounds):
        for side in sorted(SIDES, reverse=bool(number % 2)):
            taken[side].append(pass_through(plans[side], batches))
    ratios = [drift / checks for drift, checks in zip(taken["drift"], taken["checks"], strict=True)]
    for side, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{side:8s} {median:6.2f} s of CPU time for {events:,} predictions, {median / events * 1e6:.1f} us each")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"throughput that remains: {middle:.0%} (median of {args.rounds} rounds, {low:.0%} to {high:.0%})")
    print(f"at least {LEAST:.0%} must: {'reached' if middle >= LEAST else 'NOT reached'}")
    around = surroundings()
    print(described(around))
    keep("checks", around, {"events": events, "cpu_s": taken, "ratios": ratios, "remains": middle}, args.out)
