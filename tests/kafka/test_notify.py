"""A running service tells a webhook of its incidents: once each, across a restart, and not what is silenced."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from streamcheck.adapters.kafka.publish import Publisher, make_topics
from streamcheck.adapters.simulate import PaymentsStream
from streamcheck.adapters.simulate.payments import LABELS, PREDICTIONS

DEADLINE_S = 120.0


@pytest.fixture
def told():
    """(address, what was posted)."""
    posts: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", posts
    server.shutdown()
    server.server_close()
    thread.join()


def config(bootstrap: str, url: str, folder: Path) -> Path:
    text = {
        "version": 1, "name": "notify", "kafka": {"bootstrap_servers": bootstrap}, "start": "earliest",
        "streams": {"predictions": {"topic": PREDICTIONS, "id": "event_id", "time": {"field": "ts", "unit": "ms"},
                                    "features": {"amount": "numeric", "country": "categorical"}}},
        "time": {"pane": "1m", "lateness": "10s"}, "reference": {"first": "1h"}, "prometheus": {"listen": "off"},
        "alerts": {"topic": "notify.alerts", "owner": "risk"}, "state": {"dir": str(folder / "state")},
        "notify": [{"webhook": {"url": url}, "wait": "100ms"}],
    }  # fmt: skip
    path = folder / "c.yaml"
    path.write_text(json.dumps(text))
    return path


class Running:
    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "streamcheck", "run", str(path), "--no-supervise"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def stop(self) -> None:
        self.process.terminate()
        _, said = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, said


def test_each_incident_is_told_once(kafka, told, tmp_path: Path) -> None:
    url, posts = told
    path = config(kafka.bootstrap, url, tmp_path)
    stream = PaymentsStream(rate=1.0, duration_ms=int(4.2 * 3_600_000))
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        make_topics(kafka.settings, stream.partitions())
        with Publisher(kafka.settings) as publisher:
            for step in stream.steps():
                publisher.send(step.records)
        run, deadline = Running(path), time.monotonic() + DEADLINE_S
        while not any(alert["column"] == "amount" for post in posts for alert in post["alerts"]):
            assert time.monotonic() < deadline, run.process.poll()
            time.sleep(0.1)
        run.stop()
        seen = [(post["incident"], post["state"], len(post["alerts"])) for post in posts]
        assert len(set(seen)) == len(seen), "told twice"
        assert {post["config"] for post in posts} == {"notify"}
        before = len(posts)
        settings = json.loads(path.read_text())
        settings["notify"].append({"name": "new", "webhook": {"url": f"{url}/new"}, "wait": "100ms"})
        path.write_text(json.dumps(settings))
        again = Running(path)  # a way that was not there before is told what fires; the old one has heard it
        while not any(post["path"] == "/hook/new" for post in posts):
            assert time.monotonic() < deadline + DEADLINE_S, again.process.poll()
            time.sleep(0.1)
        again.stop()
        repeated = [
            (post["incident"], post["state"], len(post["alerts"])) for post in posts[before:] if post["path"] == "/hook"
        ]
        assert not set(repeated) & set(seen)
    finally:
        named = {PREDICTIONS, LABELS, "notify.alerts", "notify.alerts.positions"} & set(admin.list_topics())
        admin.delete_topics(sorted(named))
        admin.close()
