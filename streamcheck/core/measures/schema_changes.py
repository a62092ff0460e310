"""Do declared fields appear, disappear or change their type?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from streamcheck.core.components import State, register
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.room import Room
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.summaries.stream import Form
from streamcheck.core.types import Signal

FORMS_BYTES = 2_000
_SAID = {Form.PRESENT: "appeared", Form.ABSENT: "disappeared", Form.OTHER_TYPE: "has another type"}


class FormsAccumulator:
    """In how many panes did each field have each form?"""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    def add(self, summary: StreamSummary) -> bool:
        """Take one more pane in; False for one of too few rows."""
        self.counts.update((name, int(form)) for name, form in summary.forms)
        return bool(summary.forms)

    @property
    def held_bytes(self) -> int:
        """A count for each field and form."""
        return FORMS_BYTES

    def attach(self, room: Room) -> None:
        """It never grows beyond the fields of the config."""

    def merge(self, other: "FormsAccumulator") -> None:
        """Take another accumulator in."""
        self.counts.update(other.counts)

    def apart(self, other: "FormsAccumulator", scatter: None) -> float:  # noqa: ARG002
        """Nothing: forms are no numbers."""
        return 0.0

    def scatter_within(self, slots: Sequence["FormsAccumulator"]) -> None:
        """There is none."""

    def seasoned(
        self, beside: "FormsAccumulator | None", weight: float, scatter: None  # noqa: ARG002
    ) -> "FormsAccumulator":
        """The slot's own."""
        return self

    def usual(self, name: str) -> frozenset[Form]:
        """The forms that a field has had."""
        return frozenset(form for form in Form if self.counts[name, int(form)])

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"counts": [[name, form, panes] for (name, form), panes in sorted(self.counts.items())]}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.counts = Counter({(name, form): panes for name, form, panes in state["counts"]})


@register
class SchemaChanges(Measure):
    """How many declared fields have a form that no pane of the reference had: present, absent, of another type?

    A form is what more than nine in ten rows of a pane have, present where neither of the others; it takes ten rows. A
    limit (above 0), outside the budget.
    """

    needs = Needs.STREAM
    direction: ClassVar[int] = 1
    limit: ClassVar[float | None] = 0.0
    unit: ClassVar[str] = "fields that have appeared, disappeared or changed their type"

    def accumulator(self) -> FormsAccumulator:
        """An empty reference content for this measure."""
        return FormsAccumulator()

    def _changed(self, summary: StreamSummary, reference: FormsAccumulator) -> list[tuple[str, Form]]:
        return [(name, form) for name, form in summary.forms if (usual := reference.usual(name)) and form not in usual]

    def signal(self, summary: StreamSummary, reference: FormsAccumulator) -> Signal | None:
        """Fields with another form; None with too few rows, here or in the reference."""
        if not summary.forms or not reference.counts:
            return None
        changed = float(len(self._changed(summary, reference)))
        return Signal(changed, 0.0, 1.0, summary.rows, changed, 0.0)

    def told(self, summary: StreamSummary, reference: FormsAccumulator) -> tuple[dict[str, Any], str]:
        """Which fields, and how."""
        changed = self._changed(summary, reference)
        fields = [{"field": name, "form": form.name.lower()} for name, form in changed[:20]]
        words = [f"{name} {_SAID[form]}" for name, form in changed[:3]]
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return {"fields": fields}, ", ".join(words) + more
