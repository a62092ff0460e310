"""A business figure on a topic of a real broker: watched by a run, over a restart, and lived again from its journal."""

import json

import pytest

from tests.kafka.conftest import START_MS, STEP_MS

pytestmark = pytest.mark.kafka

EVERY = 50
"""Rows of predictions between two values."""


def test_a_kpi_is_watched_over_a_restart_and_lived_again(world, topic, producer):
    kpi = topic()
    declared = f"  kpi: {{topic: {kpi}, value: eur}}\n  predictions:"
    config = world.folder / "config.yaml"
    text = config.read_text().replace("  predictions:", declared)
    config.write_text(text.replace("monitors:\n", "monitors:\n  - {on: kpi, alert: {cooldown: 10s}}\n"))

    def values(first, last):
        out = producer(linger_ms=20)
        for row in range(first, last, EVERY):
            euros = 100.0 + row // EVERY * 31 % 7 - (60.0 if row >= 4_000 else 0.0)
            value = b"garbage" if row == 1_000 else json.dumps({"eur": euros}).encode()
            out.send(kpi, value, partition=0, timestamp_ms=START_MS + row * STEP_MS)
        out.flush()

    values(0, 3_000)
    world.run()
    world.publish(world.events, 3_000, 6_000, partitions=2)
    values(3_000, 6_000)
    world.run()
    fired = [alert for alert in map(json.loads, world.alerts) if alert["state"] == "firing"]
    assert "kpi-mean" in {alert["monitor"] for alert in fired}
    done = world.cli("backtest", "config.yaml", "--journal", "topic", "--alerts", "again.jsonl", "--json", "told.json")
    assert done.returncode == 0, done.stdout + done.stderr
    again = (world.folder / "again.jsonl").read_bytes().splitlines()
    assert again[: len(world.alerts)] == world.alerts, "a backtest closes the panes at the end as well"
    told = json.loads((world.folder / "told.json").read_bytes())
    assert told["partitions"][f"{kpi}[0]"] == {"accepted": 119, "late": 0, "rejected": {"not JSON": 1}}
    assert {each["against"] for each in told["kpi"]} >= {"drift"}
