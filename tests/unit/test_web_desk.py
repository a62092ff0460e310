"""Does the page take orders only where it may, only from who may, and keep them where commands keep theirs?"""

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest

from streamcheck.adapters.notify.files import SilenceFile
from streamcheck.adapters.sqlite.orders import OrderFolder
from streamcheck.adapters.web import desk as desks
from streamcheck.adapters.web import server as web
from streamcheck.adapters.web.desk import Desk
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.cli.page_wiring import desk as wired
from streamcheck.config.load import loads
from streamcheck.core.orders import Acknowledge, heard, told
from streamcheck.errors import ConfigError
from streamcheck.runtime.telemetry import Telemetry
from streamcheck.testing import ManualClock
from tests.unit.test_web_page import LIVE, firing, record

CONFIG = """
version: 1
name: n
streams: {predictions: {topic: t, features: {a: numeric}}}
state: {dir: DIR}
prometheus: {PAGE}
"""


def config(directory: Path, page: str) -> str:
    return CONFIG.replace("DIR", str(directory)).replace("PAGE", page)


class Site:
    """A page that takes orders, over HTTP."""

    def __init__(self, directory: Path, page: str = "orders: true", **environment: str) -> None:
        self.settings = loads(config(directory, page), environment).settings
        self.directory = directory
        self.desk: Desk = wired(self.settings, "n.yaml")
        routes = Routes(Telemetry(firing(record(1))), lambda _: ("", b""), ManualClock(), desk=self.desk)
        self.server = WebServer("127.0.0.1", 0, routes)
        self.server.start()
        self.host = f"127.0.0.1:{self.server.address[1]}"

    def post(self, headers: dict[str, str] | None = None, path: str = "/orders", **form: str) -> tuple[int, str]:
        told = {"token": self.desk.token, "who": "kim", "why": "known", **form}
        return self.send(urlencode(told).encode(), headers, path)

    def send(self, body: bytes, headers: dict[str, str] | None = None, path: str = "/orders") -> tuple[int, str]:
        connection = http.client.HTTPConnection(*self.server.address, timeout=30)
        given = {"Content-Type": "application/x-www-form-urlencoded", "Host": self.host, **(headers or {})}
        try:
            connection.request("POST", path, body, {name: text for name, text in given.items() if text})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @property
    def orders(self) -> list[Acknowledge]:
        return [heard(orjson.loads(content)) for _, content in OrderFolder(self.directory).waiting()]  # type: ignore[misc]

    @property
    def silences(self) -> list[tuple[str, str, str]]:
        return [(each.what, each.who, each.why) for each in SilenceFile(self.directory).read()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "state")
    yield made
    made.server.close()


def test_an_alert_is_acknowledged_as_by_the_command(site: Site) -> None:
    assert site.post(order="acknowledge", alert="id1")[0] == 303
    assert site.orders == [Acknowledge("id1", "kim", why="known")]


def test_an_acknowledgement_may_end_by_itself(site: Site) -> None:
    assert site.post(order="acknowledge", alert="id1", **{"for": "1d"})[0] == 303
    (order,) = site.orders
    assert order.until_ms == ManualClock().now_ms() + 86_400_000


