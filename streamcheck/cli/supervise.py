"""Who starts the worker again when it ends without being told to? `run` itself: a parent that does nothing else.

A restart is always safe (DESIGN section 5), so a call that hangs, a crash or a full disk ends the worker, never the
service. The two share a socket: the worker says through it that it has opened its state, and learns from its end that
the parent is gone.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import streamcheck
from streamcheck.cli.exits import EXIT_CRASHED, EXIT_TEMPORARY

log = logging.getLogger(__name__)

WAIT_FIRST_S = 0.5
WAIT_MAX_S = 30.0
HEALTHY_S = 60.0
"""A worker that has lived so long begins the back-off anew."""

LIFELINE = "STREAMCHECK_LIFELINE"
"""Environment variable: the worker's end of the socket, a file descriptor."""

CAREFUL = "STREAMCHECK_CAREFUL_CLIENT"
"""Environment variable: read by kafka-python, whatever the config says. Set once a signal that nobody here sent has
ended a worker: what librdkafka makes of a batch may take all memory, or end the process (docs/security.md)."""

ONCE = ("--reset-state", "--new-lineage")
"""Options that have done their work once a worker has opened its state."""

_OPENED = b"o"


class Supervisor:
    """Runs `streamcheck ARGUMENTS --no-supervise` until it ends for a reason of its own.

    Restarted: exit 70 (a call hung, a crash), exit 75 (a failure that passes), a signal that nobody here sent.
    command: what to start instead of this streamcheck, for tests.
    """

    def __init__(self, arguments: Sequence[str], command: Sequence[str] | None = None) -> None:
        self._arguments = list(arguments)
        self._command = list(command or (sys.executable, "-P", "-m", "streamcheck"))
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._killed = False

    def run(self) -> int:
        """The exit code to end with."""
        wait_s = WAIT_FIRST_S
        with self._passing_signals():
            while True:
                began = time.monotonic()
                code = self._one_life()
                if self._stopping.is_set() or (code >= 0 and code not in (EXIT_CRASHED, EXIT_TEMPORARY)):
                    return max(code, 0)
                self._killed = self._killed or code < 0
                if time.monotonic() - began >= HEALTHY_S:
                    wait_s = WAIT_FIRST_S
                log.warning("the worker ended with %s; starting it again in %g s", _said(code), wait_s)
                if self._stopping.wait(wait_s):
                    return 0
                wait_s = min(2 * wait_s, WAIT_MAX_S)

    def _one_life(self) -> int:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            environment = {**os.environ, LIFELINE: str(theirs.fileno()), **_import_path()}
            environment |= {CAREFUL: "1"} if self._killed else {}
            self._child = subprocess.Popen(  # noqa: S603 (our own command line, no shell)
                [*self._command, *self._arguments, "--no-supervise"],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,  # Ctrl-C on a terminal reaches this process alone, which passes it on once
            )
            theirs.close()
            if self._stopping.is_set():  # a signal came before there was anyone to pass it on to
                self._child.terminate()
            code = self._child.wait()
            ours.settimeout(0)  # the worker is gone; what it said is there or never comes
            if _received(ours):
                self._arguments = [each for each in self._arguments if each not in ONCE]
            return code

    @contextmanager
    def _passing_signals(self) -> Iterator[None]:
        def heard(number: int, _frame: object) -> None:
            self._stopping.set()
            if self._child is not None:
                self._child.send_signal(number)

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Lifeline:
    """The worker's end: `opened()` says that the state is open; when the parent is gone, `lost` is called once."""

    def __init__(self, lost: Callable[[], None]) -> None:
        number = os.environ.pop(LIFELINE, None)
        self._socket = None if number is None else socket.socket(fileno=int(number))
        if self._socket is not None:
            fcntl.fcntl(self._socket, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            threading.Thread(target=self._watch, args=(lost,), name="streamcheck-lifeline", daemon=True).start()

    def opened(self) -> None:
        """What `--reset-state` and `--new-lineage` ask for has been done."""
        if self._socket is not None:
            try:
                self._socket.sendall(_OPENED)
            except OSError as error:
                log.debug("the supervisor is gone: %s", error)

    def _watch(self, lost: Callable[[], None]) -> None:
        assert self._socket is not None
        if not _received(self._socket):
            log.warning("the supervisor is gone: stopping")
            lost()


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(1)
    except (BlockingIOError, ConnectionResetError):
        return b""


def _said(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _import_path() -> dict[str, str]:
    """What lets the worker import this very package, also where it is not installed."""
    root = str(Path(streamcheck.__file__).parents[1])
    if Path(root).name == "site-packages":
        return {}
    there = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{there}" if there else root}
