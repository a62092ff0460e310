"""Which page can be given again? Ten readers cost one drawing, and pages together no more than a part of a core."""

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

SHARE_MAX = 0.05
"""Of a core, for drawing one page again and again: what took 100 ms is given again for two seconds."""
AGE_S_MAX = 5.0
"""And no longer than that, which is how often the page's script asks."""
KEPT_MAX = 32
"""Pages that are kept, those asked for last: 300 KB each at most, 10 MB."""

_CLOCKED = re.compile(rb'(<span (?:id="live" data-clock|data-since="\d+")>)[^<]*')
"""What only tells how late it is; the page's script tells that by itself."""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. location: where to look instead; etag: another one as soon as there is anything new to see."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None
    etag: str | None = None

    def tagged(self) -> "Response":
        """The same with its etag.

        >>> one, other = (Response(200, "", b'<span id="live" data-clock>as of %d</span>' % at) for at in (5, 9))
        >>> one.tagged().etag == other.tagged().etag
        True
        """
        digest = hashlib.blake2b(_CLOCKED.sub(rb"\1", self.body), digest_size=12).hexdigest()
        return replace(self, etag=f'"{digest}"')

    def unless(self, known: str) -> "Response":
        """Nothing but the word that it is the same, for who has it. known: the header If-None-Match."""
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return replace(self, status=304, body=b"") if self.etag is not None and self.etag in tags else self


@dataclass(frozen=True, slots=True)
class _Kept:
    """One drawing: of which state of affairs, when it was begun (monotonic, s), and what it has cost (s of CPU)."""

    of: Hashable
    at_s: float
    cost_s: float
    response: Response


class Renderings:
    """Draws what has not been drawn lately; who asks for the same meanwhile waits for it. Any number of threads.

    now_s, spent_s: a monotonic clock, and the CPU time of the thread that asks.
    """

    def __init__(
        self, now_s: Callable[[], float] = time.monotonic, spent_s: Callable[[], float] = time.thread_time
    ) -> None:
        self._now_s, self._spent_s = now_s, spent_s
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, address: Hashable, of: Hashable, draw: Callable[[], Response]) -> Response:
        """The response for an address, as of now or of a moment ago. of: what must be the same, however short ago."""
        with self._lock:
            kept, now_s = self._kept.get(address), self._now_s()
            if kept is None or kept.of != of or now_s - kept.at_s >= min(AGE_S_MAX, kept.cost_s / SHARE_MAX):
                began_s = self._spent_s()
                response = draw().tagged()
                kept = self._kept[address] = _Kept(of, now_s, self._spent_s() - began_s, response)
            self._kept.move_to_end(address)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return kept.response

    def forget(self) -> None:
        """Something was ordered: draw anew."""
        with self._lock:
            self._kept.clear()
