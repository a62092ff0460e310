"""Broken variants of delivery: what would the faults find if it were written so?"""

import logging
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from tests.faults.moments import die_once, patch

SINK, OUTBOX = "streamcheck.adapters.kafka.sink", "streamcheck.runtime.delivery"
STORE = "streamcheck.adapters.sqlite.store"
FORGOTTEN = "not sent, and forgotten:"
IMPATIENT_S, SLOW_S = 0.5, 1.0


def marker_outside() -> None:
    """The marker is written in a transaction of its own, after that of the alerts."""

    def transact(original: Callable[..., Any], self: Any, entries: Any, marker: Any) -> None:
        producer = self._producer
        producer.begin_transaction()
        futures = [producer.send(self._topic, key=entry.key, value=entry.value) for entry in entries]
        producer.flush(10)
        for future in futures:
            future.get(timeout=0)
        producer.commit_transaction()
        if futures:
            die_once()
        original(self, [], marker)

    patch(SINK, "KafkaAlertSink._transact", transact)


def outbox_emptied_first() -> None:
    """Entries of the outbox are deleted before they are sent."""

    def hand_over(original: Callable[..., Any], self: Any, entries: Any, then: Any) -> None:
        if entries:
            self._store.delivered(then.sequence)
            die_once()
        original(self, entries, then)

    patch(OUTBOX, "Outbox._hand_over", hand_over)


def strays_after_commit() -> None:
    """Dead letters are sent when the position that covers them has been committed already."""
    from streamcheck.runtime.delivery import StrayPost  # noqa: PLC0415

    posts: list[Any] = []
    flush = StrayPost.flush

    def note(original: Callable[..., Any], self: Any, *args: Any) -> bool:
        posts[:] = [self]
        return True

    def commit(original: Callable[..., Any], self: Any, *args: Any) -> None:
        original(self, *args)
        waiting = [sink._waiting for post in posts for sink in (post._dead_letters, post._late) if sink is not None]
        if sum(map(len, waiting)) > 0 and time.monotonic() > born + 3:
            die_once()
        for post in posts:
            flush(post)

    born = time.monotonic()
    patch(OUTBOX, "StrayPost.flush", note)
    patch(STORE, "SqliteStore.commit", commit)


def blind_after_doubt() -> None:
    """After an exception the marker is not read: what was under way is taken for not sent."""
    known: list[Any] = []

    def read(original: Callable[..., Any], *args: Any) -> Any:
        known[:] = known or [original(*args)]
        return known[0]

    patch(SINK, "read_marker", read)


def no_fencing() -> None:
    """Each process has a transactional id of its own, so that nobody is fenced."""

    def unnamed(original: Callable[..., Any], *args: Any, **own: Any) -> Any:
        if "transactional_id" in own:
            own["transactional_id"] = f"{own['transactional_id']}-{os.getpid()}"
        return original(*args, **own)

    patch(SINK, "open_producer", unnamed)


def stock_client() -> None:
    """The client loses requests as ever. No mutant: the watchdog must do."""
    patch("streamcheck.adapters.kafka.repair", "is_needed", lambda _original: False)


def no_watchdog() -> None:
    """A call that hangs, as calls of the stock client do, is waited for."""
    stock_client()
    patch("streamcheck.adapters.kafka.watchdog", "Watchdog.stage", lambda _original, *_args: nullcontext())


def failure_taken_for_sent() -> None:
    """What could not be sent is not tried again."""
    pretended: list[Any] = []

    def transact(original: Callable[..., Any], self: Any, entries: Any, marker: Any) -> None:
        commit, committing = self._producer.commit_transaction, []

        def noted() -> None:
            committing.append(True)
            commit()

        self._producer.commit_transaction = noted
        try:
            original(self, entries, marker)
        except Exception as error:
            if committing or not entries:  # it may have arrived, or nothing is lost with it
                raise
            logging.getLogger("streamcheck").warning("%s %r", FORGOTTEN, error)
            pretended[:] = [marker]
            self.marker = marker
            self._abandon()

    def renew(original: Callable[..., Any], self: Any) -> None:
        self.marker = None  # else it would notice
        original(self)
        self.marker = pretended[0] if pretended else self.marker

    patch(SINK, "KafkaAlertSink._transact", transact)
    patch(SINK, "KafkaAlertSink._renew", renew)


def failure_at_once() -> None:
    """The same, and a broker that is away for a moment is a failure."""
    failure_taken_for_sent()

    def impatient(original: Callable[..., Any], *args: Any, **own: Any) -> Any:
        producer = original(*args, **own)
        flush = producer.flush
        producer.flush = lambda *_: flush(IMPATIENT_S)
        return producer

    patch(SINK, "open_producer", impatient)


def sent_again_when_slow() -> None:
    """A transaction that takes more than a second is taken for lost."""

    def transact(original: Callable[..., Any], self: Any, entries: Any, marker: Any) -> None:
        began = time.monotonic()
        original(self, entries, marker)
        if time.monotonic() - began > SLOW_S:
            original(self, entries, marker)

    patch(SINK, "KafkaAlertSink._transact", transact)
