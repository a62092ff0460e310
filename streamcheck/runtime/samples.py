"""What do rejected events look like? The newest few for each reason, for the status page."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streamcheck.core.types import SourcePartition, Stray
from streamcheck.runtime.ports import RawBatch

Shown = Literal["full", "redacted", "off"]
"""How much of a rejected event people see: its first bytes, only their shape, or just where it lies."""

PER_REASON = 3
REASONS_MAX = 40
BYTES_MAX = 300
"""Of an event that are shown; in all 40 reasons x 3 x 300 B."""
LOOKED_AT = 20
"""Of the events that one poll rejects, the last ones are looked at: a flood of them costs nothing more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One rejected event. size: its bytes in all (None: a tombstone, or never read); text: the first of them."""

    source: SourcePartition
    offset: int
    reason: str
    size: int | None
    text: str


class Samples:
    """Keeps the newest; what is redacted is never kept otherwise."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._kept: dict[str, deque[Sample]] = {}

    def add(self, strays: Sequence[Stray]) -> None:
        """Events that did not count, in order."""
        for stray in strays[-LOOKED_AT:]:
            if stray.reason not in self._kept and len(self._kept) >= REASONS_MAX:
                continue
            value = stray.raw.record(stray.offset)[1] if isinstance(stray.raw, RawBatch) else None
            text = "" if value is None or self._shown == "off" else _text(value[:BYTES_MAX], self._shown)
            size = None if value is None else len(value)
            kept = self._kept.setdefault(stray.reason, deque(maxlen=PER_REASON))
            kept.append(Sample(stray.source, stray.offset, stray.reason, size, text))

    def newest(self) -> tuple[Sample, ...]:
        """By reason, newest first."""
        return tuple(sample for reason in sorted(self._kept) for sample in reversed(self._kept[reason]))


def _text(value: bytes, shown: Shown) -> str:
    text = value.decode("utf-8", "replace")
    return redacted(text) if shown == "redacted" else text


def redacted(text: str) -> str:
    """The shape of a text: letters become x, digits 0; what holds them together stays.

    >>> redacted('{"card": 4111, "who": "Kim"')
    '{"xxxx": 0000, "xxx": "xxx"'
    """
    return "".join("0" if c.isdigit() else "x" if c.isalpha() or not c.isascii() else c for c in text)
