"""What is a backtest to read: files, or the topics of the config; from which journal, from which state?"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamcheck.adapters.files.paths import expand
from streamcheck.adapters.files.source import FileLog, FilesSource
from streamcheck.cli.exits import EXIT_MISTAKE
from streamcheck.cli.history_options import History
from streamcheck.config.load import Loaded
from streamcheck.core.plan import Schema
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Saved, Source

if TYPE_CHECKING:
    from streamcheck.adapters.kafka.history import TopicHistory
    from streamcheck.runtime.past import Life

log = logging.getLogger(__name__)

FROM_TOPIC = "topic"
UNREAD = {
    StreamRole.LABELS: "monitors of labelled rows have nothing to look at",
    StreamRole.KPI: "its monitors have nothing to look at",
    StreamRole.SHADOW: "there is no challenger to compare",
}


@dataclass(frozen=True, slots=True)
class Input:
    """An input that ends. told: for the result. done, rows: how far it has come, of `total`.

    bounded: whether reading may stop where nothing counts any more. leave_unread: to be called where those who decode
    read for themselves.
    """

    source: Source
    first_offsets: Mapping[SourcePartition, int]
    total: Callable[[], int]
    done: Callable[[], int]
    rows: Callable[[], int]
    told: dict[str, Any]
    life: "Life | None" = None
    saved: Saved | None = None
    bounded: bool = False
    enough: Callable[[SourcePartition], None] = field(default=lambda _: None)
    leave_unread: Callable[[], None] = field(default=lambda: None)


def open_input(
    config: str, loaded: Loaded, history: History, journal: str | None = None, state: str | None = None
) -> Input:
    """The files that are named, else the topics of the config. Raises click's and streamcheck's errors.

    journal: of the run that is lived again, a file or `topic`; state: of a run to go on from.
    """
    if history.first_ms is not None and history.end_ms is not None and history.first_ms >= history.end_ms:
        raise click.UsageError("--from must lie before --to")
    if state is not None and history.first_ms is not None:
        raise click.UsageError("--from: with --state the input begins where the state stands")
    for role in UNREAD:
        if getattr(history, role) and not history.predictions:
            raise click.UsageError(f"--{role}: name the predictions, too (or neither, for the topics of the config)")
    saved = read_state(state, loaded.plan.name) if state is not None else None
    life = _life(loaded, journal, saved)
    opened = _files if history.predictions else _topics
    return replace(opened(config, loaded, history, life, saved), life=life if journal is not None else None)


# ------------------------------------------------------------------ files
def _files(config: str, loaded: Loaded, history: History, life: "Life | None", saved: Saved | None) -> Input:
    plan, settings = loaded.plan, loaded.settings
    for role in UNREAD:
        if getattr(history, role) and getattr(plan, role) is None:
            raise click.UsageError(f"--{role}: {config} has no {role} stream (streams.{role})")
    first = _first_offsets(life, saved)
    logs: list[FileLog] = []
    for schema in plan.schemas:
        files = getattr(history, schema.role)
        if not files:
            log.warning("no --%s: %s", schema.role, UNREAD[schema.role])
        logs += _of_stream(config, schema, files, settings.steps_ms.get(schema.role), first)
    source = FilesSource(logs)
    return Input(
        source,
        source.first_offsets,
        total=lambda: source.total_bytes,
        done=lambda: source.done_bytes,
        rows=lambda: source.rows,
        told={"kind": "files", "files": {str(each.source): [str(path) for path in each.paths] for each in logs}},
        saved=saved,
        leave_unread=source.leave_unread,
    )


def _of_stream(
    config: str, schema: Schema, files: Sequence[str], step_ms: int | None, first: Mapping[SourcePartition, int]
) -> list[FileLog]:
    if files and schema.time is None and step_ms is None:
        click.echo(
            f"{config}: streams.{schema.role}.time: files have no record timestamps; expected "
            "{field: …, unit: …}, or {step: 1s} for one row a second",
            err=True,
        )
        raise SystemExit(EXIT_MISTAKE)
    found = []
    for number, named in enumerate(files):
        source = SourcePartition(schema.topics[0], number)
        found.append(FileLog(source, expand(named), schema, step_ms, first.get(source, 0)))
    return found


def _first_offsets(life: "Life | None", saved: Saved | None) -> dict[SourcePartition, int]:
    """The offsets of the files' first rows: where the run began to read that they hold."""
    known = life or _own_life(saved)
    return known.positions if known is not None else {}


# ------------------------------------------------------------------ topics
def _topics(config: str, loaded: Loaded, history: History, life: "Life | None", saved: Saved | None) -> Input:
    from streamcheck.adapters.kafka.history import TopicHistory  # noqa: PLC0415 (only where topics are read)
    from streamcheck.adapters.kafka.source import KafkaSource  # noqa: PLC0415

    plan, settings = loaded.plan, loaded.settings
    if settings.kafka is None:
        raise click.UsageError(
            f"name files with --predictions (and --labels): {config} has no kafka section, so there are no topics"
        )
    if settings.steps_ms:
        raise click.UsageError(f"{config}: time: {{step: …}} is for files; name them with --predictions")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    client = {key: value for key, value in settings.kafka.items() if key != "group_id"}
    group, headers = f"{settings.name}.backtest", plan.wants_headers
    live = KafkaSource(client, plan.topics, group, client=settings.kafka_client, headers=headers)
    try:
        source = TopicHistory(live)
        first = _starts(loaded, source, history.first_ms)
        if life is not None:
            first = {**_joined_later(life), **life.positions}
    except BaseException:
        live.close()
        raise
    return Input(
        source,
        first,
        total=lambda: source.total,
        done=lambda: source.done,
        rows=lambda: source.rows,
        told={"kind": "topics"},
        saved=saved,
        bounded=True,
        enough=source.enough,
    )


