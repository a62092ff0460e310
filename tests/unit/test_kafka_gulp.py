"""Does a connection hand over what is there at once, and tell silence, an end and an error apart as before?"""

import socket

import pytest
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

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


def test_what_is_there_comes_in_one_read(pair) -> None:
    ours, theirs = pair
    counted = Counting(ours)
    transport = gulping(KafkaTCPTransport(None, counted))
    sent = bytes(range(256)) * 256
    theirs.sendall(sent)
    found, error = transport._sock_recv()
    assert (found, error, counted.reads) == (sent, None, 1)
    assert len(sent) < READ_BYTES


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


def test_others_are_left_alone() -> None:
    assert gulping(None) is None
    encrypted = KafkaSSLTransport.__new__(KafkaSSLTransport)
    before = encrypted._sock_recv
    assert gulping(encrypted)._sock_recv == before
