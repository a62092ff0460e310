"""What does each address answer? Pages, probes and JSON from the newest snapshot."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import jinja2

from streamcheck.adapters.web import api
from streamcheck.adapters.web.view import page
from streamcheck.core.wording import moment
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import Health, HealthRules, Telemetry, alive, ready

Render = Callable[[str], tuple[str, bytes]]
"""An `Accept` header in, content type and body out."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: int
    content_type: str
    body: bytes


class Routes:
    """Answers each request from one snapshot. metrics: renders the gauges; clock: for "how long ago" and probes."""

    def __init__(self, telemetry: Telemetry, metrics: Render, clock: Clock, rules: HealthRules | None = None) -> None:
        self._telemetry = telemetry
        self._metrics = metrics
        self._clock = clock
        self._rules = rules or HealthRules()
        files = resources.files(__package__)
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._template = environment.from_string((files / "page.html").read_text("utf-8"))
        css, js = (files / "page.css").read_bytes(), (files / "page.js").read_bytes()
        self._answers: dict[str, Callable[[str], Response]] = {
            "/": self._page,
            "/page.css": lambda _: Response(200, "text/css; charset=utf-8", css),
            "/page.js": lambda _: Response(200, "text/javascript; charset=utf-8", js),
            "/metrics": self._gauges,
            "/healthz": lambda _: self._probe(alive(telemetry.read(), clock.monotonic(), self._rules)),
            "/readyz": lambda _: self._probe(ready(telemetry.read())),
            "/api/alerts": lambda _: Response(200, JSON, api.alerts(telemetry.read())),
            "/api/status": lambda _: Response(200, JSON, api.status(telemetry.read())),
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Every address there is."""
        return tuple(self._answers)

    def answer(self, path: str, accept: str) -> Response:
        """The response for a path (without query)."""
        found = self._answers.get(path)
        if found is None:
            return Response(404, TEXT, f"Nothing is here. There are {', '.join(self._answers)}.\n".encode())
        return found(accept)

    def _page(self, _accept: str) -> Response:
        snapshot, now_ms = self._telemetry.read(), self._clock.now_ms()
        health = alive(snapshot, self._clock.monotonic(), self._rules)
        text = self._template.render(page=page(snapshot, health, now_ms), now=moment(now_ms))
        # A lone surrogate, from a broken event, must not cost the whole page.
        return Response(200, "text/html; charset=utf-8", text.encode("utf-8", "replace"))

    def _gauges(self, accept: str) -> Response:
        content_type, body = self._metrics(accept)
        return Response(200, content_type, body)

    def _probe(self, health: Health) -> Response:
        return Response(200 if health.ok else 503, JSON, api.health(health, self._telemetry.read()))
