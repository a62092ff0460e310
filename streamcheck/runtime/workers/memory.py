"""Memory that two processes share: a file without a name that both map, and arrays laid into it one by one."""

import mmap
import os
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGN = 8
GROWTH = 1.25
"""Of a file that has become too small."""


def anonymous_file() -> int:
    """A descriptor of a file in memory (on disk where the system has no such files) that nobody else can open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("streamcheck")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Shared:
    """One such file. One process writes and tells the other how many bytes it now has, which then reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._bytes = np.empty(0, np.uint8)
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes mapped."""
        return len(self._bytes)

    def fit(self, size: int) -> None:
        """Map so many bytes, of which the other process has told, and begin to read."""
        if size != self.size:
            self._bytes = np.frombuffer(mmap.mmap(self._descriptor, size), np.uint8)
        self._at = 0

    def write(self, parts: Iterable[bytes | npt.NDArray[Any]]) -> int:
        """Lay these down from the beginning, each aligned. Returns the size of the file."""
        flat = [np.frombuffer(part, np.uint8) if isinstance(part, bytes) else _flat(part) for part in parts]
        wanted = sum(_padded(len(part)) for part in flat)
        if wanted > self.size:
            size = int(wanted * GROWTH)
            os.ftruncate(self._descriptor, size)
            self.fit(size)
        at = 0
        for part in flat:
            self._bytes[at : at + len(part)] = part
            at += _padded(len(part))
        return self.size

    def read(self, dtype: npt.DTypeLike, *shape: int) -> npt.NDArray[Any]:
        """The next array, as a copy."""
        found = np.empty(shape, dtype)
        if found.size:  # _flat is a view of what has just been made
            _flat(found)[:] = self._bytes[self._at : self._at + found.nbytes]
        self._at += _padded(found.nbytes)
        return found

    def read_bytes(self, length: int) -> bytes:
        """The next bytes, as a copy."""
        found = self._bytes[self._at : self._at + length].tobytes()
        self._at += _padded(length)
        return found

    def close(self) -> None:
        """Let go of the file; what was read lives on."""
        self._bytes = np.empty(0, np.uint8)
        os.close(self._descriptor)


def _flat(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _padded(length: int) -> int:
    return -(-length // _ALIGN) * _ALIGN
