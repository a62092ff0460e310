"""Does `streamcheck state` tell the truth of a real run's state, and does it bring a lost one back?"""

import json
import re
import shutil
import signal
from pathlib import Path

import pytest
from kafka import TopicPartition

pytestmark = pytest.mark.kafka

WAIT_S = 60


def test_show_check_and_export_beside_a_run(world) -> None:
    assert world.json("show") == {"exists": False, "directory": str(Path(f"state-{world.name}"))}
    assert world.json("check")["usable"] is True
    process = world.start()
    world.until((world.directory / "state.sqlite").exists, "a state")

    def nearly_all():
        done = world.state("show", "--json")
        found = json.loads(done.stdout) if done.returncode == 0 else {"partitions": []}
        return found if sum(p["accepted"] + p["rejected"] for p in found["partitions"]) > 2_900 else None

    shown = world.until(nearly_all, "nearly all to be read")
    assert re.fullmatch(r"process \d+ on .+", shown["in_use_by"])
    assert str(process.pid) in shown["in_use_by"]
    assert (shown["format"], shown["sequence"]) == (1, shown["delivered"])
    assert shown["sequence"] >= 4
    assert shown["lineage"] == world.lineages[0]
    segments = {m["monitor"]: m["segments"] for m in shown["monitors"]}
    assert segments == {"shift": 1, "amount-adwin": 1, "amount-adwin-by-tier": 2}
    assert shown["bytes"] == sum(part["bytes"] for part in shown["parts"]) > 1_000
    assert world.findings(0) == {}
    table = world.state("show").stdout
    assert f"lineage\t{shown['lineage']}" in table
    assert "amount-adwin-by-tier\t2\t" in table
    assert world.state("export", "out.json", "--journal", "journal.jsonl").returncode == 0
    refused = world.state("reset", "--yes")
    assert (refused.returncode, "is in use by process" in refused.stderr) == (1, True)
    assert world.state("rebuild").returncode == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert world.json("show")["in_use_by"] is None
    lines = (world.folder / "journal.jsonl").read_bytes().splitlines()
    assert lines == world.records(f"{world.name}.journal")
    exported = {part["key"]: part["value"] for part in json.loads((world.folder / "out.json").read_text())}
    assert exported["engine"]["lineage"] == shown["lineage"]
    assert (world.folder / "out.json").stat().st_mode & 0o777 == 0o600


def test_a_lost_state_is_made_again_and_goes_on(world, topic) -> None:
    """The same events in another topic, of which no state was ever lost, give the same alerts."""
    world.run()
    first = world.alerts
    assert len(first) >= 4
    shutil.rmtree(world.directory)
    said = world.run(code=1)
    assert "streamcheck state rebuild CONFIG" in said
    report = world.json("rebuild")
    assert (report["rebuilt"], report["verified"], report["pending"]) == (True, len(first), 0)
    assert world.alerts == first, "a rebuild sends nothing"
    assert world.findings(0) == {}
    world.publish(world.events, 3_000, 4_200, partitions=2)
    world.run()
    shutil.rmtree(world.directory)
    world.publish(world.events, 4_200, 5_000, partitions=2)
    report = world.json("rebuild")
    assert report["pending"] > 0
    world.run()
    rebuilt = world.alerts
    assert rebuilt[: len(first)] == first
    whole = type(world)(world.folder, world.bootstrap, topic(partitions=2), world.publish)
    whole.publish(whole.events, 0, 5_000, partitions=2)
    whole.write(changed=(f"name: {whole.name}\n", f"name: {world.name}\n"))
    whole.run("--new-lineage")  # the same name, for the same alert ids; topics of its own

    def without_lineage(records: list[bytes]) -> list[bytes]:
        return [re.sub(rb'"lineage":"[0-9a-f]*",', b"", record) for record in records]

    assert without_lineage(rebuilt) == without_lineage(whole.alerts)
    assert len(rebuilt) > len(first)
    assert len(world.records(f"{world.name}.journal")) == 1
    letters = world.records(f"{world.name}.rejects")
    garbage = len(range(0, 5_000, 97))
    assert garbage <= len(letters) < 1.5 * garbage, "from the progress shown on, not all of them again"


