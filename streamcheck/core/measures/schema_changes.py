"""Do fields appear, disappear or change their type?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from streamcheck.core.components import State, register
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.room import Room, name_bytes
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.summaries.stream import Form, Names
from streamcheck.core.types import Signal

FORMS_BYTES = 2_000
REMEMBERED_MAX = 256
"""Undeclared names that one reference remembers, by first appearance: 64 KB at 250 B each."""
LOOKED_MIN = 10
"""Events that must have been looked into before anything is said of undeclared fields."""
NAME_SHARE = 0.9
"""A pane has a field where more of its rows than this have it, and has it not where fewer than the rest have."""
_SAID = {Form.PRESENT: "appeared", Form.ABSENT: "disappeared", Form.OTHER_TYPE: "has another type"}

Change = tuple[str, Form, bool]
"""A field, what has become of it, and whether the config declares it."""


class FormsAccumulator:
    """In how many panes did each field have each form? And which undeclared fields were there?

    names: panes that had an undeclared field, and panes in which any row had it; panes: in which rows were looked into;
    beyond: whether a name has found no place: then nobody knows what is new.
    """

    __slots__ = ("_room", "beyond", "counts", "held_bytes", "names", "panes")

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.names: dict[str, tuple[int, int]] = {}
        self.panes = 0
        self.beyond = False
        self.held_bytes = FORMS_BYTES
        self._room: Room | None = None

    def add(self, summary: StreamSummary) -> bool:
        """Take one more pane in; False for one of too few rows."""
        self.counts.update((name, int(form)) for name, form in summary.forms)
        if summary.names is not None:
            self.panes += 1
            for name, rows in summary.names.counts:
                self._count(name, (int(rows > NAME_SHARE * summary.names.rows), 1))
        return bool(summary.forms) or summary.names is not None

    def _count(self, name: str, panes: tuple[int, int]) -> None:
        had, any_row = self.names.get(name, (0, 0))
        if not any_row:
            size = name_bytes(name)
            if len(self.names) >= REMEMBERED_MAX or not (self._room is None or self._room.take(size)):
                self.beyond = True
                return
            self.held_bytes += size
        self.names[name] = (had + panes[0], any_row + panes[1])

    def attach(self, room: Room) -> None:
        """Ask this room before an undeclared name is remembered; declared ones are as many as the config's fields."""
        self._room = room

    def merge(self, other: "FormsAccumulator") -> None:
        """Take another accumulator in."""
        self.counts.update(other.counts)
        self.panes += other.panes
        self.beyond |= other.beyond
        for name, panes in other.names.items():
            self._count(name, panes)

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

    def undeclared(self, now: Names) -> list[Change]:
        """Fields that nobody declares and that no pane had, or every pane."""
        if not self.panes:
            return []
        counts, few = dict(now.counts), (1 - NAME_SHARE) * now.rows
        new = [n for n, rows in now.counts if rows > NAME_SHARE * now.rows and n not in self.names and not self.beyond]
        gone = [n for n, (had, _) in self.names.items() if had == self.panes and counts.get(n, 0) < few]
        return [(n, Form.PRESENT, False) for n in new] + [(n, Form.ABSENT, False) for n in sorted(gone)]

    def export(self) -> State:
        """The state, sharing no memory."""
        return {
            "counts": [[name, form, panes] for (name, form), panes in sorted(self.counts.items())],
            "names": [[name, *panes] for name, panes in self.names.items()],
            "panes": self.panes,
            "beyond": self.beyond,
        }

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.counts = Counter({(name, form): panes for name, form, panes in state["counts"]})
        self.names = {name: (had, any_row) for name, had, any_row in state["names"]}
        self.panes, self.beyond = state["panes"], state["beyond"]
        self.held_bytes = FORMS_BYTES + sum(map(name_bytes, self.names))


@register
class SchemaChanges(Measure):
    """How many fields have a form that no pane of the reference had: present, absent, of another type?

    A form is what more than nine in ten rows of a pane have, present where neither of the others; it takes ten rows. Of
    events one in 128 is looked into for fields that the config does not declare, ten of them, over panes where one
    has fewer: a field has appeared where nine in ten have it and no row of the reference had, and disappeared where one
    in ten has it at most and nine in ten rows of every pane of the reference had. A limit (above 0), outside the
    budget.
    """

    needs = Needs.STREAM
    direction: ClassVar[int] = 1
    limit: ClassVar[float | None] = 0.0
    unit: ClassVar[str] = "fields that have appeared, disappeared or changed their type"

    def accumulator(self) -> FormsAccumulator:
        """An empty reference content for this measure."""
        return FormsAccumulator()

    def _changed(self, summary: StreamSummary, reference: FormsAccumulator) -> list[Change]:
        declared = [
            (name, form, True) for name, form in summary.forms if (usual := reference.usual(name)) and form not in usual
        ]
        return declared + ([] if summary.names is None else reference.undeclared(summary.names))

    def signal(self, summary: StreamSummary, reference: FormsAccumulator) -> Signal | None:
        """Fields with another form; None with too few rows, here or in the reference."""
        known = bool(summary.forms and reference.counts) or bool(summary.names is not None and reference.panes)
        if not known:
            return None
        changed = float(len(self._changed(summary, reference)))
        return Signal(changed, 0.0, 1.0, summary.rows, changed, 0.0)

    def told(self, summary: StreamSummary, reference: FormsAccumulator) -> tuple[dict[str, Any], str]:
        """Which fields, and how."""
        changed = self._changed(summary, reference)
        fields = [
            {"field": name, "form": form.name.lower()} | ({} if declared else {"declared": False})
            for name, form, declared in changed[:20]
        ]
        words = [f"{name} {_SAID[form]}" for name, form, _ in changed[:3]]
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return {"fields": fields}, ", ".join(words) + more
