"""Do fields appear, disappear or change their type?"""

import math
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
CHANCE_MAX = 1e-6
"""A form is another one where chance makes it of what the reference had less often than this: a week of panes of a
minute of a hundred fields is a million."""
SHARES_MIN = {Form.PRESENT: 0.9, Form.MOST: 0.5, Form.SOME: 0.1}
"""Rows that have a field of this form, at least."""
_SAID = {
    Form.PRESENT: "appeared",
    Form.ABSENT: "disappeared",
    Form.OTHER_TYPE: "has another type",
    Form.MOST: "appeared in most rows",
    Form.SOME: "appeared in some rows",
}


def kind_of(form: Form) -> Form:
    """Present, whether few or many rows have the field."""
    return Form.PRESENT if form in SHARES_MIN else form


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

    def kinds(self, name: str) -> frozenset[Form]:
        """The forms that a field has had, whether few or many rows had it."""
        return frozenset(map(kind_of, self.usual(name)))

    def other(self, name: str, form: Form, usable: int, rows: int) -> bool:
        """Whether this is a form that chance does not make of those that the field had. usable: rows that have it."""
        usual = self.usual(name)
        had = [SHARES_MIN[each] for each in usual if each in SHARES_MIN]
        if not usual or form in usual or (had and form in SHARES_MIN):
            return False
        if had:
            return _by_chance(usable, rows, min(had)) < CHANCE_MAX
        few = SHARES_MIN[Form.SOME]
        return form not in SHARES_MIN or (usable > few * rows and _by_chance(usable, rows, few) < CHANCE_MAX)

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

    A form is what more than nine in ten rows of a pane have; where no nine in ten do, most or some have it, which is no
    change if any had it before. It takes ten rows, and more where a field that only some rows ever had disappears: 20
    of one that most had, 132 of others, so many that chance makes it less than once in a million panes. Of events one
    in 128 is looked into for fields that the config does not declare, ten of them, over panes where one has fewer: a
    field has appeared where nine in ten have it and no row of the reference had, and disappeared where one in ten has
    it at most and nine in ten rows of every pane of the reference had. A limit (above 0), outside the budget.
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
            (name, form, True)
            for (name, form), usable in zip(summary.forms, summary.usable, strict=True)
            if reference.other(name, form, usable, summary.rows)
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
            {"field": name, "form": kind_of(form).name.lower()} | ({} if declared else {"declared": False})
            for name, form, declared in changed[:20]
        ]
        words = [f"{name} {_SAID[form]}" for name, form, _ in changed[:3]]
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return {"fields": fields}, ", ".join(words) + more


def _by_chance(events: int, rows: int, share: float) -> float:
    """How likely is it that a share comes out so far from this one? Chernoff's bound: exp(-n KL).

    >>> _by_chance(0, 20, 0.5) < CHANCE_MAX < _by_chance(0, 19, 0.5)
    True
    """
    found = events / rows
    divergence = sum(
        part * math.log(part / expected) for part, expected in ((found, share), (1 - found, 1 - share)) if part
    )
    return math.exp(-rows * divergence)
