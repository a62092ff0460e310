"""What ends the process when a client's call hangs for ever: a restart is always safe, hanging is not."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h: the supervisor starts the process again."""

LIMIT_S = 20.0
"""Above one request's time-out (10 s), below the transaction's (30 s): by then a producer that still waits is stuck."""


def end_process(message: str) -> None:
    """Log and end at once, from any thread: nothing waits for the call that hangs, no buffer is flushed twice."""
    log.critical(message)
    logging.shutdown()
    os._exit(EXIT_STATUS)


class Watchdog:
    """Watches one call at a time; `expire` is told what hung, and by default does not return."""

    def __init__(self, limit_s: float = LIMIT_S, expire: Callable[[str], None] = end_process) -> None:
        self._limit_s = limit_s
        self._expire = expire

    @contextmanager
    def stage(self, doing: str) -> Iterator[None]:
        """Expire when the body takes longer than the limit."""
        message = f"{doing} has not returned for {self._limit_s:g} s: ending the process, to be started again"
        timer = threading.Timer(self._limit_s, self._expire, (message,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
