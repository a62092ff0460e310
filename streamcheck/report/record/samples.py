"""Which rows show what an alert is about? Positions in topics or files, few, the same every time."""

import numpy as np

from streamcheck.core.labelled import LabelledPane
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import MonitorSpec, Target, Task
from streamcheck.core.types import FieldStatus, IntArray
from streamcheck.core.wording import number
from streamcheck.report.record.evidence import SAMPLES_MAX, Sample

_SAYS = {
    FieldStatus.MISSING: "missing",
    FieldStatus.WRONG_TYPE: "of a wrong type",
    FieldStatus.NON_FINITE: "not a finite number",
}


def of_pane(pane: PaneRows, spec: MonitorSpec, segment: int, direction: int) -> tuple[Sample, ...]:
    """Rows of the pane in which a column's alert fired: the most extreme numbers in the direction of the change.

    Where fields were missing or wrong, such rows; of the stream, of features together, of estimates, and where there is
    no direction, the first in canonical order.
    """
    rows = pane.rows_of(spec.by, segment)
    if spec.target in (Target.STREAM, Target.FEATURES, Target.ESTIMATED):
        return tuple(_sample(pane, int(row), "") for row in rows[:SAMPLES_MAX])
    usable = pane.usable(spec.column)[rows]
    measure = spec.measure.name if spec.measure else ""
    if measure in ("missing_rate", "wrong_type_rate"):
        chosen = rows[~usable]
    elif pane.is_coded(spec.column):
        chosen = rows[usable]
    else:
        chosen = _extreme(pane, spec.column, rows[usable], direction)
    return tuple(_sample(pane, int(row), _value(pane, spec.column, int(row))) for row in chosen[:SAMPLES_MAX])


def _extreme(pane: PaneRows, column: str, rows: IntArray, direction: int) -> IntArray:
    if not direction:
        return rows
    order = np.argsort(-direction * pane.values(column)[rows], kind="stable")
    return rows[order[:SAMPLES_MAX]]


def _sample(pane: PaneRows, row: int, value: str) -> Sample:
    return Sample(pane.source_of(row), int(pane.rows.offsets[row]), int(pane.rows.times[row]), value)


def _value(pane: PaneRows, column: str, row: int) -> str:
    status = pane.status_of(column, row)
    if status is not FieldStatus.OK:
        return _SAYS[status]
    return pane.text_of(column, row)


def of_labelled(pane: LabelledPane, segmentation: str | None, segment: int) -> tuple[Sample, ...]:
    """Labelled rows of the pane in which a quality's alert fired: wrong ones, or those that are farthest off."""
    found = [rows for number_, rows in pane.split(segmentation, with_score=False) if number_ == segment]
    if not found:
        return ()
    rows = pane.rows(found[0])
    worst = found[0][np.argsort(-rows.error(), kind="stable")[:SAMPLES_MAX]]
    joined = pane.joined
    return tuple(
        Sample(None, None, int(joined.times[row]), _verdict(pane.task, joined.prediction[row], joined.label[row]))
        for row in worst.tolist()
    )


def _verdict(task: Task, said: float, true: float) -> str:
    if task is Task.MULTICLASS:  # classes are numbered inside
        return "right" if said == true else "wrong"
    if task is Task.BINARY:
        words = {0.0: "negative", 1.0: "positive"}
        return f"said {words[said]}, truly {words[true]}"
    return f"said {number(said)}, truly {number(true)}"
