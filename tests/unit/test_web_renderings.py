"""Do many readers cost one drawing, and is nobody told too late what fires?"""

import http.client
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from streamcheck.adapters.web.renderings import AGE_S_MAX, KEPT_MAX, SHARE_MAX, Renderings, Response
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.runtime.telemetry import Telemetry
from streamcheck.testing import ManualClock
from tests.unit.test_web_page import LIVE, NOW_MS, firing, record


class Bench:
    """Drawing under clocks of its own; each drawing costs so many seconds of CPU."""

    def __init__(self, cost_s: float) -> None:
        self.cost_s, self.at_s, self.spent_s, self.drawn = cost_s, 0.0, 0.0, 0
        self.pages = Renderings(lambda: self.at_s, lambda: self.spent_s)

    def draw(self) -> Response:
        self.drawn += 1
        self.spent_s += self.cost_s
        return Response(200, "text/html", b"drawn %d" % self.drawn)

    def get(self, address: str = "/", of: str = "quiet") -> bytes:
        return self.pages.get(address, of, self.draw).body


def test_drawing_takes_a_part_of_a_core_however_many_readers_there_are() -> None:
    bench = Bench(0.1)
    for step in range(600):  # a minute, ten readers a second
        bench.at_s = step / 10
        bench.get()
    assert bench.spent_s == pytest.approx(60 * SHARE_MAX, rel=0.05)


def test_no_page_is_older_than_the_script_asks() -> None:
    bench = Bench(10.0)
    bench.get()
    bench.at_s = AGE_S_MAX - 0.01
    assert bench.get() == b"drawn 1"
    bench.at_s = AGE_S_MAX
    assert bench.get() == b"drawn 2"


def test_what_must_be_told_at_once_is() -> None:
    bench = Bench(0.1)
    assert [bench.get(of=of) for of in ("quiet", "quiet", "firing")] == [b"drawn 1", b"drawn 1", b"drawn 2"]
    bench.pages.forget()
    assert bench.get(of="firing") == b"drawn 3"


def test_those_asked_for_last_are_kept() -> None:
    bench = Bench(0.1)
    for number in range(KEPT_MAX):
        bench.get(f"/?q={number}")
    bench.get("/?q=0")
    bench.get("/")
    assert (bench.drawn, bench.get("/?q=0")) == (KEPT_MAX + 1, b"drawn 1")
    bench.get("/?q=1")
    assert bench.drawn == KEPT_MAX + 2


def test_readers_at_the_same_time_wait_for_one_drawing() -> None:
    bench, seen, ready = Bench(0.1), [], threading.Barrier(10)

    def read() -> None:
        ready.wait(30)
        seen.append(bench.get())

    readers = [threading.Thread(target=read) for _ in range(10)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert seen == [b"drawn 1"] * 10


# ------------------------------------------------------------------ the same over HTTP
class Site:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.telemetry = Telemetry(replace(LIVE, beat_s=self.clock.monotonic()))
        self.server = WebServer("127.0.0.1", 0, Routes(self.telemetry, lambda _: ("", b""), self.clock))
        self.server.start()

    def get(self, path: str, known: str = "") -> tuple[int, str, bytes]:
        """Status, etag, body."""
        connection = http.client.HTTPConnection(*self.server.address, timeout=30)
        try:
            connection.request("GET", path, headers={"If-None-Match": known} if known else {})
            answer = connection.getresponse()
            return answer.status, answer.getheader("ETag", ""), answer.read()
        finally:
            connection.close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.close()


@pytest.mark.parametrize("path", ["/", "/?q=amount", "/monitor?id=amount-shift", "/api/alerts", "/api/status"])
def test_who_has_it_is_told_so_in_a_word(site: Site, path: str) -> None:
    status, tag, body = site.get(path)
    assert (status, len(tag) > 10, len(body) > 10) == (200, True, True)
    assert site.get(path, tag) == (304, tag, b"")
    assert site.get(path, f'"other", W/{tag}')[0] == 304
    assert site.get(path, '"other"')[0] == 200
    site.telemetry.publish(replace(firing(record(1, monitor="amount-shift", segment={})), delivered=1))
    status, now, body = site.get(path, tag)
    assert status == 200
    assert now != tag
    assert b"firing" in body or path == "/api/status"


def test_that_it_is_later_is_no_news(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcheck.adapters.web.renderings.AGE_S_MAX", 0.0)
    _, tag, body = site.get("/")
    site.clock.advance(30)
    later = site.get("/")
    assert later[2] != body, "drawn anew"
    assert later[1] == tag
    assert site.get("/", tag)[0] == 304
    site.telemetry.publish(replace(site.telemetry.read(), lag=()))
    assert site.get("/", tag)[0] == 200


def test_an_unhealthy_loop_is_seen_at_once(site: Site) -> None:
    _, tag, _ = site.get("/")
    site.clock.advance(3_600)
    status, _, body = site.get("/", tag)
    assert status == 200
    assert b"Not healthy" in body
