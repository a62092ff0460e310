"""A challenger in shadow: its predictions meet the champion's labelled rows whichever comes last, and nobody waits for
it for ever.
"""

import pytest

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.journal import Floored
from streamcheck.core.readings import JoinReading
from streamcheck.core.shadow import Telling
from streamcheck.core.types import SourcePartition
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

START_MS = 1_772_323_200_000
CONFIG = """version: 1
name: shop
streams:
  predictions: {topic: p, id: id, prediction: said, task: binary, segments: [tier], features: {amount: numeric}}
  labels: {topic: l, id: id, label: truth, horizon: 10m}
  shadow: {topic: s, id: of, prediction: fraud, name: forest}
time: {pane: 10s, lateness: 5s}
reference: {first: 10m}
"""
PLAIN = "\n".join(line for line in CONFIG.splitlines() if "shadow:" not in line)
INLINE = CONFIG.replace("  labels: {topic: l, id: id, label: truth, horizon: 10m}\n", "").replace(
    "task: binary", "task: binary, label: truth"
)
SOURCES = {topic: SourcePartition(topic, 0) for topic in ("p", "l", "s")}


class World:
    """An engine, and what it has been told."""

    def __init__(self, engine=None, config=CONFIG):
        self.plan = loads(config, {}).plan
        self.decode = {t: Decoder(s, self.plan.task).decode for s in self.plan.schemas for t in s.topics}
        self.offsets = dict.fromkeys(self.decode, 0)
        self.engine = engine or Engine(self.plan, "lineage")
        if engine is None:
            self.engine.open({SOURCES[topic]: 0 for topic in self.decode})

    def feed(self, topic, *rows):
        """Rows as (seconds, event)."""
        values, times = [event for _, event in rows], [START_MS + round(1000 * at) for at, _ in rows]
        raw = raw_batch(topic, 0, values, first_offset=self.offsets[topic], times_ms=times)
        self.offsets[topic] += len(rows)
        return self.engine.feed(self.decode[topic](raw))

    def predict(self, at, name, said, **more):
        return self.feed("p", (at, {"id": name, "said": said, "amount": 1.5, "tier": "gold", **more}))

    def label(self, at, name, truth):
        return self.feed("l", (at, {"id": name, "truth": truth}))

    def challenge(self, at, name, said):
        return self.feed("s", (at, {"of": name, "fraud": said}))

    def sums(self):
        """Rows, champion right, challenger right, differing, agreeing."""
        return self.engine.board.paired._sums[0][:, 0].tolist()

    def books(self):
        return self.engine.closing.shadow.reading()

    def end(self):
        self.engine.finish()
        return self.sums()


