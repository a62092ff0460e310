"""Does a connection hand over what is there at once, and tell silence, an end and an error apart as before?"""

import socket
from types import SimpleNamespace

import pytest
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from streamcheck.adapters.kafka.frames import BYTES_MIN, Frame
from streamcheck.adapters.kafka.gulp import READ_BYTES, gulping


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


class Counting:
    """A socket whose reads are counted."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner, self.reads = inner, 0

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self.inner.recv(size)

    def recv_into(self, room: memoryview) -> int:
        self.reads += 1
        return self.inner.recv_into(room)


def test_what_is_there_comes_in_one_read(pair) -> None:
    ours, theirs = pair
    counted = Counting(ours)
    transport = gulping(KafkaTCPTransport(None, counted))
    sent = bytes(range(256)) * 256
    theirs.sendall(sent)
    found, error = transport._sock_recv()
    assert (found, error, counted.reads) == (sent, None, 1)
    assert len(sent) <= READ_BYTES


def test_silence_and_an_end_are_what_they_were(pair) -> None:
    ours, theirs = pair
    transport = gulping(KafkaTCPTransport(None, ours))
    assert transport._sock_recv() == (b"", None)
    theirs.sendall(b"last")
    theirs.close()
    assert transport._sock_recv() == (b"last", None)
    found, error = transport._sock_recv()
    assert found == b""
    assert "disconnected" in str(error)


def test_an_error_is_told_by_the_transport_itself(pair) -> None:
    ours, _ = pair
    transport = gulping(KafkaTCPTransport(None, ours))
    ours.close()
    found, error = transport._sock_recv()
    assert found == b""
    assert "Bad file descriptor" in str(error)


def test_an_answer_is_read_where_it_belongs_but_for_its_last_byte(pair) -> None:
    """The parser sees that all is there when the last byte comes; what follows it is the next answer's."""
    ours, theirs = pair
    frame = Frame(BYTES_MIN)
    transport = gulping(KafkaTCPTransport(None, ours))
    transport._protocol = SimpleNamespace(parser=SimpleNamespace(_rbuffer=frame))
    answer = bytes(range(256)) * (BYTES_MIN // 256)
    frame.write(answer[:100])
    theirs.sendall(answer[100:5_000])
    assert transport._sock_recv() == (b"", None)
    assert transport._sock_recv() == (b"", None)  # nothing is there, and nothing is lost
    assert frame.tell() == 5_000
    theirs.sendall(answer[5_000:] + b"next")
    while frame.tell() < len(answer) - 1:
        assert transport._sock_recv() == (b"", None)
    assert transport._sock_recv() == (answer[-1:] + b"next", None)
    frame.write(answer[-1:])
    frame.seek(0)
    assert bytes(frame.read()) == answer
    theirs.close()
    assert "disconnected" in str(transport._sock_recv()[1])


def test_an_end_amid_an_answer_is_an_end(pair) -> None:
    ours, theirs = pair
    transport = gulping(KafkaTCPTransport(None, ours))
    transport._protocol = SimpleNamespace(parser=SimpleNamespace(_rbuffer=Frame(BYTES_MIN)))
    theirs.sendall(b"half")
    theirs.close()
    assert transport._sock_recv() == (b"", None)
    assert "disconnected" in str(transport._sock_recv()[1])


def test_others_are_left_alone() -> None:
    assert gulping(None) is None
    encrypted = KafkaSSLTransport.__new__(KafkaSSLTransport)
    before = encrypted._sock_recv
    assert gulping(encrypted)._sock_recv == before
