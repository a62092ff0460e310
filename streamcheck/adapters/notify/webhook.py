"""A POST to an address for each change of an incident: JSON, or what a template makes of it; signed where asked."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from string import Template

import msgspec

from streamcheck.adapters.notify.http import post
from streamcheck.runtime.notices import Notice, template_values

SIGNATURE = "X-Streamcheck-Signature"


class WebhookMessenger:
    """template: the body, with `$headline` and others in it, each as it stands inside a JSON string.

    secret: signs a body at a time as `t=SECONDS,v1=HMAC`, the HMAC-SHA256 of `SECONDS.BODY`. now_ms: the wall clock.
    """

    def __init__(
        self,
        url: str,
        now_ms: Callable[[], int],
        headers: Sequence[tuple[str, str]] = (),
        template: str | None = None,
        secret: str | None = None,
    ) -> None:
        self._url, self._now_ms = url, now_ms
        self._headers = {"Content-Type": "application/json", "User-Agent": "streamcheck", **dict(headers)}
        self._template = Template(template) if template is not None else None
        self._secret = secret

    def tell(self, notice: Notice, before: str | None) -> str:  # noqa: ARG002 - receivers know incidents by their id
        """Post it; the incident's id refers to it. Raises NotTold."""
        body = self._body(notice)
        post(self._url, body, {**self._headers, **self._signature(body)})
        return notice.incident

    def _body(self, notice: Notice) -> bytes:
        if self._template is None:
            return msgspec.json.encode(notice.document())
        inside = {name: json.dumps(text)[1:-1] for name, text in template_values(notice).items()}
        return self._template.safe_substitute(inside).encode()

    def _signature(self, body: bytes) -> dict[str, str]:
        if self._secret is None:
            return {}
        at = str(self._now_ms() // 1000)
        signed = hmac.new(self._secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {SIGNATURE: f"t={at},v1={signed}"}
