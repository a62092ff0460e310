"""How much memory may a run take at most? Part by part, with the arithmetic, from the limits that each part enforces.

An upper bound: `bench/memory.py` holds a run against it. How many partitions there are is known only once connected, so
that their number is an assumption, and what each further one costs is a figure of its own.
"""

from dataclasses import dataclass

from streamcheck.adapters.kafka.batches import DECOMPRESSED_BYTES_MAX, GROUP_BYTES
from streamcheck.adapters.kafka.fetch import FETCH_SETTINGS, POLL_KIB_MAX
from streamcheck.adapters.kafka.librdkafka_options import (
    DEFAULTS,
    EVENT_BYTES_ASSUMED,
    EXPANSION_ASSUMED,
    OP_BYTES,
    QUEUED_KIB_MAX,
    QUEUED_RECORDS_MIN,
)
from streamcheck.adapters.kafka.strays import WAITING_BYTES_MAX
from streamcheck.adapters.kafka.wire import RECORD_BYTES, RECORDS_MAX
from streamcheck.adapters.web.server import HANDLERS_MAX
from streamcheck.cli.memory_monitors import MIB, TEXT_BYTES_MAX, Part, instances, mib, monitors
from streamcheck.config.kafka_options import FAST_CLIENT
from streamcheck.config.settings import Settings
from streamcheck.config.values import size_text
from streamcheck.core.buffers import LATE_PART
from streamcheck.core.join import SPILL_PARTS
from streamcheck.core.join_size import entry_bytes, label_bytes, shelf_bytes_each
from streamcheck.core.looks import ASKED_MAX, COLUMNS_MAX, LOOK_BYTES
from streamcheck.core.plan import Format, JoinRules, Plan
from streamcheck.core.shadow import SAID_BYTES
from streamcheck.core.shown import SHOWN_MAX
from streamcheck.core.summaries.layout import BINS_MAX
from streamcheck.core.trails import MONITORS_MAX, TRAIL_BYTES
from streamcheck.core.wording import counted
from streamcheck.runtime.decode.codings import DICTIONARY_MAX
from streamcheck.runtime.decode.decoder import BLOCK_BYTES_MAX
from streamcheck.runtime.decode.schema_reader import PIECE_BYTES, SCHEMA_FACTOR, SCHEMAS_BYTES_MAX
from streamcheck.runtime.decode.schema_reader import TREE_FACTOR as SCHEMA_TREE_FACTOR
from streamcheck.runtime.delivery import OUTBOX_MAX
from streamcheck.runtime.journal_log import UNCOPIED_MAX
from streamcheck.runtime.limits import UNCOMMITTED_MAX
from streamcheck.runtime.telemetry import FIRING_MAX, RECENT_MAX
from streamcheck.runtime.workers.memory import GROWTH as SHARED_GROWTH
from streamcheck.runtime.workers.messages import SLOTS
from streamcheck.runtime.workers.pool import PART_BYTES, PART_ROWS

ASSUMED_PARTITIONS = 4
"""Of each topic, where nobody says how many there are."""
BASE_BYTES = 150 * MIB
"""Python 3.11 with numpy, scipy, river, kafka-python and pydantic imported: 134 MiB measured; the rest is threads."""
TREE_FACTOR = 25
"""Python objects for each byte of JSON, at worst: `[],` is 3 bytes and 64 in memory."""
FETCH_COPIES = 3
"""A fetch response in its frame, the same cut into partitions, and what is left of the one before."""
BATCH_COPIES = 3
"""A record batch as it came, decompressed, and cut into records."""
WORKER_BYTES = 64 * MIB
"""A worker with what it imports: 47 MiB measured while it works on small parts."""
ROW_COLUMN_BYTES = 9
ROW_BYTES_MORE = 8 + 8 + 16
"""Of a decoded row: value and status of each column; offset, time and key."""
EVENT_BYTES = 600
"""Of an event on its way through one poll: as a record, a row, or a reject and a dead letter."""
CLOSE_COPIES = 2
"""The rows of a pane that closes, once more: in one piece, with their order; or as the join's delta in bytes."""
PANE_ENTRY_BYTES = 250
SPILL_COPIES = 2
"""Of predictions that leave memory: as they were, and in the order in which they lie on disk."""
DELTA_BYTES = 250
ALERT_BYTES = 2_048
SHOWN_BYTES = 12_000
"""One monitor and segment: read twice, with a gauge's sample for each of nine numbers."""
BODY_BYTES = 2_500
SQLITE_BYTES = 8 * MIB
ALLOCATOR_SHARE = 0.15
"""Of everything beside the base: what malloc holds and cannot use."""


