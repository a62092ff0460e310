"""`streamcheck state check`: can the saved state be used, and does it agree with the topics?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from streamcheck.cli.exits import EXIT_FAILURE
from streamcheck.cli.output import show_json, show_table
from streamcheck.cli.state_common import Place, place
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError, SourceError, StateError

if TYPE_CHECKING:
    from streamcheck.adapters.sqlite.view import SqliteView
    from streamcheck.runtime.opening import Opened

ANSWER_MS = 3_000
"""How long to wait for a broker; without an answer the topics are not compared."""

OK, NOTE, FAULT = "ok", "note", "fault"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. level: ok, note (no obstacle), fault (the state cannot be used as it is)."""

    level: str
    about: str
    text: str


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--offline", is_flag=True, help="Do not ask the broker.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.pass_context
def check(ctx: click.Context, config: str, offline: bool, as_json: bool) -> None:  # noqa: FBT001
    """Check the saved state of CONFIG, and all of it: what is wrong is told at once, each with the way out.

    Every checksum and the database itself; whether this config can go on from it, and which monitors would begin
    afresh; outbox and digest. Where the broker answers within 3 s, also against the topics: their ids and partitions,
    whether they still hold the positions, and how far the alerts topic says that alerts have come. Works while a run
    uses the state, and changes nothing.

    Exit codes: 0 the state can be used (or there is none yet), 1 it cannot, 2 a mistake in the config or the command
    line.
    """
    where = place(config)
    findings = list(_findings(where, offline=offline))
    usable = all(finding.level != FAULT for finding in findings)
    if as_json:
        show_json({"usable": usable, "findings": [vars(finding) for finding in findings]})
    else:
        show_table("State", ("finding", "about", "what"), [[f.level, f.about, f.text] for f in findings])
    if not usable:
        ctx.exit(EXIT_FAILURE)


def _findings(where: Place, *, offline: bool) -> Iterator[Finding]:
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415 (only when it is used)

    if not SqliteView.exists(where.directory):
        yield Finding(NOTE, "state", f"none in {where.directory}: the first run begins at start: {where.start}")
        return
    try:
        view = SqliteView(where.directory, where.loaded.plan.name)
    except StateError as error:
        yield Finding(FAULT, "file", str(error))
        return
    try:
        if view.holder:
            yield Finding(NOTE, "lock", f"in use by {view.holder}: this is its last commit")
        faults = view.faults()
        yield from (Finding(FAULT, "file", fault) for fault in faults)
        if faults:
            return
        sizes = view.sizes()
        held = f"{counted(len(sizes), 'part')}, {counted(sum(sizes.values()), 'byte')}"
        yield Finding(OK, "file", f"{held}, checksums match")
        opened = None
        for found in _config(where, view):
            if isinstance(found, Finding):
                yield found
            else:
                opened = found
        if opened is not None and not offline:
            yield from _topics(where, opened)
    finally:
        view.close()


def _config(where: Place, view: "SqliteView") -> "Iterator[Finding | Opened]":
    """Whether this config can go on from the state; last, the state itself."""
    from streamcheck.runtime.opening import resume  # noqa: PLC0415 (numpy: only when it is used)

    saved = view.load()
    assert saved is not None, "a view of a fresh file is refused"
    try:
        opened = resume(where.loaded.plan, saved)
    except StateError as error:
        yield Finding(FAULT, "config", str(error))
        return
    engine = opened.engine
    partitions = counted(len(engine.partitions), "partition")
    yield Finding(OK, "config", f"the state goes on: lineage {engine.lineage}, {partitions}")
    yield from (
        Finding(NOTE, "config", f"monitor {name} has a changed config: it would begin afresh, its reference included")
        for name in opened.restarted
    )
    if view.sequence != engine.sequence:
        yield Finding(
            FAULT,
            "outbox",
            f"the outbox ends with transition {view.sequence}, the engine with {engine.sequence}: parts of two states. "
            "Make it again with `streamcheck state rebuild CONFIG --anew`",
        )
        return
    yield from _outbox(opened, view)
    yield opened


