"""What both decoders judge alike: event times, what a stream is there for, and the rejects that come of it."""

from collections.abc import Iterable, Mapping

import numpy as np

from streamcheck.core.plan import Kind, Role, Schema, Task
from streamcheck.core.types import FieldStatus, IntArray, Rejects, StatusArray, StreamRole
from streamcheck.runtime.decode import times as event_times

MISSING_TIME = "missing time"
BAD_TIME = "bad time"
IN_FUTURE = "time in future"
_WHAT = {StreamRole.LABELS: "label", StreamRole.KPI: "value", StreamRole.SHADOW: "prediction"}
MISSING = {role: f"missing {what}" for role, what in _WHAT.items()}
BAD = {role: f"bad {what}" for role, what in _WHAT.items()}

_KIND_OF_TASK = {Task.BINARY: Kind.BINARY, Task.MULTICLASS: Kind.CATEGORICAL, Task.REGRESSION: Kind.NUMERIC}


def assert_kinds(schema: Schema, task: Task | None) -> None:
    """Predictions and labels are of the kind that their task judges."""
    for column in schema.columns:
        judged = task is not None and column.role in (Role.PREDICTION, Role.LABEL)
        assert not judged or column.kind is _KIND_OF_TASK[task], f"{column.name} is {column.kind} in a {task} task"  # type: ignore[index]


def doubt_times(doubts: dict[int, str], times: IntArray, stamps: IntArray, schema: Schema) -> None:
    """Note position -> reason of rows without a usable event time, but for those that are doubted already."""
    if schema.time is None:
        found = [(~event_times.within_range(times), BAD_TIME)]
    else:
        ahead = (stamps >= 0) & (times - stamps > schema.max_future_ms)
        found = [
            (times == event_times.MISSING, MISSING_TIME),
            (times == event_times.BAD, BAD_TIME),
            (ahead, IN_FUTURE),
        ]
    for where, reason in found:
        for at in np.flatnonzero(where).tolist():
            doubts.setdefault(at, reason)


def doubted_values(schema: Schema, status: StatusArray) -> dict[int, str]:
    """Position -> reason of rows without what their stream is there for: a label, a KPI's value, a prediction."""
    doubts: dict[int, str] = {}
    needed = schema.needed
    for at, column in enumerate((*schema.numeric, *schema.coded)) if needed is not None else ():
        if column.role is needed:
            for row in np.flatnonzero(status[at] != FieldStatus.OK).tolist():
                missing = status[at, row] == FieldStatus.MISSING
                doubts[row] = (MISSING if missing else BAD)[schema.role]
    return doubts


def rejects(offsets: IntArray, refused: Mapping[int, str], faults: Iterable[tuple[int, str]]) -> Rejects:
    """Positions among `offsets` that were refused, and faults, as one in offset order."""
    found = sorted([*((int(offsets[at]), reason) for at, reason in refused.items()), *faults])
    return Rejects(np.array([offset for offset, _ in found], np.int64), tuple(reason for _, reason in found))
