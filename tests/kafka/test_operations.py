"""A partition that stalls, on a real broker: the record arrives, and one that it goes on; a healthy run says none."""

import json
import os
import socket
import time
import urllib.request
from typing import Any

import pytest

pytestmark = pytest.mark.kafka

HEALTHY_S = 7
OPERATIONS = """
operations: {stalled_after: 5s, resolve_after: 1s, broker_after: 1m, owner: platform, severity: page}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_an_open_transaction_stalls_a_partition_and_its_end_resolves_the_alert(
    world: Any, producer: Any, admin: Any, client: str
) -> None:
    port, topic = free_port(), f"{world.name}.ops"
    world.write(more=OPERATIONS, changed=("owner: me", f"owner: me, operations_topic: {topic}"))
    config = world.folder / "config.yaml"
    text = config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
    config.write_text(text.replace("kafka: {", f"kafka: {{client: {client}, "))

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def said() -> list[dict[str, Any]]:
        return [json.loads(record) for record in world.records(topic)] if topic in admin.list_topics() else []

    def shown(value: str) -> bool:
        return f'streamcheck_operational_alert{{name="stalled"}} {value}' in get("/metrics")

    world.start()

    def has_read() -> bool:
        try:
            partitions = json.loads(get("/api/status"))["partitions"]
        except OSError:
            return False
        return bool(partitions) and all(each["lag"] == 0 and each["accepted"] for each in partitions)

    world.until(has_read, "all to be read")
    read_s = time.monotonic()
    world.until(lambda: time.monotonic() > read_s + HEALTHY_S, "longer than stalled_after")
    assert said() == [], "a healthy run says nothing"
    writer = producer(transactional_id=f"hangs-{os.getpid()}-{client}")
    writer.init_transactions()
    writer.begin_transaction()
    writer.send(world.events, b'{"id": "t", "amount": 10, "tier": "general"}', partition=0).get(timeout=10)

    world.until(lambda: [each["state"] for each in said()] == ["firing"], "the alert")
    [fired] = said()
    assert (fired["kind"], fired["name"], fired["owner"], fired["severity"]) == (
        "operational", "stalled", "platform", "page",
    )  # fmt: skip
    assert f"{world.events}[0]" in fired["what"]
    assert f"{world.events}[1]" not in fired["what"]
    assert shown("1.0")
    assert "streamcheck itself, stalled" in get("/")
    assert json.loads(get("/api/alerts"))["operational"] == [fired]

    writer.commit_transaction()
    world.until(lambda: len(said()) == 2, "its end")
    over = said()[1]
    assert (over["state"], over["id"], over["since"]) == ("resolved", fired["id"], fired["since"])
    world.until(lambda: shown("0.0"), "the gauge")
    assert all(json.loads(alert).get("kind") != "operational" for alert in world.alerts), "no part of the alert log"
