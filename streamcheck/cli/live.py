"""What does a running service say? Its pages as JSON, by the address that its config serves them at."""

import json
import urllib.error
import urllib.request
from typing import Any

from streamcheck.errors import StreamcheckError

ANSWER_S_MAX = 5.0
ANSWER_BYTES_MAX = 256 << 20
"""5,000 monitors and as many alerts are about 20 MB."""
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not where we do


class NotServing(StreamcheckError):  # noqa: N818 - a fact about a service
    """Nobody answers at the address, or it is not streamcheck."""


class Service:
    """A service at an address such as http://127.0.0.1:9108/."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @staticmethod
    def of(named: str) -> "Service":
        """By its address, or by its config. Raises ConfigError; NotServing where the config serves no pages."""
        if named.startswith(("http://", "https://")):
            return Service(named)
        from streamcheck.config.load import load  # noqa: PLC0415 (pydantic: not for an address)

        listen = load(named).settings.listen
        if listen is None or not listen[1]:
            raise NotServing(f"{named}: prometheus.listen names no fixed address; give the service's http://… instead")
        host = ANY.get(listen[0], listen[0])
        return Service(f"http://[{host}]:{listen[1]}" if ":" in host else f"http://{host}:{listen[1]}")

    def alerts(self) -> dict[str, Any]:
        """What fires and what has changed lately. Raises NotServing."""
        return self._get("/api/alerts")

    def status(self) -> dict[str, Any]:
        """Everything else that the page shows. Raises NotServing."""
        return self._get("/api/status")

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=ANSWER_S_MAX) as answer:  # noqa: S310 - http(s) only
                found = json.loads(answer.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NotServing(
                f"no streamcheck answers at {self.url} ({reason}); is `streamcheck run` up, and is this the address of "
                "its pages (prometheus.listen)?"
            ) from error
        if not isinstance(found, dict) or "config" not in found:
            raise NotServing(f"{self.url} answers, but it is no streamcheck")
        return found
