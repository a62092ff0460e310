"""What river's detectors have in common: fed row by row, judged after each, their state kept without pickle."""

import math
import random
from array import array
from collections import deque
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors.base import Domain, Normal, RowDetector
from streamcheck.core.types import FloatArray, IntArray, RowVerdict
from streamcheck.errors import StateError

VALUE_MAX = 1e100
"""Larger magnitudes are cut to this: a float64 cannot hold sums of their squares, and one overflow would leave a NaN
in a detector for good. No real measurement comes near."""

EXPONENT_MAX = 600.0
"""Of a tuned confidence: exp(-600) = 1e-261 is still a normal float64."""
TUNED_WINDOW_MAX = 5_000
"""Rows of a tuned window at most."""
_WINDOW_EVENTS = 20
_WINDOW_RISE = 0.2


class Evidence(NamedTuple):
    """What a method can say about its own last row; fields as in RowVerdict."""

    since: int = 1
    score: float | None = None
    threshold: float | None = None
    direction: int = 0
    level: float | None = None


class RiverDetector(RowDetector):
    """A river detector behind our interface: same rows in, same drifts out, and what river knows besides.

    A subclass makes its river object (`make`) and reads evidence off it. river resets a detector at the first row
    after a drift; nothing here interferes with that.
    """

    def setup(self) -> None:
        """Refuse contradictory parameters. The river object is made when it is needed: a config is checked without."""
        self.check()

    @cached_property
    def river(self) -> Any:
        """The river object, as it stands."""
        return self.make()

    @cached_property
    def _twin(self) -> Any:
        """A fresh one of its kind (see `exported`)."""
        return self.make()

    def make(self) -> Any:
        """A fresh river object with our parameters. river is imported here: it takes 0.7 s."""
        raise NotImplementedError

    def inner(self, name: str) -> Any:
        """One of river's own attributes, for which it has no public name.

        Never through vars(): asking an object for its dict makes each of its updates twice as slow from then on.
        """
        return getattr(self.river, name)

    def evidence(self) -> Evidence:
        """What the river object says about the row it was fed last."""
        return Evidence()

    def step(self, values: FloatArray) -> RowVerdict:
        """Feed the rows one by one, in order; the evidence is that of the last drift, else of the last row."""
        assert _within(self.domain, values), f"{self.name} was given values outside its domain, {self.domain}"
        if not len(values):
            return row_verdict([], Evidence())
        drifts, evidence = self.feed(self.rows(values))
        return row_verdict(drifts, evidence)

    def rows(self, values: FloatArray) -> "array[float]":
        """The values as river wants them: Python floats (numpy's scalars are three times slower), made one by one."""
        return array("d", np.clip(values, -VALUE_MAX, VALUE_MAX).astype(np.float64, copy=False).tobytes())

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """The positions of drifts, and the evidence to show. One call per row is river's interface."""
        river, update = self.river, self.river.update
        drifts, at_drift = [], None
        for at, value in enumerate(rows):
            update(value)
            if river.drift_detected:
                drifts.append(at)
                at_drift = self.evidence()
        return drifts, at_drift or self.evidence()

    def export(self) -> State:
        """The river object's attributes without our parameters, sharing no memory."""
        return {"river": exported(self.river, self._twin, self._parameters())}

    def restore(self, state: State) -> None:
        """Continue where `export` stood. Raises StateError for a state with other attributes than this river's."""
        self.river = self.make()
        restore_into(self.river, self._twin, state["river"], self._parameters())

    def _parameters(self) -> frozenset[str]:
        return frozenset(declared.name for declared in self.params)


class WarningDetector(RiverDetector):
    """A river detector with a warning zone: the change is dated to the row at which the last warning began.

    Gama et al. (2004) take the new context to begin there. State besides river's: the newest rows in a row that warned.
    """

    def setup(self) -> None:
        """As RiverDetector, with no warning yet."""
        super().setup()
        self.warned = 0

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """As RiverDetector, counting the rows of the current warning."""
        river, update, warned = self.river, self.river.update, self.warned
        drifts, at_drift = [], None
        for at, value in enumerate(rows):
            update(value)
            if river.drift_detected:
                drifts.append(at)
                at_drift = self.evidence()._replace(since=warned + 1)
                warned = 0
            else:
                warned = warned + 1 if river.warning_detected else 0
        self.warned = warned
        return drifts, at_drift or self.evidence()

    def export(self) -> State:
        """As RiverDetector, with the length of the current warning."""
        return {**super().export(), "warned": self.warned}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.warned = state["warned"]


