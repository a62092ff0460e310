"""Do the naive loop and streamcheck find the same drifts in the same rows? Compared pane by pane, for each detector."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition

Panes = dict[str, set[int]]


def panes_of_drifts(drifts: dict[str, list[int]], pane_ms: int) -> Panes:
    """Per monitor the panes in which the naive loop saw a drift."""
    return {monitor: {time_ms // pane_ms for time_ms in times} for monitor, times in drifts.items()}


def panes_of_alerts(records: list[dict[str, Any]], pane_ms: int, last: int) -> Panes:
    """Per monitor the panes in which an alert was open; without a cooldown these are the panes with a drift."""
    panes: Panes = defaultdict(set)
    since: dict[str, int] = {}
    for record in records:
        if record["monitor"].startswith("accuracy"):
            continue  # the naive loop only shows the accuracy, nothing judges it
        pane = int(datetime.fromisoformat(record["pane_start"]).timestamp() * 1000) // pane_ms
        if record["state"] == "firing":
            since[record["monitor"]] = pane
        elif record["state"] == "resolved":
            panes[record["monitor"]].update(range(since.pop(record["monitor"]), pane))
    for monitor, first in since.items():
        panes[monitor].update(range(first, last + 1))
    return panes


def read_alerts(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Everything in the alerts topic, in order."""
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    records: list[dict[str, Any]] = []
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1000).values():
            records += [json.loads(record.value) for record in batch]
    consumer.close()
    return records


def until(panes: Panes, last: int) -> Panes:
    """The panes up to the last one that has certainly closed; monitors with none are left out."""
    kept = {monitor: {pane for pane in found if pane <= last} for monitor, found in panes.items()}
    return {monitor: found for monitor, found in kept.items() if found}


def differences(naive: Panes, own: Panes) -> list[str]:
    """One line per monitor: how many panes with a drift, and where the two sides differ."""
    lines = []
    for monitor in sorted(naive.keys() | own.keys()):
        theirs, ours = naive.get(monitor, set()), own.get(monitor, set())
        only = f"differ: only naive {sorted(theirs - ours)}, only ours {sorted(ours - theirs)}"
        verdict = "same" if theirs == ours else only
        lines.append(f"{monitor:20s} {len(theirs):4d} {len(ours):4d}  {verdict}")
    return lines
