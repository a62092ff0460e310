"""How much does kafka-python take from a socket at once? As much as is there, instead of 4 KiB.

Between two reads a thread gives Python's lock away, and gets it back only when the thread that decodes has had its five
milliseconds: an answer of 8 MiB would wait for it two thousand times.
"""

from typing import Any

from kafka.net.transport import KafkaTCPTransport

READ_BYTES = 256 << 10
"""Of one read: as much as Linux keeps ready of a fast connection."""


def gulping(transport: Any) -> Any:
    """The same transport, reading up to READ_BYTES at once. One over TLS is left as it is: TLS hands out 16 KiB."""
    receive, socket = getattr(transport, "_sock_recv", None), getattr(transport, "_sock", None)
    if type(transport) is not KafkaTCPTransport or receive is None or socket is None:
        return transport

    def received() -> tuple[bytes, Exception | None]:
        try:
            found: bytes = socket.recv(READ_BYTES)
        except OSError:
            found = b""
        # Nothing there, an end, an error: the transport itself tells them apart, as ever.
        return (found, None) if found else receive()

    transport._sock_recv = received  # noqa: SLF001 - the only place where a size is named
    return transport
