"""A challenger in shadow on a topic of a real broker: compared over a restart, the same in a backtest, added later."""

import json

import pytest

from tests.kafka.conftest import START_MS, STEP_MS

pytestmark = pytest.mark.kafka


class Topics:
    """A champion's topics and a challenger's, in one world."""

    def __init__(self, world, topic, producer):
        self.world, self.producer = world, producer
        self.champion, self.labels, self.shadow = topic(partitions=2), topic(), topic(partitions=2)

    def declare(self, *, challenger):
        """The config, with a challenger or without."""
        old = f"\n    topic: {self.world.events}\n    id: id\n    features: {{amount: numeric}}\n"
        new = f"\n    topic: {self.champion}\n    id: id\n    features: {{amount: numeric}}\n"
        new += "    prediction: said\n    task: binary\n"
        beside = f"  labels: {{topic: {self.labels}, id: id, label: truth, horizon: 10m}}\n"
        if challenger:
            beside += f"  shadow: {{topic: {self.shadow}, id: id, prediction: said, name: forest}}\n"
        self.world.write(changed=(old, new))
        config = self.world.folder / "config.yaml"
        config.write_text(config.read_text().replace("    segments: [tier]\n", f"    segments: [tier]\n{beside}"))

    def publish(self, first, last):
        """The champion is right four times of five, the challenger nine of ten; it speaks last of one id in seven."""
        out = self.producer(linger_ms=20)
        for row in range(first, last):
            at, truth = START_MS + row * STEP_MS, row * 7919 % 2
            event = {"id": f"e{row}", "amount": 10.0 + row * 7919 % 101 / 10, "tier": "gold" if row % 3 else "blue"}
            said = truth if row * 31 % 5 else 1 - truth
            other = truth if row * 37 % 10 else 1 - truth
            value = json.dumps({**event, "said": said}).encode()
            out.send(self.champion, value, partition=row % 2, timestamp_ms=at)
            value = json.dumps({"id": f"e{row}", "truth": truth}).encode()
            out.send(self.labels, value, partition=0, timestamp_ms=at + 20_000)
            value = b"garbage" if row == 500 else json.dumps({"id": f"e{row}", "said": other}).encode()
            late = 40_000 if row % 7 == 0 else 1_000
            out.send(self.shadow, value, partition=row % 2, timestamp_ms=at + late)
        out.flush()

    def backtest(self, *options):
        done = self.world.cli("backtest", "config.yaml", *options, "--json", "told.json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((self.world.folder / "told.json").read_bytes())["shadow"]


@pytest.fixture
def topics(world, topic, producer):
    return Topics(world, topic, producer)


def test_a_challenger_is_compared_over_a_restart_and_in_a_backtest(world, topics):
    topics.declare(challenger=True)
    topics.publish(0, 2_000)
    world.run()
    topics.publish(2_000, 4_000)
    world.run()
    told = topics.backtest("--journal", "topic")
    assert told["join"]["predictions"] == 3_999
    (all_rows, *by_tier) = told["compared"]
    assert (all_rows["champion"], all_rows["challenger"], all_rows["verdict"]) == ("champion", "forest", "wins")
    assert all_rows["rows"] == told["join"]["predictions_matched"] > 3_800
    assert {each["segment"]["tier"] for each in by_tier} == {"gold", "blue"}
    shown = world.cli("state", "check", "config.yaml")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert world.json("show")["shadow"]["predictions"] > 3_500, "but for open panes"
    later = topics.backtest("--state", str(world.directory))
    assert later["compared"] == told["compared"], "what two runs kept, and what one replay found"


def test_a_challenger_may_be_added_to_what_runs(world, topics):
    topics.declare(challenger=False)
    topics.publish(0, 2_000)
    world.run()
    before = world.json("show")
    assert before["shadow"] is None
    topics.declare(challenger=True)
    topics.publish(2_000, 4_000)
    noted = [each["text"] for each in world.json("check")["findings"]]
    assert f"{topics.shadow}[0] is new: it will join where the config's start says" in noted
    said = world.run()
    assert f"{topics.shadow}[1] is new: it joins from offset 0" in said
    after = world.json("show")
    assert after["lineage"] == before["lineage"]
    assert after["shadow"]["predictions"] > 3_500, "but for open panes"
    assert 1_500 < after["shadow"]["predictions_matched"] < 2_100, "rows that had their label before are not compared"
    assert len(world.lineages) <= 1