ORDERS = {
    "shadow first": "spl", "label first": "lps", "prediction last": "lsp", "shadow last": "pls", "as usual": "psl",
    "shadow, then the label": "slp",
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("apart", [0, 60])
def test_a_triple_is_complete_whichever_comes_last(order, apart):
    """In one pane, or a minute apart."""
    world = World()
    for place, topic in enumerate(order):
        at = 1 + place * apart
        if topic == "p":
            world.predict(at, "a", 0)
        elif topic == "l":
            world.label(at, "a", 1)
        else:
            world.challenge(at, "a", 1)
    assert world.end() == [1, 0, 1, 1, 0]
    found = world.engine.board.paired._sums[1][:, world.engine.board.tables["tier"].known(("gold",))]
    assert found.tolist() == [1, 0, 1, 1, 0]


def test_the_first_of_each_id_counts():
    world = World()
    for said in (1, 0, 1):
        world.challenge(1, "a", said)
    world.predict(2, "a", 0)
    world.predict(3, "a", 1)
    for truth in (1, 0):
        world.label(20, "a", truth)
    world.challenge(300, "a", 0)
    assert world.end()[0] == 1
    books = world.books()
    assert (books.predictions_matched, books.predictions_duplicate, books.labels) == (1, 3, 1)


def test_what_comes_beyond_the_horizon_is_alone():
    world = World()
    world.challenge(1, "a", 1)
    world.predict(700, "a", 1)
    world.label(701, "a", 1)
    world.challenge(702, "b", 1)
    world.feed("p", *((at, {"id": f"x{at}", "said": 1, "amount": 1.0, "tier": "gold"}) for at in range(710, 2_000, 10)))
    world.label(1_999, "c", 1)
    world.challenge(1_999, "d", 0)
    assert world.end() == [0, 0, 0, 0, 0]
    shadow = world.engine.reading().shadow
    assert (shadow.join.predictions_expired, shadow.join.labels_expired) == (2, 1)
    assert (shadow.alone, shadow.uncovered) == (1.0, 1.0)


def test_labels_may_stand_in_the_prediction_event():
    world = World(config=INLINE)
    world.challenge(1, "a", 1)
    world.predict(2, "a", 0, truth=1)
    world.predict(3, "b", 1, truth=1)
    world.predict(4, "c", 1)
    world.challenge(70, "b", 1)
    world.challenge(71, "c", 1)
    assert world.end() == [2, 1, 2, 1, 1]


def test_an_event_without_a_prediction_is_rejected_and_a_champion_without_one_is_no_rival():
    world = World()
    world.feed("s", (1, {"of": "a"}), (2, {"of": "b", "fraud": "perhaps"}), (3, {"of": "c", "fraud": 1}))
    world.feed("p", (4, {"id": "c", "amount": 1.0, "tier": "gold"}))
    world.label(5, "c", 1)
    assert world.end() == [0, 0, 0, 0, 0]
    (books,) = [one for one in world.engine.reading().partitions if one.source == SOURCES["s"]]
    assert dict(books.rejected) == {"missing prediction": 1, "bad prediction": 1}


def test_a_silent_challenger_holds_nothing_up_and_what_it_says_later_counts():
    world = World()
    world.challenge(1, "a", 1)
    world.predict(1, "a", 0)
    world.label(2, "a", 1)
    world.predict(100, "b", 0)
    world.label(100, "b", 1)
    assert world.engine.open_from * 10 - START_MS // 1_000 <= 0
    world.engine.set_idle(SOURCES["s"])
    assert world.engine.open_from * 10 - START_MS // 1_000 == 90
    assert world.sums()[0] == 1
    outcome = world.challenge(50, "b", 1)
    assert [entry.source for entry in outcome.journal] == [SOURCES["s"]]
    assert world.end()[0] == 2


def test_a_restart_changes_nothing_and_a_new_name_begins_anew():
    def steps(world, first, last):
        for k in range(first, last):
            world.challenge(k, f"e{k}", k % 3 > 0)
            world.predict(k, f"e{k}", k % 2)
            if k >= 40:
                world.label(k, f"e{k - 40}", 1)

    whole, world = World(), World()
    steps(whole, 0, 400)
    steps(world, 0, 200)
    stored = dict(saving.Saver(world.engine).take().put)
    assert {"paired", "engine"} <= stored.keys()
    assert any(key.startswith("shadow/") for key in stored)
    again = World(saving.restore(world.plan, stored).engine)
    again.offsets = {topic: again.engine.partitions[SOURCES[topic]].next_offset for topic in again.offsets}
    assert again.sums() == world.sums()
    assert again.books() == world.books()
    renamed = loads(CONFIG.replace("forest", "boosted"), {}).plan
    fresh = saving.restore(renamed, stored).engine
    assert fresh.board.paired._sums[0].sum() == 0
    assert fresh.closing.shadow.reading() == world.books(), "what waits is kept"
    for k in range(min(again.offsets["p"], 200), 200):  # rows of open panes are read again
        again.predict(k, f"e{k}", k % 2)
    for k in range(again.offsets["s"], 200):
        again.challenge(k, f"e{k}", k % 3 > 0)
    for k in range(again.offsets["l"] + 40, 200):
        again.label(k, f"e{k - 40}", 1)
    steps(again, 200, 400)
    assert again.end() == whole.end()
    assert again.engine.reading().shadow.compared == whole.engine.reading().shadow.compared != ()
    assert again.books() == whole.books()


def test_another_stream_gives_old_numbers_another_meaning():
    world = World()
    world.predict(1, "a", 0)
    stored = dict(saving.Saver(world.engine).take().put)
    for text in (CONFIG.replace("prediction: fraud", "prediction: said"), PLAIN):
        with pytest.raises(saving.StateError, match="other `streams`"):
            saving.restore(loads(text, {}).plan, stored)


def test_a_challenger_may_come_to_a_state_that_knows_of_none():
    """All else goes on; its topic joins as a new partition does, read from the beginning."""
    world = World(config=PLAIN)
    world.predict(1, "a", 0)
    world.label(2, "a", 1)
    world.predict(60, "b", 0)
    world.label(61, "c", 1)
    world.predict(100, "d", 1)
    world.label(101, "d", 1)
    stored = dict(saving.Saver(world.engine).take().put)
    restored = saving.restore(loads(CONFIG, {}).plan, stored)
    assert restored.restarted == ()
    again = World(restored.engine)
    assert again.engine.closing.join_reading() == world.engine.closing.join_reading() != JoinReading()
    (floored,) = again.engine.add_partition(SOURCES["s"]).journal
    assert floored == Floored(SOURCES["s"], 0, again.engine.open_from * 10_000)
    again.offsets = {topic: again.engine.partitions[SOURCES[topic]].next_offset for topic in again.offsets}
    for at, name in ((1, "a"), (60, "b"), (100, "d")):
        again.challenge(at, name, 1)
    again.label(101, "d", 1)
    again.predict(100, "d", 1)
    again.label(102, "b", 1)
    assert again.end()[0] == 2, "but for the row whose label came before"
    twin = saving.restore(again.plan, dict(stored) | dict(saving.Saver(again.engine).take().put)).engine
    assert twin.board.paired._sums[0].tolist() == again.engine.board.paired._sums[0].tolist()


def test_without_a_challenger_nothing_is_kept_and_the_join_is_the_plain_one():
    world = World(config=PLAIN)
    closing = world.engine.closing
    assert closing.shadow is None
    assert not isinstance(closing.join, Telling)
    assert closing.export().keys() == {"classes", "ordinal", "join"}
    assert "paired" not in world.engine.board._exporters
    assert world.engine.reading().shadow is None


def test_classes_are_told_apart_by_name():
    world = World(config=CONFIG.replace("task: binary", "task: multiclass"))
    for k, (champion, challenger, truth) in enumerate(
        [("cat", "dog", "dog"), ("dog", "dog", "dog"), ("owl", "cat", "dog"), ("cat", "bat", "cat")]
    ):
        world.predict(k, f"e{k}", champion)
        world.challenge(k, f"e{k}", challenger)
        world.label(k, f"e{k}", truth)
    assert world.end() == [4, 2, 2, 2, 1]


@pytest.mark.parametrize(
    ("shadow", "said"),
    [
        ("{topic: s, id: of}", "prediction is missing"),
        ("{topic: s, prediction: fraud}", "id is missing"),
        ("{topic: p, id: of, prediction: fraud}", "a topic has one role"),
        ("{topic: s, id: of, prediction: fraud, score: p}", "unknown key"),
        ("{topic: s, id: of, prediction: fraud, horizont: 1h}", "unknown key"),
        ("{topic: s, id: of, prediction: fraud, time: {field: ts}}", "the unit is not guessed"),
        ("{topic: s, id: of, prediction: fraud, format: avro}", "avro needs schema_registry"),
    ],
)
def test_mistakes_are_named(shadow, said):
    with pytest.raises(ConfigError) as error:
        loads(CONFIG.replace("{topic: s, id: of, prediction: fraud, name: forest}", shadow), {})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  labels: {topic: l, id: id, label: truth, horizon: 10m}\n", "", "only labels can tell; add streams.labels"),
        ("id: id, prediction: said", "prediction: said", "a challenger's predictions are joined by id"),
        ("prediction: said, task: binary, ", "", "a challenger is compared with what the model said"),
    ],
)
def test_what_a_comparison_needs_is_named(old, new, said):
    with pytest.raises(ConfigError) as error:
        loads(CONFIG.replace(old, new, 1), {})
    assert said in str(error.value)


def test_a_time_field_of_one_stream_alone_is_a_warning():
    loaded = loads(CONFIG.replace("id: of,", "id: of, time: {field: ts, unit: s},"), {})
    assert any("names a time field and the predictions do not" in str(each) for each in loaded.warnings)


def test_its_horizon_is_that_of_labels_unless_it_has_its_own():
    own = CONFIG.replace("id: of,", "id: of, horizon: 2h,")
    for text, wanted in ((CONFIG, 600_000), (INLINE, 86_400_000), (own, 7_200_000)):
        rules = loads(text, {}).plan.shadow_rules
        assert (rules.name, rules.join.horizon_ms, rules.join.corrections_last) == ("forest", wanted, False)
