"""Does the page of one monitor show its way truly, harmlessly, and say what it does not know?"""

import re
from dataclasses import replace

import numpy as np
import pytest

from streamcheck.adapters.web import drawing
from streamcheck.adapters.web.renderings import Response
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.words import address
from streamcheck.core.bars import Bars
from streamcheck.core.readings import NUMBERS, AlertState, Comparison, Lately, Piece, Trail, Trails
from streamcheck.runtime.telemetry import AlertBook, Snapshot, Telemetry
from streamcheck.testing import ManualClock
from tests.unit.test_web_page import HOSTILE, LIVE, NOW_MS, QUIET, Document, record, with_readings

TIER = (("tier", "premium"),)
NAN = float("nan")


def trail(*levels: float, state: int = 0, step_ms: int = 1_000, **numbers: float) -> Trail:
    held = {"baseline": 10.0, "usual_low": 8.0, "usual_high": 12.0, "score": 1.0, "threshold": 8.0}
    held |= {"state": float(state), **numbers}
    rows = [[(held | {"low": level, "high": level})[name] for name in NUMBERS] for level in levels]
    starts = NOW_MS + step_ms * np.arange(len(levels))
    return Trail(starts, starts + 1_000, np.array(rows, np.float32))


def lately(way: Trail, key: tuple[str, tuple[tuple[str, str], ...]] = ("amount-shift", ())) -> Lately:
    spans = zip(way.starts.tolist(), way.ends.tolist(), way.numbers, strict=True)
    return Lately(NOW_MS, Trails(tuple(Piece(a, b, 1, numbers[None]) for a, b, numbers in spans), {key: 0}))


def ask(snapshot: Snapshot, path: str, telemetry: Telemetry | None = None) -> Response:
    routes = Routes(telemetry or Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS))
    return routes.answer(f"/{path.lstrip('/')}", "")


def show(snapshot: Snapshot, path: str) -> Document:
    response = ask(snapshot, path)
    assert response.status == 200
    assert len(response.body) < 300_000
    return Document(response.body.decode())


def remembering(made: Lately) -> Snapshot:
    return replace(LIVE, engine=replace(LIVE.engine, lately=made))


