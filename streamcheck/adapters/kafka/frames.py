"""Where does an answer of a broker lie while it comes in? In a block that is filled once and read where it lies.

The client's own buffer (kafka-python 3.0.12) writes zeros first, and copies the whole answer twice when it is complete.
"""

import numpy as np
from kafka.protocol import parser
from kafka.protocol.frame import KafkaBytes

BYTES_MIN = 64 << 10
"""Of an answer that is worth it; all that is no records is smaller, and is read as ever."""


class Frame:
    r"""As much of the client's KafkaBytes as its parser asks of an answer.

    >>> frame = Frame(6)
    >>> for data in (b"\0\0\0\7", b"ab"):
    ...     frame.write(data)
    >>> frame.tell(), len(frame)
    (6, 6)
    >>> frame.seek(0)
    >>> frame.read(4), bytes(frame.read())
    (b'\x00\x00\x00\x07', b'ab')
    """

    def __init__(self, size: int) -> None:
        self._data = memoryview(np.empty(size, np.uint8))  # type: ignore[arg-type]  # no buffer to mypy before 3.12
        self._at = 0

    def __len__(self) -> int:
        return len(self._data)

    def read(self, count: int | None = None) -> bytes | memoryview:
        """So many bytes from here on; all that are left as a view."""
        start, self._at = self._at, len(self) if count is None else min(self._at + count, len(self))
        found = self._data[start : self._at]
        return found if count is None else bytes(found)

    def write(self, data: bytes) -> None:
        """Put these here."""
        start, self._at = self._at, self._at + len(data)
        self._data[start : self._at] = data

    @property
    def room(self) -> memoryview:
        """Where what is still to come goes, but for the last byte."""
        return self._data[self._at : -1]

    def filled(self, count: int) -> None:
        """So many bytes have come into the room."""
        self._at += count

    def seek(self, at: int) -> None:
        """Go there."""
        self._at = at

    def tell(self) -> int:
        """Where this is."""
        return self._at


def read_in_place() -> None:
    """Every client of this process reads large answers so from now on."""
    if getattr(parser, "KafkaBytes", None) is KafkaBytes:
        parser.KafkaBytes = _room


def _room(size: int) -> KafkaBytes | Frame:
    return Frame(size) if size >= BYTES_MIN else KafkaBytes(size)
