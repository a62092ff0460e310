"""Several configs over the same rows: what did each give, which alerts appear or vanish?

Two alerts are the same where they are of one monitor and segment and the times from firing to being resolved overlap;
one to one, in the order of firing. What only the first config gave has vanished, what only another gave has appeared.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streamcheck.report.truth import ms

FOREVER = 2**62
NAMES = ("monitor", "segment", "fired_at", "resolved_at", "severity", "summary")

Key = tuple[str, tuple[tuple[str, str], ...]]


def compare(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each config, the first one included."""
    first = results[0]
    return [_row(each, first if at else None) for at, each in enumerate(results)]


def _row(found: Mapping[str, Any], first: Mapping[str, Any] | None) -> dict[str, Any]:
    row = {name: found[name] for name in ("name", "fired", "fired_per_week", "fired_per_10000_rows", "by_monitor")}
    if "truth" in found:
        row["truth"] = found["truth"]["scores"][0]
    if first is not None:
        same, vanished, appeared = difference(first["alerts"], found["alerts"])
        row |= {"same": same, "vanished": _short(vanished), "appeared": _short(appeared)}
    return row


def difference(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[int, list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """How many alerts are the same; those that are only there before, and only after."""
    left: dict[Key, list[Mapping[str, Any]]] = {}
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
    return same, [alert for alert in before if id(alert) in gone], appeared


def _key(alert: Mapping[str, Any]) -> Key:
    return alert["monitor"], tuple(alert["segment"].items())


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    (a, b), (c, d) = (
        (ms(each["fired_at"]), ms(each["resolved_at"]) if each["resolved_at"] else FOREVER) for each in (one, other)
    )
    return a <= d and c <= b


def _short(alerts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: alert[name] for name in NAMES} for alert in alerts]
