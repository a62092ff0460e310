"""What does each address answer? Pages, probes and JSON from the newest snapshot; orders where the config says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl

import jinja2

from streamcheck.adapters.web import api, monitor
from streamcheck.adapters.web.desk import Desk, Refused
from streamcheck.adapters.web.grid import QUERY_CHARS_MAX, Wish
from streamcheck.adapters.web.view import card, page
from streamcheck.core.wording import moment
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import Health, HealthRules, Telemetry, alive, ready, segment_text

Render = Callable[[str], tuple[str, bytes]]
"""An `Accept` header in, content type and body out."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEMPLATES = ("base.html", "macros.html", "page.html", "monitor.html")
ORDERS = "/orders"
PART_MAX = 100_000
FIELDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. location: where to look instead."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None


Query = Mapping[str, str]


class Routes:
    """Answers each request from one snapshot. metrics: renders the gauges; clock: for "how long ago" and probes.

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
            "/api/alerts": lambda *_: Response(200, JSON, api.alerts(telemetry.read())),
            "/api/status": lambda *_: Response(200, JSON, api.status(telemetry.read())),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Every address there is."""
        return tuple(self._answers)

    @property
    def takes_orders(self) -> bool:
        """Whether anything but reading is allowed."""
        return self._desk.clerk is not None

    def answer(self, path: str, accept: str) -> Response:
        """The response for a path, which may have a query."""
        bare, _, query = path.partition("#")[0].partition("?")
        found = self._answers.get(bare)
        if found is None:
            return Response(404, TEXT, f"Nothing is here. There are {', '.join(self._answers)}.\n".encode())
        try:
            asked = dict(parse_qsl(query, max_num_fields=FIELDS_MAX))
        except ValueError:
            return Response(400, TEXT, b"This is no query that a page makes.\n")
        return found(asked, accept)

    def order(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response to a form."""
        if path != ORDERS:
            return Response(404, TEXT, b"Forms go to /orders.\n")
        try:
            self._desk.take(body, headers, self._clock)
        except Refused as refused:
            return Response(refused.status, TEXT, f"Not done: {refused}.\n".encode())
        return Response(303, TEXT, b"Done.\n", location="./")

    def _page(self, query: Query, _accept: str) -> Response:
        snapshot, now_ms = self._telemetry.read(), self._clock.now_ms()
        health = alive(snapshot, self._clock.monotonic(), self._rules)
        wish = Wish(query.get("q", "")[:QUERY_CHARS_MAX], _part(query, "rows"), _part(query, "segments"))
        return self._html("page.html", page=page(snapshot, health, now_ms, wish, self._desk), version=snapshot.version)

    def _monitor(self, query: Query, _accept: str) -> Response:
        snapshot = self._telemetry.read()
        reading = monitor.find(snapshot, query.get("id", ""), query.get("segment", ""))
        if reading is None:
            return Response(404, TEXT, b"There is no such monitor, or not for this segment; / shows all there are.\n")
        if reading.segment:
            self._telemetry.ask(reading.column, reading.segment)
        way = "recent" if query.get("way") == "recent" else "all"
        made = monitor.monitor_page(snapshot, reading, way)
        firing = made.firing
        return self._html(
            "monitor.html",
            page=made,
            config=snapshot.config,
            version=snapshot.version,
            card=card(firing, snapshot.engine.closed_until_ms, reading.acknowledged_by, self._desk) if firing else None,
            label=segment_text(reading.segment),
            commands=(
                self._desk.acknowledge_command(firing.id if firing else ""),
                self._desk.silence_command(reading.monitor, reading.segment),
            ),
        )

    def _html(self, template: str, **values: Any) -> Response:
        now = moment(self._clock.now_ms())
        text = self._templates.get_template(template).render(now=now, desk=self._desk, **values)
        # A lone surrogate, from a broken event, must not cost the whole page.
        return Response(200, HTML, text.encode("utf-8", "replace"))

    def _gauges(self, _query: Query, accept: str) -> Response:
        content_type, body = self._metrics(accept)
        return Response(200, content_type, body)

    def _probe(self, health: Health) -> Response:
        return Response(200 if health.ok else 503, JSON, api.health(health, self._telemetry.read()))


def _part(query: Query, name: str) -> int:
    """A number of a query; 0 for what is none."""
    text = query.get(name, "")
    return min(int(text), PART_MAX) if text.isdecimal() and len(text) < 10 else 0
