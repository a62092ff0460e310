"""What every detector offers. A detector sees only new signals, each once, in canonical order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from streamcheck.core.components import Component, State
from streamcheck.core.types import FloatArray, RowVerdict, Signal, Verdict

DETECTOR_BYTES = 5_000
"""Of a detector with a handful of numbers; river's come with a twin that tells the names of their attributes."""


class Domain(StrEnum):
    """What values a row detector can take; the config refuses others."""

    REAL = "real"      # any finite number
    UNIT = "unit"      # numbers in [0, 1]: scores, errors
    BINARY = "binary"  # 0 or 1: errors, binary predictions


@dataclass(frozen=True, slots=True)
class Normal:
    """How rows vary when nothing changes, as far as a row detector's parameters depend on it.

    mean and variance: of the rows as the detector is fed them. dispersion: by how much their resemblance to one another
    inflates the variance of means (>= 1, see scatter.py). shares: the rows are 0/1 or shares, not standardised numbers.
    """

    mean: float
    variance: float
    dispersion: float
    shares: bool


class Detector(Component):
    """Signals in, verdicts out; state exported and restored exactly, without pickle."""

    family = "detector"
    example: ClassVar[Mapping[str, object]] = {}
    """Parameters of a minimal instance, for a component that cannot do with its defaults alone."""

    @property
    def held_bytes(self) -> int:
        """What it takes in memory at most, parameters included."""
        return DETECTOR_BYTES

    def export(self) -> State:
        """The state, sharing no memory with the detector."""
        raise NotImplementedError

    def restore(self, state: State) -> None:
        """Continue where `export` stood: every later verdict is equal bit for bit."""
        raise NotImplementedError


class PaneDetector(Detector):
    """Steps once per pane with rows (labelled rows: per block)."""

    def calibrate(self, arl: float) -> None:
        """Choose parameters left null so that stable input alarms once in `arl` steps on average (> 1).

        Called at the beginning, and again once it is known who shares the budget: what was learned so far stays.
        """

    def settle(self, *, settled: bool) -> None:
        """Whether the reference behind the signals stays as it is from now on, or goes on learning."""

    suspects: ClassVar[float] = 0.5
    """Part of the threshold beyond which a score is so rare that a change may have begun, though none is proved."""

    def restart(self) -> None:
        """Forget the evidence so far: signals are compared with something else from now on."""
        raise NotImplementedError

    def step(self, signal: Signal, at_ms: int) -> Verdict:
        """Judge one more signal, of the pane (or block) that begins at event time `at_ms`."""
        raise NotImplementedError


class RowDetector(Detector):
    """Steps once per row. After a drift the method starts afresh by its own rules (river's)."""

    domain: ClassVar[Domain]
    untunable: ClassVar[str] = ""
    """Why no parameters can be chosen for a promised rate of false alarms; "" where they can (`tuned`)."""
    tuned_bytes: ClassVar[int] = 0
    """What parameters that `tuned` chooses may take in memory beyond the default ones."""

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """Parameters with which rows like these drift at most once in so many of them on average.

        None where the method has no such parameters, or none with which it would still notice a change.
        """
        raise NotImplementedError

    def seed(self, value: int) -> None:
        """Make randomness inside the method reproducible; called once, before any row."""

    def step(self, values: FloatArray) -> RowVerdict:
        """Feed the rows one by one, in order. values: (n,) float64, finite, within the domain."""
        raise NotImplementedError
