"""How does a part of the state that an older release wrote become one that this release reads?

Every part of the state (see saving.py) carries the version it was written in. A release that changes what a part holds
raises VERSION and adds, for each part that has changed, one pure function from the former version to the next.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.joining import nothing
from streamcheck.errors import StateError

VERSION = 16
"""In which every part of the state is written now."""

THIN_ROWS = 10
"""Rows in a pane, on average, below which `scale` up to format 12 gave another mean than it does now."""

COUNT_SHIFT = 0.1
"""Half of the change that an open alert of volume up to format 15 is taken for at most, as a part of the expected."""

FIRING = 2
"""An alert's state, as it has always been written."""

OLDEST = 1
"""The oldest version that can still be read."""

Migration = Callable[[State], State]
"""From one version to the next: a new state, the given one left as it was."""


def _engine_1(old: State) -> State:
    """No prediction had been to the shelf."""
    join = old["closing"]["join"]
    if join is None:
        return old
    return {**old, "closing": {**old["closing"], "join": {**join, "base": 0, "shelf": None}}}


def _join_1(old: State) -> State:
    """Nothing came back from there."""
    return {**nothing(len(old["segments"]), old["end"], old["first"]), **old}


def _engine_2(old: State) -> State:
    """The newest incident may have begun when it was joined last; those that are over were not counted."""
    core = {key: value for key, value in old["engine"].items() if key != "last_incident"}
    newest, joined_ms = old["engine"]["last_incident"]
    of = core["incidents"]
    incidents = {"of": of, "newest": [newest, joined_ms, joined_ms], "total": len(dict.fromkeys(of.values()))}
    return {**old, "engine": {**core, "incidents": incidents}}


def _monitor_3(old: State) -> State:
    """References had no successors, and calendars no hour that goes on."""
    instance = {key: value for key, value in old["instance"].items() if key != "reference"}
    reference = old["instance"]["reference"]
    if reference is not None and "calendar" in reference:
        reference = {**reference, "calendar": {**reference["calendar"], "open": None}}
    normal = {"reference": reference, "stage": -1, "renewed": None, "times": [0, 0], "successor": None, "pieces": None}
    return {**old, "instance": {**instance, "normal": None if reference is None else normal}}


def _engine_4(old: State) -> State:
    """Nobody had ordered anything."""
    return {**old, "engine": {**old["engine"], "orders": {"done": [], "to_come": []}}}


def _monitor_4(old: State) -> State:
    """Nobody had acknowledged an alert, nor accepted what it found."""
    tracker = {**old["instance"]["tracker"], "acknowledged": None, "accepted": None}
    return {**old, "instance": {**old["instance"], "tracker": tracker}}


def _monitor_5(old: State) -> State:
    """A measure had one part only; references knew nothing of how alike neighbouring panes are."""
    instance = {**old["instance"], "normal": _everywhere(old["instance"]["normal"], _neighbourly)}
    if old["made_of"][1] is not None:
        instance |= {"parts": [""], "detectors": [instance.pop("detector")]}
    return {**old, "instance": instance}


def _monitor_6(old: State) -> State:
    """Nothing had joined a reference that stays as it is."""
    detectors = old["instance"].get("detectors")
    if detectors is None:
        return old
    grown = {"joined": np.zeros(7), "filling": np.zeros(7), "waiting": np.zeros((4, 7)), "near": np.zeros((3, 2))}
    scans = [{**each, "grown": {**grown, "place": 0}} if "before" in each else each for each in detectors]
    return {**old, "instance": {**old["instance"], "detectors": scans}}


def _layout_7(old: State) -> State:
    """A column was laid out once and for all."""
    return {**old, "doubt": False}


def _monitor_8(old: State) -> State:
    """Alerts did not become more urgent; those that fire count from the pane that opened them."""
    tracker = old["instance"]["tracker"]
    fired_ms = tracker["opened_ms"] if tracker["state"] == FIRING else None
    return {**old, "instance": {**old["instance"], "tracker": {**tracker, "fired_ms": fired_ms, "escalated": False}}}


def _monitor_9(old: State) -> State:
    """Of who knew of an alert the name alone was kept."""
    tracker = old["instance"]["tracker"]
    by = tracker["acknowledged"]
    known = None if by is None else [by, "", None]
    return {**old, "instance": {**old["instance"], "tracker": {**tracker, "acknowledged": known}}}


def _monitor_10(old: State) -> State:
    """Nobody had looked for fields that no config declares."""
    if "schema_changes" not in old["made_of"]:
        return old
    normal = _everywhere(old["instance"]["normal"], _looking)
    return {**old, "instance": {**old["instance"], "normal": normal, "looked": []}}


def _everywhere(state: Any, change: Callable[[State], State | None]) -> Any:
    """A state, and all that it is made of, with `change` of what it changes; None: look further inside."""
    if isinstance(state, list):
        return [_everywhere(part, change) for part in state]
    if not isinstance(state, dict):
        return state
    changed = change(state)
    return {name: _everywhere(part, change) for name, part in state.items()} if changed is None else changed


def _looking(state: State) -> State | None:
    """What accumulators of forms hold now."""
    return {**state, "names": [], "panes": 0, "beyond": False} if state.keys() == {"counts"} else None


def _monitor_11(old: State) -> State:
    """Of labelled rows, a block a pane was taken for granted."""
    instance = old["instance"]
    if not isinstance(instance, dict) or "block" not in instance:
        return old
    return {**old, "instance": {**instance, "pace": [None, 0, 1.0, False]}}


