"""Is the memory that `explain` prints the sum of its parts, and does it follow the limits?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.cli.memory import BASE_BYTES, memory
from streamcheck.config.load import load, loads
from streamcheck.core.budgets import Grant
from streamcheck.core.detectors._bank import CHART_BYTES
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

ROOT = Path(__file__).parents[2]
PAYMENTS = ROOT / "configs" / "payments.yaml"
MIB = 1 << 20
SMALL = (
    "version: 1\nname: n\nkafka: {bootstrap_servers: 'b:1'}\nstreams:\n"
    "  predictions: {topic: t, id: i, prediction: p, task: binary, features: {a: numeric}, segments: [tier]}\n"
    "  labels: {topic: l, id: i, label: y}\nlimits: {%s}\n"
)


def budget(limits="", partitions=8):
    loaded = loads(SMALL % limits, {})
    return memory(loaded.plan, loaded.settings, partitions)


def test_the_sum_is_that_of_its_parts_and_grows_with_partitions():
    loaded = load(PAYMENTS, {})
    now = memory(loaded.plan, loaded.settings, 8)
    assert now.total == sum(part.bytes for part in now.parts) > BASE_BYTES
    assert memory(loaded.plan, loaded.settings, 9).total == now.total + now.further_partition
    assert memory(loaded.plan, loaded.settings).partitions == 8, "four of each topic"


@pytest.mark.parametrize(
    ("limit", "part"),
    [
        ("join_memory: 16MiB", "label join"),
        ("join_disk: 1GiB", "label join, on disk"),
        ("pending_labels: 1000", "early labels"),
        ("open_memory: 8MiB", "rows of open panes"),
        ("pane_memory: 1MiB", "a pane that closes"),
        ("monitor_memory: 1MiB, segments: 100", "monitors"),
        ("segments: 10", "segment values"),
        ("message_bytes: 1KiB", "decoding"),
    ],
)
def test_each_limit_makes_its_part_smaller(limit, part):
    before, after = ({p.name: p.bytes for p in budget(text).parts} for text in ("", limit))
    assert after[part] < before[part]
    assert budget(limit).total < budget().total


@pytest.mark.parametrize("top", [1, 10, 50])
def test_each_chart_of_a_monitor_is_counted(top):
    """A monitor of categories has a chart for each, which must be in the sum before they are known."""
    text = (
        "version: 1\nname: n\nstreams: {predictions: {topic: t, features: {c: categorical}}}\n"
        "monitors: [{on: c, measure: {category_share: {top: %d}}}]\n"
    )
    plan = loads(text % top, {}).plan
    [spec] = plan.monitors
    instance = PaneInstance(spec, (), Grant(1e6, 0.1), Room(1 << 30), Timing())
    parts = {part.name: part.bytes for part in memory(plan, loads(text % top, {}).settings, 4).parts}
    assert parts["monitors"] > instance.held_bytes >= CHART_BYTES * (top + 1)


def test_many_segments_with_a_seasonal_reference_are_held_by_the_limit():
    parts = {p.name: p for p in budget("segments: 1000000").parts}
    assert parts["monitors"].bytes < 520 * MIB
    assert "would take" in parts["monitors"].why


def test_explain_prints_it():
    shown = CliRunner().invoke(main, ["explain", str(PAYMENTS), "--partitions", "6"]).output.splitlines()
    assert shown[-1].startswith("sum\t")
    assert "for 6 partitions in all; each further one" in shown[-1]
    found = json.loads(CliRunner().invoke(main, ["explain", str(PAYMENTS), "--json"]).output)["memory"]
    assert found["total"] == sum(part["bytes"] for part in found["parts"])
    assert found["partitions"] == 8
