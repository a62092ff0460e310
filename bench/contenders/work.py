"""The work that the loops do on each event: river on every feature, labels joined, river on the error, accuracy.

One class for all peers, so that they differ only in how events come to them. Needs river and nothing else.
"""

from collections import defaultdict, deque
from typing import Any

from river import drift

from bench.contenders.parameters import ADWIN_PARAMS, DDM_PARAMS, PAGE_HINKLEY_PARAMS, WINDOW_ROWS


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


class Pair:
    """The two detectors of a feature."""

    __slots__ = ("adwin", "page_hinkley")

    def __init__(self) -> None:
        make_adwin: Any = drift.ADWIN  # not typed in river
        self.adwin = make_adwin(**ADWIN_PARAMS)
        self.page_hinkley: Any = drift.PageHinkley(**PAGE_HINKLEY_PARAMS)


class Work:
    """Everything for one stream, in the order in which events are read. done: once all of both kinds have been."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.pairs: dict[str, Pair] = defaultdict(Pair)
        self.ddm: Any = drift.binary.DDM(**DDM_PARAMS)
        self.accuracy: dict[str, Accuracy] = defaultdict(Accuracy)
        self.drifts: dict[str, list[int]] = defaultdict(list)
        self.unlabelled: dict[str, tuple[int, str]] = {}
        self.early: dict[str, tuple[int, int]] = {}
        self.predictions = self.labels = 0

    @property
    def done(self) -> bool:
        return self.predictions == self.events == self.labels

    def prediction(self, event: Any) -> None:
        """One prediction; its label may have come before it."""
        pairs = self.pairs
        for name, value in event["features"].items():
            pair = pairs[name]
            detector = pair.adwin
            detector.update(value)
            if detector.drift_detected:
                self.drifts[f"{name}-adwin"].append(event["ts"])
            detector = pair.page_hinkley
            detector.update(value)
            if detector.drift_detected:
                self.drifts[f"{name}-page_hinkley"].append(event["ts"])
        self.predictions += 1
        key = event["id"]
        early = self.early.pop(key, None)
        if early is None:
            self.unlabelled[key] = (event["prediction"], event["segment"])
        else:
            self._labelled(event["prediction"], event["segment"], *early)

    def label(self, event: Any) -> None:
        """One label; its prediction may not have been read yet."""
        self.labels += 1
        key = event["id"]
        waiting = self.unlabelled.pop(key, None)
        if waiting is None:
            self.early[key] = (event["label"], event["ts"])
        else:
            self._labelled(*waiting, event["label"], event["ts"])

    def _labelled(self, prediction: int, segment: str, label: int, known_ms: int) -> None:
        right = prediction == label
        self.ddm.update(not right)
        if self.ddm.drift_detected:
            self.drifts["error-ddm"].append(known_ms)
        self.accuracy[segment].add(right=right)

    def found(self) -> dict[str, Any]:
        """Event times of each detector's drifts, and the accuracy per segment at the end."""
        accuracy = {name: window.value() for name, window in sorted(self.accuracy.items())}
        return {"drifts": self.drifts, "accuracy": accuracy}
