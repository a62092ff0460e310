"""Programs that are started for a test, and waiting for them."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

DEADLINE_S = 120.0
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def until(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    pytest.fail(f"waited {DEADLINE_S:.0f} s for {what}")


@contextmanager
def started(*command: str, cwd: Path) -> Iterator[None]:
    with (cwd / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd) as process:
        try:
            yield
        finally:
            process.terminate()


def answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return None
