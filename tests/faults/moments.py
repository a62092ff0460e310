"""Places in the product where a crash hurts most, and how a process is made to die there.

`arm("after-commit:3")` patches one function so that the process kills itself the third time it comes to the place;
`arm("in-transaction:1:stop")` freezes it there instead. Two do neither: at `doubt:N` the commit of a transaction
succeeds and says that it failed, as on a connection that breaks; with `slow:S` each one takes S seconds more. With
`clock:FILE` the wall clock goes wrong as the file says (see clock.py); with `brimful:FILE` the disk on which FILE lies
is full as soon as the join puts predictions there.
"""

import functools
import importlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from tests.faults import clock

ONCE = "STREAMCHECK_ONCE"
"""Environment variable: a file that says a mutant has done its worst already."""

BALLAST_BYTES = 1 << 12
BEFORE, AFTER = "before", "after"
PLACES = {
    "restoring": ("streamcheck.core.saving", "restore", AFTER),
    "fenced": ("kafka", "KafkaProducer.init_transactions", AFTER),
    "opened": ("streamcheck.adapters.kafka.sink", "KafkaAlertSink.open", AFTER),
    "reading-again": ("streamcheck.core.engine", "Engine.feed", AFTER),
    "strays-flushed": ("streamcheck.runtime.delivery", "StrayPost.flush", AFTER),
    "before-commit": ("streamcheck.adapters.sqlite.store", "SqliteStore.commit", BEFORE),
    "in-commit": ("streamcheck.adapters.sqlite.store", "write_about", BEFORE),
    "after-commit": ("streamcheck.adapters.sqlite.store", "SqliteStore.commit", AFTER),
    "before-transaction": ("kafka", "KafkaProducer.begin_transaction", BEFORE),
    "transaction-begun": ("kafka", "KafkaProducer.begin_transaction", AFTER),
    "in-transaction": ("kafka", "KafkaProducer.commit_transaction", BEFORE),
    "after-transaction": ("kafka", "KafkaProducer.commit_transaction", AFTER),
    "before-forgetting": ("streamcheck.adapters.sqlite.store", "SqliteStore.delivered", BEFORE),
    "after-forgetting": ("streamcheck.adapters.sqlite.store", "SqliteStore.delivered", AFTER),
    "before-journal": ("streamcheck.adapters.kafka.journal", "KafkaJournal.send", BEFORE),
    "after-journal": ("streamcheck.adapters.kafka.journal", "KafkaJournal.send", AFTER),
}
ON_SHELF = {
    "recalled": ("streamcheck.core.shelf", "Shelf.recall", AFTER),
    "spilling": ("streamcheck.core.shelf", "Shelf.put", AFTER),
    "writing-chunks": ("streamcheck.core.shelf", "_slice", BEFORE),
    "tidied": ("streamcheck.core.shelf", "Shelf.tidy", AFTER),
    "reading-chunks": ("streamcheck.adapters.sqlite.store", "SqliteStore.read", BEFORE),
}
"""Places that only those come to who have put predictions of the join on disk."""


def die() -> None:
    """As by SIGKILL from outside, at this very instruction."""
    os.kill(os.getpid(), signal.SIGKILL)


def freeze() -> None:
    """Until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def die_once() -> None:
    """The same, in one life of a service only."""
    mark = Path(os.environ[ONCE])
    if not mark.exists():
        mark.touch()
        die()


def arm(moment: str) -> None:
    """Patch the place of `NAME:N`."""
    name, count, *then = moment.split(":")
    if name == "clock":
        clock.follow(count)
        return
    if name in ("doubt", "slow"):
        (_doubt if name == "doubt" else _slow)(int(count))
        return
    if name == "brimful":
        _brimful(Path(count))
        return
    module, path, when = (PLACES | ON_SHELF)[name]
    left = int(count)
    harm = freeze if then == ["stop"] else die

    def around(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == BEFORE:
            harm()
        found = original(*args, **kwargs)
        if left == 0 and when == AFTER:
            harm()
        return found

    patch(module, path, around)


def patch(module: str, path: str, around: Callable[..., Any]) -> None:
    """Call `around(original, ...)` wherever `module:path` would be called."""
    owner: Any = importlib.import_module(module)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    original = getattr(owner, name)

    @functools.wraps(original)
    def patched(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    setattr(owner, name, patched)


def _doubt(count: int) -> None:
    left = count

    def around(original: Callable[..., Any], *args: Any) -> None:
        nonlocal left
        original(*args)
        left -= 1
        if left == 0:
            raise KafkaError("the transaction was committed, and the connection broke before anyone was told")

    patch("kafka", "KafkaProducer.commit_transaction", around)


def fill(path: Path) -> None:
    """Make this file longer until not a byte is free where it lies."""
    with path.open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(BALLAST_BYTES))
        except OSError:
            return


def _brimful(ballast: Path) -> None:
    def around(original: Callable[..., Any], *args: Any) -> Any:
        chunks = original(*args)
        fill(ballast)
        return chunks

    patch("streamcheck.core.shelf", "Shelf.put", around)


def _slow(seconds: int) -> None:
    def around(original: Callable[..., Any], *args: Any) -> None:
        time.sleep(seconds)
        original(*args)

    patch("kafka", "KafkaProducer.commit_transaction", around)
