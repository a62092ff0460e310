"""Reference profiles: made of files, read by configs, compared and merged; damaged or foreign ones are refused."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.config.load import load
from streamcheck.config.profiles import read_profile
from streamcheck.core import profile_text, saving
from streamcheck.core.engine import Engine
from streamcheck.core.keys import fingerprint
from streamcheck.core.profile_drift import drift
from streamcheck.core.profile_text import from_text, to_text
from streamcheck.core.types import SourcePartition
from streamcheck.errors import ProfileError

START_MS = 1_772_359_200_000
CONFIG = """
version: 1
name: shop
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    prediction: said
    task: binary
    features: {amount: numeric, country: categorical}
    segments: [tier]
  labels: {topic: l, id: id, label: truth, time: {field: at, unit: ms}, horizon: 1h}
time: {pane: 1s, lateness: 200ms}
reference: REFERENCE
alarm_budget: 1 per day
monitors:
  - on: defaults
  - {on: amount, by: [tier]}
  - {name: rows, on: amount, detector: {adwin: auto}}
  - {name: floor, on: accuracy, window: {rows: 200}, detector: {threshold: {below: 0.2}}}
alerts: {owner: team}
"""


def events(seed: int, n: int, first_ms: int, *, drifted: bool = False) -> tuple[list[Any], list[Any]]:
    rng, predictions, labels = random.Random(seed), [], []
    for k in range(n):
        ts, truth = first_ms + k * 20, rng.random() < 0.4
        row = {
            "id": f"secret-{seed}-{k}",
            "ts": ts,
            "amount": rng.gauss(30 if drifted else 10, 2),
            "tier": rng.choice("ab"),
        }
        row["country"] = rng.choice(["DE", "FR", "IT"] if drifted else ["DE", "DE", "DE", "FR"])
        predictions.append({**row, "said": int(truth != (rng.random() < 0.1))})
        labels.append({"id": row["id"], "at": ts + 500, "truth": int(truth)})
    return predictions, labels


class World:
    """A folder with configs, rows and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config("learns.yaml", "{first: 20s}")

    def config(self, name: str, reference: str, text: str = CONFIG) -> Path:
        path = self.folder / name
        path.write_text(text.replace("REFERENCE", reference))
        return path

    def rows(self, name: str, made: tuple[list[Any], list[Any]]) -> list[str]:
        files = self.folder / f"{name}-p.jsonl", self.folder / f"{name}-l.jsonl"
        for path, rows in zip(files, made, strict=True):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return ["--predictions", str(files[0]), "--labels", str(files[1])]

    def run(self, *words: object, fails: int = 0) -> str:
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == fails, done.output
        return done.output

    def profile(self, name: str, made: tuple[list[Any], list[Any]], *more: object) -> Path:
        out = self.folder / f"{name}.json"
        self.run("profile", self.folder / "learns.yaml", *self.rows(name, made), *more, "--out", out)
        return out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def normal(world: World) -> Path:
    return world.profile("normal", events(1, 6_000, START_MS))


@pytest.fixture(scope="module")
def other(world: World, normal: Path) -> Path:
    return world.profile("other", events(2, 6_000, START_MS + 200_000, drifted=True), "--like", normal)


def test_it_holds_sums_and_no_row_and_is_the_same_twice(world: World, normal: Path) -> None:
    text = normal.read_text()
    assert "secret" not in text
    again = world.profile("again", events(1, 6_000, START_MS))
    assert again.read_bytes() == normal.read_bytes()
    profile = read_profile(normal)
    assert to_text(profile) == normal.read_bytes()
    assert (profile.rows, profile.from_ms, profile.pane_ms) == (6_000, START_MS, 1_000)
    assert {key.segment for key in profile.contents if key.column == "amount"} == {
        (),
        (("tier", "a"),),
        (("tier", "b"),),
    }
    shown = world.run("profile", "show", normal)
    assert "6,000 rows of shop from 2026-03-01 10:00:00 to" in shown
    assert "amount\tnumeric\toutside\ttier\t2\t" in shown


