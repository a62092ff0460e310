"""A broker with TLS, SASL and an authorizer beside its plain listener, whose users may do everything."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from tests.conftest import CLIENT_LEAKS, quiet_start
from tests.hostile.service import Service
from tools.kafka_cluster import KafkaCluster, missing

HERE = Path(__file__).parent
TLS_LEAKS = "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"  # the same over TLS
LISTENERS = {"SECURE": "SASL_SSL", "TLS": "SSL"}
USER, PASSWORD = "svc", "canary-4f81c2"
SCRAM_USER, SCRAM_PASSWORD = "scrammer", "canary-9d03be"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")
            item.add_marker(pytest.mark.filterwarnings(CLIENT_LEAKS))
            item.add_marker(pytest.mark.filterwarnings(TLS_LEAKS))


@pytest.fixture(autouse=True)
def clean(no_leaks_for_others: None) -> None:
    """For every test of this folder."""


@dataclass(frozen=True)
class Broker:
    """The cluster, the authority that signed its certificate, another one, and a client that may do everything."""

    cluster: KafkaCluster
    authority: Path
    stranger: Path
    admin: KafkaAdminClient

    def login(self, **changes: object) -> dict[str, object]:
        """Settings of the user whose rights are to be given."""
        return {
            "bootstrap_servers": self.cluster.addresses["SECURE"],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": USER,
            "sasl_plain_password": PASSWORD,
            "ssl_cafile": str(self.authority),
        } | changes


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificates(folder: Path) -> None:
    """An authority (ca.pem), a broker's certificate with its key (server.pem), and a stranger (other.pem)."""
    for name in ("ca", "other"):
        subject = ["-subj", f"/CN=streamcheck test {name}", "-days", "2"]
        out = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *out)
    _openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout", "s.key", "-out", "s.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    _openssl(folder, "x509", "-req", "-in", "s.csr", *signer, "-out", "s.pem")
    (folder / "server.pem").write_text((folder / "s.key").read_text() + (folder / "s.pem").read_text())


def settings(folder: Path) -> dict[str, object]:
    """Server properties: users, certificate, authorizer; whoever comes in by the plain listener may do everything."""
    security = "org.apache.kafka.common.security"
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.secure.plain.sasl.jaas.config": (
            f'{security}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "server.pem",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    }


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if need := missing():
        pytest.skip(f"NO KAFKA: hostile input and security are NOT tested here; needs {need}")
    folder = tmp_path_factory.mktemp("certificates")
    certificates(folder)
    with quiet_start(KafkaCluster(1, settings(folder), LISTENERS)) as cluster:
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        scram = UserScramCredentialUpsertion(SCRAM_USER, ScramMechanism.SCRAM_SHA_256, SCRAM_PASSWORD)
        admin.alter_user_scram_credentials([scram])
        yield Broker(cluster, folder / "ca.pem", folder / "other.pem", admin)
        admin.close()


@pytest.fixture
def producer(broker: Broker) -> Iterator[Callable[..., KafkaProducer]]:
    """Makes producers, and closes them."""
    made: list[KafkaProducer] = []

    def make(**more: object) -> KafkaProducer:
        made.append(KafkaProducer(bootstrap_servers=broker.cluster.bootstrap, **more))
        return made[-1]

    yield make
    for client in made:
        client.close(timeout=5)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services, and ends those that are still there."""
    started: list[Service] = []

    def start(config: str, *options: str, **environ: str) -> Service:
        started.append(Service(tmp_path, config, *options, environ=environ))
        return started[-1]

    yield start
    for service in started:
        service.kill()
