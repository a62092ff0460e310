"""CUSUM: do the signals add up to better evidence for a change than chance would give in a promised time?"""

import math

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors.base import PaneDetector
from streamcheck.core.types import Signal, Verdict

STEP_SHARE_MAX = 0.6
"""One step counts for at most this share of h, so that it takes two: a single pane may hold one absurd row."""
OVERWHELMING = 8.0
"""A share of bounded rows has no absurd rows: evidence of more than this many h alarms in one step."""
CARRY_MAX = 2.0
"""The statistic is kept below this many h: recovery takes about as long as the alarm took at the same strength."""
Z_MAX = 1e9
"""Standard errors are cut here; squares stay finite."""

P_MIN = 1e-4
"""Shares nearer to 0 or 1 are taken for this: one event must not decide."""
ROOM_MIN = 1e-3
"""A share this near to its end cannot move towards it in a way that matters (missing values that get even rarer)."""
REFERENCE_ERROR_MAX = 0.25
"""Part of a signal's standard error that is laid to the reference at most: that of one 16 times as large as a step."""
ODDS_MAX, GAP_MAX = 2.0, 0.02
ODDS_MIN, GAP_MIN = 1.25, 0.005
"""The changed share that is looked for lies between these odds ratios, or gaps where the share is so small that they
are larger: no less, since a smaller change is of no concern, no more, since a larger one is found anyway."""


@register
class Cusum(PaneDetector):
    """Has the level shifted for good? Adds up log-likelihood ratios of "shifted" against "unchanged", never below zero.

    Page (1954), Biometrika 41. An ordinary signal adds k z - k^2/2 with z = (|value - center| - center_se) / se; a
    share adds the exact binomial log-likelihood ratio of its events, divided by the overdispersion that its se implies.
    Drifts above h. By Lorden (1971), Annals of Mathematical Statistics 42, stable input then runs for e^h steps or more
    on average per side, so that calibrate(arl) takes h = ln(sides * arl); the promise is kept with a factor of about
    five to spare. One step alone alarms only where a share's evidence is overwhelming (8 h). `score`: the larger
    statistic, capped at 2 h, so that it falls below h about as fast as it rose. `change_at`: the step at which it last
    left zero.

    >>> detector = Cusum(k=1.0, h=5.0)
    >>> signals = [Signal(value=z, center=0.0, se=1.0, rows=100, level=z, baseline=0.0) for z in (0.3, 2.5, 2.5, 2.5)]
    >>> [detector.step(signal, at_ms=1000 * at).score for at, signal in enumerate(signals)]
    [0.0, 2.0, 4.0, 6.0]
    >>> verdict = detector.step(signals[-1], at_ms=4000)
    >>> verdict.drifting, verdict.score, verdict.threshold, verdict.change_at, verdict.direction
    (True, 8.0, 5.0, 1000, 1)
    """

    k: float = param(1.0, gt=0, le=10, doc="Size of the shift to detect, in standard errors of one step.")
    h: float | None = param(None, gt=0, le=1000, doc="Evidence that counts as drift; null: chosen by the alarm budget.")
    side: str = param("both", choices=("both", "up", "down"), doc="Which way the level may not shift.")

    def setup(self) -> None:
        """No evidence yet."""
        self.limit = self.h
        self.directions = {"both": (1, -1), "up": (1,), "down": (-1,)}[self.side]
        self.restart()

    def restart(self) -> None:
        """Both statistics at zero."""
        self.statistics = [0.0] * len(self.directions)
        self.left_zero: list[int | None] = [None] * len(self.directions)

    def calibrate(self, arl: float) -> None:
        """Choose h, unless it was given, so that stable input alarms at most once in `arl` steps on average (> 1)."""
        assert arl > 1, f"an average run length is above 1, not {arl}"
        if self.h is None:
            self.limit = math.log(len(self.directions) * arl)

    def step(self, signal: Signal, at_ms: int) -> Verdict:
        """Judge one more signal."""
        limit = self.limit
        assert limit is not None, "cusum: h is not set; call calibrate(arl) first"
        assert signal.se > 0 and signal.rows > 0, f"a signal has rows and a standard error: {signal}"  # noqa: PT018
        for at, direction in enumerate(self.directions):
            before = self.statistics[at]
            after = min(max(before + self._increment(signal, direction, limit), 0.0), CARRY_MAX * limit)
            if not before or not after:
                self.left_zero[at] = at_ms if after else None
            self.statistics[at] = after
        score = max(self.statistics)
        largest = self.statistics.index(score)
        if score > limit:
            return Verdict(True, score, limit, self.left_zero[largest], self.directions[largest])  # noqa: FBT003
        return Verdict(False, score, limit)  # noqa: FBT003 (Verdict's first field)

    def _increment(self, signal: Signal, direction: int, limit: float) -> float:
        if signal.events is None:
            z = (direction * (signal.value - signal.center) - signal.center_se) / signal.se
            z = min(max(z, -Z_MAX), Z_MAX)
            return min(self.k * z - self.k * self.k / 2, STEP_SHARE_MAX * limit)
        events = signal.events if direction > 0 else signal.rows - signal.events
        center = signal.center if direction > 0 else 1 - signal.center
        evidence = share_evidence(events, signal.rows, center, signal.se, self.k, signal.center_se)
        return min(evidence, max(STEP_SHARE_MAX * limit, evidence / OVERWHELMING))

    def export(self) -> State:
        """The statistics and the steps at which they left zero, per side."""
        return {"statistics": list(self.statistics), "left_zero": list(self.left_zero)}

    def restore(self, state: State) -> None:
        """Continue where `export` stood; h comes from the parameters or `calibrate`."""
        self.statistics = list(state["statistics"])
        self.left_zero = list(state["left_zero"])


def share_evidence(
    events: int, rows: int, center: float, se: float, k: float, center_se: float = 0.0
) -> float:
    """How much more likely are the events under a risen share than under the expected one? Log-likelihood ratio.

    center, se and center_se as in Signal. The expected share p0 is center raised by the reference's own standard error
    (center_se, or what se has above chance, at most REFERENCE_ERROR_MAX of it); a share that has no ROOM_MIN left to
    rise gives no evidence, however long it stays there; the risen one p1 lies k standard errors above, within ODDS
    and GAP. The ratio is divided by phi = se^2 / (p (1 - p) / rows) >= 1.

    >>> round(share_evidence(events=12, rows=100, center=0.05, se=0.0218, k=1.0), 3)
    2.261
    """
    if center > 1 - ROOM_MIN:
        return 0.0
    p = min(max(center, P_MIN), 1 - P_MIN)
    chance = p * (1 - p) / rows
    phi = max(1.0, se * se / chance)
    p0 = p + max(center_se, min(math.sqrt(max(se * se - chance, 0.0)), REFERENCE_ERROR_MAX * se))
    p0 = min(p0, 1 - P_MIN / 2)
    least, most = max(_odds_times(p0, ODDS_MIN), p0 + GAP_MIN), max(_odds_times(p0, ODDS_MAX), p0 + GAP_MAX)
    p1 = min(max(p0 + k * math.sqrt(chance), least), most)
    p1 = min(p1, (1 + p0) / 2)  # near 1, a gap would reach beyond it
    return (events * math.log(p1 / p0) + (rows - events) * math.log((1 - p1) / (1 - p0))) / phi


def _odds_times(p: float, factor: float) -> float:
    """The share whose odds are `factor` times those of p."""
    return factor * p / (1 - p + factor * p)
