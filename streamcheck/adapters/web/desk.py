"""What may a person order on the page, and how does the page know that it is they who ask? Off unless the config says.

Forms carry a token of this process, which other sites cannot read; where others than this machine can reach the page, a
password too. Without a password only addresses of this machine are answered, whatever name a browser was told.
"""

import hmac
import ipaddress
import secrets
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from streamcheck.core.orders import TEXT_MAX, Acknowledge
from streamcheck.core.readings import Segment
from streamcheck.errors import StateError
from streamcheck.runtime.notices import Silence
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import AlertReading, segment_text

FORM_BYTES_MAX = 4_096
FIELDS_MAX = 20
ORDERS_PER_MINUTE = 30
"""Tries with a wrong password count as well."""
SPANS_MS = {"1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000, "7d": 604_800_000}
"""How long a silence, or an acknowledgement, may be told to last."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """An order that is not taken; status: of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Clerk:
    """Who takes orders in. All raise StateError where one cannot be kept."""

    acknowledge: Callable[[Acknowledge], None]
    silence: Callable[[Silence], None]
    end: Callable[[str], None]


@dataclass(slots=True)
class Desk:
    """Orders and silences. config: as commands name it; clerk: None where the page only shows commands.

    password: None where the page is for this machine alone.
    """

    config: str = "CONFIG"
    clerk: Clerk | None = None
    password: str | None = field(default=None, repr=False)
    silences: Callable[[], Sequence[Silence]] = lambda: ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _taken_s: deque[float] = field(default_factory=lambda: deque(maxlen=ORDERS_PER_MINUTE))

    def held(self, now_ms: int) -> tuple[list[Silence], str]:
        """Silences that hold, the first to end first, and why they cannot be read, if so."""
        try:
            found = [each for each in self.silences() if each.until_ms > now_ms]
        except StateError as error:
            return [], str(error)
        return sorted(found, key=lambda each: each.until_ms), ""

    def hushing(self, alert: AlertReading, now_ms: int) -> list[Silence]:
        """The silences that keep messages about an alert back."""
        label = segment_text(alert.segment)
        return [each for each in self.held(now_ms)[0] if each.covers(alert, label, now_ms)]

    def acknowledge_command(self, alert: str) -> str:
        """What to type in place of a form."""
        return shlex.join(["streamcheck", "acknowledge", self.config, alert])

    def silence_command(self, monitor: str, segment: Segment) -> str:
        """The same for a silence."""
        where = ["--segment", segment_text(segment)]
        command = ["streamcheck", "silence", "add", self.config, "--monitor", monitor, *where, "--for", "4h", "--why"]
        return f"{shlex.join(command)} TEXT"

    def take(self, body: bytes, headers: Mapping[str, str], clock: Clock) -> str:
        """Carry out what a form says; what to tell in return. Raises Refused."""
        if self.clerk is None:
            raise Refused(405, "the page is read-only: prometheus.orders is not true in the config")
        self._check_sender(headers)
        given = _fields(body)
        self._check_rate(time.monotonic())
        if not hmac.compare_digest(given.get("token", "").encode(), self.token.encode()):
            raise Refused(403, "the form is an old one: go back, load the page again, and send it once more")
        if self.password is not None and not hmac.compare_digest(
            given.get("password", "").encode(), self.password.encode()
        ):
            raise Refused(403, "the password is another one: prometheus.password in the config")
        try:
            return self._obey(self.clerk, given, clock.now_ms())
        except StateError as error:
            raise Refused(503, f"the order could not be kept: {error}") from error

    def _obey(self, clerk: Clerk, given: Mapping[str, str], now_ms: int) -> str:
        who, why = given.get("who", "").strip()[:TEXT_MAX], given.get("why", "").strip()[:TEXT_MAX]
        if given.get("order") == "end" and given.get("silence"):
            clerk.end(given["silence"])
            return "the silence is over"
        if not who or not why:
            raise Refused(400, "an order needs who says so, and why")
        if given.get("order") == "acknowledge" and given.get("alert"):
            span_ms = SPANS_MS.get(given.get("for", ""))
            until_ms = None if span_ms is None else now_ms + span_ms
            clerk.acknowledge(Acknowledge(given["alert"][:TEXT_MAX], who, why=why, until_ms=until_ms))
            return "acknowledged: it shows within seconds"
        span_ms = SPANS_MS.get(given.get("for", ""))
        if given.get("order") == "silence" and given.get("monitor") and span_ms is not None:
            made = Silence(
                secrets.token_hex(4), now_ms + span_ms, who, why, given["monitor"], given.get("segment", ""),
                made_ms=now_ms,
            )  # fmt: skip
            clerk.silence(made)
            return "silenced: messages are kept back, alerts go on"
        raise Refused(400, "not an order that this page makes")

    def _check_sender(self, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if self.password is None and not _local(host):
            raise Refused(403, "orders are for this machine: open the page as http://127.0.0.1, or set a password")
        site = headers.get("Sec-Fetch-Site", "same-origin")
        origin = headers.get("Origin", "")
        if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != host):
            raise Refused(403, "another site sent this form")
        if headers.get("Content-Type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise Refused(415, "expected a form")

    def _check_rate(self, now_s: float) -> None:
        if len(self._taken_s) == ORDERS_PER_MINUTE and now_s - self._taken_s[0] < 60.0:
            raise Refused(429, f"more than {ORDERS_PER_MINUTE} orders a minute: wait a little")
        self._taken_s.append(now_s)


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=FIELDS_MAX, strict_parsing=True, keep_blank_values=True))
    except ValueError as error:
        raise Refused(400, "not a form") from error


def _local(host: str) -> bool:
    """Whether a browser was told an address of this machine, not a name that somebody else may have pointed here.

    >>> _local("127.0.0.1:9108"), _local("[::1]:9108"), _local("localhost"), _local("evil.example:9108")
    (True, True, True, False)
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