def test_sorted_rows_have_bins_for_all_of_them(world: World) -> None:
    """Training sets are often sorted. The first thousand values are no measure for the others, and all rows count."""
    predictions, labels = events(4, 6_000, START_MS)
    amounts = sorted(row["amount"] for row in predictions)
    rows = [{**row, "amount": amount} for row, amount in zip(predictions, amounts, strict=True)]
    profile = read_profile(world.profile("sorted", (rows, labels), "--training"))
    layout = profile.layouts["amount"]
    assert layout.beyond(np.array(amounts)) <= 0.1 * len(amounts)
    held = {key.measure: each for key, each in profile.contents.items() if key.column == "amount" and not key.segment}
    assert {"mean_shift", "scale", "outside"} <= held.keys()
    assert all(each.panes == 120 for each in held.values()), "nothing is cut off where order means nothing"
    assert sum(held["outside"].state["counts"]) == len(rows)


def test_monitors_start_ready_and_fire_at_once(world: World, normal: Path) -> None:
    config = world.config("uses.yaml", "{profile: normal.json}")
    assert "normal.json" in config.read_text()
    world.run("check", config)
    explained = world.run("explain", config)
    assert "6,000 rows of shop" in explained
    files = world.rows("later", events(3, 2_000, START_MS + 500_000, drifted=True))
    fired: dict[str, list[Any]] = {}
    for name in ("learns.yaml", "uses.yaml"):
        out = world.folder / "result.json"
        world.run("backtest", world.folder / name, *files, "--json", out)
        fired[name] = json.loads(out.read_bytes())["alerts"]
    assert fired["learns.yaml"] == [], "it takes what it sees first for normal"
    found = {alert["monitor"]: alert["fired_at"] for alert in fired["uses.yaml"]}
    assert {"amount-mean_shift", "amount-outside-by-tier", "country-category_share"} <= found.keys()
    assert found["amount-mean_shift"] <= "2026-03-01T10:08:24.000Z", "within four seconds"


def test_against_training_data_alerts_say_skew(world: World, normal: Path) -> None:
    """The same rows, found by the same monitors: what they are called is another thing."""
    training = world.profile("training", events(1, 6_000, START_MS), "--training")
    assert read_profile(training).training
    assert not read_profile(normal).training
    assert "training data, 6,000 rows of shop" in world.run("profile", "show", training)
    config = world.config("serves.yaml", "{profile: training.json}")
    assert "training data: its alerts say skew" in world.run("explain", config)
    out = world.folder / "skew.json"
    found = {}
    for name, drifted in (("clean", False), ("skewed", True)):
        files = world.rows(name, events(3, 2_000, START_MS + 500_000, drifted=drifted))
        world.run("backtest", config, *files, "--json", out)
        found[name] = json.loads(out.read_bytes())
    assert found["clean"]["alerts"] == []
    kinds = {monitor["id"]: monitor["finds"] for monitor in found["skewed"]["monitors"]}
    assert (kinds["amount-mean_shift"], kinds["floor"], kinds["volume-scan"]) == ("skew", "limit", "drift")
    alerts = {alert["monitor"]: alert for alert in found["skewed"]["alerts"]}
    assert alerts["amount-mean_shift"]["summary"].startswith("amount: skew, ")
    assert " in serving, 10" in alerts["amount-mean_shift"]["summary"]
    assert alerts["amount-mean_shift"]["evidence"]["kind"] == "skew"
    assert "skew" in alerts["country-unseen"]["summary"]
    plain = world.config("plain.yaml", "{profile: normal.json}")
    world.run("backtest", plain, *files, "--json", out)
    told = json.loads(out.read_bytes())["alerts"]
    assert {alert["monitor"] for alert in told} == alerts.keys()
    assert "skew" not in json.dumps(told)
    world.run("profile", "merge", normal, training, "--out", out, fails=1)