def _starts(loaded: Loaded, source: "TopicHistory", first_ms: int | None) -> dict[SourcePartition, int]:
    """Before the first row that may count.

    A row counts from an event time of first_ms on. Where that is the record timestamp, Kafka's index knows the first
    one. Where a field names it, no row may lie more than max_future ahead of its own timestamp (it is rejected), so
    that nothing stamped earlier than that can count.
    """
    if first_ms is None:
        return source.starts(None)
    plan = loaded.plan
    found: dict[SourcePartition, int] = {}
    for schema in plan.schemas:
        margin_ms = schema.max_future_ms if schema.time is not None else 0
        starts = source.starts(max(0, first_ms - margin_ms))
        found |= {each: at for each, at in starts.items() if each.topic in schema.topics}
    return found


def _joined_later(life: "Life") -> dict[SourcePartition, int]:
    """Partitions that came while the run went on, with the offset at which it began to read each."""
    from streamcheck.core.journal import Floored  # noqa: PLC0415 (only with a journal)

    began: dict[SourcePartition, int] = {}
    for entry in life.entries:
        if isinstance(entry, Floored) and entry.source not in life.positions:
            began.setdefault(entry.source, entry.offset)
    return began


# ------------------------------------------------------------------ journal and state
def _life(loaded: Loaded, journal: str | None, saved: Saved | None) -> "Life | None":
    """The life that the journal tells of: that of the state, else its last."""
    from streamcheck.runtime.past import from_file  # noqa: PLC0415

    if journal is None:
        return None
    if journal == FROM_TOPIC and not Path(journal).exists():
        lives, where = _lives_of_topic(loaded), f"topic {loaded.settings.topics.journal!r}"
    else:
        try:
            lives, where = from_file(Path(journal).read_bytes(), journal), journal
        except OSError as error:
            expected = f"{journal}: {error.strerror}; expected a file, or the word topic"
            raise click.BadParameter(expected, param_hint="--journal") from None
    if not lives:
        raise click.BadParameter(f"{where} is empty", param_hint="--journal")
    own = _own_life(saved)
    if own is not None:
        if own.lineage not in lives:
            raise StateError(f"{where} does not tell of lineage {own.lineage}, which the state is of")
        return lives[own.lineage].after(own.lines)
    lineage, life = list(lives.items())[-1]
    if len(lives) > 1:
        log.warning("%s tells of %d lives; the last, lineage %s, is lived again", where, len(lives), lineage)
    return life


def _lives_of_topic(loaded: Loaded) -> "dict[str, Life]":
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415 (only where topics are read)
    from streamcheck.runtime.past import lives  # noqa: PLC0415

    settings = loaded.settings
    if settings.kafka is None or settings.topics.journal is None:
        raise click.BadParameter("the config names no journal.topic", param_hint="--journal")
    client = {key: value for key, value in settings.kafka.items() if key != "group_id"}
    with KafkaPast(client) as past:
        return lives(past.journal(settings.topics.journal), f"topic {settings.topics.journal!r}")


def _own_life(saved: Saved | None) -> "Life | None":
    """What a state's own journal tells."""
    from streamcheck.runtime.journal_log import PREFIX  # noqa: PLC0415
    from streamcheck.runtime.past import Life  # noqa: PLC0415

    if saved is None:
        return None
    lines = tuple(saved.state[key] for key in sorted(saved.state) if key.startswith(PREFIX))
    return Life(lines) if lines else None


def read_state(named: str, name: str) -> Saved:
    """The state in a directory (also of a run that goes on), or in a copy of its file. Nothing is written there."""
    from streamcheck.adapters.sqlite.store import STATE_FILE  # noqa: PLC0415
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415

    path = Path(named)
    if path.is_file() and path.name != STATE_FILE:
        with tempfile.TemporaryDirectory() as folder:  # a copy under another name
            shutil.copyfile(path, Path(folder) / STATE_FILE)
            return _committed(Path(folder), name)
    directory = path.parent if path.is_file() else path
    if not SqliteView.exists(directory):
        raise click.BadParameter(f"there is no {STATE_FILE} in {directory}", param_hint="--state")
    return _committed(directory, name)


def _committed(directory: Path, name: str) -> Saved:
    from streamcheck.adapters.sqlite.scratch import ScratchStore  # noqa: PLC0415 (only with --state)
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415

    view = SqliteView(directory, name)
    try:
        saved = view.load()
        assert saved is not None, "a view of a fresh file is refused"
        shelf = ScratchStore()
        shelf.take(view.shelf())
        return replace(saved, read=shelf.read)
    finally:
        view.close()
