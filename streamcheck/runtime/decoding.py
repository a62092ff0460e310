"""Who decodes what was polled? This process, as the loop asks for it; or workers (`streamcheck.runtime.workers`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from streamcheck.core.types import Batch
from streamcheck.runtime.ports import Polled, Records, Unread

Decode = Callable[[Records], Batch]


class Decoding(Protocol):
    """Turns records into batches: the same rows in the same order, possibly cut into more batches, possibly later."""

    @property
    def pending(self) -> bool:
        """Whether records have been handed over that have not come back."""

    def through(self, polled: Iterable[Polled]) -> Iterator[Batch]:
        """Hand over records; yields batches that are ready, of earlier records first."""

    def drain(self) -> Iterator[Batch]:
        """Whatever is pending."""

    def close(self) -> None:
        """Release what works for it. What is pending is lost."""


class Inline:
    """Decoding in this process, one batch at a time."""

    pending = False

    def __init__(self, decoders: Mapping[str, Decode]) -> None:
        self._decoders = decoders

    def through(self, polled: Iterable[Polled]) -> Iterator[Batch]:
        """The batch of each."""
        for records in polled:
            assert not isinstance(records, Unread), f"{records.source}: only workers read by themselves"
            yield self._decoders[records.source.topic](records)

    def drain(self) -> Iterator[Batch]:
        """Nothing is ever pending."""
        return iter(())

    def close(self) -> None:
        """There is nothing to release."""
