"""What may a person order while it runs? To accept a change as the new normal, and to say that an alert is known.

An order takes effect between two panes and is written into the journal with that place, so that a replay obeys it at
the same place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from streamcheck.core.alerts import Known, alert_id
from streamcheck.core.components import State
from streamcheck.core.instances import Instance
from streamcheck.core.keys import LIMIT
from streamcheck.core.wording import counted
from streamcheck.errors import StateError

DONE_MAX = 1_000
"""Orders that are remembered as done, the newest: one met again (a crash came between) is not obeyed twice."""
TEXT_MAX = 300
"""Characters of a reason or a name that are kept."""


@dataclass(frozen=True, slots=True)
class Rebaseline:
    """References begin anew. monitors: ids, all where there are none; segment: None for every one.

    since_ms: nothing before it may be in the new reference; None: where an open alert's change began to show, else now.
    """

    monitors: tuple[str, ...] = ()
    segment: tuple[tuple[str, str], ...] | None = None
    since_ms: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """An alert is known. rebaseline: and what it found is the new normal; why: for the others.

    until_ms: event time from which on it is so no more; None: as long as it is open.
    """

    alert: str
    by: str = ""
    rebaseline: bool = False
    why: str = ""
    until_ms: int | None = None


Order = Rebaseline | Acknowledge


def told(order: Order) -> dict[str, Any]:
    """An order as JSON has it.

    >>> told(Acknowledge("9f2c", "kim"))
    {'kind': 'acknowledge', 'alert': '9f2c', 'by': 'kim', 'rebaseline': False}
    """
    if isinstance(order, Acknowledge):
        said = {"kind": "acknowledge", "alert": order.alert, "by": order.by, "rebaseline": order.rebaseline}
        until = {} if order.until_ms is None else {"until_ms": order.until_ms}
        return said | ({"why": order.why} if order.why else {}) | until
    segment = None if order.segment is None else [list(pair) for pair in order.segment]
    named = {"monitors": list(order.monitors), "segment": segment}
    return {"kind": "rebaseline", **named, "since_ms": order.since_ms, "reason": order.reason}


def heard(said: Any) -> Order:
    """The order of such JSON. Raises StateError.

    >>> heard(told(Rebaseline(("a",), (("tier", "premium"),), 5, "new prices"))).segment
    (('tier', 'premium'),)
    """
    try:
        if said["kind"] == "acknowledge":
            texts = str(said["by"])[:TEXT_MAX], bool(said["rebaseline"]), str(said.get("why", ""))[:TEXT_MAX]
            until_ms = said.get("until_ms")
            return Acknowledge(str(said["alert"]), *texts, None if until_ms is None else int(until_ms))
        if said["kind"] == "rebaseline":
            segment = None if said["segment"] is None else tuple((str(f), str(v)) for f, v in said["segment"])
            since_ms = None if said["since_ms"] is None else int(said["since_ms"])
            return Rebaseline(
                tuple(str(name) for name in said["monitors"]), segment, since_ms, str(said["reason"])[:TEXT_MAX]
            )
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"not an order: {orjson.dumps(said, default=str)[:200]!r}") from error
    raise StateError(f"an order of unknown kind {said['kind']!r}: written by a newer streamcheck?")


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order was obeyed before any pane that begins at `at_ms` or later. name: what tells it from all others."""

    at_ms: int
    name: str
    order: Order


class Orders:
    """Which orders have been obeyed, and which are still to come in a replay."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._to_come: list[Ordered] = []

    def is_new(self, name: str) -> bool:
        """Whether it was neither obeyed nor foreseen."""
        return name not in self._done and all(entry.name != name for entry in self._to_come)

    def foresee(self, entry: Ordered) -> None:
        """The journal says that it is obeyed later on."""
        self._to_come.append(entry)

    def due(self, start_ms: int) -> list[Ordered]:
        """Those to be obeyed before the pane that begins at `start_ms` closes, in the order of the journal."""
        if not self._to_come:
            return []
        due = [entry for entry in self._to_come if entry.at_ms <= start_ms]
        self._to_come = [entry for entry in self._to_come if entry.at_ms > start_ms]
        return due

    def obeyed(self, name: str) -> None:
        """It is done, and never again."""
        self._done = [*self._done, name][-DONE_MAX:]

    def export(self) -> State:
        """The state."""
        to_come = [[entry.at_ms, entry.name, told(entry.order)] for entry in self._to_come]
        return {"done": list(self._done), "to_come": to_come}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._done = list(state["done"])
        self._to_come = [Ordered(at_ms, name, heard(order)) for at_ms, name, order in state["to_come"]]


def obey(order: Order, config: str, instances: Iterable[Instance]) -> tuple[list[Instance], str]:
    """Do it: whom it has changed, and what there is to be told."""
    if isinstance(order, Acknowledge):
        return _acknowledge(order, config, instances)
    concerned = [
        each
        for each in instances
        if (not order.monitors or each.spec.id in order.monitors) and order.segment in (None, each.segment)
    ]
    why = order.reason or "a new normal was ordered"
    changed = [each for each in concerned if each.renew(why, order.since_ms)]
    left = len(concerned) - len(changed)
    kept = f"; {left} have none, or a profile, and stay as they are" if left else ""
    passed = sum(_is_limit(each) and not each.quiet for each in concerned)
    if passed:
        kept += f"; alerts of {counted(passed, 'limit')} stay open: a limit has no normal"
    return changed, f"rebaseline: {len(changed)} references begin anew{kept}"


def _is_limit(each: Instance) -> bool:
    """Whether it holds what people see against a line of theirs, whatever is normal."""
    return each.normal is None and each.spec.detector.name == LIMIT


def _acknowledge(order: Acknowledge, config: str, instances: Iterable[Instance]) -> tuple[list[Instance], str]:
    for each in instances:
        tracker = each.tracker
        if tracker.finding is None or alert_id(config, each.spec.id, each.segment, tracker.opened_ms) != order.alert:
            continue
        by = order.by or "somebody"
        tracker.acknowledged = Known(by, order.why, order.until_ms)
        known = f"alert {order.alert} of {each.spec.id} is acknowledged by {by}"
        known += f" ({order.why})" if order.why else ""
        if not order.rebaseline:
            return [each], known
        anew = each.renew(f"accepted by {by}")
        limit = _is_limit(each)
        kept = "a limit has no normal: it stays open" if limit else "it has no reference that could begin anew"
        return [each], known + ("" if anew else f"; {kept}")
    return [], f"alert {order.alert} is not open: nothing to acknowledge"
