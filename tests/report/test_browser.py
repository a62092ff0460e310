"""Does the report open in a real browser, in light and dark, without a word on the console or a request?"""

from pathlib import Path

import pytest

from tests.files.test_shadow import backtest, lines, tables
from tools.browser import Browser

EMPTY = "[...document.querySelectorAll('.plot')].filter((plot) => !plot.querySelector('.main-svg')).length"


def draw_all(browser: Browser) -> None:
    for n in range(browser.run("document.querySelectorAll('.plot').length")):
        browser.run(f"document.querySelectorAll('.plot')[{n}].scrollIntoView({{behavior: 'instant'}})")
        browser.settle()


def luminance(browser: Browser, selector: str, name: str) -> float:
    """Of a colour of the page, 0 to 255."""
    parts = browser.run(f"getComputedStyle(document.querySelector('{selector}')).{name}.match(/[0-9.]+/g).map(Number)")
    return 0.3 * parts[0] + 0.6 * parts[1] + 0.1 * parts[2]


@pytest.mark.parametrize("which", ["report", "compared"])
def test_opens_draws_and_asks_for_nothing(which: str, request: pytest.FixtureRequest, browser: Browser) -> None:
    browser.logged.clear()
    browser.asked.clear()
    browser.open(request.getfixturevalue(which))
    draw_all(browser)
    assert browser.run(EMPTY) == 0
    assert browser.run("document.title") == "small: backtest · streamcheck", "no canary has run"
    assert luminance(browser, "body", "backgroundColor") > 200
    assert luminance(browser, ".plot .xtick text", "fill") < 100
    browser.scheme(dark=True)
    browser.settle()
    assert luminance(browser, "body", "backgroundColor") < 60
    assert luminance(browser, ".plot .xtick text", "fill") > 150
    assert browser.logged == []
    assert [url for url in browser.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_names_are_shown_as_they_are(report: Path, browser: Browser) -> None:
    browser.open(report)
    draw_all(browser)
    texts = browser.run("[...document.querySelectorAll('.plot text')].map((text) => text.textContent)")
    assert any(text.startswith("tier=<script>") for text in texts)
    assert "tier=$now" in texts
    assert browser.run("document.querySelectorAll('.plot b, .plot script, .plot image, .plot a').length") == 0


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many labelled rows, so that intervals are short, and all labels an hour later."""
    folder = tmp_path_factory.mktemp("plain")
    backtest(folder, lines(folder, tables(1, 0.05)), forms=("alerts", "json", "html"))
    return folder / "out.html"


@pytest.fixture
def plain(many_rows: Path, browser: Browser) -> None:
    browser.open(many_rows)
    draw_all(browser)


@pytest.mark.usefixtures("plain")
def test_labels_that_all_take_equally_long_are_drawn(browser: Browser) -> None:
    points = "plot.querySelectorAll('.points path').length"
    plots = "[...document.querySelectorAll('.plot')].filter((plot) => plot.textContent.includes('label delay'))"
    assert browser.run(f"{plots}.map((plot) => {points})") == [1]


@pytest.mark.usefixtures("plain")
def test_no_axis_of_shares_says_the_same_at_two_ticks(browser: Browser) -> None:
    """As 85 %, 85 %, 86 %, 86 % between 84.7 and 86.2 did."""
    layers = "[...new Set([...document.querySelectorAll('.plot .xtick, .plot .ytick')].map((tick) => tick.parentNode))]"
    ticks = browser.run(f"{layers}.map((axis) => [...axis.querySelectorAll('text')].map((text) => text.textContent))")
    shares = [each for each in ticks if each and each[0].endswith("%")]
    assert len(shares) > 3
    assert [each for each in shares if len(set(each)) < len(each)] == []


def test_for_those_who_do_not_see_or_use_a_mouse(compared: Path, browser: Browser) -> None:
    browser.open(compared)
    charts = "[...document.querySelectorAll('.plot')]"
    assert browser.run(f"{charts}.every((plot) => plot.getAttribute('role') === 'img' && plot.ariaLabel.length > 20)")
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run("document.querySelectorAll('h1').length") == 1
    assert browser.run("[...document.querySelectorAll('table')].every((table) => table.caption)")
    links = "[...document.querySelectorAll('a[href^=\"#\"]')]"
    assert browser.run(f"{links}.every((link) => document.getElementById(link.hash.slice(1)))")


def test_nothing_is_wider_than_a_narrow_window(compared: Path, browser: Browser) -> None:
    browser.resize(400, 800)
    try:
        browser.open(compared)
        assert browser.run("document.documentElement.scrollWidth") <= 400
    finally:
        browser.resize(1280, 900)


def test_prints_with_every_chart(report: Path, browser: Browser) -> None:
    browser.open(report, dark=True)
    printed = browser.printed()
    assert printed.startswith(b"%PDF")
    assert browser.run(EMPTY) == 0


def test_a_page_that_gets_no_frames_is_woken(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """As once in CI, where a chart was waited for until the browser's time was over."""
    browser.open("about:blank")
    monkeypatch.setattr("tools.browser.FRAMES_S", 2.0)
    with browser.behind():
        assert browser.run("document.visibilityState") == "hidden"
        browser.settle()
        assert browser.run("document.visibilityState") == "visible"


def test_a_page_that_never_draws_is_told_from_a_browser_that_is_gone(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.browser.FRAMES_S", 0.1)
    browser.open("about:blank")
    browser.run("window.requestAnimationFrame = () => 0")
    with pytest.raises(AssertionError, match=r"answers, and draws no frame in 5 x 0\.1 s: visible, complete, "):
        browser.settle()


@pytest.fixture(autouse=True)
def _console(browser: Browser) -> None:
    browser.logged.clear()
