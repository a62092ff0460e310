"""Several configs over the same rows: what did each give, which alerts appear or vanish?

Two alerts are the same where they are of one monitor and segment and the times from firing to being resolved overlap;
one to one, in the order of firing. What only the first config gave has vanished, what only another gave has appeared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamcheck.report.record.alerts import FiredAlert, Label
from streamcheck.report.result.result import ConfigResult

FOREVER = 2**62

Key = tuple[str, Label]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One config beside the first. same: how many alerts both give; None for the first itself."""

    config: ConfigResult
    same: int | None = None
    vanished: tuple[FiredAlert, ...] = ()
    appeared: tuple[FiredAlert, ...] = ()


def compare(results: Sequence[ConfigResult]) -> tuple[Compared, ...]:
    """One row for each config, the first one included."""
    first, *others = results
    return (Compared(first), *(Compared(each, *difference(first.alerts, each.alerts)) for each in others))


def difference(
    before: Sequence[FiredAlert], after: Sequence[FiredAlert]
) -> tuple[int, tuple[FiredAlert, ...], tuple[FiredAlert, ...]]:
    """How many alerts are the same; those that are only there before, and only after."""
    left: dict[Key, list[FiredAlert]] = {}
    for alert in before:
        left.setdefault(_key(alert), []).append(alert)
    appeared, same = [], 0
    for alert in after:
        rivals = left.get(_key(alert), [])
        twin = next((rival for rival in rivals if _overlap(rival, alert)), None)
        if twin is None:
            appeared.append(alert)
        else:
            rivals.remove(twin)
            same += 1
    gone = {id(alert) for rivals in left.values() for alert in rivals}
    return same, tuple(alert for alert in before if id(alert) in gone), tuple(appeared)


def _key(alert: FiredAlert) -> Key:
    return alert.monitor, alert.segment


def _overlap(one: FiredAlert, other: FiredAlert) -> bool:
    ends = (FOREVER if each.resolved_ms is None else each.resolved_ms for each in (one, other))
    return max(one.fired_ms, other.fired_ms) <= min(ends)
