"""How good is the model lately: every quality of a task over each rolling window, with its interval and n."""

from collections.abc import Iterable
from dataclasses import replace

from streamcheck.core.components import build, components
from streamcheck.core.intervals import rows_needed
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.measures.base import LabelledMeasure, Measure, Needs
from streamcheck.core.plan import Task
from streamcheck.core.readings import AlertState, Reading
from streamcheck.core.summaries import LabelledRows

NOT_ENOUGH = "not enough data"
SHARES = (Needs.LABELLED_CLASS, Needs.LABELLED_BINARY)
"""Of which measures are shares of rows, or as bounded as these."""
_NEEDS = {
    Task.BINARY: (Needs.LABELLED_CLASS, Needs.LABELLED_BINARY),
    Task.MULTICLASS: (Needs.LABELLED_CLASS,),
    Task.REGRESSION: (Needs.LABELLED_NUMBER,),
}


def qualities(task: Task | None, *, scored: bool) -> tuple[str, ...]:
    """The measures that a task's labelled rows allow.

    >>> import streamcheck.core.measures
    >>> qualities(Task.REGRESSION, scored=False)
    ('bias', 'mae', 'rmse')
    """
    if task is None:
        return ()
    needs = (*_NEEDS[task], Needs.LABELLED_SCORE) if scored and task is Task.BINARY else _NEEDS[task]
    known = components("measure").items()
    return tuple(
        name for name, cls in known if getattr(cls, "needs", None) in needs and not getattr(cls, "calibrated", False)
    )


def labelled_readings(instances: Iterable[LabelledInstance], task: Task | None, *, scored: bool) -> tuple[Reading, ...]:
    """One reading for each monitor on a window, and for each quality of a window that has no monitor of its own."""
    of_window: dict[int, list[LabelledInstance]] = {}
    for instance in instances:
        of_window.setdefault(id(instance.window), []).append(instance)
    readings: list[Reading] = []
    for members in of_window.values():
        window = members[0].window
        assert window is not None
        rows = window.rows()
        monitored = {member.measure.name for member in members}
        readings += [_with_estimate(member.reading(), member.measure, rows) for member in members]
        for name in qualities(task, scored=scored):
            if name not in monitored:
                blank = replace(
                    members[0].reading(),
                    column=name,
                    measure=name,
                    detector="",
                    alert=AlertState.QUIET,
                    value=None,
                    reference=None,
                    score=None,
                    threshold=None,
                )
                readings.append(_with_estimate(blank, build("measure", name, {}), rows))
    return tuple(readings)


def _with_estimate(reading: Reading, measure: Measure, rows: LabelledRows) -> Reading:
    """The reading with the window's value in place of the last block's."""
    assert isinstance(measure, LabelledMeasure), measure.name
    estimate = measure.estimate(rows)
    if estimate is None:
        return replace(reading, status=NOT_ENOUGH, value=None, low=None, high=None, rows=len(rows.label))
    needed = rows_needed(estimate) if measure.needs in SHARES else None
    value, low, high = estimate.value, estimate.low, estimate.high
    return replace(reading, value=value, low=low, high=high, rows=estimate.n, rows_needed=needed)
