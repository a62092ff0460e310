"""A bad network between the service and its broker: a proxy that delays, cuts and swallows, on command.

    with ProxiedBroker() as broker:                # cluster.bootstrap goes straight to it, proxy.address through here
        proxy = broker.proxy
        proxy.cut()                                # every connection, now
        with proxy.slow(0.25): ...                 # each request and each response waits so long
        with proxy.stalled(): ...                  # connections are accepted, and nothing passes
        proxy.cut_in_response()                    # half of the next response passes, then the connection is gone
        cut = proxy.cut_at(END_TXN, answered=True) # the request passes, is answered, and the answer is lost
        cut.wait(20)                               # ... then_silent: and nothing passes any more, until `pass_on`
        with proxy.refusing(): ...                 # nobody listens

The broker has a second listener for it, which it advertises at the proxy's port: who comes through the proxy stays
behind it. Whole requests and responses are forwarded, so a cut hits exactly where it is told to.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from tools.kafka_cluster import KafkaCluster

PRODUCE, END_TXN = 0, 26
"""Kinds of requests, by Kafka's numbers."""
FRAME_BYTES_MAX = 64 << 20
POLL_S = 0.1
LISTENER = "PROXIED"


class _Cut(Exception):  # noqa: N818 - an order
    """This connection is to be cut."""


class _Order:
    """To cut at the next request of a kind. `wait` until it has been done."""

    def __init__(self, kind: int, *, answered: bool, then_silent: bool) -> None:
        self.kind = kind
        self.answered = answered
        self.then_silent = then_silent
        self._done = threading.Event()

    def carried_out(self) -> None:
        self._done.set()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def wait(self, limit_s: float) -> bool:
        return self._done.wait(limit_s)