@dataclass(frozen=True, slots=True)
class Budget:
    """All parts, for an assumed number of partitions."""

    partitions: int
    parts: tuple[Part, ...]
    further_partition: int

    @property
    def total(self) -> int:
        """The sum, in bytes."""
        return sum(part.bytes for part in self.parts)


def assumed_partitions(plan: Plan) -> int:
    """ASSUMED_PARTITIONS for each topic."""
    return ASSUMED_PARTITIONS * len(plan.topics)


def memory(plan: Plan, settings: Settings, partitions: int | None = None) -> Budget:
    """The worst case of a run with so many partitions in all."""
    count = partitions or assumed_partitions(plan)
    now, more = _parts(plan, settings, count), _parts(plan, settings, count + 1)
    return Budget(count, now, sum(part.bytes for part in more) - sum(part.bytes for part in now))


def _parts(plan: Plan, settings: Settings, partitions: int) -> tuple[Part, ...]:
    data = (
        *_reading(plan, settings, partitions),
        *_fast_client(settings),
        *_schemas(plan, settings),
        *_panes(plan, settings, partitions),
        *_workers(plan, settings),
        *_joins(plan),
        *monitors(plan),
        *_outgoing(plan, settings),
    )
    held = int(ALLOCATOR_SHARE * sum(part.bytes for part in data))
    return (
        Part("interpreter and libraries", BASE_BYTES, "measured"),
        *data,
        Part("allocator", held, f"{ALLOCATOR_SHARE:.0%} of all but the interpreter"),
    )


def _reading(plan: Plan, settings: Settings, partitions: int) -> tuple[Part, ...]:
    told = {**FETCH_SETTINGS, **(settings.kafka or {})}
    fetch = int(str(told["max_partition_fetch_bytes"]))
    columns = sum(schema.coded_rows for schema in plan.schemas)
    events = RECORDS_MAX + (POLL_KIB_MAX << 10) // RECORD_BYTES
    each = EVENT_BYTES + columns * TEXT_BYTES_MAX // 2
    poll = (POLL_KIB_MAX << 10) + GROUP_BYTES + BATCH_COPIES * DECOMPRESSED_BYTES_MAX
    tree = TREE_FACTOR * (BLOCK_BYTES_MAX + plan.predictions.message_bytes_max)
    texts = columns * DICTIONARY_MAX * TEXT_BYTES_MAX
    return (
        Part("client buffers", FETCH_COPIES * partitions * fetch, f"{partitions} x {mib(fetch)} x 3 copies"),
        Part(
            "one poll",
            poll + events * each,
            f"{POLL_KIB_MAX >> 10} MiB, and one batch of {mib(DECOMPRESSED_BYTES_MAX)} x 3 copies; "
            f"{events:,} events x {each:,} B",
        ),
        Part(
            "decoding",
            tree + texts,
            f"{mib(BLOCK_BYTES_MAX + plan.predictions.message_bytes_max)} of JSON x {TREE_FACTOR}; "
            f"{columns} dictionaries x {DICTIONARY_MAX:,} texts x {TEXT_BYTES_MAX} B",
        ),
    )


