"""How often would monitors have alarmed, with which value; and what does a short history prove?"""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamcheck.core.alerts import AlertTracker, Change, Finding
from streamcheck.core.instances import Instance, Span
from streamcheck.core.keys import limit_rows
from streamcheck.core.plan import AlertRule
from streamcheck.core.watching import Watcher
from streamcheck.report.result.truth import Fired

POINTS_MAX = 5_000_000
"""Steps of threshold monitors that are remembered, 28 B each: 140 MB."""
DIGITS = 4
BUSY = 0.1
"""Share of quiet time beyond which alarms are no news any more, however few they are."""


@dataclass(slots=True)
class Steps:
    """What one threshold monitor saw of one segment: end of pane, signal, rows."""

    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    rule: AlertRule
    pane_ms: int
    rows_min: int
    ends: "array[int]"
    values: "array[float]"
    rows: "array[int]"

    def alert(self, end_ms: int) -> Fired:
        """One of this monitor and segment, at the end of a pane."""
        return Fired(end_ms, str(end_ms), self.monitor, self.column, self.segment)

    def judged(self, is_false: Callable[[Fired], bool]) -> list[float]:
        """The signals that had rows enough, at moments at which an alarm would have been a false one."""
        steps = zip(self.ends, self.values, self.rows, strict=True)
        return [value for end, value, rows in steps if rows >= self.rows_min and is_false(self.alert(end))]

    def fired(self, limit: float, sign: int) -> list[Fired]:
        """The alerts that a limit gives, by the very tracker of alerts: `for` and `cooldown` count."""
        tracker, found = AlertTracker(self.rule, pulsed=False), []
        for end, value, rows in zip(self.ends, self.values, self.rows, strict=True):
            drifting = rows >= self.rows_min and sign * value > sign * limit
            start = end - self.pane_ms
            finding = Finding(start, value, None, value, limit, rows, sign) if drifting else None
            if any(step.state == "firing" for step in tracker.step(start, end, finding)):
                found.append(self.alert(end))
        return found


class LimitWatcher(Watcher):
    """Remembers the signals of threshold monitors. left_out: steps beyond POINTS_MAX."""

    def __init__(self, monitors: frozenset[str]) -> None:
        self._monitors = monitors
        self._steps: dict[tuple[str, tuple[tuple[str, str], ...]], Steps] = {}
        self._points = self.left_out = 0

    @property
    def steps(self) -> list[Steps]:
        """Of every monitor and segment."""
        return list(self._steps.values())

    def stepped(self, span: Span, instance: Instance, changes: Sequence[Change]) -> None:  # noqa: ARG002
        """One signal more."""
        spec = instance.spec
        if spec.id not in self._monitors or instance.score is None:
            return
        if self._points >= POINTS_MAX:
            self.left_out += 1
            return
        self._points += 1
        steps = self._steps.get((spec.id, instance.segment))
        if steps is None:
            columns = array("q"), array("d"), array("q")
            pane_ms, rows_min = span.end_ms - span.start_ms, limit_rows(spec)
            steps = Steps(spec.id, spec.column, instance.segment, spec.rule, pane_ms, rows_min, *columns)
            self._steps[spec.id, instance.segment] = steps
        steps.ends.append(span.end_ms)
        steps.values.append(instance.score)
        steps.rows.append(instance.rows)


def limit_for(
    steps: Sequence[Steps], sign: int, allowed: int, is_false: Callable[[Fired], bool]
) -> tuple[float, int] | None:
    """The most sensitive limit that gives no more false alarms than allowed, and how many it gives; None without data.

    Limits are rounded to four digits, away from the data: between two that were seen nothing is known. A limit that is
    passed nearly always alarms but once, and never rests: so the search begins beyond the last value seen while all was
    quiet, and a limit that more than BUSY of the quiet steps pass counts as one that alarms too often.
    """
    quiet = [each.judged(is_false) for each in steps]
    seen = sorted({sign * value for each in quiet for value in each}, reverse=True)
    if not seen:
        return None

    def alarms(place: int) -> float:
        limit = rounded(sign * seen[place], sign)
        for each in quiet:
            if sum(sign * value > sign * limit for value in each) > BUSY * len(each):
                return math.inf
        return sum(is_false(alert) for each in steps for alert in each.fired(limit, sign))

    low, high = 0, 1  # the former keeps to what is allowed, the latter is tried next
    while high < len(seen) and alarms(high) <= allowed:
        low, high = high, 2 * high
    high = min(high, len(seen))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if alarms(middle) <= allowed else (low, middle)
    return rounded(sign * seen[low], sign), int(alarms(low))


def rounded(value: float, sign: int) -> float:
    """A limit with four digits, on the side where fewer values lie beyond it.

    >>> rounded(0.812345, 1), rounded(0.812345, -1), rounded(0.0, 1)
    (0.8124, 0.8123, 0.0)
    """
    if value == 0 or not math.isfinite(value):
        return value
    places = DIGITS - 1 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**places
    return round((math.ceil(scaled) if sign > 0 else math.floor(scaled)) / 10.0**places, max(places, 0))


def choose(counts: Sequence[int], allowed: int) -> int | None:
    """Which of several values, from the most sensitive on, is the first from which on none alarms too often?

    None where even the least sensitive does.

    >>> choose([9, 3, 0, 1, 0], 0), choose([9, 3, 0, 1, 0], 1), choose([5], 0)
    (4, 2, None)
    """
    found = None
    for at in range(len(counts) - 1, -1, -1):
        if counts[at] > allowed:
            break
        found = at
    return found
