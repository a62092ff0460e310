"""Is a challenger in shadow told of everywhere: what a config comes to, memory, the page, programs?"""

import numpy as np
import orjson

from streamcheck import Watch
from streamcheck.adapters.web.api import status
from streamcheck.adapters.web.tables import search_tables
from streamcheck.cli.memory import memory
from streamcheck.config.explain import explain
from streamcheck.config.load import loads
from streamcheck.core.readings import EngineReading, JoinReading, ShadowCompared, ShadowReading
from streamcheck.runtime.telemetry import Snapshot

PLAIN = """version: 1
name: shop
kafka: {bootstrap_servers: "b:1"}
streams:
  predictions: {topic: p, id: id, prediction: said, task: binary, segments: [tier], features: {amount: numeric}}
  labels: {topic: l, id: id, label: truth, horizon: 1d}
"""
CONFIG = PLAIN + "  shadow: {topic: s, id: of, prediction: fraud, name: forest}\n"


def test_explain_says_who_is_compared_and_what_rate_the_limits_bear():
    facts = dict(explain(loads(CONFIG, {})).facts)
    assert facts["shadow"] == "s: forest beside the model in use, on the same labelled rows, joined for 1d"
    assert facts["shadow join"].startswith("149,833,151 predictions (20GiB of disk)")
    assert "1,000,000 rows may wait" in facts["shadow join"]
    assert not {"shadow", "shadow join"} & dict(explain(loads(PLAIN, {})).facts).keys()


def test_memory_knows_its_join():
    def parts(text):
        loaded = loads(text, {})
        return {part.name: part.bytes for part in memory(loaded.plan, loaded.settings, 12).parts}

    plain, both = parts(PLAIN), parts(CONFIG)
    more = {"shadow join", "shadow join, on disk", "shadow join, on its way to disk", "labelled rows that wait"}
    assert both.keys() - plain.keys() == {*more, "challenger beside the model"}
    fewer = parts(CONFIG + "limits: {join_memory: 16MiB, join_disk: 1GiB, pending_labels: 1000}\n")
    assert all(fewer[name] < both[name] for name in more)


def snapshot(shadow):
    reading = EngineReading((), (), JoinReading(), None, None, 0, 0, shadow=shadow)
    return Snapshot("shop", "1", 0, 0.0, engine=reading)


def test_the_page_has_a_table_and_programs_get_it_as_json():
    compared = ShadowCompared((("tier", "gold"),), "v1", "forest", 900, 0.9, 0.93, 0.03, 0.01, 0.05, 0.95, "wins")
    books = JoinReading(1_000, 80, 900, 15, 0, 5, 920, 10, 900, 0, 0, 10, 0)
    (table,) = search_tables(snapshot(ShadowReading("forest", books, (compared,))))
    assert (table.name, table.title) == ("shadow", "Challenger in shadow")
    assert table.about == (
        "forest: 1,000 predictions, 900 compared, 80 wait for a labelled row, 15 met none (1.6 %); "
        "10 labelled rows met no prediction (1.1 %)"
    )
    assert table.rows[0][0] == "tier=gold"
    assert table.rows[0][-2:] == ("95.0 %", "forest wins")
    (early,) = search_tables(snapshot(ShadowReading("forest", JoinReading())))
    assert early.rows[0][0] == "nothing to compare yet"
    assert orjson.loads(status(snapshot(None)))["shadow"] is None
    told = orjson.loads(status(snapshot(ShadowReading("forest", books, (compared,)))))["shadow"]
    assert (told["challenger"], told["alone"], told["join"]["predictions_matched"]) == ("forest", 15 / 915, 900)
    (row,) = told["compared"]
    assert (row["segment"], row["champion"], row["verdict"]) == ({"tier": "gold"}, "v1", "wins")
    assert all(len(row) == len(early.heads) for row in (*table.rows, *early.rows))
    assert search_tables(snapshot(None)) == ()


def test_a_program_of_ones_own_has_one_too():
    text = CONFIG.replace('kafka: {bootstrap_servers: "b:1"}\n', "")
    for name in ("id: id,", "id: of,"):
        text = text.replace(name, f"{name} time: {{field: ts, unit: s}},")
    rng, start = np.random.default_rng(3), 1_772_323_200
    truth = (rng.random(3_000) < 0.5).astype(int)
    said, other = (np.where(rng.random(3_000) < right, truth, 1 - truth).tolist() for right in (0.8, 0.9))
    rows = [{"id": f"e{k}", "ts": start + k, "said": said[k], "tier": "gold", "amount": 1.0} for k in range(3_000)]
    labels = [{"id": f"e{k}", "ts": start + k + 60, "truth": int(truth[k])} for k in range(3_000)]
    shadow = [{"of": f"e{k}", "ts": start + k, "fraud": other[k]} for k in range(3_000)]
    whole, parts = Watch(text), Watch(text)
    list(whole.run(rows, labels, shadow=shadow))
    whole.finish()
    for at in range(0, 3_000, 500):
        parts.predictions(rows[at : at + 500])
        parts.shadow(shadow[at : at + 500])
        parts.labels(labels[at : at + 500])
    parts.finish()
    found = [watch.engine.reading().shadow for watch in (whole, parts)]
    assert found[0].compared == found[1].compared
    assert found[0].compared[0].verdict == "wins"
    assert found[0].compared[0].rows == 3_000
