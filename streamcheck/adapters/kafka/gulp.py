"""How much does kafka-python take from a socket at once? As much as is there, instead of 4 KiB.

Between two reads a thread gives Python's lock away, and gets it back only when the thread that decodes has had its five
milliseconds: an answer of 8 MiB would wait for it two thousand times. A large answer is read right into its frame.
"""

from typing import Any

from kafka.net.transport import KafkaTCPTransport

from streamcheck.adapters.kafka.frames import Frame

READ_BYTES = 64 << 10
"""Of one read, where no frame is open: of what is no records all, of an answer's beginning enough."""


def gulping(transport: Any) -> Any:
    """The same transport, reading all that is there at once. One over TLS is left as it is: TLS hands out 16 KiB."""
    receive, socket = getattr(transport, "_sock_recv", None), getattr(transport, "_sock", None)
    if type(transport) is not KafkaTCPTransport or receive is None or socket is None:
        return transport

    def received() -> tuple[bytes, Exception | None]:
        frame = _open_frame(transport)
        try:
            if frame is not None:
                count: int = socket.recv_into(frame.room)
                if count:
                    frame.filled(count)
                    return b"", None  # the last byte comes in the ordinary way, and with it all is seen to be there
            else:
                found: bytes = socket.recv(READ_BYTES)
                if found:
                    return found, None
        except OSError:
            pass
        left: tuple[bytes, Exception | None] = receive()
        return left  # nothing there, an end, an error: the transport itself tells them apart, as ever

    transport._sock_recv = received  # noqa: SLF001 - the only place where a size is named
    return transport


def _open_frame(transport: Any) -> Frame | None:
    """The answer that is being received, where it has a frame with room in it."""
    parser = getattr(getattr(transport, "_protocol", None), "parser", None)
    frame = getattr(parser, "_rbuffer", None)
    return frame if isinstance(frame, Frame) and len(frame.room) else None
