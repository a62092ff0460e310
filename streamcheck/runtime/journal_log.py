"""The journal as it is kept: numbered lines in the store, and a copy in a topic where one is named."""

import logging
from collections.abc import Mapping, Sequence

from streamcheck.core.journal import Advanced, JournalEntry, Silent, from_bytes, to_bytes
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError
from streamcheck.runtime.ports import JournalSink

log = logging.getLogger(__name__)

PREFIX = "journal/"
COPIED = "journal-copied"
RETRY_S = 30.0
UNCOPIED_MAX = 100_000
"""Entries, about 200 B each, that may wait for their topic: 20 MB."""
_DIGITS = 12


def numbered(lines: Sequence[bytes], copied: int) -> dict[str, bytes]:
    """A whole journal as it is kept in a store.

    >>> numbered([b"{}"], 1)
    {'journal/000000000000': b'{}', 'journal-copied': b'1'}
    """
    return {**{f"{PREFIX}{at:0{_DIGITS}d}": line for at, line in enumerate(lines)}, COPIED: str(copied).encode()}


class JournalLog:
    """Numbers entries as they are committed, and copies them to their topic, in order.

    Silence that goes on takes one line, not one a pane: an entry about it that directly follows another of its kind
    replaces it, under the same number. `copied`: how many lines are in the topic; what lies beyond is copied again
    after a crash. trouble: why the last attempt failed.
    """

    def __init__(self, sink: JournalSink | None, saved: Mapping[str, bytes]) -> None:
        lines = [saved[key] for key in sorted(saved) if key.startswith(PREFIX)]
        self._sink = sink
        self._length = len(lines)
        self._last: type[JournalEntry] | None = type(from_bytes(lines[-1])) if lines else None
        self.copied = min(int(saved.get(COPIED, b"0")), len(lines))
        self._uncopied: list[bytes] = lines[self.copied :]
        self._retry_at_s = 0.0
        self.trouble = ""

    def commit(self, entries: Sequence[JournalEntry]) -> dict[str, bytes]:
        """Number entries; the keyed state to be committed with them."""
        put: dict[str, bytes] = {}
        for entry in entries:
            if not (isinstance(entry, Advanced | Silent) and type(entry) is self._last):
                self._length += 1
            elif self._uncopied:
                self._uncopied.pop()
            else:
                self.copied -= 1
            self._last = type(entry)
            line = to_bytes(entry)
            self._uncopied.append(line)
            put[f"{PREFIX}{self._length - 1:0{_DIGITS}d}"] = line
        put[COPIED] = str(self.copied).encode()
        return put

    @property
    def full(self) -> bool:
        """Whether reading must wait until the topic takes entries again."""
        return len(self._uncopied) >= UNCOPIED_MAX

    def deliver(self, now_s: float) -> None:
        """Copy what is not in the topic yet; a failure is logged, and tried again later."""
        if not self._uncopied or now_s < self._retry_at_s:
            return
        if self._sink is not None:
            try:
                self._sink.send(self.copied, self._uncopied)
            except DeliveryError as error:
                self._retry_at_s, self.trouble = now_s + RETRY_S, str(error)
                waiting = counted(len(self._uncopied), "journal entry waits", "journal entries wait")
                log.warning("%s to be copied to the topic: %s", waiting, error)
                return
        self.copied += len(self._uncopied)
        self._uncopied, self.trouble = [], ""
