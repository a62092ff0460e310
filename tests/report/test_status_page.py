"""Does the status page work in a real browser: live, by keyboard and ear, in light and dark, narrow, at its limits?"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.cli.page_wiring import desk
from streamcheck.config.load import loads
from streamcheck.core.bars import Bars
from streamcheck.core.readings import NUMBERS, AlertState, Comparison, EngineReading, Lately, Piece, Reading, Trails
from streamcheck.runtime.telemetry import AlertBook, BrokerReading, Phase, Snapshot, Telemetry
from streamcheck.testing import ManualClock
from tools.browser import Browser

NOW_MS = 1_772_359_300_000
CANARY = "<script>document.title='canary'</script>"
CONFIG = """
version: 1
name: n
streams: {predictions: {topic: t, features: {a: numeric}}}
state: {dir: DIR}
prometheus: {orders: true}
"""
DEADLINE_S = 60.0


def reading(column: str, segment: str = "", **more: Any) -> Reading:
    label = (("tier", segment),) if segment else ()
    made = Reading(f"{column}-scan", column, label, "mean_shift", "scan", AlertState.QUIET, "ready", 812, 105.2, 104.9)
    return replace(made, score=1.0, threshold=8.0, **more)


def snapshot(columns: int = 3, segments: tuple[str, ...] = ("", "premium", CANARY), *records: bytes) -> Snapshot:
    readings = tuple(reading(f"column {n}", segment) for n in range(columns) for segment in segments)
    if records:
        readings = (replace(readings[0], alert=AlertState.FIRING), *readings[1:])
    numbers = np.random.default_rng(3).normal(100, 3, (40, len(readings), len(NUMBERS))).astype(np.float32)
    numbers[:, :, NUMBERS.index("state")] = 0
    numbers[20:, 0, NUMBERS.index("state")] = 2
    pieces = tuple(Piece(NOW_MS + 1_000 * n, NOW_MS + 1_000 * n + 1_000, 1, numbers[n]) for n in range(40))
    bars = Bars((CANARY, "b"), np.array([0.7, 0.3]), np.array([0.4, 0.6]))
    lately = Lately(
        NOW_MS,
        Trails(pieces, {(r.monitor, r.segment): at for at, r in enumerate(readings)}),
        {("column 0", ()): Comparison(bars, NOW_MS, 1_000, 9_000)},
    )
    engine = EngineReading(readings, (), replace(EMPTY.engine.join), NOW_MS, NOW_MS, 0, 0, lately=lately)
    book = AlertBook().after(records)
    return replace(EMPTY, engine=engine, alerts=book)


EMPTY = Snapshot("payments", "0.2.0", NOW_MS - 1, 0.0, Phase.LIVE, broker=BrokerReading(connected=True))
FIRING = (
    b'{"id":"9f","sequence":1,"state":"firing","monitor":"column 0-scan","column":"column 0","segment":{},'
    b'"severity":"page","summary":"column 0 rose","pane_end":"2026-03-01T10:00:10.000Z","incident":"i"}'
)


class Site:
    def __init__(self, directory: Path) -> None:
        settings = loads(CONFIG.replace("DIR", str(directory)), {}).settings
        self.directory = directory
        self.telemetry = Telemetry(snapshot())
        desk_of = desk(settings, "n.yaml")
        self.routes = Routes(self.telemetry, lambda _: ("", b""), ManualClock(NOW_MS), desk=desk_of)
        self.server = WebServer("127.0.0.1", 0, self.routes)
        self.server.start()
        self.url = self.server.url


@pytest.fixture
def site(tmp_path: Path, browser: Browser) -> Iterator[Site]:
    made = Site(tmp_path / "state")
    browser.logged.clear()
    browser.asked.clear()
    yield made
    browser.open("about:blank")
    made.server.close()


def until(wanted: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := wanted()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


def contrast(browser: Browser, selector: str) -> float:
    """Of the text of an element against what is behind it (WCAG 2)."""
    script = """(() => {
      const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
      const luminance = (text) => {
        const [r, g, b] = text.match(/[0-9.]+/g).map((v) => linear(v / 255));
        return .2126 * r + .7152 * g + .0722 * b; };
      let at = document.querySelector(SELECTOR); const ink = luminance(getComputedStyle(at).color);
      while (at && /, 0\\)$/.test(getComputedStyle(at).backgroundColor)) at = at.parentElement;
      const ground = luminance(getComputedStyle(at || document.body).backgroundColor);
      return (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05); })()"""
    return float(browser.run(script.replace("SELECTOR", repr(selector))))


def test_every_page_opens_without_a_word_and_asks_nobody_else(site: Site, browser: Browser) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    for path in ("", "?q=premium", "monitor?id=column%200-scan", "monitor?id=column%200-scan&way=recent"):
        browser.open(site.url + path)
        assert browser.run("document.title") != "canary"
        assert browser.run("document.querySelectorAll('h1').length") == 1
        for selector, holds in (
            ("table", "each.caption"),
            ("svg", "each.ariaHidden === 'true' || (each.role === 'img' && each.ariaLabel.length > 2)"),
            ("input:not([type=hidden]), select", "each.labels.length"),
            ("nav a", "document.getElementById(each.hash.slice(1))"),
            ("th", "each.scope || !each.textContent"),
        ):
            all_of_them = f"[...document.querySelectorAll('{selector}')]"
            assert browser.run(f"{all_of_them}.every((each) => {holds})"), (path, selector)
    assert browser.logged == []
    assert [url for url in browser.asked if not url.startswith((site.url, "data:", "about:"))] == []


def test_an_alert_comes_up_by_itself_and_is_announced(site: Site, browser: Browser) -> None:
    browser.open(site.url)
    assert browser.run("document.querySelector('#verdict .big').textContent") == "All quiet"
    assert browser.run("document.getElementById('said').getAttribute('aria-live')") == "polite"
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    until(lambda: "1 alert firing" in browser.run("document.querySelector('#verdict .big').textContent"))
    assert browser.run("document.getElementById('said').textContent") == "1 alert firing: column 0 rose"
    assert browser.run("document.title").startswith("(1) payments")
    assert browser.run("document.querySelector('.cell.alarm .pill').textContent") == "firing"


def test_where_nothing_is_new_ages_go_on_and_nothing_is_drawn(site: Site, browser: Browser) -> None:
    drawn = []
    html, site.routes._html = site.routes._html, lambda *a, **k: drawn.append(a) or html(*a, **k)  # type: ignore[method-assign]
    since_ms = int((time.time() - 125) * 1000)
    site.telemetry.publish(replace(snapshot(), started_ms=since_ms, last_commit_ms=since_ms))
    browser.open(site.url)
    until(lambda: "2 min" in browser.run("document.querySelector('[data-since]').textContent"))
    browser.run("document.querySelector('#grid').dataset.mark = 'here'")  # gone where a part is swapped
    at = browser.run("document.getElementById('live').textContent")
    until(lambda: browser.run("document.getElementById('live').textContent") != at)
    assert browser.run("document.querySelector('#grid').dataset.mark") == "here"
    assert at.startswith("as of 2")
    ages = browser.run("[...document.querySelectorAll('[data-since]')].map((each) => each.parentNode.textContent)")
    assert re.fullmatch(r"2 min( \d+ s)? ago", ages[0])
    assert len(drawn) <= 4, "one for each page asked for, at most"


def test_a_part_that_was_left_alone_is_swapped_later(site: Site, browser: Browser) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    browser.open(site.url)
    browser.run("document.querySelector('.orders').open = true; document.querySelector('.orders [name=who]').focus()")
    second = FIRING.replace(b'"sequence":1', b'"sequence":2').replace(b"9f", b"8e").replace(b"rose", b"fell")
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING, second))
    until(lambda: "2 alerts firing" in browser.run("document.querySelector('#verdict .big').textContent"))
    assert browser.run("document.querySelectorAll('.card').length") == 1, "somebody is about to write there"
    browser.run("document.activeElement.blur()")
    until(lambda: browser.run("document.querySelectorAll('.card').length") == 2)


def test_a_refresh_takes_nobodys_place_or_words_away(site: Site, browser: Browser) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    browser.open(site.url)
    browser.run("document.querySelectorAll('a.cell')[1].focus()")
    here = browser.run("document.activeElement.getAttribute('href')")
    site.telemetry.publish(snapshot(4, ("", "premium", CANARY), FIRING))
    until(lambda: browser.run("document.querySelectorAll('table.grid tbody tr').length") == 4)
    assert browser.run("document.activeElement.getAttribute('href')") == here
    who = "document.querySelector('.orders [name=who]').value"
    browser.run(f"document.querySelector('.orders').open = true; {who} = 'kim'")
    site.telemetry.publish(snapshot(5, ("", "premium", CANARY), FIRING))
    until(lambda: browser.run("document.querySelectorAll('table.grid tbody tr').length") == 5)
    assert browser.run(f"document.querySelector('.orders').open && {who}") == "kim"


def press(browser: Browser, key: str) -> str:
    browser.press(key)
    return str(browser.run("document.activeElement.getAttribute('href')"))


def test_arrow_keys_go_through_the_grid(site: Site, browser: Browser) -> None:
    browser.open(site.url)
    browser.run("document.querySelector('a.cell').focus()")
    assert press(browser, "ArrowLeft") == "monitor?id=column+0-scan", "there is nothing further left"
    assert press(browser, "ArrowRight") == "monitor?id=column+0-scan&segment=tier%3Dpremium"
    assert press(browser, "ArrowDown") == "monitor?id=column+1-scan&segment=tier%3Dpremium"
    assert press(browser, "ArrowLeft") == "monitor?id=column+1-scan"
    assert press(browser, "ArrowUp") == "monitor?id=column+0-scan"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_first_tab_offers_to_skip(site: Site, browser: Browser) -> None:
    browser.open(site.url)
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Skip to what is firing"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    until(lambda: browser.run("document.activeElement.id") == "page")


def test_an_alert_is_acknowledged_with_the_form(site: Site, browser: Browser) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    browser.open(site.url)
    form = "document.querySelector('.orders form')"
    for name, value in (("who", "kim"), ("why", "prices"), ("for", "1d")):
        browser.run(f"{form}.elements['{name}'].value = '{value}'")
    browser.run(f"{form}.requestSubmit(); true")
    until(lambda: list((site.directory / "orders").glob("*.json")) if site.directory.exists() else [])
    (order,) = (site.directory / "orders").glob("*.json")
    said = json.loads(order.read_bytes())
    assert (said["by"], said["why"], said["until_ms"]) == ("kim", "prices", NOW_MS + 86_400_000)
    until(lambda: browser.run("location.pathname === '/' && document.readyState === 'complete'"))
    assert browser.logged == []


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_can_be_read(site: Site, browser: Browser, dark: bool) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    for path, selectors in (
        ("", (".verdict .big", ".verdict p + p", ".pill.alarm", "dt", "th", "a.cell .dim", "a.cell b", "summary",
              "h2 .dim", "footer a", ".card .summary", "button", "nav a")),
        ("monitor?id=column%201-scan", (".pill.good", ".verdict.good .big", ".scale span", ".key", "h1 .dim", "dd")),
    ):  # fmt: skip
        browser.open(site.url + path, dark=dark)
        found = {selector: round(contrast(browser, selector), 2) for selector in selectors}
        assert {selector: ratio for selector, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("path", ["", "monitor?id=column%200-scan"])
def test_nothing_is_wider_than_a_narrow_window(site: Site, browser: Browser, path: str) -> None:
    site.telemetry.publish(snapshot(3, ("", "premium", CANARY), FIRING))
    browser.resize(360, 800)
    try:
        browser.open(site.url + path)
        assert browser.run("document.documentElement.scrollWidth") <= 360
    finally:
        browser.resize(1280, 900)


def test_while_references_are_learned_a_cell_says_who_it_is_and_how_far_it_has_come(
    site: Site, browser: Browser
) -> None:
    waiting = snapshot(3, ("", "premium"))
    readings = tuple(replace(each, status="warming up 41 of 100 panes") for each in waiting.engine.monitors)
    site.telemetry.publish(replace(waiting, engine=replace(waiting.engine, monitors=readings)))
    browser.open(site.url)
    assert browser.run("document.querySelectorAll('.cell.wait').length") == 6
    cut = "[...document.querySelectorAll('.cell.wait .line > *')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
    assert browser.run(f"{cut}.map((e) => e.textContent)") == []


def test_a_thousand_segments_are_drawn_in_no_time(site: Site, browser: Browser) -> None:
    site.telemetry.publish(snapshot(5, ("", *(f"segment {n}" for n in range(999)))))
    browser.open(site.url)
    assert browser.run("document.querySelectorAll('a.cell').length") == 5 * 6
    browser.open(site.url + "?q=segment+777")
    assert browser.run("document.querySelectorAll('a.cell').length") == 5


def test_without_an_answer_it_says_so(site: Site, browser: Browser) -> None:
    browser.open(site.url)
    site.server.close()
    until(lambda: browser.run("document.getElementById('live').textContent").startswith("no reply since"))
