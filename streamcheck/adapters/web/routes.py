"""What does each address answer? Pages, probes and JSON from the newest snapshot; orders where the config says so."""

from collections.abc import Callable, Hashable, Mapping
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl

import jinja2

from streamcheck.adapters.web import api, monitor
from streamcheck.adapters.web.desk import Desk, Refused
from streamcheck.adapters.web.grid import QUERY_CHARS_MAX, Wish
from streamcheck.adapters.web.renderings import Renderings, Response
from streamcheck.adapters.web.view import card, page
from streamcheck.core.readings import Reading
from streamcheck.core.wording import moment
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import Health, HealthRules, Snapshot, Telemetry, alive, ready, segment_text

Render = Callable[[str], tuple[str, bytes]]
"""An `Accept` header in, content type and body out."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEMPLATES = ("base.html", "macros.html", "page.html", "monitor.html")
ORDERS = "/orders"
PART_MAX = 100_000
FIELDS_MAX = 20


Query = Mapping[str, str]


class Routes:
    """Answers each request from one snapshot, pages now and then from one that is seconds old.

    metrics: renders the gauges; clock: for "how long ago" and probes.

    desk: who takes orders, and what silences there are.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        metrics: Render,
        clock: Clock,
        rules: HealthRules | None = None,
        desk: Desk | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._metrics = metrics
        self._clock = clock
        self._rules = rules or HealthRules()
        self._desk = desk or Desk()
        self._drawn = Renderings()
        files = resources.files(__package__)
        self._templates = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            loader=jinja2.DictLoader({name: (files / name).read_text("utf-8") for name in TEMPLATES}),
        )  # fmt: skip
        css, js = (files / "page.css").read_bytes(), (files / "page.js").read_bytes()
        self._answers: dict[str, Callable[[Query, str], Response]] = {
            "/": self._page,
            "/monitor": self._monitor,
            "/page.css": lambda *_: Response(200, "text/css; charset=utf-8", css),
            "/page.js": lambda *_: Response(200, "text/javascript; charset=utf-8", js),
            "/metrics": self._gauges,
            "/healthz": lambda *_: self._probe(alive(telemetry.read(), clock.monotonic(), self._rules)),
            "/readyz": lambda *_: self._probe(ready(telemetry.read())),
            "/api/alerts": lambda *_: self._told("alerts", api.alerts),
            "/api/status": lambda *_: self._told("status", api.status),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Every address there is."""
        return tuple(self._answers)

    @property
    def takes_orders(self) -> bool:
        """Whether anything but reading is allowed."""
        return self._desk.clerk is not None

    def answer(self, path: str, accept: str, known: str = "") -> Response:
        """The response for a path, which may have a query. known: what the reader has (If-None-Match)."""
        bare, _, query = path.partition("#")[0].partition("?")
        found = self._answers.get(bare)
        if found is None:
            return Response(404, TEXT, f"Nothing is here. There are {', '.join(self._answers)}.\n".encode())
        try:
            asked = dict(parse_qsl(query, max_num_fields=FIELDS_MAX))
        except ValueError:
            return Response(400, TEXT, b"This is no query that a page makes.\n")
        return found(asked, accept).unless(known)

    def order(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response to a form."""
        if path != ORDERS:
            return Response(404, TEXT, b"Forms go to /orders.\n")
        try:
            self._desk.take(body, headers, self._clock)
        except Refused as refused:
            return Response(refused.status, TEXT, f"Not done: {refused}.\n".encode())
        self._drawn.forget()
        return Response(303, TEXT, b"Done.\n", location="./")

    def _page(self, query: Query, _accept: str) -> Response:
        snapshot, now_ms = self._telemetry.read(), self._clock.now_ms()
        health = alive(snapshot, self._clock.monotonic(), self._rules)
        wish = Wish(query.get("q", "")[:QUERY_CHARS_MAX], _part(query, "rows"), _part(query, "segments"))

        def draw() -> Response:
            made = page(snapshot, health, now_ms, wish, self._desk)
            return self._html("page.html", page=made, version=snapshot.version)

        return self._drawn.get(("/", wish), (self._affairs(snapshot, now_ms), health.ok), draw)

    def _monitor(self, query: Query, _accept: str) -> Response:
        snapshot, now_ms = self._telemetry.read(), self._clock.now_ms()
        reading = monitor.find(snapshot, query.get("id", ""), query.get("segment", ""))
        if reading is None:
            return Response(404, TEXT, b"There is no such monitor, or not for this segment; / shows all there are.\n")
        if reading.segment:
            self._telemetry.ask(reading.column, reading.segment)
        way = "recent" if query.get("way") == "recent" else "all"
        address = ("/monitor", reading.monitor, reading.segment, way)
        affairs = self._affairs(snapshot, now_ms)
        return self._drawn.get(address, affairs, lambda: self._one_monitor(snapshot, reading, way, now_ms))

    def _one_monitor(self, snapshot: Snapshot, reading: Reading, way: str, now_ms: int) -> Response:
        made = monitor.monitor_page(snapshot, reading, way)
        firing = made.firing
        return self._html(
            "monitor.html",
            page=made,
            config=snapshot.config,
            version=snapshot.version,
            card=card(firing, snapshot.engine.closed_until_ms, reading, self._desk, now_ms) if firing else None,
            label=segment_text(reading.segment),
            commands=(
                self._desk.acknowledge_command(firing.id if firing else ""),
                self._desk.silence_command(reading.monitor, reading.segment),
            ),
        )

    def _affairs(self, snapshot: Snapshot, now_ms: int) -> Hashable:
        """What must not be told late: a page that is drawn when one of these was otherwise is not given again."""
        silences, muddle = self._desk.held(now_ms)
        held = tuple(silence.id for silence in silences)
        return snapshot.alerts.total, snapshot.phase, snapshot.broker.connected, held, muddle

    def _html(self, template: str, **values: Any) -> Response:
        now = moment(self._clock.now_ms())
        text = self._templates.get_template(template).render(now=now, desk=self._desk, **values)
        # A lone surrogate, from a broken event, must not cost the whole page.
        return Response(200, HTML, text.encode("utf-8", "replace"))

    def _told(self, name: str, tell: Callable[[Snapshot], bytes]) -> Response:
        snapshot = self._telemetry.read()
        now = snapshot.alerts.total, snapshot.phase
        return self._drawn.get(name, now, lambda: Response(200, JSON, tell(snapshot)))

    def _gauges(self, _query: Query, accept: str) -> Response:
        content_type, body = self._metrics(accept)
        return Response(200, content_type, body)

    def _probe(self, health: Health) -> Response:
        return Response(200 if health.ok else 503, JSON, api.health(health, self._telemetry.read()))


def _part(query: Query, name: str) -> int:
    """A number of a query; 0 for what is none."""
    text = query.get(name, "")
    return min(int(text), PART_MAX) if text.isdecimal() and len(text) < 10 else 0
