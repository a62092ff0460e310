"""What does a run refuse, and does `state check` say the same?"""

import json
import re
import sqlite3

import pytest
from kafka import TopicPartition
from kafka.admin import NewPartitions

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.runtime.opening import TOPICS
from streamcheck.runtime.ports import Commit

pytestmark = pytest.mark.kafka

START_MS, STEP_MS = 1_767_225_600_000, 250
"""Of the rows that `world` publishes."""


def change(world, statement: str) -> None:
    connection = sqlite3.connect(world.directory / "state.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def test_more_partitions_and_other_topics(world, admin, topic) -> None:
    world.run()
    admin.create_partitions({world.events: NewPartitions(total_count=3)})
    world.until(lambda: len(admin.describe_topics([world.events])[0]["partitions"]) == 3, "the partition")
    assert world.findings(0) == {}
    notes = [f["text"] for f in world.json("check")["findings"] if f["level"] == "note"]
    assert f"{world.events}[2] is new: it will join from offset 0" in notes
    world.run()
    assert len(world.json("show")["partitions"]) == 3
    events = world.events
    world.write(changed=(f"topic: {events}\n", f"topic: {topic()}\n"))
    assert "other `streams` or `time` settings" in world.run(code=1)
    assert "other `streams` or `time` settings" in world.findings(1)["config"]


def test_positions_that_retention_has_removed(world, admin) -> None:
    world.run()
    world.publish(world.events, 3_000, 3_400, partitions=2)
    admin.delete_records({TopicPartition(world.events, at): 1_600 for at in (0, 1)})
    said = world.run(code=1)
    assert re.search(r"retention removed \d+ offsets; `on_gap: skip` goes on", said)
    assert "retention removed" in world.findings(1)["positions"]
    world.write(more="on_gap: skip")
    world.run()


def test_rows_behind_a_skipped_gap_that_are_too_late(world, admin) -> None:
    """What the clock of a partition stood on has been removed: that opens no pane again which has closed."""
    world.write(more="on_gap: skip")
    world.run()
    closed = (world.json("show")["closed_until_ms"] - START_MS) // STEP_MS
    admin.delete_records({TopicPartition(world.events, at): 1_500 for at in (0, 1)})
    world.publish(world.events, closed - 6, closed - 4, partitions=2)
    world.publish(world.events, 3_000, 3_100, partitions=2)
    world.run()
    world.run()
    assert [p["late"] for p in world.json("show")["partitions"]] == [1, 1]
    kinds = [json.loads(line)["kind"] for line in world.records(f"{world.name}.journal")]
    assert (kinds[0], sorted(kinds[1:])) == ("open", ["floor", "floor", "skip", "skip"])


def test_a_newer_format_a_damaged_state_and_another_config(world) -> None:
    world.run()
    change(world, "PRAGMA user_version = 99")
    assert "written by a newer streamcheck" in world.run(code=1)
    assert "written by a newer streamcheck" in world.findings(1)["file"]
    change(world, "PRAGMA user_version = 1")
    world.run()
    file = world.directory / "state.sqlite"
    good = file.read_bytes()
    change(world, "UPDATE state SET value = zeroblob(length(value)) WHERE key LIKE 'monitor/%'")
    assert "is damaged (state 'monitor/" in world.run(code=1)
    found = [f["text"] for f in world.json("check", code=1)["findings"] if f["level"] == "fault"]
    assert len([text for text in found if "does not match its checksum" in text]) == 4, "all at once"
    assert world.json("rebuild")["rebuilt"] is True
    assert world.findings(0) == {}
    file.write_bytes(good)
    world.write(changed=(f"name: {world.name}\n", "name: another\n"))
    assert "holds the state of config" in world.run(code=1)
    assert "holds the state of config" in world.findings(1)["file"]


def test_a_topic_made_anew_with_fewer_partitions(world, admin) -> None:
    world.run()
    admin.delete_topics([world.events])
    world.until(lambda: world.events not in admin.list_topics(), "the topic to go")
    admin.create_topics({world.events: {"num_partitions": 1, "configs": {}}}, wait_for_metadata=True)
    assert "was deleted and made again, or this is another cluster" in world.run(code=1)
    faults = [f["text"] for f in world.json("check", code=1)["findings"] if f["about"] == "topics"]
    assert "was deleted and made again" in faults[0]
    assert "it is not there any more" in faults[1], "all at once"
    store = SqliteStore(world.directory, world.name)
    there = {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics([world.events])}
    store.commit(Commit({TOPICS: json.dumps(there).encode()}))  # as where a cluster gives topics no ids
    store.close()
    assert f"{world.events}[1]: the saved state has read this, and it is not there any more" in world.run(code=1)
    assert "it is not there any more" in world.findings(1)["topics"]


def test_an_older_copy_of_the_database_beside_its_count(world) -> None:
    world.run()
    file = world.directory / "state.sqlite"
    older = file.read_bytes()
    world.publish(world.events, 3_000, 3_030, partitions=2)
    world.run()
    file.write_bytes(older)
    assert re.search(r"holds commit \d+, but \d+ were made", world.run(code=1))
    assert "were made" in world.findings(1)["file"]
    assert world.json("rebuild")["rebuilt"] is True, "although it holds all alerts that have arrived"
    assert world.findings(0) == {}
    world.run()


def test_a_marker_of_another_lineage_and_with_another_digest(world, producer) -> None:
    world.run()
    show = world.json("show")
    out = producer()
    marker = {"lineage": show["lineage"], "sequence": show["sequence"], "digest": "another"}
    for changed, message in ((marker, "differ in transitions 1 to"), ({**marker, "lineage": "77ab"}, "lineage 77ab")):
        value = json.dumps(changed).encode()
        out.send(f"{world.name}.alerts.positions", value, key=world.name.encode(), partition=0).get(10)
        assert message in world.run(code=1)
        assert message in world.findings(1)["alerts"]
    back = json.dumps({**marker, "digest": show["digest"]}).encode()
    out.send(f"{world.name}.alerts.positions", back, key=world.name.encode(), partition=0).get(10)
    world.run()


def test_check_without_a_broker(world) -> None:
    world.run()
    world.write(changed=(world.bootstrap, "127.0.0.1:1"))
    found = world.json("check")
    assert any("not compared with the topics" in each["text"] for each in found["findings"])
    assert {each["about"] for each in world.json("check", "--offline")["findings"]} == {"file", "config", "outbox"}