def _schemas(plan: Plan, settings: Settings) -> tuple[Part, ...]:
    """What reads events by schemas: the schemas themselves, two of the largest while one makes way, and objects."""
    formats = (Format.AVRO, Format.PROTOBUF)
    written = [schema for schema in plan.schemas if schema.encoding.format in formats]
    written += [s for s in plan.schemas if s.encoding.key is not None and s.encoding.key.format in formats]
    if not written:
        return ()
    readers = settings.workers if settings.workers > 1 else 1
    known = SCHEMA_FACTOR * 2 * SCHEMAS_BYTES_MAX * len(written)
    tree = SCHEMA_TREE_FACTOR * (PIECE_BYTES + max(schema.message_bytes_max for schema in written))
    why = f"{mib(2 * SCHEMAS_BYTES_MAX)} x {SCHEMA_FACTOR} for each of {counted(len(written), 'stream')}; an event "
    why += f"and {mib(PIECE_BYTES)} x {SCHEMA_TREE_FACTOR}; in {counted(readers, 'process', 'processes')}"
    return (Part("events by schemas", readers * (known + tree), why),)


def _fast_client(settings: Settings) -> tuple[Part, ...]:
    """What waits in librdkafka: up to its queue's limit, and one answer on top."""
    if settings.kafka_client != FAST_CLIENT:
        return ()
    answer = int(str((settings.kafka or {}).get("fetch_max_bytes", DEFAULTS["fetch.max.bytes"])))
    records = QUEUED_RECORDS_MIN + answer * EXPANSION_ASSUMED // EVENT_BYTES_ASSUMED
    size = (QUEUED_KIB_MAX << 10) + answer * (1 + EXPANSION_ASSUMED) + records * OP_BYTES
    return (
        Part(
            "confluent-kafka",
            size,
            f"{QUEUED_KIB_MAX >> 10} MiB waiting, one answer of {mib(answer)} expanded {EXPANSION_ASSUMED}-fold, "
            f"{records:,} records x {OP_BYTES} B. NO LIMIT: it expands batches as far as they go (docs/security.md)",
        ),
    )


def _workers(plan: Plan, settings: Settings) -> tuple[Part, ...]:
    if settings.workers == 1:
        return ()
    columns = sum(schema.coded_rows for schema in plan.schemas)
    wide = len(plan.predictions.columns) * ROW_COLUMN_BYTES + ROW_BYTES_MORE
    largest = max(PART_BYTES, plan.predictions.message_bytes_max)
    slots = SLOTS * int(SHARED_GROWTH * (largest + PART_ROWS * wide))
    texts = 2 * columns * DICTIONARY_MAX * TEXT_BYTES_MAX
    tree = TREE_FACTOR * (BLOCK_BYTES_MAX + plan.predictions.message_bytes_max)
    each = WORKER_BYTES + 2 * largest + slots + texts + tree
    return (
        Part(
            "workers",
            settings.workers * each,
            f"{settings.workers} processes x {mib(each)}: {mib(WORKER_BYTES)} of libraries, {SLOTS} parts of "
            f"{mib(largest)} and their columns, decoding, dictionaries twice",
        ),
    )


