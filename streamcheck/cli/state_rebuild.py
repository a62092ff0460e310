"""`streamcheck state rebuild`: how is a lost or damaged state made again?"""

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamcheck.cli.output import show_json
from streamcheck.cli.progress import RebuildProgress
from streamcheck.cli.state_common import Place, answered, place
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError, SourceError, StateError

if TYPE_CHECKING:
    from streamcheck.adapters.kafka.source import KafkaSource
    from streamcheck.cli.service import Stop
    from streamcheck.core.types import SourcePartition
    from streamcheck.runtime.past import Life
    from streamcheck.runtime.ports import Arrived
    from streamcheck.runtime.rebuild import PastDiffers, Rebuilt

log = logging.getLogger(__name__)


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--journal", type=click.Path(exists=True, dir_okay=False), help="The journal as a file, not its topic.")
@click.option("--anew", is_flag=True, help="Replay from the beginning of the life, also where the state could go on.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def rebuild(
    ctx: click.Context,
    config: str,
    journal: str | None,
    anew: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
) -> None:
    """Make the saved state of CONFIG again by replaying its topics.

    The alerts topic says how far alerts have come, the journal where reading began and what the wall clock decided. A
    state that is whole and merely older (a backup) goes on from where it stands. Every transition up to the last that
    has arrived must come out again in the same bytes; else the command refuses and leaves the old state as it is.
    Nothing is sent: the next run sends what is new. The old state is moved to DIR.old-N. A broker that does not answer,
    or a cluster that elects its leaders, is waited for for a minute.

    Exit codes: 0 done or not needed, 1 it cannot be made again or a run uses it, 2 a mistake in the config or the
    command line.
    """
    from streamcheck.adapters.sqlite.lock import DirectoryLock  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415
    from streamcheck.cli.service import Stop  # noqa: PLC0415

    where, stop = place(config, verbose=verbose), Stop()
    SqliteView.exists(where.directory)
    where.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DirectoryLock(where.directory)
    try:
        with stop.on_signals():
            done = _rebuild(where, journal, stop, anew=anew)
    finally:
        lock.release()
    if isinstance(done, str):
        show_json({"rebuilt": False, "reason": done}) if as_json else click.echo(done)
        return
    if done is None:
        click.echo("stopped before the end; the old state is as it was", err=True)
        ctx.exit(1)
    if as_json:
        show_json({"rebuilt": True, "verified": done.verified, **asdict(done)})
        return
    events, same = counted(done.events, "event"), counted(done.verified, "transition")
    click.echo(
        f"lineage {done.lineage}: {events} replayed; {same} came out as {'it' if done.verified == 1 else 'they'} had "
        f"arrived, {done.pending} left for the next run"
    )


@dataclass(frozen=True)
class _Known:
    """What the output topics tell. expected: None where nothing has arrived."""

    life: "Life"
    expected: "Arrived | None"
    shown: "Mapping[SourcePartition, int]"


def _rebuild(where: Place, journal: str | None, stop: "Stop", *, anew: bool) -> "Rebuilt | str | None":
    """What was done, None when it was stopped; a reason why nothing is to be done."""
    from streamcheck.adapters.kafka.source import KafkaSource  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.sqlite import aside  # noqa: PLC0415

    plan, settings = where.loaded.plan, where.loaded.settings
    assert settings.kafka is not None
    group = str(settings.kafka["group_id"])
    source = KafkaSource(where.client, plan.topics, group, client=settings.kafka_client, headers=plan.wants_headers)
    workshop = where.directory.with_name(f"{where.directory.name}.rebuild")
    aside.clear(workshop)
    workshop.mkdir(mode=0o700)
    try:
        known = answered(lambda: _known(where, source, journal), stop)
        if known is None:
            return None
        needed = True if anew else _copy_older(where, known, workshop)
        if isinstance(needed, str):
            return needed
        done = answered(lambda: _replay(where, known, source, workshop, stop, RebuildProgress()), stop)
        if done is not None:
            aside.set_aside(where.directory)
            aside.move_in(workshop, where.directory)
        return done
    finally:
        source.close()
        aside.clear(workshop)


def _known(where: Place, source: "KafkaSource", journal: str | None) -> _Known:
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415 (only when it is used)
    from streamcheck.runtime.past import Life, from_file, lives  # noqa: PLC0415
    from streamcheck.runtime.ports import Arrived  # noqa: PLC0415

    settings = where.loaded.settings
    named = settings.topics
    with KafkaPast(where.client) as past:
        marker = past.marker(named.alerts, settings.name) if named.alerts else None
        copied = lives(past.journal(named.journal), f"topic {named.journal!r}") if named.journal else {}
        shown = past.progress(str((settings.kafka or {})["group_id"]))
    told = from_file(Path(journal).read_bytes(), journal) if journal else copied
    lineage = marker.lineage if marker else next(reversed(told), None)
    if lineage is None:
        raise StateError(
            "neither the alerts topic nor a journal knows of an earlier life of this config: there is nothing to make "
            "again; `streamcheck run CONFIG` begins a new life"
        )
    life = told.get(lineage) or _without_journal(where, source, lineage)
    arrived = Arrived(marker.sequence, marker.digest) if marker else None
    in_topic = copied[lineage].copied if lineage in copied else 0
    return _Known(Life(life.lines, min(in_topic, len(life.lines))), arrived, shown)


