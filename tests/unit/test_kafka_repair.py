"""Does kafka-python still lose a request and an answer, and are the repairs taken off where they are not needed?"""

import socket
from contextlib import suppress
from types import SimpleNamespace

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaTCPTransport
from kafka.producer.sender import Sender

from streamcheck.adapters.kafka import client, repair


@pytest.fixture(autouse=True)
def asked_anew():
    repair.is_needed.cache_clear()
    yield
    repair.is_needed.cache_clear()


def test_the_client_loses_a_request_whose_coordinator_is_away() -> None:
    assert repair.is_needed(), "kafka-python has put it right: adapters/kafka/repair.py can go"
    assert repair.producer_client() is repair.PatientClient


def test_a_client_that_keeps_the_request_is_left_alone(monkeypatch) -> None:
    def keeps(self) -> None:
        with suppress(KafkaConnectionError):
            self._client.await_ready(1)
        self._transaction_manager.retry(self._transaction_manager.next_request_handler(False))

    monkeypatch.setattr(Sender, "_maybe_send_pending_request", keeps)
    assert repair.producer_client() is KafkaNetClient


def test_a_client_that_has_changed_is_left_alone(monkeypatch) -> None:
    monkeypatch.delattr(Sender, "_maybe_send_pending_request")
    assert repair.producer_client() is KafkaNetClient


@pytest.mark.parametrize(("away", "answer"), [(True, False), (False, True)])
def test_a_node_that_is_away_is_an_answer(monkeypatch, away, answer) -> None:
    def await_ready(*_args, **_more) -> bool:
        if away:
            raise KafkaConnectionError("away")
        return True

    monkeypatch.setattr(KafkaNetClient, "await_ready", await_ready)
    monkeypatch.setattr(repair, "ASK_AGAIN_S", 0)
    patient = repair.PatientClient.__new__(repair.PatientClient)
    assert patient.await_ready(1) is answer


def test_a_node_that_stays_away_is_told_of_once(monkeypatch, caplog) -> None:
    """The sender asks ten times a second."""
    away = True

    def await_ready(*_args, **_more) -> bool:
        if away:
            raise KafkaConnectionError("Node 1 not ready after 10000 ms")
        return True

    monkeypatch.setattr(KafkaNetClient, "await_ready", await_ready)
    monkeypatch.setattr(repair, "ASK_AGAIN_S", 0)
    patient = repair.PatientClient.__new__(repair.PatientClient)
    caplog.set_level("INFO", "streamcheck")
    assert [patient.await_ready(node) for node in (1, 1, 2, 1)] == [False] * 4
    assert len(caplog.messages) == 2
    away = False
    assert patient.await_ready(1)
    away = True
    patient.await_ready(1)
    assert caplog.messages[2:] == ["broker 1 cannot be reached yet (KafkaConnectionError; asked again, said once)"]


@pytest.mark.parametrize(("kind", "expected"), [(KafkaProducer, repair.PatientClient), (KafkaConsumer, KafkaNetClient)])
def test_producers_alone_are_repaired(kind, expected) -> None:
    made = []

    class Noted(kind):
        def __init__(self, **configs) -> None:
            network = configs["kafka_client"](bootstrap_servers="127.0.0.1:1")
            made.append(type(network))
            network.close()

        def __del__(self) -> None:
            """There is nothing to be closed."""

    client.connect(Noted, {})
    assert made == [expected]


def what_is_heard(repaired) -> list[object]:
    """Of an answer whose sender has hung up before anyone looked: what reaches the protocol, and how it ends."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        theirs.sendall(b"refused: wrong password")
        theirs.close()
        heard: list[object] = []

        async def ready(_socket) -> None:
            """It is."""

        transport = KafkaTCPTransport.__new__(KafkaTCPTransport)
        transport._sock, transport._read, transport._closed, transport.host = ours, True, False, "a"
        transport._net = SimpleNamespace(wait_read=ready)
        transport._protocol = SimpleNamespace(data_received=heard.append, _sensors=None)
        transport.abort = lambda error: heard.append(type(error))
        with suppress(StopIteration):
            repaired(transport)._read_from_sock().send(None)
        return heard


def test_the_client_drops_an_answer_before_the_end_of_a_connection(caplog) -> None:
    caplog.set_level("CRITICAL", "kafka")
    assert what_is_heard(lambda transport: transport) == [KafkaConnectionError], "kafka-python has put it right"
    assert what_is_heard(repair.heard_out) == [b"refused: wrong password", KafkaConnectionError]


def test_a_transport_that_has_changed_is_left_alone() -> None:
    other = SimpleNamespace()
    assert repair.heard_out(other) is other
    assert vars(other) == {}


def left_of_a_refused_connection(connect) -> int:
    """The socket's number after nobody has listened; -1 once it is closed."""

    async def ready(*_args, **_more) -> None:
        """It is."""

    with socket.socket() as own, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        own.setblocking(False)
        coroutine = connect(KafkaNetSocket(None), SimpleNamespace(wait_write=ready), own, nobody.getsockname())
        with pytest.raises(KafkaConnectionError):
            coroutine.send(None)
        return own.fileno()


def test_the_client_leaves_sockets_open_and_the_repair_closes_them() -> None:
    repair.close_sockets_in_vain()
    repaired = KafkaNetSocket.sock_connect
    repair.close_sockets_in_vain()
    assert KafkaNetSocket.sock_connect is repaired, "repaired twice"
    assert left_of_a_refused_connection(repaired.__wrapped__) != -1, "kafka-python has put it right"
    assert left_of_a_refused_connection(repaired) == -1