def test_profile_against_profile(normal: Path, other: Path, world: World) -> None:
    same = drift(read_profile(normal), read_profile(normal))
    assert {each.word for each in same} == {"none"}
    told = world.run("profile", "diff", normal, other)
    found = {(row[0], row[1], row[2]): row[6] for row in (line.split("\t") for line in told.splitlines())}
    assert found["amount", "all", "mean_shift"] == "clear"
    assert found["amount", "all", "outside"] == "clear"
    assert found["amount", "tier=a", "outside"] == "clear"
    assert found["country", "all", "category_share"] == "clear"
    assert found["accuracy", "all", "accuracy"] == "none"
    assert found["amount", "all", "missing_rate"] == "none"
    listed = json.loads(world.run("profile", "diff", normal, other, "--json"))
    assert len(listed) == len(found) - 1


def test_other_bins_are_compared_all_the_same(world: World, normal: Path) -> None:
    alone = world.profile("alone", events(2, 6_000, START_MS + 200_000, drifted=True))
    calm = world.profile("calm", events(7, 6_000, START_MS + 200_000))
    found = [
        next(
            each
            for each in drift(read_profile(normal), read_profile(path))
            if (each.column, each.measure, each.segment) == ("amount", "outside", ())
        )
        for path in (alone, calm)
    ]
    assert [each.word for each in found] == ["clear", "none"]


def test_parts_merge_to_the_sums_of_the_whole(world: World, normal: Path, other: Path) -> None:
    out = world.folder / "both.json"
    written = json.loads(world.run("profile", "merge", normal, other, "--out", out, "--json"))
    assert written["file"] == str(out)
    one, two, both = map(read_profile, (normal, other, out))
    assert both.rows == one.rows + two.rows
    for key, content in both.contents.items():
        parts = [p.contents[key] for p in (one, two) if key in p.contents]
        assert content.panes == sum(part.panes for part in parts)
        if "moment" in content.state:
            assert content.state["moment"][0] == sum(part.state["moment"][0] for part in parts)
        elif key.measure == "outside":
            assert sum(content.state["counts"]) == sum(sum(part.state["counts"]) for part in parts)
    alone = world.profile("apart", events(2, 6_000, START_MS, drifted=True))
    refused = world.run("profile", "merge", normal, alone, "--out", out, fails=1)
    assert "amount has other bins in the second: make it again with --like the first" in refused


def changed(text: str, **more: Any) -> str:
    return json.dumps({**json.loads(text), **more})


