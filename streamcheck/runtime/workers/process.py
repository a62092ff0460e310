"""One worker process as its owner sees it: its socket, its slots, the dictionaries that it has built."""

import contextlib
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass, field

from streamcheck.core.types import Dictionary
from streamcheck.errors import WorkerLost
from streamcheck.runtime.workers.memory import Shared, anonymous_file
from streamcheck.runtime.workers.messages import SLOTS, Done, Hello, Part, Read, receive, send

STOP_S = 5.0
ALONE = {"OPENBLAS_NUM_THREADS": "1"}
"""In a worker's environment: numpy would start a thread for each core, for linear algebra that a decoder never does."""
ANSWER_S = 60.0
"""For a part; it takes a second at most. A worker that says nothing for so long is stuck or frozen."""


@dataclass(slots=True)
class Mirror:
    """A dictionary of the worker's, as the owner knows it."""

    number: int = 0
    dictionary: Dictionary = field(default_factory=Dictionary)

    def after(self, number: int, news: tuple[str, ...]) -> Dictionary:
        """The dictionary, with what is new in it."""
        if number != self.number:
            self.number, self.dictionary = number, Dictionary()
        for value in news:
            self.dictionary.encode(value)
        return self.dictionary


class Worker:
    """One process, its socket and its slots."""

    def __init__(self, program: str, hello: Hello, answer_s: float) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(answer_s)
        descriptors = [anonymous_file() for _ in range(2 * SLOTS)]
        passed = [theirs.fileno(), *descriptors]
        command = [sys.executable, "-m", program, *map(str, passed)]
        self._process = subprocess.Popen(  # noqa: S603 - our own modules
            command, pass_fds=passed, stdin=subprocess.DEVNULL, env={**os.environ, **ALONE}
        )
        theirs.close()
        files = [Shared(descriptor) for descriptor in descriptors]
        self.inputs, self.outputs = files[:SLOTS], files[SLOTS:]
        self.free = list(range(SLOTS))
        self.sections: set[int] = set()
        """Those that it is in the middle of."""
        self.mirrors = [[Mirror() for _ in range(schema.coded_rows)] for schema in hello.schemas]
        self.send(hello)

    def send(self, message: Hello | Part | Read) -> None:
        """Say something."""
        try:
            send(self.channel, message)
        except TimeoutError as error:
            raise self._stuck() from error
        except OSError as error:
            raise self._lost() from error

    def hears(self) -> bool:
        """Whether it has spoken."""
        return bool(select.select([self.channel], [], [], 0)[0])

    def listen(self) -> Done:
        """What it says; waits for it."""
        try:
            message = receive(self.channel, Done)
        except TimeoutError as error:
            raise self._stuck() from error
        if message is None:
            raise self._lost()
        return message

    def _stuck(self) -> WorkerLost:
        self._process.kill()
        return WorkerLost(
            f"worker process {self._process.pid} has said nothing for {self.channel.gettimeout():g} s: it is stuck, or "
            "was stopped from outside"
        )

    def _lost(self) -> WorkerLost:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        return WorkerLost(
            f"worker process {self._process.pid} ended with {self._process.returncode}; what it said is above. "
            "Where it said nothing, memory may have run out: fewer `workers` need less"
        )

    def close(self) -> None:
        """Let it end; it does when its socket closes."""
        self.channel.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for shared in (*self.inputs, *self.outputs):
            shared.close()
