"""The outer world of `streamcheck run`: Kafka on both sides, SQLite between."""

import logging
import os
from functools import partial
from pathlib import Path

from streamcheck.adapters.kafka.journal import KafkaJournal
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.adapters.kafka.strays import KafkaStraySink
from streamcheck.adapters.sqlite.aside import taken_over, takeover_allowed
from streamcheck.adapters.sqlite.orders import OrderFolder
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.cli.service import Wiring
from streamcheck.cli.supervise import CAREFUL
from streamcheck.config.kafka_options import CAREFUL_CLIENT
from streamcheck.config.settings import Settings
from streamcheck.core.plan import Plan

log = logging.getLogger(__name__)


def wire(plan: Plan, settings: Settings) -> Wiring:
    """Adapters for the topics that the settings name. Nothing is connected yet, but the store is open and locked."""
    assert settings.kafka is not None, "run refuses configs without kafka"
    client = {key: value for key, value in settings.kafka.items() if key != "group_id"}
    strays = settings.topics.dead_letter or settings.topics.late
    group, headers = str(settings.kafka["group_id"]), plan.wants_headers or strays is not None
    source = KafkaSource(client, plan.topics, group, client=_reader(settings), headers=headers)
    named, directory = settings.topics, Path(settings.state_dir)
    store = SqliteStore(directory, plan.name)
    may = takeover_allowed(directory)
    return Wiring(
        source=source,
        store=store,
        start=lambda: source.offsets_at(settings.start),
        alerts=(KafkaAlertSink(client, named.alerts, plan.name, replace_lineage=may) if named.alerts else None),
        dead_letters=KafkaStraySink(client, named.dead_letter) if named.dead_letter else None,
        late=KafkaStraySink(client, named.late) if named.late else None,
        journal=KafkaJournal(client, named.journal) if named.journal else None,
        orders=OrderFolder(directory),
        workers=settings.workers,
        registry=settings.registry,
        claimed=partial(taken_over, directory),
    )


def _reader(settings: Settings) -> str:
    """Who reads: what the config says, but for a worker whose predecessor was killed."""
    if settings.kafka_client != CAREFUL_CLIENT and os.environ.get(CAREFUL):
        log.warning("the worker before this one was killed: %s reads, until the next start by hand", CAREFUL_CLIENT)
        return CAREFUL_CLIENT
    return settings.kafka_client
