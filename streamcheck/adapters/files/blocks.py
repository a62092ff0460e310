"""The bytes of a file, unpacked, block by block."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import zstandard

from streamcheck.errors import SourceError

ZSTD_READ = 8 << 10
"""Packed bytes unpacked at once. A frame may unpack to 32,000 times its size: 256 MiB of these, at worst."""


class Blocks(Protocol):
    """Something to read bytes from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes: `size` of them or fewer, none at the end only."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong while reading, as a SourceError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
        raise SourceError(f"{path}: cannot be unpacked (cut off, or no {path.suffix} file?): {error}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


class Cut:
    """A file up to byte `end`."""

    def __init__(self, file: io.FileIO, end: int) -> None:
        self._file, self._end = file, end

    def read(self, size: int, /) -> bytes:
        """The next bytes: `size` of them or fewer, none at the end only."""
        return self._file.read(min(size, self._end - self._file.tell()))


class ZstdFrames:
    """Unpacks all frames of a .zst file; raises EOFError where the last one is cut off."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = bytearray()

    def read(self, size: int, /) -> bytes:
        """The next bytes: `size` of them or fewer, none at the end only."""
        while len(self._ready) < size:
            packed = self._file.read(ZSTD_READ)
            if not packed:
                if self._begun:
                    raise EOFError("the last frame has no end")
                break
            self._unpack(packed)
        found = bytes(self._ready[:size])
        del self._ready[:size]
        return found

    def _unpack(self, packed: bytes) -> None:
        while packed:
            self._begun = True
            self._ready += self._frame.decompress(packed)
            packed = b""
            if self._frame.eof:
                packed = self._frame.unused_data
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False


def unpacked(file: io.FileIO, path: Path) -> Blocks:
    """The bytes of an open file, unpacked as its name says."""
    match path.suffix.lower():
        case ".gz":
            return gzip.GzipFile(fileobj=file, mode="rb")
        case ".zst":
            return ZstdFrames(file)
    return file
