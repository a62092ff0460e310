"""Can a run be cut in pieces, and is what stands in the README what was measured?"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from evaluate import __main__ as command
from evaluate import kept, real, roster, tables, targets
from evaluate.cells import Cell, Found

AROUND: Mapping[str, Any] = {"commit": "abc", "python": "3", "versions": {}}


def cell(size: int = 3) -> Cell:
    def part(number: int) -> Found:
        return {"n": number + 1, "delays": [number]}

    return Cell("changes", "someone, mean +1", {"change": "mean +1", "size": size}, 3, part, lambda found: found)


def test_a_run_goes_on_where_it_was_cut(tmp_path) -> None:
    one = cell()
    for number in (0, 2):
        kept.keep_part(one, number, one.part(number), AROUND, tmp_path)
    assert [kept.has_part(one, number, tmp_path) for number in range(3)] == [True, False, True]
    kept.keep("changes", [one], tmp_path / "results", tmp_path)
    held = kept.load("changes", tmp_path / "results")["someone, mean +1"]
    assert held["found"] == {"n": 4, "delays": [0, 2]}
    assert (held["parts"], held["commits"], held["change"]) == ("2 of 3", ["abc"], "mean +1")
    other = cell(size=4)
    assert not kept.has_part(other, 0, tmp_path)  # another definition is another cell
    kept.keep("changes", [other], tmp_path / "results", tmp_path)
    assert kept.load("changes", tmp_path / "results") == {}  # and its figures are not those of the old one


def test_figures_stay_where_the_cache_is_gone(tmp_path) -> None:
    one = cell()
    kept.keep_part(one, 0, one.part(0), AROUND, tmp_path)
    kept.keep("changes", [one], tmp_path / "results", tmp_path)
    before = kept.load("changes", tmp_path / "results")
    kept.forget(one, tmp_path)
    assert not kept.has_part(one, 0, tmp_path)
    kept.keep("changes", [one], tmp_path / "results", tmp_path)
    assert kept.load("changes", tmp_path / "results") == before


def test_the_readme_holds_the_figures_that_are_kept() -> None:
    text = tables.README.read_text()
    assert tables.renewed(text) == text, "run: python -m evaluate tables"
    assert [name for name in tables.TABLES if f"<!-- table: {name} -->" not in text] == []


def test_a_figure_that_was_changed_shows(tmp_path) -> None:
    for path in kept.RESULTS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    held = kept.load("tornado", tmp_path)
    key = next(iter(held))
    held[key]["found"]["false"] += 1
    (tmp_path / "tornado.json").write_text(json.dumps(held))
    text = tables.README.read_text()
    assert tables.renewed(text, tmp_path) != text


def test_figures_that_are_kept_belong_to_cells_that_there_are() -> None:
    known = {(c.table, c.key): dict(c.about) for c in roster.cells(None)}
    for table in roster.TABLES:
        for key, entry in kept.load(table).items():
            about = known[table, key]
            assert json.loads(json.dumps(about)) == {name: entry[name] for name in about}, f"{table}: {key}"


def test_targets_name_cells_that_there_are_and_judge_by_their_figures() -> None:
    known = {(c.table, c.key) for c in roster.cells(None)}
    assert [t.what for t in targets.TARGETS if (t.table, t.key) not in known] == []
    ratio = next(t for t in targets.TARGETS if t.key == "default, iid, 100")
    kept_well = {"ratio": {"value": 1.2, "low": 1.0, "high": 1.4}, "alarms": 100, "expected": 120}
    assert ratio.reached(kept_well)
    assert not ratio.reached({"ratio": {"value": 0.9, "low": 0.8, "high": 1.0}})
    assert not ratio.reached({"ratio": {"value": None, "low": 6.0, "high": None}})  # budget left unused
    soon = next(t for t in targets.TARGETS if t.key == "default, mean +.5")
    found = {"delay_rows": {"value": 100.0}, "recall": {"value": 1.0}, "false_per_100k": {"value": 0.5, "low": 0.1}}
    assert soon.reached(found)
    assert not soon.reached(found | {"false_per_100k": {"value": 4, "low": 1.1}})
    assert not soon.reached(found | {"recall": {"value": 0.995}})
    assert not soon.reached(found | {"delay_rows": {"value": 150.0}})
    assert not soon.reached(found | {"delay_rows": {"value": None}})


def test_sets_that_are_not_there_are_skipped_loudly(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(kept, "keep", lambda table, cells: kept.RESULTS / f"{table}.json")
    found = CliRunner().invoke(command.main, ["run", "permuted", "--data", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert found.output.count("SKIPPED") == 3
    assert "0 parts of 0 cells to run" in found.output


def test_a_part_is_run_once(tmp_path, monkeypatch) -> None:
    ran: list[int] = []
    one = replace(cell(), part=lambda number: ran.append(number) or {"n": number})
    monkeypatch.setattr(kept, "CACHE", tmp_path)
    monkeypatch.setattr(roster, "cells", lambda data: (one,))
    for name in ("has_part", "keep_part", "forget"):
        monkeypatch.setattr(getattr(kept, name), "__defaults__", (tmp_path,))
    monkeypatch.setattr(kept, "keep", lambda table, cells: kept.RESULTS / f"{table}.json")
    for arguments in (["--parts", "1"], ["--parts", "2"], [], ["--again", "--parts", "1"]):
        found = CliRunner().invoke(command.main, ["run", "changes", *arguments])
        assert found.exit_code == 0, found.output
    assert ran == [0, 1, 2, 0]


@pytest.mark.skipif(not (real.sets.FOLDER / real.ELEC2).exists(), reason=f"no {real.ELEC2} in {real.sets.FOLDER}")
def test_columns_that_go_live_are_found_and_were_silent_before() -> None:
    one = roster.find("ordered", "elec2, a day a pane", None)
    found = one.summary(one.part(0))
    assert set(real.GO_LIVE).isdisjoint(found["before"])
    assert all(17_424 < found["first"][name]["row"] <= 17_424 + 2 * 48 for name in real.GO_LIVE)
