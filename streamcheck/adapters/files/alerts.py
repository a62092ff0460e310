"""Alert transitions as lines of a file, in the bytes that `run` publishes."""

from collections.abc import Sequence
from pathlib import Path

from streamcheck.errors import StreamcheckError
from streamcheck.runtime.ports import Arrived, OutboxEntry


class AlertLines:
    """Writes one line for each transition; implements ports.AlertSink. The file is made anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error

    def open(self, lineage: str) -> Arrived | None:  # noqa: ARG002 - a new file knows no lineage
        """Nothing has arrived."""
        return None

    def claim(self, arrived: Arrived) -> None:
        """Nobody else writes here."""

    def send(self, entries: Sequence[OutboxEntry], digest: str, before: Arrived | None = None) -> None:  # noqa: ARG002
        """Append all entries."""
        try:
            self._file.write(b"".join(entry.value + b"\n" for entry in entries))
            self._file.flush()
        except OSError as error:
            raise StreamcheckError(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        """Release the file."""
        self._file.close()