# ---------------------------------------------------------------------- drawings
def points(path: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", path)]


def test_a_line_goes_where_the_values_are() -> None:
    drawn = drawing.signal(trail(10.0, 20.0, 0.0, usual_low=NAN, usual_high=NAN), limit=False)
    assert drawn.line.startswith("M0 53H333L667 6L1000 100")
    assert drawn.ends == ("21.2", "10.6", "0")
    assert drawn.band == ""
    assert "between 0 and 20; 0 in the end" in drawn.says


def test_the_usual_range_is_an_area_and_a_wide_one_does_not_squeeze_the_line() -> None:
    numbers = trail(*[10.0, 11.0] * 10)
    numbers.numbers[3, NUMBERS.index("usual_high")] = 1e9
    drawn = drawing.signal(numbers, limit=False)
    assert drawn.band.endswith("Z")
    assert drawn.ends[0] == "12.24"
    assert "usual between 8 and 12" in drawn.says


def test_no_line_where_nothing_came_for_long() -> None:
    there = trail(1.0, 2.0, 3.0, 4.0)
    there.starts[2:] += 60_000
    there.ends[2:] += 60_000
    assert drawing.signal(there, limit=False).line.count("M") == 2


def test_an_open_alert_is_a_stretch_of_time() -> None:
    numbers = trail(*range(10))
    numbers.numbers[4:7, NUMBERS.index("state")] = AlertState.FIRING
    numbers.numbers[7:8, NUMBERS.index("state")] = AlertState.PENDING
    drawn = drawing.signal(numbers, limit=False)
    assert [(a.x, a.width, a.tone) for a in drawn.alerts] == [(400, 300, "alarm"), (700, 100, "warning")]


@pytest.mark.parametrize("value", [NAN, float("inf"), 3e38, -3e38, 0.0])
def test_numbers_of_any_kind_can_be_drawn(value: float) -> None:
    numbers = trail(1.0, 2.0, 3.0, baseline=value, usual_low=value, score=value, threshold=value)
    for drawn in (drawing.signal(numbers, limit=True), drawing.signal(numbers, limit=False), drawing.score(numbers)):
        assert drawn is None or "nan" not in f"{drawn.line}{drawn.band}{drawn.against}"


def test_one_point_is_no_line() -> None:
    assert drawing.spark(trail(1.0)) is None
    assert drawing.spark(None) is None
    assert drawing.score(trail(1.0, 2.0, score=NAN)) is None


# ---------------------------------------------------------------------- the page
def test_the_page_of_a_monitor() -> None:
    document = show(remembering(lately(trail(10.0, 11.0, 30.0))), address("amount-shift", ()))
    assert "amount all" in document.text
    assert "score of threshold 1 of 8" in document.text
    assert "remembered since 2026-03-01" in document.text
    images = [a["aria-label"] or "" for tag, a in document.elements if tag == "svg" and a.get("role") == "img"]
    assert len(images) == 2
    assert "usual between 8 and 12; 30 in the end" in images[0]
    assert "threshold 8" in images[1]
    assert "The newest in numbers" in document.text


def test_a_limit_is_held_against_itself() -> None:
    limited = replace(QUIET, detector="threshold", value=0.94, score=0.94, threshold=0.85)
    shown = with_readings(limited)
    way = lately(trail(0.9, 0.94, usual_low=NAN, usual_high=NAN, threshold=0.85, score=0.94))
    text = show(replace(shown, engine=replace(shown.engine, lately=way)), address("amount-shift", ())).text
    assert "held against limit 0.85" in text
    assert "value limit" in text
    assert "score of threshold" not in text


def test_after_a_restart_it_says_that_nothing_is_remembered() -> None:
    assert "nothing to draw yet" in show(LIVE, address("amount-shift", ())).text


def test_rows_now_stand_beside_the_reference() -> None:
    bars = Bars(("0 to 1", "1 to 2"), np.array([0.75, 0.25]), np.array([0.5, 0.5]), np.array([0.0, 1.0, 2.0]))
    found = {("amount", ()): Comparison(bars, NOW_MS, 1_200, 40_000)}
    document = show(remembering(replace(lately(trail(1.0, 2.0)), comparisons=found)), address("amount-shift", ()))
    assert "newest 1,200 rows" in document.text
    assert "0 to 1 50.0 % 75.0 %" in document.text
    assert any(a.get("d") == "M0 100V0H500V67H1000V100" for tag, a in document.elements if tag == "path")


def test_a_segment_is_asked_for_and_all_rows_are_not() -> None:
    telemetry = Telemetry(with_readings(QUIET, replace(QUIET, segment=TIER)))
    ask(LIVE, address("amount-shift", ()), telemetry)
    assert (telemetry.asked(), telemetry.asked_anew) == ((), False)
    response = ask(LIVE, address("amount-shift", TIER), telemetry)
    assert b"while somebody looks at this segment" not in response.body, "nothing is remembered at all"
    looked = {("amount", ()): Comparison(None, None, 0, 0)}
    snapshot = telemetry.read()
    telemetry.publish(replace(snapshot, engine=replace(snapshot.engine, lately=Lately(comparisons=looked))))
    response = ask(LIVE, address("amount-shift", TIER), telemetry)
    assert b"while somebody looks at this segment" in response.body
    assert (telemetry.asked(), telemetry.asked_anew) == ((("amount", TIER),), True)
    for number in range(100):
        telemetry.ask("amount", (("tier", str(number)),))
    assert len(telemetry.asked()) == 16


def test_what_the_alert_found_moved() -> None:
    evidence = {
        "quantiles": {"at": [0.1, 0.5, 0.9], "before": [1.0, 1e9, 2.0], "after": [3.0, 1e9 + 1, None]},
        "bins": [
            {"from": 5.0, "to": None, "before": 0.1, "after": 0.6},
            {"name": "above 5", "from": 5.000000000000001, "to": None, "before": 0.2, "after": 0.0},
        ],
        "categories": [{"category": "<b>DE</b>", "before": 0.0, "after": 1.0}],
    }
    alert = record(1, monitor="amount-shift", segment={}, summary="it rose; by 5", evidence=evidence)
    book = AlertBook().after([alert])
    text = show(replace(LIVE, alerts=book), address("amount-shift", ())).text
    assert "it rose by 5" in text
    assert "10 % lie below 1 3" in text
    assert "50 % lie below 1,000,000,000 1,000,000,001" in text
    assert "90 % lie below 2 –" in text
    assert "above 5 20.0 % 0.0 %" in text
    assert "5 and above 10.0 % 60.0 %" in text
    assert "<b>DE</b> 0.0 % 100.0 %" in text


@pytest.mark.parametrize("query", ["", "?id=x", "?id=amount-shift&segment=tier%3Dnone", "?id="])
def test_who_is_not_there(query: str) -> None:
    assert ask(LIVE, f"/monitor{query}").status == 404


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    named = {"column": text, "segment": ((text, text),), "status": text, "measure": text, "detector": text}
    reading = replace(QUIET, monitor=clean, **named)  # type: ignore[arg-type]
    bars = Bars((text, text), np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    key = (clean, reading.segment)
    held = replace(lately(trail(1.0, 2.0), key), comparisons={(text, reading.segment): Comparison(bars, NOW_MS, 5, 5)})
    shown = with_readings(reading, replace(reading, segment=()))
    evidence = {"categories": [{"category": clean, "before": 0.0, "after": 1.0}]}
    alerts = AlertBook().after([record(1, monitor=clean, segment={clean: clean}, summary=clean, evidence=evidence)])
    snapshot = replace(shown, config=text, engine=replace(shown.engine, lately=held), alerts=alerts)
    links = [a for tag, a in Document(page(snapshot)).elements if tag == "a" and "cell" in (a.get("class") or "")]
    way = next(a["href"] or "" for a in links if "segment=" in (a["href"] or ""))
    document = Document(ask(snapshot, way).body.decode())
    assert {tag for tag, _ in document.elements} <= PLAIN
    assert [a for tag, a in document.elements if tag == "script"] == [{"src": "page.js", "defer": None}]
    names = {name for _, attributes in document.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


def page(snapshot: Snapshot) -> str:
    return ask(snapshot, "/").body.decode()


PLAIN = {
    *("html", "head", "meta", "title", "link", "script", "noscript", "body"),
    *("header", "nav", "main", "section", "footer"),
    *("a", "p", "div", "span", "ul", "li", "h1", "h2", "h3", "dl", "dt", "dd", "b", "pre", "details", "summary"),
    *("svg", "rect", "path", "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td"),
}


def test_every_line_of_the_way_is_in_the_table_too() -> None:
    document = show(remembering(lately(trail(10.0, 11.0, 30.0, state=2))), address("amount-shift", ()) + "&way=recent")
    assert "30 10 8 to 12 1 8 firing" in document.text


def test_of_several_signals_it_says_which_one_is_drawn() -> None:
    import streamcheck.core.measures  # noqa: F401, PLC0415 (registers them)

    shares = with_readings(replace(QUIET, measure="category_share"))
    way = lately(trail(1.0, 2.0))
    assert (
        "whose score stands highest"
        in show(replace(shares, engine=replace(shares.engine, lately=way)), address("amount-shift", ())).text
    )
    assert "whose score stands highest" not in show(remembering(way), address("amount-shift", ())).text
