"""Scan: do the last steps, however many, differ from the reference by more than chance and its own error?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors._bank import CHART_BYTES, Bank
from streamcheck.core.detectors._statistics import FREEDOM_MIN
from streamcheck.core.detectors._windows import needed, threshold
from streamcheck.core.detectors.base import DETECTOR_BYTES, PaneDetector
from streamcheck.core.types import Signal, Verdict

SAFETY = 1.5
"""calibrate(arl) aims at so many times arl: a reference's dispersion and correlations are estimates."""


@register
class Scan(PaneDetector):
    """Does any of the last 1, 2, 3, 4, 6, 8, 12, 16, 24 ... 256 steps differ from the reference, taken as two samples?

    Of a mean, z = (mean - reference) / sqrt(g s^2 / n + the reference's variance); of a share, the signed root of the
    two-sample binomial deviance, divided by g; of rises of a count (`volume`), the root of a Poisson count's. Steps
    count by what their rows are worth (Background), g is what the correlation of neighbouring steps makes of a mean of
    so many; a visible correlation counts with its standard error, which is all the allowance for how little is known of
    it. Where panes visibly scatter more than their rows do, z is taken for Student's t with the freedom of the
    reference's panes, else of its rows. Small steps get longer windows, up to 2,048. Where the reference stays as it is
    (`first`, `profile`), quiet steps that have left the longest window count with it: level, scatter, correlation and
    freedom.

    Drifts once the largest |z| exceeds h, and until a return: a CUSUM of the log-likelihood ratio of the reference to
    half of what raised the alarm (of a count: in parts of what is expected), ended at log 1000. calibrate(arl) takes h
    from log arl = h^2/2 - log h + 1.5, with a factor of 1.5 to spare, and of 2.25 where panes visibly scatter. No
    window reaches back before the end of an alarm.
    `score`: the largest |z|, as a normal number of the same tail, above h while an alarm is open. `change_at`: where
    the change most likely began, of all steps that sums are kept of (each of the last 17, every second of 34 ...).

    >>> detector = Scan(h=4.0)
    >>> signals = [Signal(value=z, center=0.0, se=1.0, rows=100, level=z, baseline=0.0) for z in (0.5, -0.2, 3.0, 3.0)]
    >>> [round(detector.step(signal, at_ms=1000 * at).score, 2) for at, signal in enumerate(signals)]
    [0.5, 0.21, 3.0, 4.24]
    >>> detector.step(signals[-1], at_ms=4000).change_at
    2000
    """

    suspects: ClassVar[float] = 0.75

    side: str = param("both", choices=("both", "up", "down"), doc="Which way the level may not shift.")
    h: float | None = param(None, gt=0, le=100, doc="Standard errors that count as drift; null: chosen by the budget.")

    def setup(self) -> None:
        """No chart yet: `join` gives one, or the first use."""
        self.limit = self.h
        self._place: tuple[Bank, int] | None = None

    def join(self, bank: Bank) -> None:
        """Become a chart of this bank; before any step."""
        assert self._place is None, "in a bank already"
        self._place = bank, bank.enrol(up=self.side != "down", down=self.side != "up")
        self.settle(settled=False)
        self._set_limit()

    def leave(self) -> None:
        """Give the chart back to its bank."""
        if self._place is not None:
            bank, number = self._place
            bank.leave(number)
            self._place = None

    @property
    def chart(self) -> tuple[Bank, int]:
        """The bank and the chart's number in it; a bank of its own where it has joined none."""
        if self._place is None:
            self.join(Bank())
        assert self._place is not None
        return self._place

    def _set_limit(self) -> None:
        if self.limit is not None and self._place is not None:
            bank, number = self._place
            bank.h[number] = self.limit

    @property
    def held_bytes(self) -> int:
        """Running sums."""
        return DETECTOR_BYTES + CHART_BYTES

    def calibrate(self, arl: float) -> None:
        """Choose h, unless it was given, so that stable input alarms at most once in `arl` steps on average (> 1)."""
        assert arl > 1, f"an average run length is above 1, not {arl}"
        if self.h is None:
            self.limit = threshold(SAFETY * arl * (1.0 if self.side == "both" else 0.5))
            self._set_limit()

    def statistic(self, panes: int) -> float | None:
        """The |z| that reaches h where panes scatter visibly and so many of them tell how far; None without h."""
        return None if self.limit is None or panes <= FREEDOM_MIN else needed(self.limit, panes - 1.0)

    def settle(self, *, settled: bool) -> None:
        """Old steps join a reference that stays as it is; one that goes on learning has them already."""
        bank, number = self.chart
        bank.grown.on[number] = settled

    def restart(self) -> None:
        """Forget all steps so far."""
        bank, number = self.chart
        bank.restart(number)

    def step(self, signal: Signal, at_ms: int) -> Verdict:
        """Judge one more signal."""
        assert self.limit is not None, "scan: h is not set; call calibrate(arl) first"
        bank, number = self.chart
        return bank.step(np.array([number]), [signal], at_ms)[0]

    def export(self) -> State:
        """The running sums, and the alarm that is open."""
        bank, number = self.chart
        return bank.export(number)

    def restore(self, state: State) -> None:
        """Continue where `export` stood; h comes from the parameters or `calibrate`."""
        bank, number = self.chart
        bank.restore(number, state)
