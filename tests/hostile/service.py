"""`streamcheck run` as a process of its own: run to the end, or watched while it runs."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

ROOT = Path(__file__).parents[2]
WAIT_S = 90.0


class Service:
    """One process: what it says, where its pages are, how it ends. rss_mb: its peak, once it has ended."""

    def __init__(self, folder: Path, config: str, *options: str, environ: Mapping[str, str] | None = None) -> None:
        self.log = folder / f"log-{time.monotonic_ns()}"
        path = folder / f"config-{time.monotonic_ns()}.yaml"
        path.write_text(config)
        self.rss_mb = 0.0
        self.code: int | None = None
        command = [sys.executable, "-m", "streamcheck", "run", str(path), "--no-supervise", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def said(self) -> str:
        """Everything on both channels so far."""
        return self.log.read_text(errors="backslashreplace")

    def running(self) -> bool:
        """Whether it has not ended; notes how it did."""
        if self.code is None:
            number, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if number:
                self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
                self.rss_mb = usage.ru_maxrss / 1024
        return self.code is None

    def ended(self) -> int:
        """Wait until it ends by itself."""
        deadline = time.monotonic() + WAIT_S
        while self.running():
            assert time.monotonic() < deadline, f"does not end:\n{self.said()[-4000:]}"
            time.sleep(0.05)
        assert self.code is not None
        return self.code

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something that comes while it lives."""
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert self.running(), f"ended before {what}:\n{self.said()[-4000:]}"
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.said()[-4000:]}"
            time.sleep(0.1)
        return found

    def get(self, path: str) -> tuple[int, str]:
        """A page."""
        address = self.until(lambda: re.search(r"gauges at (http://\S+)/", self.said()), "the page")[1]
        try:
            with urllib.request.urlopen(address + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self) -> None:
        """SIGTERM; it must end well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.ended() == 0, self.said()[-4000:]

    def kill(self) -> None:
        """Whatever the test made of it."""
        if self.running():
            self.process.kill()
            self.code = self.process.wait()


def committed(bootstrap: str, topic: str) -> list[Any]:
    """The records of a topic as a reader of committed ones sees them, by partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    try:
        parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, deadline, found = consumer.end_offsets(parts), time.monotonic() + WAIT_S, []
        while any(consumer.position(part) < ends[part] for part in parts):
            assert time.monotonic() < deadline, f"{topic} does not come to its end"
            found += [record for batch in consumer.poll(200).values() for record in batch]
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def without_lineage(records: list[Any]) -> list[tuple[bytes, bytes]]:
    """Keys and bytes of alerts, but for the name of the state's life."""
    return [(record.key, re.sub(rb'"lineage":"[0-9a-f]*",', b"", record.value)) for record in records]
