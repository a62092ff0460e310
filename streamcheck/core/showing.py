"""What does an engine show of itself at one moment?"""

from typing import TYPE_CHECKING

from streamcheck.core.partitions import JUMP_REASON, NEVER
from streamcheck.core.readings import EngineReading, JoinReading, PartitionReading, ShadowReading

if TYPE_CHECKING:
    from streamcheck.core.engine import Engine


def reading_of(engine: "Engine") -> EngineReading:
    """Everything to show, as one immutable value."""
    awake = [p.watermark for p in engine.partitions.values() if p.holds]
    watermark = min(awake, default=NEVER)
    shown = tuple(
        PartitionReading(
            source,
            None if p.newest == NEVER else p.newest,
            None if p.watermark == NEVER else p.watermark,
            p.idle,
            p.accepted,
            p.late,
            tuple(sorted((p.rejected + p.unplaced).items())),
        )
        for source, p in engine.partitions.items()
    )
    memory = engine.closing.memory
    closed_ms = None if engine.open_from is None else engine.open_from * engine.plan.time.pane_ms
    return EngineReading(
        monitors=engine.board.readings(),
        partitions=shown,
        join=engine.closing.join_reading(),
        watermark_ms=None if watermark == NEVER else watermark,
        closed_until_ms=closed_ms,
        events_per_second=None if closed_ms is None else engine.closing.pace.per_second(closed_ms),
        open_rows=sum(p.open_rows for p in engine.partitions.values()),
        alerts=engine.sequence,
        incidents=engine.incidents.total,
        incidents_open=engine.incidents.open,
        weak=engine.board.pool.weak,
        biased=engine.board.pool.biased,
        versions=engine.board.versus.comparisons(),
        kpi=engine.board.link.reading(),
        shadow=_shadow(engine),
        limits=_limits(engine),
        places=engine.closing.join_places(),
        lately=None if memory is None else memory.reading(),
    )


def _shadow(engine: "Engine") -> ShadowReading | None:
    join, rules = engine.closing.shadow, engine.plan.shadow_rules
    if join is None or rules is None:
        return None
    return ShadowReading(rules.name, join.reading(), engine.board.paired.comparisons(), join.nbytes)


def _limits(engine: "Engine") -> tuple[tuple[str, int], ...]:
    join, shadow = engine.closing.join_reading(), engine.closing.shadow
    beside = JoinReading() if shadow is None else shadow.reading()
    return (
        ("pane_rows", sum(p.excess for p in engine.partitions.values())),
        ("segments", engine.board.overflowed()),
        ("monitor_memory", engine.board.room.refused),
        (engine.closing.evicting, join.predictions_evicted + beside.predictions_evicted),
        ("pending_labels", join.labels_evicted + beside.labels_evicted),
        ("categories", engine.board.cut_categories),
        ("classes", engine.closing.overflowed),
        ("window_rows", engine.board.cut_windows()),
        ("set_aside", sum(p.rejected[JUMP_REASON] for p in engine.partitions.values())),
        ("readings_shown", engine.board.hidden),
    )
