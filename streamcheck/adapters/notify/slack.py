"""Slack, and what takes its format: a message for each change by a webhook, or one that is edited by a bot."""

import json
from typing import Any

import msgspec

from streamcheck.adapters.notify.http import post
from streamcheck.runtime.notices import Notice, NotTold
from streamcheck.runtime.telemetry import segment_text

ALERTS_MAX = 10
TEXT_MAX = 2_900
"""A section of Slack's takes 3,000 characters."""


class SlackMessenger:
    """url: an incoming webhook; or token, channel and the API's address."""

    def __init__(self, url: str | None, token: str | None = None, channel: str | None = None, api: str = "") -> None:
        self._url, self._token, self._channel, self._api = url, token, channel, api.rstrip("/")

    def tell(self, notice: Notice, before: str | None) -> str:
        """Post, or edit the message `before`. Raises NotTold."""
        message = _message(notice)
        if self._url is not None:
            post(self._url, json.dumps(message).encode(), {"Content-Type": "application/json"})
            return notice.incident
        message["channel"] = self._channel
        if before is not None:
            self._call("chat.update", {**message, "ts": before})
            return before
        return str(self._call("chat.postMessage", message)["ts"])

    def _call(self, method: str, message: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {self._token}"}
        answer = post(f"{self._api}/{method}", json.dumps(message).encode(), headers)
        try:
            said = msgspec.json.decode(answer, type=dict[str, Any])
        except msgspec.DecodeError:
            raise NotTold(f"{method}: the answer is no JSON object") from None
        if not said.get("ok") or (method == "chat.postMessage" and "ts" not in said):
            raise NotTold(f"{method}: Slack says {said.get('error', 'no')!s}")
        return said


def _message(notice: Notice) -> dict[str, Any]:
    shown = notice.firing or notice.alerts
    mark = ":red_circle:" if notice.state == "firing" else ":large_green_circle:"
    lines = [f"{mark} *{_escaped(notice.config)}* {notice.state}: {_escaped(notice.headline)}"]
    lines += [f"• {_line(alert)}" for alert in shown[:ALERTS_MAX]]
    if len(shown) > ALERTS_MAX:
        lines.append(f"… {len(shown) - ALERTS_MAX} more")
    if notice.owners:
        lines.append(f"_{_escaped(', '.join(notice.owners))}_")
    text = "\n".join(lines)[:TEXT_MAX]
    return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def _line(alert: Any) -> str:
    where = "" if not alert.segment else f" [{_escaped(segment_text(alert.segment))}]"
    link = f" <{alert.runbook}|runbook>" if alert.runbook and alert.runbook.startswith(("http://", "https://")) else ""
    return f"{_escaped(alert.monitor)}{where} ({_escaped(alert.severity)}): {_escaped(alert.summary)}{link}"


def _escaped(text: str) -> str:
    """Text from events, in which Slack is to see no link, no mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
