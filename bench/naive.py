"""What a user writes first: kafka-python's iterator, json (or orjson), river, a deque per segment.

Run by bench/run.py in a process of its own; prints one line of JSON.
"""

import argparse
import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import orjson
from kafka import KafkaConsumer
from river import drift

# Every parameter is given, so that a change of river's defaults cannot make the two sides differ.
Params = dict[str, Any]
ADWIN_PARAMS: Params = {"delta": 0.002, "clock": 32, "max_buckets": 5, "min_window_length": 5, "grace_period": 10}
PAGE_HINKLEY_PARAMS: Params = {"min_instances": 30, "delta": 0.1, "threshold": 50.0, "alpha": 0.9999}
DDM_PARAMS: Params = {"warm_start": 30, "warning_threshold": 2.0, "drift_threshold": 3.0}
WINDOW_ROWS = 1000


class Accuracy:
    """The share of right predictions among the newest rows, kept by counting: cheaper than summing the deque."""

    def __init__(self) -> None:
        self.rows: deque[bool] = deque(maxlen=WINDOW_ROWS)
        self.right = 0

    def add(self, *, right: bool) -> None:
        if len(self.rows) == WINDOW_ROWS:
            self.right -= self.rows[0]
        self.rows.append(right)
        self.right += right

    def value(self) -> float:
        return self.right / len(self.rows)


def monitor(consumer: Any, loads: Callable[[bytes], Any], events: int, features: list[str]) -> dict[str, Any]:
    """Read that many events; the drifts of each detector as event times, and the accuracy per segment at the end."""
    make_adwin: Any = drift.ADWIN  # not typed in river
    adwin = {name: make_adwin(**ADWIN_PARAMS) for name in features}
    page_hinkley: dict[str, Any] = {name: drift.PageHinkley(**PAGE_HINKLEY_PARAMS) for name in features}
    ddm: Any = drift.binary.DDM(**DDM_PARAMS)
    accuracy: dict[str, Accuracy] = defaultdict(Accuracy)
    drifts: dict[str, list[int]] = defaultdict(list)
    for seen, record in enumerate(consumer, 1):
        event = loads(record.value)
        for name, value in event["features"].items():
            detector = adwin[name]
            detector.update(value)
            if detector.drift_detected:
                drifts[f"{name}-adwin"].append(event["ts"])
            detector = page_hinkley[name]
            detector.update(value)
            if detector.drift_detected:
                drifts[f"{name}-page_hinkley"].append(event["ts"])
        right = event["prediction"] == event["label"]
        ddm.update(not right)
        if ddm.drift_detected:
            drifts["error-ddm"].append(event["ts"])
        accuracy[event["segment"]].add(right=right)
        if seen == events:
            break
    return {"drifts": drifts, "accuracy": {name: window.value() for name, window in sorted(accuracy.items())}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("events", type=int)
    parser.add_argument("features", help="names, separated by commas")
    parser.add_argument("--parser", choices=("json", "orjson"), default="json")
    args = parser.parse_args()
    start = time.perf_counter()
    consumer = KafkaConsumer(
        args.topic, bootstrap_servers=args.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    loads: Callable[[bytes], Any] = orjson.loads if args.parser == "orjson" else json.loads
    found = monitor(consumer, loads, args.events, args.features.split(","))
    seconds = time.perf_counter() - start
    consumer.close()
    json.dump({"events": args.events, "seconds": seconds, **found}, sys.stdout)


if __name__ == "__main__":
    main()
