"""Which kind of instance is a monitor that steps once per pane, or per block?"""

from streamcheck.core.between import BetweenInstance, BetweenLimit
from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.burning import BurningInstance
from streamcheck.core.estimates import EstimatedInstance, EstimatedLimit, GapInstance, GapLimit
from streamcheck.core.gathering import GatheringInstance, LookingInstance
from streamcheck.core.keys import learns
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec, Target
from streamcheck.core.quantiles import QuantileInstance, QuantileLimit

OWN: dict[str, type[PaneInstance]] = {
    "unit_change": GatheringInstance,
    "burn_rate": BurningInstance,
    "estimate_gap": GapInstance,
    "schema_changes": LookingInstance,
}
"""By measure, where it has one of its own."""
LIMITS: dict[type[PaneInstance], type[PaneInstance]] = {
    PaneInstance: BoundedInstance,
    BetweenInstance: BetweenLimit,
    EstimatedInstance: EstimatedLimit,
    GapInstance: GapLimit,
    QuantileInstance: QuantileLimit,
}
"""What takes the place of a kind where no reference is needed."""


def kind(spec: MonitorSpec) -> type[PaneInstance]:
    """By what it looks at, by its measure, and whether it takes a reference."""
    made = _kind(spec)
    return made if learns(spec) else LIMITS.get(made, made)


def _kind(spec: MonitorSpec) -> type[PaneInstance]:
    if spec.between is not None:
        return BetweenInstance
    if spec.target is Target.ESTIMATED:
        return EstimatedInstance
    assert spec.measure is not None, spec.id
    if spec.measure.name == "quantile":
        return QuantileInstance
    if spec.target is Target.LABELLED and spec.measure.name not in OWN:
        return LabelledInstance
    return OWN.get(spec.measure.name, PaneInstance)
