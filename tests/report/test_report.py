"""Is the report whole, safe, the same every time, and does watching change nothing?"""

import html
import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects
import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.config.shown import without_connection
from streamcheck.report.html import cards, story
from streamcheck.report.record import alerts, recorder
from tests.report.conftest import CANARY, judged, replay


def figures(page: str) -> list[dict[str, Any]]:
    """The charts' content."""
    return [
        json.loads(found) for found in re.findall(r'<script type="application/json" id="[^"]+">(.*?)</script>', page)
    ]


def without_library(page: str) -> str:
    """The page without plotly's four megabytes."""
    return re.sub(r"<script>.{100000,}?</script>", "", page, flags=re.DOTALL)


def painted(value: Any) -> Any:
    """Colours by name, as plotly takes them."""
    if isinstance(value, dict):
        return {
            k: "black" if k.lower().endswith("color") and isinstance(v, str) else painted(v) for k, v in value.items()
        }
    return [painted(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("known", [False, True], ids=["alone", "with incidents and other configs"])
def test_the_same_twice_but_for_one_marked_line(world: Path, report: Path, compared: Path, known: bool) -> None:
    again = world / "again.html"
    replay(world, "--html", str(again), *(judged(world) if known else ()))
    pages = [path.read_text().split("\n") for path in (compared if known else report, again)]
    assert len(pages[0]) == len(pages[1])
    different = [one for one, other in zip(*pages, strict=True) if one != other]
    assert all(line.startswith('<p id="made">') for line in different)
    assert sum(line.startswith('<p id="made">') for line in pages[0]) == 1


def test_the_same_json_twice_but_for_its_timing(world: Path, compared: Path) -> None:
    again = world / "again.json"
    replay(world, "--json", str(again), *judged(world))
    texts = [re.sub(r'"timing": \{[^}]*\}', "", path.read_text()) for path in (world / "compared.json", again)]
    assert texts[0] == texts[1]
    assert "seconds" not in texts[0]


def test_page_json_and_terminal_tell_the_same(world: Path, compared: Path) -> None:
    page, told = without_library(compared.read_text()), json.loads((world / "compared.json").read_bytes())
    printed = replay(world, *judged(world))
    mine, never, every = told["truth"]["scores"]
    for score in (mine, never, every):
        share = "–" if score["recall"] is None else f"{100 * score['recall']:.1f} %"
        cells = score["name"], f"{score['alerts']:,}", f"{score['found']} of {score['incidents']}", share
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page
        assert "\t".join(cells) in printed
    assert (mine["incidents"], never["found"]) == (3, 0)
    assert 0 < mine["found"] < 3
    for row in told["compare"]:
        assert f"<td>{row['name']}</td><td>{row['fired']}</td>" in page
        assert f"\n{row['name']}\t{row['fired']}\t" in printed
    changed = [row for row in told["compare"][1:] if row["vanished"] or row["appeared"]]
    assert changed
    for row in changed:
        assert f"<summary>{row['name']}: {len(row['vanished']) + len(row['appeared'])} differ</summary>" in page
    verdicts = [alert["verdict"] for alert in told["alerts"]]
    assert re.findall(r"<td>(found|repeat|false)</td>", page) == verdicts
    promise = f"promised: at most {told['promise']['per_week']:.0f} a week; seen: {told['promise']['seen']} false alarm"
    assert promise in page
    assert promise in printed


def test_incidents_stand_on_the_timeline_and_on_signals(compared: Path) -> None:
    found = figures(compared.read_text())
    timeline = found[0]
    bars = {
        trace["name"]: trace
        for trace in timeline["data"]
        if trace["type"] == "bar" and "incident" in trace.get("name", "")
    }
    assert sum(len(trace["base"]) for trace in bars.values()) == 3 == len(timeline["layout"]["shapes"])
    assert any("nothing to be seen: missed" in told for told in bars["incident, missed"]["customdata"])
    colours = {"$good", "$warning"}
    strips = [[s for s in f["layout"].get("shapes", ()) if s.get("fillcolor") in colours] for f in found[1:]]
    assert any(strips)


def test_watching_changes_no_alert(world: Path, report: Path) -> None:
    alone = world / "without.jsonl"
    replay(world, "--alerts", str(alone))
    assert alone.read_bytes() == (world / "with.jsonl").read_bytes()
    assert alone.stat().st_size


def test_what_stands_in_it(report: Path) -> None:
    page = without_library(report.read_text())
    for part in ("timeline", "alerts", "evidence", "quality", "labels", "data", "config"):
        assert f'<section id="{part}">' in page, part
    assert "would have fired in 3 min 8 s" in page or "would have fired in 3 min" in page
    assert "p[0] offset" in page
    assert "truly negative" in page
    assert "reference (" in page
    assert "since the change (" in page
    assert '<a href="https://wiki.example/x"' in page
    assert "Label delay" in page
    assert "2.0 %" in page, "missing amounts"


def test_charts_are_what_plotly_takes(report: Path, compared: Path) -> None:
    found = [*figures(report.read_text()), *figures(compared.read_text())]
    assert len(found) > 40
    for figure in found:
        plotly.graph_objects.Figure(painted(figure))


@pytest.mark.parametrize("which", ["report", "compared"])
def test_nothing_of_the_data_is_markup_and_no_password_is_shown(which: str, request: pytest.FixtureRequest) -> None:
    page = without_library(request.getfixturevalue(which).read_text())
    assert CANARY not in page
    assert html.escape(CANARY, quote=False).replace("'", "&#39;") in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "hush-hush" not in page
    assert "kafka: …" in page
    texts = json.dumps(figures(page))
    assert "<b>" not in texts
    assert "<script" not in texts
    assert "&lt;script&gt;" in texts


def test_limits_are_kept_and_told(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SERIES_MAX", 5), ("HISTORIES_MAX", 4), ("EVIDENCE_MAX", 3)):
        monkeypatch.setattr(recorder, name, value)
        monkeypatch.setattr(story, name, value)
    for module in (alerts, story):
        monkeypatch.setattr(module, "FIRED_KEPT", 6)
    for module in (cards, story):
        monkeypatch.setattr(module, "DETAILED_MAX", 2)
    path = world / "limited.html"
    replay(world, "--html", str(path))
    page = without_library(path.read_text())
    assert page.count("<article") == 2
    told = page.split("Left out of this report")[1]
    for words in ("without charts: at most 2", "after the first 6 only counted", "after the first 3 without evidence"):
        assert words in told
    assert re.search(r"The signals of [\d,]+ monitors and segments: 5 are kept", told)
    assert re.search(r"The values of [\d,]+ columns and segments: 4 are kept", told)


def test_what_cannot_be_done_is_said_before_anything_is_read(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["backtest", str(world / "config.yaml"), "--predictions", str(world / "p.jsonl"), "--html"]
    refused = CliRunner().invoke(main, [*command, str(tmp_path / "nowhere" / "x.html")])
    assert refused.exit_code == 1
    assert "cannot be written: No such file or directory" in refused.output
    (tmp_path / "kept.html").write_text("of yesterday")
    failed = CliRunner().invoke(main, [*command, str(tmp_path / "kept.html"), "--predictions", str(tmp_path / "none")])
    assert (failed.exit_code, (tmp_path / "kept.html").read_text()) == (1, "of yesterday")
    monkeypatch.setattr("streamcheck.cli.backtest_result.find_spec", lambda name: None)
    refused = CliRunner().invoke(main, [*command, str(tmp_path / "x.html")])
    assert refused.exit_code == 1
    assert "pip install 'streamcheck[report]'" in refused.output


def test_a_replay_of_nothing_has_a_report_too(world: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    path = tmp_path / "none.html"
    command = [
        "backtest",
        str(world / "config.yaml"),
        "--predictions",
        str(tmp_path / "none.jsonl"),
        "--html",
        str(path),
    ]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert "Nothing was read" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nkafka: {sasl_plain_password: hush}\nstart: latest\n",
        "name: a\nkafka:\n  sasl_plain_password: |\n    hush\n    hush\n",
        "{name: a, kafka: {sasl_plain_password: hush}, start: latest}\n",
        "kafka:\n  a: 1 # hush\n\n  sasl_plain_password: hush # hush\nname: a\n",
        '"kafka": {sasl_plain_password: "hush"}\nname: a\n',
    ],
)
def test_the_connection_is_cut_out_of_any_config(text: str) -> None:
    shown = without_connection(text)
    assert "hush" not in shown
    assert "name: a" in shown
