"""A real Kafka for tests, the demo and benchmarks: one or three brokers from Maven's jars, without Docker.

`python tools/kafka_cluster.py` starts one, prints its address and stops it at Ctrl-C; `--nodes 3` starts three,
`--download` only fetches the jars. From Python: `with KafkaCluster() as cluster: … cluster.bootstrap …`.
Needs Java 17 or newer, and Maven for the first time.
"""

import argparse
import base64
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

ADDRESS_VARIABLE = "STREAMCHECK_TEST_KAFKA"
BROKER = Path(__file__).resolve().parent.parent / "tests" / "kafka" / "broker"
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
JAVA = (
    "java", "-Xms64m", "-Xmx384m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)  # fmt: skip
REAPER = 'while read -r each; do ids="$ids $each"; done; kill -9 $ids 2>/dev/null'
"""A shell that reads process ids until its parent, killed itself perhaps, is gone, and then ends them."""
START_S, STOP_S, POLL_S = 90.0, 30.0, 0.2


class NoBrokerError(RuntimeError):
    """A broker cannot be had here, and why."""


def missing() -> str | None:
    """What is needed to start a broker and is not there; None when one can be started."""
    if not shutil.which("java"):
        return "Java 17 or newer"
    if not jars_complete() and not shutil.which("mvn"):
        return "Maven (to fetch the broker's jars once)"
    return None


def jars_complete() -> bool:
    """Whether the jars that pom.xml asks for have all been fetched."""
    stamp = BROKER / "lib" / "complete"
    return stamp.exists() and stamp.read_text() == _pom_digest()


def _pom_digest() -> str:
    return hashlib.sha256((BROKER / "pom.xml").read_bytes()).hexdigest()


def fetch_jars() -> Path:
    """The folder of jars, filled by Maven the first time; parallel callers wait for one another.

    Raises NoBrokerError.
    """
    lib = BROKER / "lib"
    lib.mkdir(exist_ok=True)
    with (lib / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars_complete():
            return lib
        for jar in lib.glob("*.jar"):
            jar.unlink()
        command = ["mvn", "-q", "-B", "-f", str(BROKER / "pom.xml"), COPY_GOAL]
        command += [f"-DoutputDirectory={lib}", "-DincludeScope=runtime"]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            said = (outcome.stdout + outcome.stderr)[-3000:]
            raise NoBrokerError(f"Maven could not fetch the broker's jars:\n{said}")
        (lib / "complete").write_text(_pom_digest())
    return lib


class KafkaCluster:
    """`nodes` brokers in a temporary folder, each its own controller as well; numbered from 1.

    settings: server properties over the defaults below. listeners: further ones beside the plain one, name to security
    protocol; `addresses` tells where. A context manager; `stop` ends the brokers by their own process ids and removes
    the folder.
    """

    def __init__(
        self,
        nodes: int = 1,
        settings: Mapping[str, object] | None = None,
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = tuple(range(1, nodes + 1))
        self.home = Path(tempfile.mkdtemp(prefix="streamcheck-kafka-"))
        self.ports = {node: _free_port() for node in self.nodes}
        self._controllers = {node: _free_port() for node in self.nodes}
        self._listeners = dict(listeners or {})
        self._further = {(name, node): _free_port() for name in self._listeners for node in self.nodes}
        self._settings = dict(settings or {})
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._lib = Path()
        self._reaper: subprocess.Popen[str] | None = None

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses, as clients take them."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    @property
    def addresses(self) -> dict[str, str]:
        """The same for each further listener, by name, under `localhost`: certificates hold names."""
        return {
            name: ",".join(f"localhost:{self._further[name, node]}" for node in self.nodes) for name in self._listeners
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Format, start, and wait until every broker answers. Raises NoBrokerError."""
        if need := missing():
            raise NoBrokerError(f"a Kafka broker needs {need}")
        self._lib = fetch_jars()
        cluster_id = "s" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:21]
        try:
            for node in self.nodes:
                (self.home / f"node{node}").mkdir()
                lines = (f"{name}={value}\n" for name, value in self._properties(node).items())
                self._config(node).write_text("".join(lines))
                self._java(node, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._config(node)).wait()
            for node in self.nodes:
                self._launch(node)
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all brokers and remove their data."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        if self._reaper is not None:
            self._reaper.kill()
            self._reaper.communicate()
        shutil.rmtree(self.home, ignore_errors=True)

    def wait(self) -> None:
        """Return once every broker that runs has joined the cluster and answers."""
        deadline = time.monotonic() + START_S
        running = [node for node in self.nodes if self._processes[node].poll() is None]
        while True:
            try:
                admin = KafkaAdminClient(bootstrap_servers=self._addresses(running), bootstrap_timeout_ms=2_000)
                try:
                    if len(admin.describe_cluster()["brokers"]) == len(running):
                        return
                finally:
                    admin.close()
            except KafkaError:
                pass  # not up yet; the deadline below decides
            gone = [node for node in running if self._processes[node].poll() is not None]
            if gone or time.monotonic() > deadline:
                raise NoBrokerError(f"Kafka did not start:\n{self.log(gone[0] if gone else 1)[-3000:]}")
            time.sleep(POLL_S)

    def log(self, node: int = 1) -> str:
        """What a broker has said."""
        return (self.home / f"node{node}" / "server.log").read_text(errors="replace")

    def kill(self, node: int = 1) -> None:
        """As a power cut: nothing is flushed, nothing handed over."""
        self._processes[node].kill()
        self._processes[node].wait()

    def terminate(self, node: int = 1) -> None:
        """A controlled shutdown."""
        self._processes[node].terminate()
        self._processes[node].wait(STOP_S)

    def pause(self, node: int = 1) -> None:
        """As a frozen machine: connections stay open, nothing answers."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node: int = 1) -> None:
        """Go on after `pause`."""
        self._processes[node].send_signal(signal.SIGCONT)

    def restart(self, node: int = 1) -> None:
        """Start a broker that was killed or terminated, and wait until it answers."""
        self._launch(node)
        self.wait()

    def segments(self, topic: str, partition: int = 0, node: int = 1) -> list[Path]:
        """The log files of a partition, oldest first."""
        return sorted((self.home / f"node{node}" / "data" / f"{topic}-{partition}").glob("*.log"))

    def _addresses(self, nodes: list[int]) -> list[str]:
        return [f"127.0.0.1:{self.ports[node]}" for node in nodes]

    def _config(self, node: int) -> Path:
        return self.home / f"node{node}" / "server.properties"

    def _launch(self, node: int) -> None:
        self._processes[node] = process = self._java(node, "kafka.Kafka", self._config(node))
        if self._reaper is None:
            self._reaper = subprocess.Popen(
                ["/bin/sh", "-c", REAPER], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
        assert self._reaper.stdin is not None
        self._reaper.stdin.write(f"{process.pid}\n")
        self._reaper.stdin.flush()

    def _java(self, node: int, main: str, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        with (self.home / f"node{node}" / "server.log").open("ab") as output:
            return subprocess.Popen(
                [*JAVA, "-cp", f"{self._lib}/*", main, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def _properties(self, node: int) -> dict[str, object]:
        copies = min(3, len(self.nodes))
        in_sync = max(1, copies - 1)
        voters = ",".join(f"{each}@127.0.0.1:{port}" for each, port in self._controllers.items())
        further = [f"{name}://localhost:{self._further[name, node]}" for name in self._listeners]
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **self._listeners}
        open_ones = [f"PLAINTEXT://127.0.0.1:{self.ports[node]}", *further]
        return {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "listeners": ",".join([*open_ones, f"CONTROLLER://127.0.0.1:{self._controllers[node]}"]),
            "advertised.listeners": ",".join(open_ones),
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "log.dirs": self.home / f"node{node}" / "data",
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "num.partitions": 4,
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "unclean.leader.election.enable": "false",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 3,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": 0,
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            "replica.lag.time.max.ms": 3_000,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "log.cleaner.backoff.ms": 500,
            "log.retention.check.interval.ms": 1_000,
            "message.max.bytes": 12 << 20,
            "replica.fetch.max.bytes": 12 << 20,
            **self._settings,
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    """Start brokers from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 3))
    parser.add_argument("--download", action="store_true", help="only fetch the jars")
    chosen = parser.parse_args()
    if chosen.download:
        fetch_jars()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with KafkaCluster(chosen.nodes) as cluster:
        sys.stdout.write(f"{cluster.bootstrap}\n")
        sys.stdout.flush()
        try:
            signal.pause()
        except KeyboardInterrupt:
            sys.stderr.write("stopping\n")
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