def _monitor_12(old: State) -> State:
    """`scale` took more off a row than it may where panes hold few: their monitors begin anew, as changed ones do."""
    if "scale" not in old["made_of"] or not _thin(old["instance"]["normal"]):
        return old
    return {**old, "fingerprint": "of format 12"}


def _monitor_13(old: State) -> State:
    """Calendars had no trails: what neighbours in other hours have in common was not known."""
    instance = old["instance"]
    if not isinstance(instance, dict) or "normal" not in instance:
        return old
    return {**old, "instance": {**instance, "normal": _everywhere(instance["normal"], _trailing)}}


def _trailing(state: State) -> State | None:
    """What calendars hold now."""
    return {**state, "trails": {}} if "slots" in state else None


def _layout_14(old: State) -> State:
    """No range had been widened."""
    return {**old, "widens": False, "widened": 0}


def _layout_15(old: State) -> State:
    """How skewed rows are was not known."""
    return {**old, "layout": None if old["layout"] is None else {**old["layout"], "third": 0.0}}


def _monitor_15(old: State) -> State:
    """Of what came with an alert open nothing was kept; charts of volume had other sums."""
    instance = old["instance"]
    if not isinstance(instance, dict) or "normal" not in instance:
        return old
    instance = {**instance, "normal": _everywhere(instance["normal"], _putting_aside)}
    if old["made_of"][1] == "volume":
        instance = _everywhere(instance, _counting)
    return {**old, "instance": instance}


def _counting(state: State) -> State | None:
    """What charts of counts hold now. How much came, and how much was expected, was not kept: both begin with 0.

    Half of an open alert's shift was in standard deviations: now in parts of what is expected, a tenth at most, which
    ends the alert no sooner than it should.
    """
    if "before" not in state:
        return None
    sums = {name: state[name].copy() for name in ("total", "before")}
    for held in sums.values():
        held[3:] = 0.0
    shift, evidence = state["return"]
    return {**state, **sums, "return": [math.copysign(min(abs(shift), COUNT_SHIFT), shift), evidence]}


def _putting_aside(state: State) -> State | None:
    """What calendars hold now."""
    nothing_kept = {"hour": 0, "kept": [], "going": None, "quiet": 0}
    return {**state, "aside": nothing_kept} if "slots" in state else None


def _thin(state: Any) -> bool:
    """Whether a reference's state holds panes of few rows."""
    if isinstance(state, list):
        return any(map(_thin, state))
    if not isinstance(state, dict):
        return False
    if "between" in state:
        return bool(state["moment"][0] < THIN_ROWS * state["panes"])
    return any(map(_thin, state.values()))


def _neighbourly(state: State) -> State | None:
    """What accumulators of moments hold now."""
    if "between" not in state:
        return None
    rows = float(state["moment"][0])
    square_rows = rows * rows / max(state["panes"], 1)  # as if all its panes had been equally large
    return {**state, "square_rows": square_rows, "neighbours": [0.0] * 9}


MIGRATIONS: Mapping[tuple[int, str], Migration] = {
    (1, "engine"): _engine_1,
    (1, "join"): _join_1,
    (2, "engine"): _engine_2,
    (3, "monitor"): _monitor_3,
    (4, "engine"): _engine_4,
    (4, "monitor"): _monitor_4,
    (5, "monitor"): _monitor_5,
    (6, "monitor"): _monitor_6,
    (7, "layout"): _layout_7,
    (8, "monitor"): _monitor_8,
    (9, "monitor"): _monitor_9,
    (10, "monitor"): _monitor_10,
    (11, "monitor"): _monitor_11,
    (12, "monitor"): _monitor_12,
    (13, "monitor"): _monitor_13,
    (14, "layout"): _layout_14,
    (15, "layout"): _layout_15,
    (15, "monitor"): _monitor_15,
}
"""By the version they start from and the family of parts (`engine`, `join`, `layout`, `monitor`, `roll`, `segments`,
`shelf`, `window`).

A family without an entry has not changed between the two versions. What a monitor is made of stands in its part, so
that the state of one detector can be found and changed.
"""


def family(key: str) -> str:
    """Which parts of the state are changed alike?

    >>> family("monitor/amount-adwin/0"), family("engine")
    ('monitor', 'engine')
    """
    return key.split("/", 1)[0]


def migrated(
    key: str,
    version: int,
    state: State,
    table: Mapping[tuple[int, str], Migration] = MIGRATIONS,
    newest: int = VERSION,
) -> State:
    """The part named `key`, written in `version`, as this release reads it; through every version in between.

    Raises StateError for a version that is newer, or older than any release that this one knows.

    >>> table = {(1, "engine"): lambda old: {**old, "pace": 1}, (2, "engine"): lambda old: {"rate": old["pace"]}}
    >>> migrated("engine", 1, {}, table, newest=3)
    {'rate': 1}
    """
    if version > newest:
        raise StateError(
            f"the saved state has format {version}, this streamcheck reads up to {newest}: it was written by a newer "
            "release; upgrade streamcheck, or give this one a state.dir of its own"
        )
    if version < OLDEST:
        raise StateError(
            f"the saved state has format {version}, this streamcheck reads {OLDEST} to {newest}: let a release in "
            "between read and write it first, or reset it with --reset-state"
        )
    for since in range(version, newest):
        step = table.get((since, family(key)))
        state = state if step is None else step(state)
    return state
