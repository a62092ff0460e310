"""What kafka-python 3.0.12 loses, a request and an answer, put right; any other version is left alone.

A producer whose transaction coordinator cannot be reached: `await_ready` raises, though its caller expects a yes or a
no; the request to commit is dropped, and commit_transaction() waits for ever. With a no it is kept and asked again
elsewhere: it has never been sent, so nothing is in doubt. Without the repair the watchdog ends the process, and a
restart goes on: nothing but time hangs on it.

A broker that answers and hangs up at once, as it does after a refused login: where both are there when the client
looks, as on a busy machine, it drops the answer, and the refusal looks like a broker that is away.

A broker that refuses the connection: the socket is left to the garbage collector, one for each attempt.
"""

import functools
import logging
import time
from types import SimpleNamespace
from typing import Any

from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.producer.sender import Sender

log = logging.getLogger(__name__)

ASK_AGAIN_S = 0.1
"""Between two questions for a coordinator that is away; the client itself would ask without a pause."""


class PatientClient(KafkaNetClient):  # type: ignore[misc] # kafka-python is untyped
    """The network client of a producer: an answer where the stock one raises."""

    _away: frozenset[Any] = frozenset()

    def await_ready(self, node_id: Any, timeout_ms: float = 30_000) -> bool:
        """Whether the node can be sent to, within the time."""
        try:
            ready = bool(super().await_ready(node_id, timeout_ms=timeout_ms))
        except KafkaError as error:
            if node_id not in self._away:
                log.info("broker %s cannot be reached yet (%s; asked again, said once)", node_id, type(error).__name__)
            self._away |= {node_id}
            time.sleep(ASK_AGAIN_S)
            return False
        self._away -= {node_id}
        return ready


def heard_out(transport: Any) -> Any:
    """The same transport; what it has received counts before the end of the connection does."""
    receive = getattr(transport, "_sock_recv", None)
    if receive is None:
        return transport

    def received(*args: Any) -> tuple[bytes, Exception | None]:
        data, error = receive(*args)
        return data, None if data else error  # an end is still there at the next look

    transport._sock_recv = received  # noqa: SLF001 - the very place where it is lost
    return transport


def producer_client() -> type[KafkaNetClient]:
    """The class of a producer's network client: PatientClient where this version of kafka-python needs it."""
    return PatientClient if is_needed() else KafkaNetClient


@functools.cache
def is_needed() -> bool:
    """Whether this version of kafka-python loses the request when `await_ready` raises, and keeps it after a no."""
    return _keeps_request(answers=True) and not _keeps_request(answers=False)


def _keeps_request(*, answers: bool) -> bool:
    """What the client's own sender does, with stand-ins for all that it talks to."""
    kept: list[object] = []

    def await_ready(*_: object, **__: object) -> bool:
        if answers:
            return False
        raise KafkaConnectionError("away")

    request = SimpleNamespace(request=None, coordinator_type="transaction", needs_coordinator=lambda: True)
    transaction = SimpleNamespace(
        is_completing=lambda: False,
        next_request_handler=lambda _: request,
        coordinator=lambda _: 1,
        lookup_coordinator_for_request=lambda _: None,
        retry=kept.append,
    )
    sender = SimpleNamespace(
        _transaction_manager=transaction,
        _accumulator=SimpleNamespace(has_incomplete=False),
        _client=SimpleNamespace(await_ready=await_ready),
        _running=True,
        _force_close=False,
        config={"request_timeout_ms": 1_000},
    )
    logger = logging.getLogger("kafka.producer.sender")
    before, logger.disabled = logger.disabled, True
    try:
        Sender._maybe_send_pending_request(sender)  # noqa: SLF001 - the very place where it is lost
    except Exception:  # noqa: BLE001 - whatever a changed private API raises, the repair is not for it
        return False
    finally:
        logger.disabled = before
    return kept == [request]


def close_sockets_in_vain() -> None:
    """A socket whose connection fails is closed, by every client of this process from now on."""
    connect = getattr(KafkaNetSocket, "sock_connect", None)
    if connect is None or hasattr(connect, "__wrapped__"):
        return

    @functools.wraps(connect)
    async def closing(self: Any, net: Any, sock: Any, *args: Any, **more: Any) -> Any:
        try:
            return await connect(self, net, sock, *args, **more)
        except BaseException:
            sock.close()
            raise

    KafkaNetSocket.sock_connect = closing
