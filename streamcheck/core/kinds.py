"""Which kind of instance is a monitor of columns or of the stream?"""

from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.burning import BurningInstance
from streamcheck.core.gathering import GatheringInstance
from streamcheck.core.keys import learns
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec

OWN: dict[str, type[PaneInstance]] = {"unit_change": GatheringInstance, "burn_rate": BurningInstance}
"""By measure, where it has one of its own."""


def kind(spec: MonitorSpec) -> type[PaneInstance]:
    """By its measure."""
    assert spec.measure is not None, spec.id
    return OWN.get(spec.measure.name, PaneInstance if learns(spec) else BoundedInstance)