class Proxy:
    """Listens on `port` of the loopback and connects to `target_port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.cuts = 0
        self.connections = 0
        self._delay_s = 0.0
        self._open = threading.Event()
        self._open.set()
        self._closing = threading.Event()
        self._deaf = threading.Event()
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._order: _Order | None = None
        self._halves = 0
        self._acceptor: threading.Thread | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Accept connections."""
        self._accept_in_the_background()

    def close(self) -> None:
        """Cut everything and end."""
        self._closing.set()
        self._open.set()
        self._stop_accepting()
        self.cut()

    # ------------------------------------------------------------------ harm
    def cut(self) -> None:
        """Every connection, now, as a reset."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()
        self.cuts += len(pairs)

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Each request and each response waits so long."""
        self._delay_s = seconds
        try:
            yield
        finally:
            self._delay_s = 0.0

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Nothing passes; connections stay, and new ones are accepted. Afterwards all of it passes."""
        self._open.clear()
        try:
            yield
        finally:
            self.pass_on()

    def pass_on(self) -> None:
        """What was held up passes, and whatever comes."""
        self._open.set()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens; what is connected stays so."""
        self._stop_accepting()
        try:
            yield
        finally:
            self._server = socket.create_server(("127.0.0.1", self.port))
            self._accept_in_the_background()

    def cut_in_response(self) -> None:
        """Let half of the next response through and cut."""
        with self._lock:
            self._halves += 1

    def cut_at(self, kind: int, *, answered: bool, then_silent: bool = False) -> _Order:
        """Cut at the next request of this kind: instead of passing it on, or once it has been answered."""
        order = _Order(kind, answered=answered, then_silent=then_silent)
        with self._lock:
            assert self._order is None or self._order.done, "another order is not carried out yet"
            self._order = order
        return order

    # ------------------------------------------------------------------ what passes
    def request(self, pair: "_Pair", frame: bytes) -> None:
        """A request is about to pass. Raises _Cut."""
        kind, _, correlation = struct.unpack_from(">hhi", frame, 4)
        with self._lock:
            order = self._order
            if order is None or order.done or order.kind != kind or pair.doomed is not None:
                return
            if order.answered:
                pair.doomed = (correlation, order)
                return
        self._carried_out(order)

    def response(self, pair: "_Pair", frame: bytes) -> bytes:
        """What passes of a response. Raises _Cut."""
        (correlation,) = struct.unpack_from(">i", frame, 4)
        if pair.doomed is not None and pair.doomed[0] == correlation:
            self._carried_out(pair.doomed[1])
        with self._lock:
            half, self._halves = self._halves > 0, max(0, self._halves - 1)
        return frame[: len(frame) // 2] if half else frame

    def hold(self) -> None:
        """Wait while nothing may pass."""
        while not self._open.wait(POLL_S) and not self._closing.is_set():
            continue
        if self._delay_s:
            time.sleep(self._delay_s)

    def forget(self, pair: "_Pair") -> None:
        """A connection has ended."""
        with self._lock:
            self._pairs.discard(pair)

    def _carried_out(self, order: _Order) -> None:
        if order.then_silent:
            self._open.clear()
        self.cuts += 1
        order.carried_out()
        raise _Cut

    def _accept_in_the_background(self) -> None:
        self._deaf.clear()
        self._acceptor = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._acceptor.start()

    def _stop_accepting(self) -> None:
        self._deaf.set()
        if self._acceptor is not None:
            self._acceptor.join(5)
        self._server.close()

    def _accept(self) -> None:
        while not self._deaf.is_set():
            if not select.select([self._server], [], [], POLL_S)[0]:
                continue
            client, _ = self._server.accept()
            try:
                broker = socket.create_connection(("127.0.0.1", self._target_port), 5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            pair = _Pair(self, client, broker)
            with self._lock:
                self.connections += 1
                self._pairs.add(pair)
            pair.start()


class _Pair:
    """One connection through the proxy: two sockets, a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, broker: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._broker = client, broker
        self.doomed: tuple[int, _Order] | None = None
        """Of which request the answer is to be lost."""

    def start(self) -> None:
        for name in ("_requests", "_responses"):
            threading.Thread(target=self._pump, args=(name,), name=f"proxy{name}", daemon=True).start()

    def cut(self) -> None:
        """A reset on both sides."""
        for end in (self._client, self._broker):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._proxy.forget(self)

    def _pump(self, name: str) -> None:
        try:
            if name == "_requests":
                self._requests()
            else:
                self._responses()
        except (_Cut, OSError, EOFError):
            pass  # an end is gone, or is to go
        finally:
            self.cut()

    def _requests(self) -> None:
        while True:
            frame = _frame(self._client)
            self._proxy.hold()
            self._proxy.request(self, frame)
            self._broker.sendall(frame)

    def _responses(self) -> None:
        while True:
            frame = _frame(self._broker)
            self._proxy.hold()
            passing = self._proxy.response(self, frame)
            self._client.sendall(passing)
            if len(passing) < len(frame):
                self._proxy.cuts += 1
                raise _Cut


def _frame(end: socket.socket) -> bytes:
    """One request or response, its length before it."""
    head = _exactly(end, 4)
    (length,) = struct.unpack(">i", head)
    if not 0 < length <= FRAME_BYTES_MAX:
        raise EOFError(f"no frame of Kafka: {length} bytes")
    return head + _exactly(end, length)


def _exactly(end: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = end.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class ProxiedBroker(KafkaCluster):
    """One broker with a second listener that is reached through `proxy` alone."""

    def __init__(self) -> None:
        super().__init__()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._behind: int = probe.getsockname()[1]
        self.proxy = Proxy(self._behind)

    def __enter__(self) -> Self:
        self.proxy.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.proxy.close()
        super().__exit__(kind, error, trace)

    def _properties(self, node: int) -> dict[str, object]:
        made = super()._properties(node)
        return {
            **made,
            "listeners": f"{made['listeners']},{LISTENER}://127.0.0.1:{self._behind}",
            "advertised.listeners": f"{made['advertised.listeners']},{LISTENER}://{self.proxy.address}",
            "listener.security.protocol.map": f"{made['listener.security.protocol.map']},{LISTENER}:PLAINTEXT",
        }