class TunedWindow(NamedTuple):
    """Rows of a sliding window (0: none is long enough) and the range of its mean that counts as drift, in its sd."""

    rows: int
    heights: float


def tuned_window(normal: Normal, rows: float) -> TunedWindow:
    """A window whose mean rises above its own minimum by so many sd once in `rows` rows on average.

    log(rows / window) = heights^2 / 8 - 0.6: the range of a stationary Gaussian process, its constant measured
    (decision 0011). The window holds 20 independent rows of the rarer kind, and a rise by 0.2 counts.
    """
    scattered = normal.dispersion * normal.variance
    if scattered <= 0.0:
        return TunedWindow(0, 0.0)
    window, heights = _WINDOW_EVENTS * normal.dispersion / normal.variance, 0.0
    for _ in range(3):  # the height depends on the window by a logarithm only
        heights = math.sqrt(8.0 * (max(math.log(rows / window), 1.0) + 0.6))
        window = max(window, heights**2 * scattered / _WINDOW_RISE**2)
    return TunedWindow(math.ceil(window) if window <= TUNED_WINDOW_MAX else 0, heights)


def row_verdict(drifts: list[int], evidence: Evidence) -> RowVerdict:
    """The verdict on a run of rows; without a drift there is no change to date or to direct."""
    positions: IntArray = np.array(drifts, np.int64)
    if not drifts:
        return RowVerdict(positions, score=evidence.score, threshold=evidence.threshold)
    return RowVerdict(positions, *evidence)


def strongest(candidates: list[Evidence]) -> Evidence:
    """Of several tests, the one that stands highest relative to its threshold; no evidence without candidates."""
    return max(candidates, key=lambda e: (e.score or 0.0) / (e.threshold or 1.0), default=Evidence())


def exported(source: Any, twin: Any, leave_out: frozenset[str] = frozenset()) -> State:
    """The attributes of a river object as plain values, exactly, sharing no memory.

    twin: a fresh object of its kind, which tells their names (see RiverDetector.inner).
    """
    return {name: _plain(getattr(source, name), getattr(twin, name)) for name in _names(twin, leave_out)}


def restore_into(target: Any, twin: Any, state: State, leave_out: frozenset[str] = frozenset()) -> None:
    """Give a fresh river object the attributes that `exported` read; callables (a chosen test) stay as made."""
    names = _names(twin, leave_out)
    if set(names) != state.keys():
        differing = ", ".join(sorted(set(names) ^ state.keys()))
        raise StateError(
            f"the saved state of {type(target).__name__} is of another release of river (they differ in {differing}): "
            "start this monitor afresh, or run the streamcheck that wrote it"
        )
    for name in names:
        setattr(target, name, _revived(getattr(target, name), getattr(twin, name), state[name]))


def _names(twin: Any, leave_out: frozenset[str]) -> list[str]:
    return [name for name, value in vars(twin).items() if name not in leave_out and not callable(value)]


def _within(domain: Domain, values: FloatArray) -> bool:
    if domain is Domain.REAL:
        return bool(np.isfinite(values).all())
    if domain is Domain.UNIT:
        return bool(((values >= 0) & (values <= 1)).all())
    return bool(((values == 0) | (values == 1)).all())


def _plain(value: Any, twin: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, float):  # numpy's scalars, such as KSWIN's p value
        return float(value)
    if isinstance(value, deque):
        return np.array(value, np.float64)
    if isinstance(value, random.Random):
        version, words, gauss = value.getstate()
        return {"version": version, "words": np.array(words, np.uint32), "gauss": gauss}
    if hasattr(twin, "__dict__"):
        return exported(value, twin)
    return rust_bytes(value)


def rust_bytes(struct: Any) -> bytes:
    """The state of one of river's Rust structs, in the bytes that `__setstate__` of its class reads back exactly."""
    cls: Any = type(struct)
    state: bytes = cls.__getstate__(struct)
    return state


def _revived(fresh: Any, twin: Any, value: Any) -> Any:
    """The exported value in the type that a fresh object holds in its place."""
    if isinstance(value, np.ndarray):
        return deque(value.tolist(), maxlen=fresh.maxlen)
    if isinstance(value, bytes):
        type(fresh).__setstate__(fresh, value)
        return fresh
    if isinstance(fresh, random.Random):
        fresh.setstate((value["version"], tuple(value["words"].tolist()), value["gauss"]))
        return fresh
    if isinstance(value, dict):
        restore_into(fresh, twin, value)
        return fresh
    return value
