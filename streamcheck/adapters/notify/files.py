"""Small files of the state directory: what has been told, and what nobody is to be told of."""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from streamcheck.errors import StateError
from streamcheck.runtime.notices import Silence

SILENCES = "silences.json"
SILENCES_MAX = 1_000


class NotebookFile:
    """What one route has told, or other notes of this `kind`, in a file that is replaced as a whole."""

    def __init__(self, directory: Path, name: str, kind: str = "told") -> None:
        self._path = directory / f"{kind}-{name}.bin"

    def load(self) -> bytes | None:
        """What was saved last; None where nothing was."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def save(self, content: bytes) -> None:
        """Replace the file."""
        replace(self._path, content)


class SilenceFile:
    """The silences of a service; written by commands, read by the service whenever the file has changed."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / SILENCES
        self._known: tuple[tuple[int, int] | None, tuple[Silence, ...]] = (None, ())

    def read(self) -> Sequence[Silence]:
        """All of them, those that are over too. Raises StateError where the file is not one."""
        try:
            about = self._path.stat()
        except FileNotFoundError:
            return ()
        version = (about.st_mtime_ns, about.st_size)
        if self._known[0] != version:
            try:
                found = msgspec.json.decode(self._path.read_bytes(), type=tuple[Silence, ...])
            except msgspec.DecodeError as error:
                raise StateError(f"{self._path} does not hold silences ({error}); remove it, or mend it") from error
            self._known = (version, found)
        return self._known[1]

    def change(self, change: Callable[[Sequence[Silence]], Sequence[Silence]]) -> None:
        """Replace all of them by what becomes of them; who else changes them waits. Raises StateError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.write(change(self.read()))
        finally:
            os.close(lock)

    def write(self, silences: Sequence[Silence]) -> None:
        """Replace all of them. Raises StateError where there are too many."""
        if len(silences) > SILENCES_MAX:
            raise StateError(f"there are {len(silences)} silences; at most {SILENCES_MAX} are kept")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            replace(self._path, msgspec.json.format(msgspec.json.encode(silences)))
        except OSError as error:
            raise StateError(f"{self._path} could not be written ({error.strerror})") from error


def replace(path: Path, content: bytes) -> None:
    """A file that is the old one or the new one, whatever happens; only its owner can read it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
