"""Do all sides find the same drifts in the same rows? Compared pane by pane, for each detector, over one partition.

Labels come in the order of their predictions, so that the error's rows have one order whatever is read first.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import configs
from bench.events import START_MS, STEP_MS
from bench.measure import measure
from bench.roster import ROW, Contender
from bench.streams import Stream, read_alerts

Panes = dict[str, set[int]]
PANE_MS = 100  # a hundred rows: the finer, the more exact the comparison


def verify(stream: Stream, contenders: Sequence[Contender]) -> bool:
    """Whether all see drifts in the same panes."""
    assert stream.partitions == 1, "the order of rows is the same for all in one partition only"
    last = (START_MS + (stream.events - 1) * STEP_MS - configs.LATENESS_MS) // PANE_MS - 1
    found: dict[str, Panes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for contender in contenders:
            run = f"verify-{contender.key}-{time.time_ns()}"
            command = contender.start(stream, Path(folder), run)
            if contender.key.startswith(ROW):
                configs.shorten_panes(Path(folder) / f"{run}.yaml", PANE_MS)
            said = measure(contender.key, command, stream.events).said
            if contender.key.startswith(ROW):
                panes = panes_of_alerts(read_alerts(stream.bootstrap, f"{run}.alerts"), last)
            else:
                panes = panes_of_drifts(said["drifts"])
            found[contender.title] = until(panes, last)
    print(f"panes of {PANE_MS} ms with a drift\n" + "\n".join(differences(found)))
    first, *others = found.values()
    return bool(first) and all(each == first for each in others)


def panes_of_drifts(drifts: dict[str, list[int]]) -> Panes:
    """Per monitor the panes in which a loop saw a drift."""
    return {monitor: {time_ms // PANE_MS for time_ms in times} for monitor, times in drifts.items()}


def panes_of_alerts(records: list[dict[str, Any]], last: int) -> Panes:
    """Per monitor the panes in which an alert was open; without a cooldown these are the panes with a drift."""
    panes: Panes = defaultdict(set)
    since: dict[str, int] = {}
    for record in records:
        if record["monitor"].startswith("accuracy"):
            continue  # the loops only keep the accuracy, nothing judges it
        pane = int(datetime.fromisoformat(record["pane_start"]).timestamp() * 1000) // PANE_MS
        if record["state"] == "firing":
            since[record["monitor"]] = pane
        elif record["state"] == "resolved":
            panes[record["monitor"]].update(range(since.pop(record["monitor"]), pane))
    for monitor, first in since.items():
        panes[monitor].update(range(first, last + 1))
    return panes


def until(panes: Panes, last: int) -> Panes:
    """The panes up to the last one that has certainly closed; monitors with none are left out."""
    kept = {monitor: {pane for pane in found if pane <= last} for monitor, found in panes.items()}
    return {monitor: found for monitor, found in kept.items() if found}


def differences(found: dict[str, Panes]) -> list[str]:
    """One line per monitor: how many panes with a drift, and who differs from the first."""
    (_, base), *others = found.items()
    lines = []
    for monitor in sorted({monitor for panes in found.values() for monitor in panes}):
        theirs = base.get(monitor, set())
        wrong = [
            f"{title}: lacks {sorted(theirs - own)}, only there {sorted(own - theirs)}"
            for title, panes in others
            if (own := panes.get(monitor, set())) != theirs
        ]
        lines.append(f"{monitor:20s} {len(theirs):4d}  {'; '.join(wrong) or 'the same for all'}")
    return lines
