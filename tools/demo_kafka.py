"""The demo through a real broker: publish the simulated payments, run `configs/payments.yaml`, read the alerts back.

`make demo-kafka`. The broker is the one at STREAMCHECK_TEST_KAFKA, or else one started here (Java 17 and Maven).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script: tools is a folder beside the package

import orjson  # noqa: E402
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from streamcheck.adapters.kafka.publish import Publisher, make_topics  # noqa: E402
from streamcheck.adapters.simulate import PaymentsStream  # noqa: E402
from streamcheck.adapters.simulate.traffic import HOUR_MS  # noqa: E402
from streamcheck.config.load import load  # noqa: E402
from tools.kafka_cluster import ADDRESS_VARIABLE, KafkaCluster, NoBrokerError, missing  # noqa: E402

CONFIG = ROOT / "configs" / "payments.yaml"
HOURS = 9.5
"""Of event time: three of the six incidents, 170,000 events."""
RUN_S_MAX = 240.0
READ_S_MAX = 30.0
GAUGES = (
    "streamcheck_events_total",
    "streamcheck_watermark_seconds",
    "streamcheck_lag_records",
    "streamcheck_join_pending",
    "streamcheck_alerts_total",
    "streamcheck_accuracy",
)
SHOWN_PER_GAUGE = 4

console = Console(width=None if Console().is_terminal else 140, highlight=False)


@contextmanager
def broker() -> Iterator[str]:
    """The address of a broker, for as long as this lasts. Ends the program where none can be had."""
    address = os.environ.get(ADDRESS_VARIABLE)
    if address:
        console.print(f"Using the broker at {address}")
        yield address
        return
    if need := missing():
        sys.exit(
            f"make demo-kafka needs a Kafka broker, and one cannot be started here without {need}.\n"
            f"Install it, or name a broker: {ADDRESS_VARIABLE}=localhost:9092 make demo-kafka\n"
            "(`docker compose up -d kafka` starts one). `make demo` needs none."
        )
    console.print("Starting a broker …")
    with KafkaCluster() as cluster:
        console.print(f"A broker runs at {cluster.bootstrap}")
        yield cluster.bootstrap


def prepare(bootstrap: str, stream: PaymentsStream, *, replace: bool) -> None:
    """Fresh topics for the stream. What is there already is removed only when the user says so."""
    topics = load(CONFIG, {"KAFKA_BOOTSTRAP": bootstrap}).settings.topics
    own = [topics.alerts, f"{topics.alerts}.positions", topics.journal, topics.dead_letter, topics.late]
    named = {source.topic for source in stream.partitions()}
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        old = sorted({*named, *filter(None, own)} & set(admin.list_topics()))
        if old and not replace:
            sys.exit(
                f"{bootstrap} already has {', '.join(old)}: of an earlier demo, or somebody's own?\n"
                "To remove them with all that they hold, and begin anew: make demo-kafka ARGS=--replace"
            )
        if old:
            admin.delete_topics(old)
            _until(lambda: not set(old) & set(admin.list_topics()), "the topics of an earlier demo to go")
    finally:
        admin.close()
    make_topics({"bootstrap_servers": bootstrap}, stream.partitions())


def publish(bootstrap: str, stream: PaymentsStream) -> int:
    """Send the whole stream; how many records it has."""
    count = 0
    with Publisher({"bootstrap_servers": bootstrap}) as publisher:
        for step in stream.steps():
            publisher.send(step.records)
            count += len(step.records)
    return count


def watch(bootstrap: str, folder: Path) -> tuple[str, str]:
    """Run `streamcheck run` until it has read everything.

    Returns what it printed, and the last page of gauges that was scraped while it ran.
    """
    command = ["-c", "from streamcheck.cli import main; main()", "run", str(CONFIG), "--until-end"]
    environment = {**os.environ, "KAFKA_BOOTSTRAP": bootstrap, "PYTHONPATH": str(ROOT)}
    address = load(CONFIG, environment).settings.listen
    assert address is not None, "configs/payments.yaml serves gauges"
    page = "http://{}:{}/metrics".format(*address)
    console.print(f"streamcheck run {CONFIG.relative_to(ROOT)} --until-end      gauges: {page}")
    gauges, deadline = "", time.monotonic() + RUN_S_MAX
    with subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                sys.exit(f"streamcheck run has not come to the end within {RUN_S_MAX:.0f} s")
            gauges = _scrape(page) or gauges
            time.sleep(0.25)
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"streamcheck run ended with exit code {process.returncode}")
    return said.strip(), gauges


def _scrape(page: str) -> str:
    """The gauges, or nothing while the page is not up."""
    try:
        with urllib.request.urlopen(page, timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def alerts(bootstrap: str) -> list[dict[str, Any]]:
    """Every transition in the alerts topic, as a reader of committed records sees it."""
    topic = load(CONFIG, {"KAFKA_BOOTSTRAP": bootstrap}).settings.topics.alerts
    where = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    found: list[dict[str, Any]] = []
    try:
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        end, deadline = consumer.end_offsets([where])[where], time.monotonic() + READ_S_MAX
        while consumer.position(where) < end:
            if time.monotonic() > deadline:
                sys.exit(f"topic {topic!r} was not read to its end within {READ_S_MAX:.0f} s")
            found += [orjson.loads(record.value) for record in consumer.poll(200).get(where, ())]
    finally:
        consumer.close()
    return found


def show(found: list[dict[str, Any]], gauges: str) -> None:
    """Alerts and gauges as tables."""
    table = Table(title="Alerts, read back from the alerts topic", title_justify="left", header_style="bold")
    for name in ("pane end", "state", "monitor", "segment", "summary"):
        table.add_column(name, overflow="fold")
    for alert in found:
        segment = ", ".join(f"{field}={value}" for field, value in alert["segment"].items())
        table.add_row(alert["pane_end"][11:19], alert["state"], alert["monitor"], segment, alert["summary"])
    console.print(table)
    console.print("Gauges, scraped while it ran", style="italic")
    for name in GAUGES:
        lines = [line for line in gauges.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        for line in lines[:SHOWN_PER_GAUGE]:
            console.print(f"  {line}", markup=False)
        if len(lines) > SHOWN_PER_GAUGE:
            console.print(f"  … {len(lines) - SHOWN_PER_GAUGE} more of {name}", markup=False)


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + READ_S_MAX
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited {READ_S_MAX:.0f} s for {what}")
        time.sleep(0.1)


def main() -> int:
    """From an empty broker to alerts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=HOURS, help="event time to simulate (default: %(default)s)")
    parser.add_argument("--replace", action="store_true", help="remove the topics of an earlier demo first")
    chosen = parser.parse_args()
    stream = PaymentsStream(duration_ms=int(chosen.hours * HOUR_MS))
    try:
        with broker() as bootstrap, tempfile.TemporaryDirectory(prefix="streamcheck-demo-") as folder:
            prepare(bootstrap, stream, replace=chosen.replace)
            console.print(f"Published {publish(bootstrap, stream):,} events")
            for incident in stream.scenario.incidents:
                if incident.start_ms < stream.end_ms - stream.start_ms:
                    console.print(f"  {incident.start_ms / HOUR_MS:5.2f} h  {incident.name}: {incident.expected}")
            said, gauges = watch(bootstrap, Path(folder))
            found = alerts(bootstrap)
    except NoBrokerError as error:
        sys.exit(str(error))
    show(found, gauges)
    console.print(said)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