DAMAGE = [
    (lambda text: text[: len(text) // 2], "it is no JSON, or was cut off"),
    (lambda text: "[]", "it is no profile; `streamcheck profile CONFIG` makes one"),
    (lambda text: changed(text, streamcheck_profile=2), "it is of version 2, this release reads 1; make it again"),
    (lambda text: changed(text, rows=6_001), "it was changed or damaged: its digest is another one"),
    (lambda text: changed(text, rows="many"), "it is damaged: Expected `int`, got `str`"),
    (lambda text: changed(text, contents=[{}]), "it is damaged: Object missing required field"),
    (
        lambda text: text.replace('"measure": "outside"', '"measure": "nonsense"', 1),
        "cannot be read: unknown measure 'nonsense'",
    ),
    (lambda text: changed(text, layouts={}), "it is damaged: amount: counts of other bins than its layout has"),
    (
        lambda text: text.replace('"edges": [', '"edges": [1e9, ', 1),
        "it is damaged: bins that do not ascend, or lack their scores",
    ),
]


@pytest.mark.parametrize(("harm", "said"), DAMAGE)
def test_what_is_damaged_is_refused(world: World, normal: Path, harm: Any, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        from_text(harm(normal.read_text()).encode())
    assert said in str(caught.value)


@pytest.mark.parametrize("byte", range(0, 40_000, 1_777))
def test_no_changed_byte_goes_unnoticed(normal: Path, byte: int) -> None:
    text = bytearray(normal.read_bytes())
    text[byte % len(text)] ^= 0x01
    try:
        found = from_text(bytes(text))
    except ProfileError:
        return
    assert to_text(found) == normal.read_bytes(), "white space at most"


CHANGES = [
    ("pane: 1s", "pane: 2s", "it was made of panes of 1s, here they last 2s; make it again"),
    ("country: categorical", "country: numeric", "country is categorical in it, numeric here; make it again"),
    (
        "features: {amount: numeric",
        "features: {size: numeric, amount: numeric",
        "it holds nothing for 8 of the monitors (size-mean_shift",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), CHANGES)
def test_a_profile_that_does_not_suit_is_refused_with_its_line(
    world: World, normal: Path, old: str, new: str, said: str
) -> None:
    path = world.config("unsuited.yaml", "{profile: normal.json}", CONFIG.replace(old, new))
    told = world.run("check", path, fails=2)
    assert f"line 15: reference.profile: {said}" in told


def test_too_few_values_of_a_column_are_called_that(world: World) -> None:
    """Making it again of the same rows would give the same."""
    world.profile("few", events(6, 600, START_MS))
    told = world.run("check", world.config("few.yaml", "{profile: few.json}"), fails=2)
    assert "for it was made of fewer than 1,000 values of amount; make it of more history, or give them another" in told
    own = "  - {on: amount, by: [tier]}\n", "  - {name: rows, on: amount, detector: {adwin: auto}}\n"
    text = CONFIG.replace(own[0], "").replace(own[1], "")
    told = world.run("check", world.config("defaults.yaml", "{profile: few.json}", text))
    assert "(amount-mean_shift, " in told
    assert "for it was made of fewer than 1,000 values of amount: they judge nothing" in told
    assert "newer" not in told


def test_two_profiles_of_one_column_share_its_bins(world: World, normal: Path) -> None:
    world.profile("elsewhere", events(5, 6_000, START_MS))
    text = CONFIG.replace("{on: amount, by: [tier]}", "{on: amount, by: [tier], reference: {profile: elsewhere.json}}")
    told = world.run("check", world.config("two.yaml", "{profile: normal.json}", text), fails=2)
    assert "two profiles give amount different bins" in told


def test_another_profile_means_another_state(world: World, normal: Path, other: Path) -> None:
    plans = [load(world.config("x.yaml", f"{{profile: {path.name}}}")).plan for path in (normal, other)]
    marks = [[fingerprint(spec, plan) for spec in plan.monitors if spec.column == "amount"] for plan in plans]
    assert not set(marks[0]) & set(marks[1])


def test_values_beyond_the_bins_that_were_given_say_nothing_of_a_spread(world: World, other: Path) -> None:
    """Ten standard deviations from where the bins are, all of them score alike."""
    told = world.run("check", world.config("beyond.yaml", f"{{profile: {other.name}}}"))
    assert "holds nothing for 2 of the monitors (amount-scale, amount-scale-by-tier)" in told
    assert "beyond the bins that --like gave it: they judge nothing" in told


def test_a_saved_state_goes_on_with_the_profile(world: World, normal: Path) -> None:
    plan = load(world.config("uses.yaml", "{profile: normal.json}")).plan
    engine = Engine(plan, "life")
    engine.open({SourcePartition("l", 0): 0, SourcePartition("p", 0): 0})
    assert engine.board.layouts.keys() == {"amount"}
    state = saving.Saver(engine).take()
    assert state is not None
    board = Engine(plan, "life").board
    assert board.restore({key: export() for key, export in engine.board.take_changes().items()}) == []
    assert board.layouts["amount"] is plan.layouts["amount"]


def test_the_version_is_in_the_file(normal: Path) -> None:
    assert json.loads(normal.read_text())["streamcheck_profile"] == profile_text.VERSION == 1
