"""What keeps kafka-python itself from expanding a batch without end, where its own reader has to be used?

Its readers take a batch's bytes to functions of `kafka.codec`, which expand whatever they are given. While a `Bound`
holds, bounded ones stand in their place, for the whole process. Names may change: whether it works is tried out, once,
on a batch made in memory for each codec.
"""

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamcheck.adapters.kafka.codecs import GZIP, LZ4, SNAPPY, ZSTD, BatchTooLarge, decompress

MODULES = ("kafka.codec", "kafka.record.default_records", "kafka.record.legacy_records")
"""Where the functions are, and where their names are used; lz4 of the oldest format goes through the first."""
DECODERS = {"gzip_decode": GZIP, "snappy_decode": SNAPPY, "lz4_decode": LZ4, "zstd_decode": ZSTD}
_TRIAL_BYTES = 1 << 12


class Bound:
    """At most so many bytes of a batch, until `release`. Beyond it the readers raise BatchTooLarge.

    >>> bound = Bound(64 << 20)
    >>> bound.holds
    True
    >>> bound.release()
    """

    def __init__(self, bytes_max: int) -> None:
        self._before: list[tuple[ModuleType, str, Any]] = []
        self._replace(_TRIAL_BYTES)
        self.holds = all(_refused(codec) for codec in DECODERS.values())
        """Whether this kafka-python lets itself be bounded in this way."""
        self.release()
        self._replace(bytes_max)

    def release(self) -> None:
        """Put the client's own functions back."""
        while self._before:
            module, name, original = self._before.pop()
            setattr(module, name, original)

    def _replace(self, bytes_max: int) -> None:
        for module in map(importlib.import_module, MODULES):
            for name, codec in DECODERS.items():
                if hasattr(module, name):
                    self._before.append((module, name, getattr(module, name)))
                    setattr(module, name, _decoder(codec, bytes_max))


def _decoder(codec: int, bytes_max: int) -> Callable[[Any], bytes]:
    return partial(_decode, codec, bytes_max)


def _decode(codec: int, bytes_max: int, payload: Any) -> bytes:
    return bytes(decompress(codec, memoryview(payload), bytes_max))


def _refused(codec: int) -> bool:
    """Whether the client's reader refuses a batch that is too large by one record."""
    builder = MemoryRecordsBuilder(2, codec, 1 << 20)
    builder.append(0, None, bytes(_TRIAL_BYTES), [])
    builder.close()
    try:
        for batch in MemoryRecords(bytes(builder.buffer())):
            list(batch)
    except BatchTooLarge:
        return True
    except Exception:  # noqa: BLE001 - whatever a changed private API raises, it is not bounded
        return False
    return False
