"""Makes the monitor that a spec asks for, for one segment."""

from streamcheck.core.budgets import Grant
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.kinds import kind
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.room import Room
from streamcheck.core.windows import RollingWindow
from streamcheck.core.zones import Timing

Label = tuple[tuple[str, str], ...]


def pane_instance(
    spec: MonitorSpec, label: Label, grant: Grant, room: Room, timing: Timing, bank: Bank, window: RollingWindow | None
) -> PaneInstance:
    """The monitor for one segment. window: of labelled rows, where it shows one."""
    made = kind(spec)
    if made is LabelledInstance:
        return LabelledInstance(spec, label, grant, room, timing, window, bank)
    return made(spec, label, grant, room, timing, bank)
