"""Mail by SMTP: the messages of an incident are one thread."""

import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from streamcheck.core.wording import printable
from streamcheck.runtime.notices import Notice, NotTold
from streamcheck.runtime.telemetry import segment_text

SEND_S_MAX = 15.0
SUBJECT_MAX = 200
ALERTS_MAX = 50


class MailMessenger:
    """server: host and port; now_ms: the wall clock, for the header Date."""

    def __init__(
        self,
        server: tuple[str, int],
        sender: str,
        to: Sequence[str],
        tls: Literal["starttls", "tls", "none"],
        login: tuple[str, str] | None,
        now_ms: Callable[[], int],
    ) -> None:
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._tls, self._login, self._now_ms = tls, login, now_ms

    def tell(self, notice: Notice, before: str | None) -> str:
        """Send it, as an answer to the first message of its incident, whose id refers to it. Raises NotTold."""
        message = self._message(notice, before)
        host, port = self._server
        try:
            context = ssl.create_default_context()
            if self._tls == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SEND_S_MAX, context=context)
            else:
                server = smtplib.SMTP(host, port, timeout=SEND_S_MAX)
            with server:
                if self._tls == "starttls":
                    server.starttls(context=context)
                if self._login is not None:
                    server.login(*self._login)
                server.send_message(message)
        except smtplib.SMTPAuthenticationError:
            raise NotTold(f"{host} refuses the login") from None
        except smtplib.SMTPException as error:
            raise NotTold(f"{host} does not take it ({type(error).__name__})") from None
        except OSError as error:
            raise NotTold(f"{host}:{port} cannot be reached ({error.strerror or type(error).__name__})") from None
        return before or str(message["Message-ID"])

    def _message(self, notice: Notice, before: str | None) -> EmailMessage:
        message = EmailMessage()
        word = notice.state.upper() if notice.state == "firing" else notice.state
        subject = f"[{notice.config}] {word}: {notice.headline}"
        message["Subject"] = printable(subject)[:SUBJECT_MAX]
        message["From"], message["To"] = self._sender, ", ".join(self._to)
        message["Date"] = format_datetime(datetime.fromtimestamp(self._now_ms() / 1000, UTC))
        message["Message-ID"] = f"<{notice.incident}.{notice.digest}@streamcheck>"
        if before is not None:
            message["In-Reply-To"] = message["References"] = before
        message.set_content(_text(notice))
        return message


def _text(notice: Notice) -> str:
    shown = (*notice.firing, *(alert for alert in notice.alerts if alert.state != "firing"))
    lines = [f"Incident {notice.incident} of {notice.config}: {notice.state}", ""]
    for alert in shown[:ALERTS_MAX]:
        where = f" [{segment_text(alert.segment)}]" if alert.segment else ""
        lines += [f"{alert.state}  {alert.severity}  {alert.monitor}{where}", f"  {alert.summary}"]
        lines += [f"  runbook: {alert.runbook}"] if alert.runbook else []
    if len(shown) > ALERTS_MAX:
        lines.append(f"… {len(shown) - ALERTS_MAX} more")
    if notice.owners:
        lines += ["", f"Owner: {', '.join(notice.owners)}"]
    return "\n".join(printable(line) for line in lines) + "\n"
