"""What does a saved state hold, as plain values for tables and JSON?"""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streamcheck.cli.state_common import when
from streamcheck.core.wording import counted

if TYPE_CHECKING:
    from streamcheck.adapters.sqlite.view import SqliteView
    from streamcheck.core.plan import Plan
    from streamcheck.runtime.opening import Opened

JOURNAL = "journal"
BOOK = "pages"
"""The parts that are not the engine's own, as they are shown."""


def facts(view: "SqliteView", plan: "Plan") -> dict[str, Any]:
    """Everything that `state show` says. Raises StateError where the state cannot be used with this config."""
    from streamcheck.runtime.journal_log import PREFIX  # noqa: PLC0415 (numpy: only when it is used)
    from streamcheck.runtime.opening import resume  # noqa: PLC0415

    sizes = view.sizes()
    parts = part_sizes(sizes)
    saved = view.load()
    assert saved is not None, "a view of a fresh file is refused"
    opened = resume(plan, saved)
    engine = opened.engine
    shown = engine.reading()
    return {
        "exists": True,
        "directory": str(view.path.parent),
        "in_use_by": view.holder,
        "format": view.format,
        "lineage": engine.lineage,
        "sequence": engine.sequence,
        "delivered": view.delivered_until,
        "outbox": len(saved.outbox),
        "digest": engine.digest,
        "closed_until_ms": shown.closed_until_ms,
        "partitions": _partitions(opened),
        "monitors": _monitors(opened, sizes),
        "join": asdict(shown.join),
        "shadow": None if shown.shadow is None else asdict(shown.shadow.join),
        "journal_entries": sum(key.startswith(PREFIX) for key in sizes),
        "bytes": sum(sizes.values()),
        "parts": [{"part": part, "bytes": count} for part, count in parts],
    }


def part_sizes(sizes: dict[str, int]) -> list[tuple[str, int]]:
    """Bytes by kind of part, the largest first."""
    found: Counter[str] = Counter()
    for key, count in sizes.items():
        kind, _, name = key.partition("/")
        found[f"monitor {name.rpartition('/')[0]}" if kind == "monitor" else kind] += count
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def _partitions(opened: "Opened") -> list[dict[str, Any]]:
    rows = []
    for source, partition in opened.engine.partitions.items():
        mark = partition.position()
        reading = next(p for p in opened.engine.reading().partitions if p.source == source)
        rows.append(
            {
                "topic": source.topic,
                "partition": source.partition,
                "position": mark.offset,
                "newest_ms": reading.newest_ms,
                "watermark_ms": reading.watermark_ms,
                "idle": partition.idle,
                "accepted": reading.accepted,
                "late": reading.late,
                "rejected": sum(count for _, count in reading.rejected),
            }
        )
    return rows


def _monitors(opened: "Opened", sizes: dict[str, int]) -> list[dict[str, Any]]:
    """Each monitor with its instances (segments) by readiness, and its bytes."""
    status: dict[str, Counter[str]] = {spec.id: Counter() for spec in opened.engine.plan.monitors}
    for reading in opened.engine.reading().monitors:
        status.setdefault(reading.monitor, Counter())[reading.status] += 1
    return [
        {
            "monitor": monitor,
            "segments": sum(counts.values()),
            "status": dict(counts.most_common()),
            "bytes": sum(count for key, count in sizes.items() if key.startswith(f"monitor/{monitor}/")),
        }
        for monitor, counts in status.items()
    ]


def head_rows(found: dict[str, Any]) -> list[list[str]]:
    """What `state show` says first."""
    largest: dict[str, Any] = found["parts"][0] if found["parts"] else {"part": "-", "bytes": 0}
    join, shadow = found["join"], found["shadow"]
    waiting = f"{counted(join['predictions_pending'], 'prediction')}, {counted(join['labels_pending'], 'label')}"
    beside = "" if shadow is None else (
        f"; with a challenger: {counted(shadow['predictions_pending'], 'prediction')}, "
        f"{counted(shadow['labels_pending'], 'labelled row')}"
    )
    most = counted(largest["bytes"], "byte")
    return [
        ["directory", found["directory"]],
        ["in use by", found["in_use_by"] or "nobody"],
        ["format", str(found["format"])],
        ["lineage", found["lineage"]],
        ["alert transitions", f"{found['sequence']}, {found['delivered']} delivered, {found['outbox']} in the outbox"],
        ["digest", found["digest"]],
        ["panes closed until", when(found["closed_until_ms"])],
        ["join", f"waiting: {waiting}{beside}"],
        ["journal", counted(found["journal_entries"], "entry", "entries")],
        ["size", f"{counted(found['bytes'], 'byte')}; largest: {largest['part']} ({most})"],
    ]
