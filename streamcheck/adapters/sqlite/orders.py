"""Orders to the service that runs with a state directory: a file each, in a folder beside the state.

Whoever may write there may order. A file appears whole (it is written elsewhere and renamed), and is removed when the
commit that holds its order is on the disk; between both, a crash makes it be met again, under the same name.
"""

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from streamcheck.errors import StateError

FOLDER = "orders"
SUFFIX = ".json"
ORDER_BYTES_MAX = 100_000
WAITING_MAX = 1_000
"""Orders that are looked at in one go; the others wait."""


class OrderFolder:
    """Implements ports.OrderBox over `directory`/orders."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER

    def put(self, content: bytes) -> str:
        """Leave an order. Returns its name: by the clock, and by chance. Raises StateError."""
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._folder / f"{name}.draft"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / f"{name}{SUFFIX}")
        except OSError as error:
            raise StateError(f"the order could not be left in {self._folder} ({error.strerror})") from error
        return name

    def waiting(self) -> Sequence[tuple[str, bytes]]:
        """Orders that have not been carried out, oldest first: name and content."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == SUFFIX)[:WAITING_MAX]
        except FileNotFoundError:
            return ()
        found = []
        for path in paths:
            with path.open("rb") as file:
                found.append((path.name.removesuffix(SUFFIX), file.read(ORDER_BYTES_MAX)))
        return found

    def done(self, names: Sequence[str]) -> None:
        """They are carried out, durably."""
        for name in names:
            (self._folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
