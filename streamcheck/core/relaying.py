"""When is a column laid out anew, and whose normal begins anew with it?"""

from collections.abc import Callable, Iterable

from streamcheck.core.instances import Instance, Span
from streamcheck.core.keys import on_bins
from streamcheck.core.layouts import Layouts
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan
from streamcheck.core.references.base import Stage

WHY = "its range was learned anew, too many values lay beyond it"


class Relaying:
    """Layouts as panes pass. renewed: instances whose reference has begun anew since it was looked at last."""

    def __init__(self, plan: Plan, layouts: Layouts, instances: Callable[[], Iterable[Instance]]) -> None:
        self._layouts = layouts
        self._instances = instances
        self._bins = {spec.id: on_bins(spec, plan) for spec in plan.monitors}
        self.renewed: list[Instance] = []

    def add(self, span: Span, pane: PaneRows) -> set[str]:
        """A pane was judged; the keys of the state that have changed."""
        took, anew = self._layouts.add(pane, self._learning)
        touched = {f"layout/{column}" for column in took}
        for instance in self._instances() if anew else ():
            if not set(anew).isdisjoint(self._bins[instance.spec.id]) and instance.renew(WHY, span.end_ms):
                touched.add(instance.key)
        return touched | self.doubt(set(anew))

    def _learning(self, column: str) -> bool:
        """Whether nothing of a column has a reference yet that alerts go by."""
        normals = [each.normal for each in self._instances() if column in self._bins[each.spec.id]]
        return all((normal.stage or Stage.BLIND) < Stage.READY for normal in normals if normal is not None)

    def doubt(self, sure: Iterable[str] = ()) -> set[str]:
        """Where normal began anew for all rows of a column, its range comes into question; the keys that have changed.

        sure: columns of which it does not.
        """
        doubted = {
            column
            for instance in self.renewed
            if instance.spec.by is None
            for column in self._bins[instance.spec.id]
            if column not in sure and column in self._layouts.columns
        }
        self.renewed.clear()
        for column in sorted(doubted):
            self._layouts.doubt(column)
        return {f"layout/{column}" for column in doubted}
