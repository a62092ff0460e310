"""A challenger in shadow on a topic of a real broker: compared over a restart, and the same in a backtest."""

import json

import pytest

from tests.kafka.conftest import START_MS, STEP_MS

pytestmark = pytest.mark.kafka


def test_a_challenger_is_compared_over_a_restart_and_in_a_backtest(world, topic, producer):
    champion, labels, shadow = topic(partitions=2), topic(), topic(partitions=2)
    declared = f"""
    topic: {champion}
    id: id
    prediction: said
    task: binary
    features: {{amount: numeric}}
    segments: [tier]
  labels: {{topic: {labels}, id: id, label: truth, horizon: 10m}}
  shadow: {{topic: {shadow}, id: id, prediction: said, name: forest}}
"""
    old = f"""
    topic: {world.events}
    id: id
    features: {{amount: numeric}}
    segments: [tier]
"""
    world.write(changed=(old, declared))

    def publish(first, last):
        """The champion is right four times of five, the challenger nine of ten; it speaks last of one id in seven."""
        out = producer(linger_ms=20)
        for row in range(first, last):
            at, truth = START_MS + row * STEP_MS, row * 7919 % 2
            event = {"id": f"e{row}", "amount": 10.0 + row * 7919 % 101 / 10, "tier": "gold" if row % 3 else "blue"}
            said = truth if row * 31 % 5 else 1 - truth
            other = truth if row * 37 % 10 else 1 - truth
            out.send(champion, json.dumps({**event, "said": said}).encode(), partition=row % 2, timestamp_ms=at)
            label = {"id": f"e{row}", "truth": truth}
            out.send(labels, json.dumps(label).encode(), partition=0, timestamp_ms=at + 20_000)
            value = b"garbage" if row == 500 else json.dumps({"id": f"e{row}", "said": other}).encode()
            late = 40_000 if row % 7 == 0 else 1_000
            out.send(shadow, value, partition=row % 2, timestamp_ms=at + late)
        out.flush()

    publish(0, 2_000)
    world.run()
    publish(2_000, 4_000)
    world.run()
    done = world.cli("backtest", "config.yaml", "--journal", "topic", "--json", "told.json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((world.folder / "told.json").read_bytes())["shadow"]
    assert told["join"]["predictions"] == 3_999
    (all_rows, *by_tier) = told["compared"]
    assert (all_rows["champion"], all_rows["challenger"], all_rows["verdict"]) == ("champion", "forest", "wins")
    assert all_rows["rows"] == told["join"]["predictions_matched"] > 3_800
    assert {each["segment"]["tier"] for each in by_tier} == {"gold", "blue"}
    shown = world.cli("state", "check", "config.yaml")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    waiting = world.json("show")["shadow"]
    assert waiting["predictions"] > 3_500, "but for open panes"
    again = world.cli("backtest", "config.yaml", "--state", str(world.directory), "--json", "later.json")
    assert again.returncode == 0, again.stdout + again.stderr
    later = json.loads((world.folder / "later.json").read_bytes())["shadow"]
    assert later["compared"] == told["compared"], "what two runs kept, and what one replay found"
