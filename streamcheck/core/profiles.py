"""What is normal, learned elsewhere: the references' contents of a whole replay, with the bins they were counted in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.instances import Instance
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec, Segmentation
from streamcheck.core.references.first import First
from streamcheck.core.references.profile import Profile as Known
from streamcheck.core.row_monitors import RowInstance
from streamcheck.core.summaries import Layout

Label = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a content is of: column, measure (with its parameters), segmentation and segment (empty for all rows)."""

    target: str
    column: str
    measure: str
    params: tuple[tuple[str, Any], ...] = ()
    by: tuple[str, ...] = ()
    segment: Label = ()

    @staticmethod
    def of(spec: MonitorSpec, measure: str, segment: Label) -> "Key":
        """What a monitor's reference holds for a segment. measure: its own, or the one that standardises its rows."""
        params = tuple(sorted(spec.measure.params)) if spec.measure is not None else ()
        return Key(spec.target.value, spec.column, measure, params, _fields(spec.by), segment)


def _fields(by: Segmentation | None) -> tuple[str, ...]:
    return () if by is None else by.fields


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """How many panes (or blocks of labelled rows) were seen, and what an accumulator of the measure exports of them."""

    panes: int
    state: State


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A reference profile. Nothing in it is a row: sums, counts by bin, counts by category.

    kinds: of the columns. rows: predictions, from from_ms to to_ms (event time). digest: of all that gives it meaning.
    training: whether the rows are those that a model was trained on: what differs from them is skew, not drift.
    """

    name: str
    pane_ms: int
    kinds: Mapping[str, str]
    rows: int
    from_ms: int | None
    to_ms: int | None
    layouts: Mapping[str, Layout]
    contents: Mapping[Key, Content]
    digest: str
    training: bool = False


def key_of(instance: Instance) -> Key | None:
    """What an instance's reference holds; None where it has none."""
    if instance.reference is None or not isinstance(instance, PaneInstance | RowInstance):
        return None
    return Key.of(instance.spec, instance.measure.name, instance.segment)


def fill(instance: Instance, profiles: Mapping[str, Profile]) -> None:
    """Give an instance whose reference is a profile what that profile holds for it, if anything."""
    key, known = key_of(instance), instance.reference
    if key is not None and isinstance(known, Known):
        content = profiles[known.digest].contents.get(key)
        if content is not None:
            known.fill(content.panes, content.state)


def segments_in(spec: MonitorSpec, profiles: Mapping[str, Profile]) -> frozenset[Label] | None:
    """The segments for which the profile that is a pane monitor's reference says what is normal.

    None where its reference is no profile: then that is found out on the way.
    """
    if spec.reference.name != Known.name or spec.measure is None:
        return None
    asked = Key.of(spec, spec.measure.name, ())
    known = profiles[dict(spec.reference.params)["digest"]].contents
    return frozenset(key.segment for key in known if replace(key, segment=()) == asked)


def learned(instances: Iterable[Instance]) -> dict[Key, Content]:
    """What references of the kind `first` have learned; several monitors with one key have learned the same."""
    found: dict[Key, Content] = {}
    for instance in instances:
        key = key_of(instance)
        if key is not None and isinstance(instance.reference, First) and instance.reference.learned.panes:
            pool = instance.reference.learned
            found.setdefault(key, Content(pool.panes, pool.content.export()))
    return found
