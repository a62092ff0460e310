"""Does the HTTP server keep its contract with well-behaved, broken, slow and too many clients?"""

import http.client
import socket
from collections.abc import Callable, Iterator

import orjson
import pytest

from streamcheck.adapters.web import server as web
from streamcheck.adapters.web.renderings import Response
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.errors import ConfigError
from streamcheck.runtime.telemetry import AlertBook, Phase, Snapshot, Telemetry
from streamcheck.testing import ManualClock

RECORD = b'{"schema":1, "id":"9f","sequence":1,"state":"firing","monitor":"m","severity":"page","value":1.50}'
DEADLINE_S = 30


class Site:
    """A server on a free port with everything behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        first = Snapshot("payments", "0.1.0", self.clock.now_ms(), 0.0, Phase.LIVE, alerts=AlertBook().after([RECORD]))
        self.telemetry = Telemetry(first)
        self.routes = Routes(self.telemetry, lambda accept: ("text/x-gauges", accept.encode()), self.clock)
        self.server = WebServer("127.0.0.1", 0, self.routes)
        self.server.start()

    def request(self, method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*self.server.address, timeout=DEADLINE_S)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.server.address, timeout=DEADLINE_S)

    def raw(self, request: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.close()


def test_every_address_answers(site: Site) -> None:
    assert site.request("GET", "/monitor?id=m")[0].status == 404, "no reading yet"
    paths = [path for path in site.routes.paths if path != "/monitor"]
    types = {path: site.request("GET", path)[0].getheader("Content-Type", "") for path in paths}
    assert {path: kind.partition(";")[0] for path, kind in types.items()} == {
        "/": "text/html",
        "/page.css": "text/css",
        "/page.js": "text/javascript",
        "/metrics": "text/x-gauges",
        "/healthz": "application/json",
        "/readyz": "application/json",
        "/api/alerts": "application/json",
        "/api/status": "application/json",
    }


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nowhere"])
def test_security_headers_are_everywhere(site: Site, path: str) -> None:
    response, _ = site.request("GET", path)
    policy = response.getheader("Content-Security-Policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Cache-Control") == "no-store"
    assert "Python" not in response.getheader("Server", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"])
def test_other_methods_are_refused(site: Site, method: str) -> None:
    response, _ = site.request(method, "/")
    assert response.status == 405
    assert response.getheader("Allow") == "GET, HEAD"


def test_head_is_get_without_a_body(site: Site) -> None:
    got, body = site.request("GET", "/page.css")
    head, nothing = site.request("HEAD", "/page.css")
    assert (head.status, nothing) == (200, b"")
    assert head.getheader("Content-Length") == got.getheader("Content-Length") == str(len(body))


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/api/", "/page.html", "/../../etc/passwd", "/%2e%2e/routes.py", "/a//", "/<script>alert(1)</script>"],
)
def test_unknown_path(site: Site, path: str) -> None:
    response, body = site.request("GET", path)
    assert response.status == 404
    assert response.getheader("Content-Type", "").startswith("text/plain")
    assert b"script" not in body
    assert b"/api/alerts" in body


def test_query_is_left_alone(site: Site) -> None:
    assert site.request("GET", "/healthz?verbose=1")[0].status == 200


def test_metrics_see_the_accept_header(site: Site) -> None:
    assert site.request("GET", "/metrics", Accept="application/openmetrics-text")[1] == b"application/openmetrics-text"


def test_health_follows_the_loop(site: Site) -> None:
    assert orjson.loads(site.request("GET", "/healthz")[1])["status"] == "ok"
    site.clock.advance(61)
    response, body = site.request("GET", "/healthz")
    assert response.status == 503
    assert orjson.loads(body) == {
        "status": "failing",
        "reason": "the loop has not turned for 61 s (at most 60 s)",
        "phase": "live",
    }
    site.telemetry.beat(site.clock.monotonic())
    assert site.request("GET", "/healthz")[0].status == 200


def test_readiness_follows_the_phase(site: Site) -> None:
    assert site.request("GET", "/readyz")[0].status == 200
    site.telemetry.publish(Snapshot("payments", "0.1.0", 0, 0.0, Phase.RESTORING))
    response, body = site.request("GET", "/readyz")
    assert response.status == 503
    assert orjson.loads(body)["reason"] == "not ready while restoring"


def test_alerts_are_the_published_bytes(site: Site) -> None:
    _, body = site.request("GET", "/api/alerts")
    assert body.count(RECORD) == 2
    decoded = orjson.loads(body)
    assert [alert["id"] for alert in decoded["firing"]] == ["9f"]
    assert decoded["total"] == [{"state": "firing", "severity": "page", "count": 1}]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /" + b"a" * 500_000, b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/9.9.9\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"505"),
        (b"\x16\x03\x01\x02\x00\x01\n\n", b"400"),
        (b"\xff" * 10_000, b"414"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000, b"405"),
    ],
)
def test_broken_requests_are_refused_in_plain_text(site: Site, request_bytes: bytes, status: bytes) -> None:
    answer = site.raw(request_bytes)
    assert answer.split(b" ")[1] == status
    assert b"nosniff" in answer
    assert b"aaaa" not in answer
    assert site.request("GET", "/healthz")[0].status == 200


def test_client_that_leaves_without_a_word(site: Site) -> None:
    site.connect().close()
    assert site.request("GET", "/healthz")[0].status == 200


def test_slow_clients_do_not_block_others(site: Site) -> None:
    slow = [site.connect() for _ in range(web.HANDLERS_MAX - 1)]
    for connection in slow:
        connection.sendall(b"GET / HT")
    assert site.request("GET", "/healthz")[0].status == 200
    slow[0].sendall(b"TP/1.1\r\n\r\n")
    assert read_all(slow[0]).startswith(b"HTTP/1.1 200")
    for connection in slow:
        connection.close()


def test_too_many_clients_are_told_so(site: Site) -> None:
    slow = [site.connect() for _ in range(web.HANDLERS_MAX)]
    with site.connect() as one_more:
        assert read_all(one_more).startswith(b"HTTP/1.1 503")
    slow[0].sendall(b"HEAD /healthz HTTP/1.1\r\n\r\n")
    assert read_all(slow[0]).startswith(b"HTTP/1.1 200")
    for connection in slow:
        connection.close()


def test_silent_client_is_let_go(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "HEAD_S_MAX", 0.01)
    with site.connect() as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert read_all(silent).startswith(b"HTTP/1.1 408")


def test_failing_page_is_a_500_without_its_traceback(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: str, _accept: str) -> Response:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(site.routes, "answer", fails)
    response, body = site.request("GET", "/")
    assert (response.status, body) == (500, b"500 Internal Server Error\n")


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        (lambda site: site.server.address, "is in use by another process: stop it, or listen on another port"),
        (lambda _: ("192.0.2.1", 0), "is no address of this machine"),
        (lambda _: ("no.such.host.invalid", 0), "is no address of this machine"),
    ],
)
def test_address_that_cannot_be_had(site: Site, listen: Callable[[Site], tuple[str, int]], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WebServer(*listen(site), site.routes)
    assert message in str(caught.value)
    assert caught.value.mistakes[0].path == "prometheus.listen"


def test_url_and_close(site: Site) -> None:
    other = WebServer("127.0.0.1", 0, site.routes)
    assert other.url == f"http://127.0.0.1:{other.address[1]}/"
    other.close()  # never started: nothing hangs
    again = WebServer(*other.address, site.routes)
    again.start()
    again.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(again.address, timeout=DEADLINE_S)