def test_a_backup_catches_up(world) -> None:
    world.run()
    shutil.copytree(world.directory, world.folder / "backup")
    world.publish(world.events, 3_000, 4_200, partitions=2)
    world.run()
    later = world.alerts
    shutil.rmtree(world.directory)
    shutil.copytree(world.folder / "backup", world.directory)
    assert "older copy of the state" in world.run(code=1)
    assert "older copy of the state" in world.findings(1)["alerts"]
    report = world.json("rebuild")
    assert 0 < report["began_at"] < report["arrived"] == len(later)
    assert report["events"] < 1_500, "the rest only"
    assert world.json("rebuild")["rebuilt"] is False
    assert world.json("rebuild", "--anew")["verified"] == len(later)
    assert world.alerts == later
    world.run()
    assert world.alerts == later


def test_what_cannot_be_rebuilt_is_refused_and_the_old_state_kept(world, admin) -> None:
    world.run()
    content = (world.directory / "state.sqlite").read_bytes()
    world.write(changed=("owner: me", "owner: someone"))
    refused = world.state("rebuild", "--anew")
    assert (refused.returncode, "other alerts than those that have arrived" in refused.stderr) == (1, True)
    assert "transition 1 is the first that differs" in refused.stderr
    assert "Transition 1: owner is 'me' there, 'someone' in the replay" in refused.stderr
    world.write()
    first = TopicPartition(world.events, 0)
    admin.delete_records({first: 500})
    refused = world.state("rebuild", "--anew")
    assert refused.returncode == 1
    assert "the state was made from events at offsets 0 and up, but the topic holds 500 to" in refused.stderr
    assert (world.directory / "state.sqlite").read_bytes() == content
    assert [path.name for path in world.folder.glob("state-*")] == [world.directory.name], "nothing is left lying about"
    admin.delete_topics([f"{world.name}.journal"])
    shutil.rmtree(world.directory)
    world.write(start="latest", journal=False)
    refused = world.state("rebuild")
    assert (refused.returncode, "no journal tells where lineage" in refused.stderr) == (1, True)


def test_without_a_journal_a_life_from_the_earliest_event_can_be_made_again(world) -> None:
    world.write(journal=False)
    world.run()
    shutil.rmtree(world.directory)
    assert world.json("rebuild")["verified"] == len(world.alerts)
    world.run()


def test_a_journal_in_a_file_does(world) -> None:
    world.write(journal=False)
    world.run()
    assert world.state("export", "--journal", "kept.jsonl").returncode == 0
    shutil.rmtree(world.directory)
    world.write(start="latest", journal=False)
    assert world.json("rebuild", "--journal", "kept.jsonl")["verified"] == len(world.alerts)


def test_topics_that_end_with_a_transaction(world, producer) -> None:
    """The mark at their end is no event: a run to the end comes to it, and so does a rebuild."""
    out = producer(transactional_id=world.name)
    out.init_transactions()
    out.begin_transaction()
    for partition in (0, 1):
        out.send(world.events, b"garbage", partition=partition)
    out.flush()
    out.commit_transaction()
    world.run()
    shutil.rmtree(world.directory)
    assert world.json("rebuild")["verified"] == len(world.alerts)
    world.run()


def test_nothing_to_rebuild(world) -> None:
    refused = world.state("rebuild")
    assert (refused.returncode, "nothing to make again" in refused.stderr) == (1, True)


def test_reset_begins_a_new_life_that_takes_the_topic_over(world) -> None:
    world.run()
    before = world.alerts
    assert world.state("reset").returncode == 2
    moved = world.json("reset", "--yes")["moved_to"]
    assert (world.folder / moved / "state.sqlite").exists()
    assert world.json("show")["exists"] is False
    world.run()
    assert world.alerts[: len(before)] == before
    assert len(world.alerts) == 2 * len(before)
    assert len(world.lineages) == 2
    world.run()  # the permission has been used, and is needed no more
    assert not (world.directory / "takes-over").exists()
    shutil.rmtree(world.directory)
    assert "--new-lineage" in world.run(code=1)
    world.run("--reset-state")
    assert len(world.lineages) == 3


def test_a_new_life_without_an_alert_keeps_its_topic(world) -> None:
    """Taken over once, it needs no second permission, even where nothing was ever sent."""
    world.run()
    shutil.rmtree(world.directory)
    world.write(start="latest")
    world.run("--new-lineage")
    world.run()
    shutil.rmtree(world.directory)
    assert world.json("rebuild")["verified"] == 0