def _outbox(opened: "Opened", view: "SqliteView") -> Iterator[Finding]:
    from streamcheck.core import alerts  # noqa: PLC0415 (numpy: only when it is used)
    from streamcheck.runtime.opening import digest_at  # noqa: PLC0415

    held, engine = opened.outbox, opened.engine
    text = f"{counted(engine.sequence, 'transition')}, {view.delivered_until} delivered, {len(held)} in the outbox"
    digest = digest_at(opened, view.delivered_until) if held else None
    if digest is None:
        yield Finding(OK, "outbox", text)
        return
    for entry in held:
        digest = alerts.digest(digest, entry.value.decode())
    if digest == engine.digest:
        yield Finding(OK, "outbox", f"{text}; their chain ends with the state's digest")
    else:
        yield Finding(
            FAULT,
            "outbox",
            f"the chain of the transitions in the outbox ends with digest {digest}, the state's is {engine.digest}: "
            "make it again with `streamcheck state rebuild CONFIG --anew`",
        )


def _topics(where: Place, opened: "Opened") -> Iterator[Finding]:
    """What the broker says; nothing more than a note where it does not answer."""
    from streamcheck.runtime.ports import SourceUnavailable  # noqa: PLC0415 (only when it is used)

    patience = {"bootstrap_timeout_ms": ANSWER_MS, "request_timeout_ms": ANSWER_MS}
    client = {**patience, **where.client}
    try:
        yield from _input(where, opened, client)
        yield from _marker(where, opened, client)
    except SourceUnavailable as error:
        yield Finding(NOTE, "broker", f"not compared with the topics: {error}")
    except (SourceError, DeliveryError) as error:
        yield Finding(FAULT, "topics", str(error))


def _input(where: Place, opened: "Opened", client: dict[str, Any]) -> Iterator[Finding]:
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.kafka.source import KafkaSource  # noqa: PLC0415
    from streamcheck.core import saving  # noqa: PLC0415
    from streamcheck.runtime.opening import match_topics, refuse_fewer  # noqa: PLC0415
    from streamcheck.runtime.ports import GapError, SourceUnavailable  # noqa: PLC0415

    plan, engine = where.loaded.plan, opened.engine
    source = KafkaSource(client, plan.topics, "check")
    faults = 0
    try:
        for refuse in (match_topics, refuse_fewer):
            try:
                refuse(opened, source)
            except SourceUnavailable:
                raise
            except SourceError as error:
                faults += 1
                yield Finding(FAULT, "topics", str(error))
        there = source.partitions()
    finally:
        source.close()
    positions = saving.positions(engine)
    with KafkaPast(client) as past:
        held = past.held({at: positions[at] for at in there if at in positions})
    for at, (first, end) in held.items():
        if not first <= positions[at] <= end:
            faults += 1
            yield Finding(FAULT, "positions", str(GapError(at, positions[at], (first, end))))
    new = [at for at in there if at not in positions]
    topics = {at.topic for at in positions}
    for at in new:
        begins = "from offset 0" if at.topic in topics else "where the config's start says"
        yield Finding(NOTE, "topics", f"{at} is new: it will join {begins}")
    if not faults:
        behind = sum(end - positions[at] for at, (_, end) in held.items())
        whole, rest = counted(len(held), "partition"), counted(behind, "offset")
        yield Finding(OK, "topics", f"the positions are there, in {whole}; {rest} to be read")


def _marker(where: Place, opened: "Opened", client: dict[str, Any]) -> Iterator[Finding]:
    from streamcheck.adapters.kafka.client import ForeignMarker  # noqa: PLC0415 (only when it is used)
    from streamcheck.adapters.kafka.past import KafkaPast  # noqa: PLC0415
    from streamcheck.adapters.sqlite.aside import takeover_allowed  # noqa: PLC0415
    from streamcheck.runtime.delivery import refuse_other  # noqa: PLC0415
    from streamcheck.runtime.ports import Arrived  # noqa: PLC0415

    settings, engine = where.loaded.settings, opened.engine
    if not settings.topics.alerts:
        yield Finding(NOTE, "alerts", "the config names no alerts.topic: alerts go nowhere")
        return
    with KafkaPast(client) as past:
        marker = past.marker(settings.topics.alerts, settings.name)
    if marker is None:
        yield Finding(NOTE, "alerts", f"topic {settings.topics.alerts!r} knows nothing of this config yet")
    elif marker.lineage != engine.lineage and takeover_allowed(where.directory):
        yield Finding(NOTE, "alerts", f"the next run takes the topic over from lineage {marker.lineage}")
    elif marker.lineage != engine.lineage:
        yield Finding(FAULT, "alerts", str(ForeignMarker(marker, engine.lineage)))
    else:
        try:
            refuse_other(opened, Arrived(marker.sequence, marker.digest))
        except StateError as error:
            yield Finding(FAULT, "alerts", str(error))
        else:
            yield Finding(OK, "alerts", f"transitions 1 to {marker.sequence} have arrived, and are the state's")