def _without_journal(where: Place, source: "KafkaSource", lineage: str) -> "Life":
    from streamcheck.runtime.past import begun  # noqa: PLC0415 (only when it is used)

    start = where.loaded.settings.start
    if start == "latest":
        raise StateError(
            f"no journal tells where lineage {lineage} began to read, and with start: latest it cannot be known. Name "
            "a copy with --journal (`streamcheck state export CONFIG OUT --journal FILE` makes one of a backup), put a "
            "backup of the state back, or begin a new life with `streamcheck state reset CONFIG`. `journal.topic` in "
            "the config keeps one from now on"
        )
    log.warning("there is no journal: lineage %s is taken to have begun at start: %s", lineage, where.start)
    return begun(lineage, source.offsets_at(start))


def _copy_older(where: Place, known: _Known, workshop: Path) -> str | bool:
    """Take a whole, older state as the beginning; a reason where no rebuild is needed at all."""
    from streamcheck.adapters.sqlite.store import STATE_FILE  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415

    if not SqliteView.exists(where.directory):
        return True
    try:
        view = SqliteView(where.directory, where.loaded.plan.name)
    except StateError as error:
        log.warning("the saved state is not used: %s", error)
        return True
    try:
        unusable, older = _judge(where, known, view.load)
        if unusable:
            log.warning("the saved state is not used: %s", unusable)
            return True
        if view.lost:
            log.warning("%s", view.lost)
        elif not older:
            return "the saved state is whole and holds all that has arrived: nothing to rebuild (--anew replays it all)"
        view.copy_to(workshop / STATE_FILE)
        return True
    finally:
        view.close()


def _judge(where: Place, known: _Known, load: Callable[[], object]) -> tuple[str, bool]:
    """Why the saved state cannot go on (empty where it can), and whether it is older than what has arrived."""
    from streamcheck.runtime.delivery import refuse_other  # noqa: PLC0415 (only when it is used)
    from streamcheck.runtime.journal_log import PREFIX  # noqa: PLC0415
    from streamcheck.runtime.opening import resume  # noqa: PLC0415
    from streamcheck.runtime.ports import Saved  # noqa: PLC0415

    try:
        saved = load()
        if not isinstance(saved, Saved):
            return "nothing was ever committed to it", False
        opened = resume(where.loaded.plan, saved)
        if opened.engine.lineage != known.life.lineage:
            return f"it is of lineage {opened.engine.lineage}, not of {known.life.lineage}", False
        own = sum(key.startswith(PREFIX) for key in opened.saved_journal)
        if len(known.life.lines) > own or (known.expected and known.expected.sequence > opened.engine.sequence):
            return "", True
        if known.expected:
            refuse_other(opened, known.expected)
    except StateError as error:
        return str(error), False
    return "", False


def _published(where: Place, known: _Known) -> dict[int, bytes]:
    """Fingerprints of what has arrived; none where the topic cannot be read: the digest tells in the end."""
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415 (only when it is used)
    from streamcheck.runtime.rebuild import of_lineage, prints  # noqa: PLC0415

    topic = where.loaded.settings.topics.alerts
    if topic is None or known.expected is None:
        return {}
    try:
        with KafkaPast(where.client) as past:
            return prints(of_lineage(past.alerts(topic), known.life.lineage))
    except (SourceError, DeliveryError) as error:
        log.warning("a transition that differs cannot be named, only noticed: %s", error)
        return {}


def _compared(where: Place, known: _Known, error: "PastDiffers") -> str:
    """The fields in which the first transition that differs does so; empty where that is not known."""
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415 (only when it is used)
    from streamcheck.runtime.rebuild import differences, of_lineage  # noqa: PLC0415

    topic, made = where.loaded.settings.topics.alerts, error.made
    if topic is None or made is None:
        return ""
    try:
        with KafkaPast(where.client) as past:
            records = of_lineage(past.alerts(topic), known.life.lineage)
            there = next((record for sequence, record in records if sequence == made.sequence), b"{}")
    except (SourceError, DeliveryError) as unread:
        return f" ({unread})"
    return f". Transition {made.sequence}: {differences(there, made.value)}"


def _replay(
    where: Place, known: _Known, source: "KafkaSource", workshop: Path, stop: "Stop", shown: RebuildProgress
) -> "Rebuilt | None":
    from streamcheck.adapters.kafka.strays import KafkaStraySink  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.sqlite.store import SqliteStore  # noqa: PLC0415
    from streamcheck.cli.service import decoding, first_snapshot  # noqa: PLC0415
    from streamcheck.runtime.clock import WallClock  # noqa: PLC0415
    from streamcheck.runtime.loop import LoopRules  # noqa: PLC0415
    from streamcheck.runtime.rebuild import LaterStrays, PastDiffers, rebuild  # noqa: PLC0415
    from streamcheck.runtime.telemetry import Telemetry  # noqa: PLC0415

    plan, settings, clock = where.loaded.plan, where.loaded.settings, WallClock()
    named, client = settings.topics, where.client
    rules = LoopRules(
        commit_every_s=settings.commit_every_ms / 1000, idle_after_s=settings.idle_after_ms / 1000, until_end=True
    )
    strays = LaterStrays(
        KafkaStraySink(client, named.dead_letter) if named.dead_letter else None,
        KafkaStraySink(client, named.late) if named.late else None,
        known.shown,
    )
    store = SqliteStore(workshop, plan.name)
    began = store.load() is not None
    telemetry = Telemetry(first_snapshot(plan, clock))
    try:
        with closing(decoding(plan, settings.workers, settings.registry)) as decoder:
            return rebuild(
                plan, store, source, known.life, known.expected, strays, decoder, clock, telemetry, rules, stop,
                published=_published(where, known), progress=shown,
            )  # fmt: skip
    except PastDiffers as error:
        more = ". It went on from the saved state; --anew replays from the beginning" if began else ""
        raise PastDiffers(f"{error}{_compared(where, known, error)}{more}") from error
    finally:
        shown.close()
        strays.close()
        store.close()
