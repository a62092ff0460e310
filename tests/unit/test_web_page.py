"""Does the status page say what matters first, and stay harmless and bounded whatever the snapshot holds?"""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import orjson
import pytest

from streamcheck.adapters.web.grid import CELLS_MAX, Wish
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.view import CARDS_MAX, RECENT_MAX, SEGMENTS_MAX, page
from streamcheck.core.readings import (
    NUMBERS,
    AlertState,
    EngineReading,
    JoinReading,
    Lately,
    PartitionReading,
    Piece,
    Reading,
    Trails,
)
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.telemetry import AlertBook, BrokerReading, Health, Phase, Snapshot, Telemetry
from streamcheck.testing import ManualClock

VOID = {"meta", "link", "br", "input"}
OK = Health(ok=True, reason="")
NOW_MS = 1_772_359_300_000
QUIET = Reading("amount-shift", "amount", (), "mean_shift", "cusum", AlertState.QUIET, "ready", 812, 105.2, 104.9, None, None, 1.0, 8.0)  # fmt: skip # noqa: E501 - one reading, one line
ACCURACY = Reading("acc", "accuracy", (), "accuracy", "ddm", AlertState.QUIET, "ready", 1000, 0.91, 0.93, 0.89, 0.93, 0.2, 1.0)  # fmt: skip # noqa: E501 - the same
LIVE = Snapshot(
    "payments", "0.1.0", NOW_MS - 3_600_000, 0.0, Phase.LIVE,
    EngineReading(
        (QUIET, ACCURACY),
        (PartitionReading(SourcePartition("p", 0), NOW_MS, NOW_MS - 5000, False, 1234, 7, (("not JSON", 2),)),),
        JoinReading(10, 4, 6, 0, 0, 0, 6, 0, 6, 0, 0, 0, 0), NOW_MS - 5000, 1_772_359_230_000, 3, 1,
    ),
    BrokerReading(connected=True), ((SourcePartition("p", 0), 42),), NOW_MS - 2000,
)  # fmt: skip


def record(sequence: int, **more: object) -> bytes:
    known = {
        "id": f"id{sequence}",
        "sequence": sequence,
        "state": "firing",
        "monitor": "amount-adwin",
        "severity": "page",
    }
    times = {"pane_end": "2026-03-01T10:00:10.000Z", "change_at": "2026-03-01T09:58:40.000Z"}
    return orjson.dumps({**known, **times, "column": "amount", "segment": {"tier": "premium"}, **more})


def firing(*records: bytes) -> Snapshot:
    return replace(LIVE, alerts=AlertBook().after(records))


def with_readings(*readings: Reading) -> Snapshot:
    return replace(LIVE, engine=replace(LIVE.engine, monitors=readings))