def _panes(plan: Plan, settings: Settings, partitions: int) -> tuple[Part, ...]:
    time, limits = plan.time, plan.limits
    live = 1 + -(-time.lateness_ms // time.pane_ms)
    each = limits.pane_bytes + limits.pane_bytes // LATE_PART
    open_rows = settings.open_bytes + partitions * live * each
    cuts = 1 + len(plan.segmentations)
    folds = len(plan.predictions.columns) * cuts * (limits.segments + 1) * 8 * (BINS_MAX + 10)
    return (
        Part(
            "rows of open panes",
            open_rows,
            f"limits.open_memory {size_text(settings.open_bytes)}, then {partitions} partitions x {live} panes x "
            f"{mib(each)} (limits.pane_memory and a quarter for late ones)",
        ),
        Part(
            "a pane that closes",
            CLOSE_COPIES * partitions * each + folds,
            f"{CLOSE_COPIES} copies of {partitions} x {mib(each)}; sums and histograms of "
            f"{len(plan.predictions.columns)} columns x {cuts} cuts x {limits.segments + 1:,} segments",
        ),
    )


def _joins(plan: Plan) -> tuple[Part, ...]:
    """That of labels, and that of a challenger's predictions with the champion's labelled rows."""
    parts: tuple[Part, ...] = ()
    cuts, segments = len(plan.segmentations), plan.limits.segments
    if plan.join is not None:
        parts += _join(plan.join, plan.time.pane_ms, "label join", entry_bytes(cuts, segments))
        labels = plan.join.labels_max
        why = f"limits.pending_labels {labels:,} x {label_bytes()} B"
        parts += (Part("early labels", labels * label_bytes(), why),)
    if plan.shadow_rules is not None:
        parts += _join(plan.shadow_rules.join, plan.time.pane_ms, "shadow join", entry_bytes(0, segments))
        each, rows = label_bytes() + 2 * (SAID_BYTES + 4 * cuts), plan.shadow_rules.join.labels_max
        why = f"limits.pending_labels {rows:,} x {each} B: the champion's, without the challenger's prediction"
        parts += (Part("labelled rows that wait", rows * each, why),)
    if parts:
        why = f"{UNCOMMITTED_MAX:,} entries x {DELTA_BYTES} B"
        parts += (Part("join, not committed", UNCOMMITTED_MAX * DELTA_BYTES, why),)
    return parts


def _join(rules: JoinRules, pane_ms: int, name: str, entry: int) -> tuple[Part, ...]:
    held = rules.predictions_max if rules.memory_max is None else rules.memory_max
    panes = min(rules.horizon_ms // pane_ms + 2, rules.predictions_max + rules.labels_max)
    return (
        Part(
            name,
            held * entry + rules.shelf_bytes + panes * PANE_ENTRY_BYTES,
            f"{held:,} predictions x {entry} B, filters of {mib(rules.shelf_bytes)} (limits.join_memory); {panes:,} "
            f"panes x {PANE_ENTRY_BYTES} B",
        ),
        Part(
            f"{name}, on disk",
            int(rules.predictions_max * shelf_bytes_each()),
            f"{rules.predictions_max:,} predictions x {shelf_bytes_each():.2f} B: who has a label, what is where",
        ),
        Part(
            f"{name}, on its way to disk",
            SPILL_COPIES * (held // SPILL_PARTS) * entry,
            f"{SPILL_COPIES} x an eighth of those in memory",
        ),
    )


def _outgoing(plan: Plan, settings: Settings) -> tuple[Part, ...]:
    strays = sum(topic is not None for topic in (settings.topics.dead_letter, settings.topics.late))
    shown = min(SHOWN_MAX, sum(instances(plan, spec) * 9 for spec in plan.monitors))
    alerts = 2 * OUTBOX_MAX * ALERT_BYTES + (FIRING_MAX + RECENT_MAX) * 2 * ALERT_BYTES
    parts = [
        Part(
            "alerts",
            alerts,
            f"2 x {OUTBOX_MAX:,} in the outbox, {FIRING_MAX + RECENT_MAX:,} shown, x {ALERT_BYTES:,} B",
        ),
        Part("journal entries", UNCOPIED_MAX * 200 if settings.topics.journal else 0, f"{UNCOPIED_MAX:,} x 200 B"),
        Part("dead letters and late events", strays * 2 * WAITING_BYTES_MAX, f"{strays} topics x 2 x 16 MiB"),
        Part("state file", SQLITE_BYTES, "SQLite's cache"),
    ]
    if settings.listen is not None:
        size = shown * (SHOWN_BYTES + 2 * BODY_BYTES) + HANDLERS_MAX * shown * BODY_BYTES // 4
        parts.append(Part("gauges and pages", size, f"{shown:,} monitors and segments, {HANDLERS_MAX} readers at once"))
        parts.append(_lately(plan))
    return tuple(part for part in parts if part.bytes)


def _lately(plan: Plan) -> Part:
    """What pages remember: every monitor's way, and the newest rows of columns that somebody looks at."""
    ways = min(MONITORS_MAX, sum(instances(plan, spec) for spec in plan.monitors))
    looks = min(COLUMNS_MAX, len(plan.predictions.columns)) + ASKED_MAX
    why = f"{ways:,} monitors' ways x {TRAIL_BYTES:,} B, newest rows of {looks} columns x {mib(LOOK_BYTES)}"
    return Part("what happened lately", ways * TRAIL_BYTES + looks * LOOK_BYTES, why)