def test_a_silence_is_kept_shown_and_ended(site: Site) -> None:
    form = {"order": "silence", "monitor": "m", "segment": "tier=<b>", "for": "4h"}
    assert site.post(None, "/orders", **form)[0] == 303
    assert site.silences == [("monitor m, segment tier=<b>", "kim", "known")]
    (kept,) = SilenceFile(site.directory).read()
    assert kept.until_ms - kept.made_ms == 4 * 3_600_000
    assert site.post(order="end", silence=kept.id)[0] == 303
    assert site.silences == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"order": "acknowledge", "alert": "id1", "who": " "}, "who says so"),
        ({"order": "acknowledge", "alert": "id1", "why": ""}, "who says so"),
        ({"order": "acknowledge"}, "not an order"),
        ({"order": "silence", "monitor": "m", "for": "10y"}, "not an order"),
        ({"order": "rebaseline", "alert": "id1"}, "not an order"),
        ({}, "not an order"),
    ],
)
def test_what_is_no_order(site: Site, form: dict[str, str], said: str) -> None:
    status, text = site.post(None, "/orders", **form)
    assert status == 400
    assert said in text
    assert (site.orders, site.silences) == ([], [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
def test_other_sites_can_order_nothing(site: Site, headers: dict[str, str], status: int) -> None:
    assert site.post(headers, order="acknowledge", alert="id1")[0] == status
    assert site.orders == []


def test_a_form_without_this_process_token_is_refused(site: Site) -> None:
    for token in ("", "x", site.desk.token[:-1]):
        assert site.post(order="acknowledge", alert="id1", token=token)[0] == 403
    assert site.orders == []


def test_a_browser_that_names_its_origin_is_heard(site: Site) -> None:
    headers = {"Origin": f"http://{site.host}", "Sec-Fetch-Site": "same-origin"}
    assert site.post(headers, order="acknowledge", alert="id1")[0] == 303


@pytest.mark.parametrize("body", [b"\xff\xfe", b"=", b"&&&", b"a=1&" * 100 + b"a=1"])
def test_strange_bodies(site: Site, body: bytes) -> None:
    assert site.send(body)[0] in (400, 403)
    assert site.orders == []


def test_a_body_has_a_length_and_not_a_great_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.post(order="acknowledge", alert="x" * 5_000)[0] == 413
    assert site.send(b"", {"Content-Length": "abc"})[0] == 411
    monkeypatch.setattr(web, "HEAD_S_MAX", 0.05)
    assert site.send(b"order=", {"Content-Length": "100"})[0] == 408
    assert site.orders == []


def test_no_more_than_so_many_a_minute(site: Site) -> None:
    for _ in range(desks.ORDERS_PER_MINUTE):
        assert site.post(order="acknowledge", alert="id1", token="wrong")[0] == 403
    assert site.post(order="acknowledge", alert="id1")[0] == 429


def test_with_a_password_only_who_knows_it(tmp_path: Path) -> None:
    site = Site(tmp_path, "orders: true, password: '${SECRET}'", SECRET="correct horse")
    try:
        assert "correct" not in repr(site.settings)
        assert "correct" not in repr(site.desk)
        assert site.post(order="acknowledge", alert="id1")[0] == 403
        assert site.post(order="acknowledge", alert="id1", password="wrong horse…")[0] == 403
        behind_a_proxy = {"Host": "monitor.example", "Origin": "https://monitor.example"}
        assert site.post(behind_a_proxy, order="acknowledge", alert="id1", password="correct horse")[0] == 303
        assert len(site.orders) == 1
    finally:
        site.server.close()


def test_a_disk_that_is_full_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.directory.write_text("no directory")
    status, text = site.post(order="acknowledge", alert="id1")
    assert status == 503
    assert "could not be" in text


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/alerts", "/orders/x"])
def test_forms_go_to_one_address(site: Site, path: str) -> None:
    assert site.post(path=path, order="acknowledge", alert="id1")[0] == 404


def test_the_page_has_forms_where_it_takes_orders_and_commands_where_not(site: Site, tmp_path: Path) -> None:
    snapshot = firing(record(1, monitor="amount-shift", segment={"tier": "a b"}))

    def shown(desk: Desk | None) -> str:
        return Routes(Telemetry(snapshot), lambda _: ("", b""), ManualClock(), desk=desk).answer("/", "").body.decode()

    page = shown(site.desk)
    assert page.count('<form method="post"') == 2
    assert site.desk.token in page
    assert 'type="password"' not in page
    assert "streamcheck acknowledge" not in page
    plain = shown(wired(loads(config(tmp_path, "listen: off"), {}).settings, "my config.yaml"))
    assert '<form method="post"' not in plain
    assert "streamcheck acknowledge &#39;my config.yaml&#39; id1" in plain
    assert "--monitor amount-shift --segment &#39;tier=a b&#39; --for 4h --why TEXT" in plain
    assert "read-only" in shown(None)


def test_silences_that_cannot_be_read_are_told(site: Site) -> None:
    site.directory.mkdir()
    (site.directory / "silences.json").write_text("{")
    routes = Routes(Telemetry(LIVE), lambda _: ("", b""), ManualClock(), desk=site.desk)
    assert b"Silences are not heeded" in routes.answer("/", "").body


# ---------------------------------------------------------------------- the config
@pytest.mark.parametrize(
    ("page", "mistake"),
    [
        ("listen: '0.0.0.0:9108', orders: true", "orders need a password"),
        ("orders: true, password: short", "12 characters or more"),
        ("orders: perhaps", "true or false"),
        ("samples: some", "full, redacted"),
    ],
)
def test_mistakes_of_the_config(tmp_path: Path, page: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(config(tmp_path, page), {})
    assert mistake in str(caught.value)
    assert "short" not in str(caught.value)


def test_what_may_be_seen_of_rejects(tmp_path: Path) -> None:
    def samples(page: str) -> str:
        return loads(config(tmp_path, page), {}).settings.page.samples

    assert samples("orders: false") == "full"
    assert samples("listen: '0.0.0.0:1'") == "redacted"
    assert samples("listen: '0.0.0.0:1', samples: full") == "full"
    assert samples("samples: 'off'") == "off"


def test_an_acknowledgement_of_before_has_no_reason() -> None:
    before = {"kind": "acknowledge", "alert": "9f", "by": "kim", "rebaseline": False}
    assert heard(before) == Acknowledge("9f", "kim")
    assert told(Acknowledge("9f", "kim")) == before
    assert heard(told(Acknowledge("9f", "kim", why="new prices"))).why == "new prices"  # type: ignore[union-attr]