class Document(HTMLParser):
    """Elements with their attributes, and the text; every element must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def show(snapshot: Snapshot) -> Document:
    routes = Routes(Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS))
    response = routes.answer("/", "")
    assert response.status == 200
    return Document(response.body.decode())


def test_quiet_page() -> None:
    text = show(LIVE).text
    assert "All quiet 2 of 2 pairs of monitor and segment ready" in text
    assert "amount mean_shift · cusum 105.2 normal 104.9" in text
    assert "last commit 2 s ago" in text
    assert "lag 42 records" in text
    assert "p[0] active 2026-03-01 10:01:40 2026-03-01 10:01:35 42 1,234 7 2 not JSON 2" in text
    assert "Join: 10 predictions" in text
    assert "Firing" not in text.replace("Skip to what is firing", "")


def test_firing_alert_comes_first_with_why_and_since() -> None:
    summary = "amount for tier=premium rose from 104.9 to 212.4"
    text = show(firing(record(1, summary=summary, owner="risk-oncall", value=212.4, rows=812))).text
    assert text.index("1 alert firing") < text.index(summary) < text.index("Monitors 2, by segment")
    assert "Since about 2026-03-01 09:58:40 ; firing since 2026-03-01 10:00:10 (20 s)." in text
    assert "owner risk-oncall" in text
    assert "value 212.4" in text


def test_a_summary_that_says_since_when_is_not_repeated() -> None:
    summary = "amount rose from 104.9 to 212.4 (mean of 812 rows) since about 2026-03-01 09:58:40"
    text = show(firing(record(1, summary=summary))).text
    assert "Since about" not in text
    assert f"{summary} Firing since 2026-03-01 10:00:10 (20 s)." in text


def test_a_card_is_as_alarming_as_its_alert() -> None:
    elements = show(firing(record(1), record(2, severity="warning"))).elements
    assert [a["class"] for tag, a in elements if tag == "article" and "card" in str(a["class"])] == [
        "card alarm",
        "card warning",
    ]


def test_a_limit_is_told_and_not_drawn_as_a_score() -> None:
    limited = replace(QUIET, monitor="floor", detector="threshold", value=0.94, score=0.94, threshold=0.85)
    (row,) = page(with_readings(limited, QUIET), OK, NOW_MS).grid.rows
    ((limit, near),) = row.groups
    assert (limit.href, near.href) == ("monitor?id=floor", "monitor?id=amount-shift")
    assert (limit.against, limit.score_share) == ("limit 0.85", None)
    assert (near.against, near.score_share is None) == ("normal 104.9", False)


def test_a_card_of_a_limit_names_the_limit() -> None:
    crossed = record(1, detector="threshold", value=0.84, reference=0.84, score=0.84, threshold=0.85, rows=300)
    (card,) = page(firing(crossed), OK, NOW_MS).cards
    assert card.facts == (("value", "0.84"), ("limit", "0.85"), ("rows", "300"), ("detector", "threshold"))
    silent = record(1, detector="threshold", value=312.0, reference=60.0, score=5.2, threshold=1.0, rows=300)
    (card,) = page(firing(silent), OK, NOW_MS).cards
    assert card.facts[:3] == (("value", "312"), ("reference", "60"), ("score / threshold", "5.2 / 1"))


def test_qualities_that_nobody_monitors_are_folded() -> None:
    shown = [replace(ACCURACY, measure=measure, detector="") for measure in ("f1", "brier")]
    made = page(with_readings(*shown, ACCURACY), OK, NOW_MS)
    assert [card.measure for card in made.qualities] == ["accuracy"]
    assert [card.measure for card in made.more_qualities] == ["f1", "brier"]
    assert "2 more: f1, brier" in show(with_readings(*shown, ACCURACY)).text
    alone = page(with_readings(*shown), OK, NOW_MS)
    assert ([card.measure for card in alone.qualities], alone.more_qualities) == (["f1", "brier"], ())


def test_pages_stand_before_warnings() -> None:
    cards = page(firing(record(1), record(2, severity="info"), record(3, severity="warning")), OK, NOW_MS).cards
    assert [card.severity for card in cards] == ["page", "warning", "info"]
    assert [card.tone for card in cards] == ["alarm", "warning", "warning"]


@pytest.mark.parametrize(
    ("runbook", "linked"),
    [
        ("https://wiki.example/a?b=1&c=2", True),
        ("javascript:alert(1)", False),
        ("//evil.example", False),
        ("ask Jo", False),
    ],
)
def test_runbook_is_a_link_only_where_it_is_one(runbook: str, linked: bool) -> None:
    document = show(firing(record(1, runbook=runbook)))
    targets = [attributes.get("href") for tag, attributes in document.elements if tag == "a"]
    assert (runbook in targets) is linked
    assert linked or f"Runbook: {runbook}" in document.text


@pytest.mark.parametrize(
    ("snapshot", "tone", "text"),
    [
        (LIVE, "good", "All quiet"),
        (firing(record(1), record(2)), "alarm", "2 alerts firing in 1 incident"),
        (with_readings(replace(QUIET, alert=AlertState.PENDING)), "warning", "1 alert pending"),
        (with_readings(replace(QUIET, status="warming up 4 of 100 panes")), "wait", "Warming up"),
        (Snapshot("payments", "0.1.0", NOW_MS, 0.0), "wait", "Nothing judged yet"),
    ],
)
def test_verdict(snapshot: Snapshot, tone: str, text: str) -> None:
    verdict = page(snapshot, OK, NOW_MS).verdict
    assert (verdict.tone, verdict.text) == (tone, text)


def test_service_troubles_are_named() -> None:
    away = replace(LIVE, broker=BrokerReading(connected=False, since_ms=NOW_MS - 95_000, message="connection refused"))
    assert page(away, OK, NOW_MS).notices == ("The broker has not answered for 1 min 35 s: connection refused",)
    assert page(LIVE, Health(ok=False, reason="the loop stands"), NOW_MS).notices == ("Not healthy: the loop stands",)
    assert page(replace(LIVE, phase=Phase.CATCHING_UP), OK, NOW_MS).notices == ("Catching up: 42 records to go",)
    assert page(LIVE, OK, NOW_MS).notices == ()


def test_not_enough_data_is_said_not_zero() -> None:
    few = replace(
        ACCURACY, segment=(("tier", "trial"),), status="not enough data", rows=12, value=None, low=None, high=None
    )
    (card,) = page(with_readings(ACCURACY, few), OK, NOW_MS).qualities
    assert [(i.segment, i.value, i.rows) for i in card.intervals] == [
        ("all", "0.91", "1,000"),
        ("tier=trial", "not enough data", "12"),
    ]
    text = show(with_readings(ACCURACY, few)).text
    assert "tier=trial not enough data 12" in text


def test_interval_is_drawn_in_proportion() -> None:
    wide = replace(ACCURACY, segment=(("tier", "a"),), value=0.8, low=0.69, high=0.89, rows=90)
    (card,) = page(with_readings(ACCURACY, wide), OK, NOW_MS).qualities
    assert card.axis == ("0.69", "0.93")
    assert [(i.low, i.at, i.high) for i in card.intervals] == [(83.3, 91.7, 100.0), (0.0, 45.8, 83.3)]


def test_what_is_in_trouble_comes_first() -> None:
    segments = [(("tier", name),) for name in ("a", "b", "c")]
    quiet, near, firing_ = (replace(QUIET, segment=segment) for segment in segments)
    near, firing_ = replace(near, score=7.9), replace(firing_, alert=AlertState.FIRING, score=2.0)
    fine = replace(QUIET, column="country", segment=())
    made = page(with_readings(fine, quiet, near, firing_), OK, NOW_MS).grid
    assert made.heads == ("all", "tier=c", "tier=b", "tier=a")
    assert [row.column for row in made.rows] == ["amount", "country"]
    assert [[cell.state for cell in group] for group in made.rows[0].groups] == [[], ["firing"], ["quiet"], ["quiet"]]


def test_what_is_known_stands_behind_what_is_not() -> None:
    known = replace(QUIET, monitor="a", column="known", alert=AlertState.FIRING, acknowledged_by="kim")
    new = replace(QUIET, monitor="b", column="new", alert=AlertState.FIRING)
    book = AlertBook().after(record(n, monitor=name, segment={}) for n, name in enumerate("ab", 1))
    made = page(replace(with_readings(known, new), alerts=book), OK, NOW_MS)
    assert [row.column for row in made.grid.rows] == ["new", "known"]
    cards = [(card.monitor, card.known_to, card.tone) for card in made.cards]
    assert cards == [("b", None, "alarm"), ("a", "kim", "warning")]
    assert "1 known" in made.verdict.detail


def many(columns: int, segments: int, ways: int = 1) -> Snapshot:
    """So many of everything, each with a way of 40 pieces."""
    readings = [
        replace(QUIET, monitor=f"m{n}-{w}", column=f"c{n}", segment=(("tier", f"segment {k}"),) if k else ())
        for n in range(columns)
        for w in range(ways)
        for k in range(segments)
    ]
    places = {(r.monitor, r.segment): place for place, r in enumerate(readings)}
    numbers = np.random.default_rng(3).normal(10, 3, (40, len(readings), len(NUMBERS))).astype(np.float32)
    numbers[:, :, NUMBERS.index("state")] = 0
    pieces = tuple(Piece(NOW_MS + 1000 * n, NOW_MS + 1000 * n + 1000, 1, numbers[n]) for n in range(40))
    lately = Lately(NOW_MS, Trails(pieces, places))
    book = AlertBook().after(record(n, monitor="m0-0", segment={}) for n in range(1, 151))
    shown = with_readings(*readings)
    return replace(shown, engine=replace(shown.engine, lately=lately), alerts=book)


SIZES = [(14, 4, 1), (5, 1_000, 1), (4_999, 1, 1), (1, 1, 4_999), (70, 6, 11)]


@pytest.mark.parametrize(("columns", "segments", "ways"), SIZES)
def test_page_is_bounded(columns: int, segments: int, ways: int) -> None:
    snapshot = many(columns, segments, ways)
    routes = Routes(Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS))
    assert len(routes.answer("/", "").body) <= 300_000
    made = page(snapshot, OK, NOW_MS)
    assert sum(len(group) for row in made.grid.rows for group in row.groups) <= CELLS_MAX
    assert (len(made.cards), made.cards_left_out) == (CARDS_MAX, 150 - CARDS_MAX)
    assert (len(made.recent), made.recent_left_out) == (RECENT_MAX, 100)


def walk(snapshot: Snapshot) -> tuple[set[str], int]:
    """Every cell that can be reached by "next" links, and over how many pages."""
    routes = Routes(Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS))
    seen: set[str] = set()
    pages: set[str] = set()
    waiting = ["/"]
    while waiting:
        address = waiting.pop()
        if address in pages:
            continue
        pages.add(address)
        document = Document(routes.answer(address, "").body.decode())
        links = [(a.get("class"), a["href"] or "") for tag, a in document.elements if tag == "a" and "href" in a]
        seen |= {href for kind, href in links if kind and kind.startswith("cell")}
        waiting += ["/" + href[2:].partition("#")[0] for _, href in links if href.startswith("./?")]
    return seen, len(pages)


def test_every_monitor_can_be_reached() -> None:
    seen, pages = walk(many(40, 12, 2))
    assert len(seen) == 40 * 12 * 2
    assert pages < 40


def test_words_choose_monitors() -> None:
    snapshot = many(20, 30)
    made = page(snapshot, OK, NOW_MS, Wish("C7 SEGMENT")).grid
    assert (made.pairs, made.found) == (600, 29)
    assert [row.column for row in made.rows] == ["c7"]
    assert "q=C7+SEGMENT" in str(made.segments_part.behind)
    assert page(snapshot, OK, NOW_MS, Wish("nothing like it")).grid.rows == ()
    routes = Routes(Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS))
    assert b"None has these words" in routes.answer("/?q=%3Cscript%3E", "").body
    for strange in ("/?rows=-1", "/?rows=99999999999", "/?segments=x&rows=", "/?q=%ff%00"):
        assert routes.answer(strange, "").status == 200
    assert routes.answer("/?" + "a=1&" * 50, "").status == 400


def test_qualities_are_bounded() -> None:
    qualities = [replace(ACCURACY, monitor="m", segment=(("tier", f"s{k}"),)) for k in range(SEGMENTS_MAX + 3)]
    (card,) = page(with_readings(*qualities), OK, NOW_MS).qualities
    assert (len(card.intervals), card.left_out) == (SEGMENTS_MAX, 3)


HOSTILE = [
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onclick='alert(1)",
    "</svg></table></main><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "\ud800",
    "\x00\n\u202e",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    hostile = replace(
        with_readings(
            replace(
                QUIET, monitor=text, column=text, segment=((text, text),), status=text, measure=text, detector=text
            ),
            replace(ACCURACY, monitor=text, measure=text, segment=(("tier", text),)),
        ),
        config=text,
        broker=BrokerReading(connected=False, since_ms=1, message=text),
        alerts=AlertBook().after(
            [record(1, summary=clean, owner=clean, runbook=clean, severity=clean, segment={"t": clean})]
        ),
        engine=replace(
            LIVE.engine,
            partitions=(PartitionReading(SourcePartition(text, 0), None, None, False, 0, 0, ((text, 1),)),),
            limits=((text, 1),),
        ),
    )
    plain = [tag for tag, _ in show(firing(record(1))).elements]
    document = show(hostile)
    allowed = set(plain) | {"p", "h3", "div", "dl", "dt", "dd", "details", "summary"}
    assert {tag for tag, _ in document.elements} <= allowed
    scripts = [attributes for tag, attributes in document.elements if tag == "script"]
    assert scripts == [{"src": "page.js", "defer": None}]
    names = {name for _, attributes in document.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    if "{{" in text:
        assert "{{ 7 * 7 }}" in document.text


def test_page_needs_nothing_from_elsewhere() -> None:
    document = show(firing(record(1)))
    sources = [a.get("src") or a.get("href") or "" for tag, a in document.elements if tag in ("script", "link", "img")]
    assert sources == ["data:,", "page.css", "page.js"]
    routes = Routes(Telemetry(LIVE), lambda _: ("", b""), ManualClock())
    for path in ("/page.css", "/page.js"):
        assert b"http" not in routes.answer(path, "").body


def test_status_is_the_snapshot() -> None:
    routes = Routes(
        Telemetry(with_readings(QUIET, replace(ACCURACY, segment=(("tier", "\ud800"),)))),
        lambda _: ("", b""),
        ManualClock(),
    )
    status = orjson.loads(routes.answer("/api/status", "").body)
    assert status["partitions"][0]["rejected"] == {"not JSON": 2}
    assert status["partitions"][0]["lag"] == 42
    assert status["join"]["predictions_matched"] == 6
    assert status["monitors"][0]["value"] == 105.2
    assert status["monitors"][0]["low"] is None
    assert status["monitors"][0]["alert"] == "quiet"
    assert status["monitors"][1]["segment"] == {"tier": "\\ud800"}
