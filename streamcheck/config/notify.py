"""Who is told of alerts, beside the topic? The models of `notify` in a config."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from streamcheck.config.document import Findings
from streamcheck.config.settings import Alertmanager, Email, Notify, Slack, Webhook
from streamcheck.config.streams import Section
from streamcheck.config.values import Name, PositiveDuration, Rule, Switch, Text, choice_rule

WAYS = ("alertmanager", "webhook", "slack", "email")
_SMTP = re.compile(r"([A-Za-z0-9._-]+):([0-9]{1,5})")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")


def _url(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError(value)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(value)
    return value


def _server(value: object) -> tuple[str, int]:
    match = _SMTP.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match[2]) <= 65_535:
        raise ValueError(value)
    return match[1], int(match[2])


def _address(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not _ADDRESS.fullmatch(value):
        raise ValueError(value)
    return value


def _addresses(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError(value)
    return tuple(_address(each) for each in values)


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(
        isinstance(name, str) and _HEADER.fullmatch(name) and isinstance(text, str) and text.isprintable()
        for name, text in value.items()
    ):
        raise ValueError(value)
    return tuple(value.items())


def _words(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each.strip() and each.isprintable() for each in values):
        raise ValueError(value)
    return tuple(values)


_LIST = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
Url = Annotated[str, Rule(_url, "expected an address such as https://host/path", {"type": "string", "format": "uri"})]
Server = Annotated[tuple[str, int], Rule(_server, "expected HOST:PORT of a mail server", {"type": "string"})]
Address = Annotated[str, Rule(_address, "expected a mail address", {"type": "string"})]
Addresses = Annotated[tuple[str, ...], Rule(_addresses, "expected a mail address, or a list of them", _LIST)]
Headers = Annotated[
    tuple[tuple[str, str], ...], Rule(_headers, "expected a mapping of header names to texts", {"type": "object"})
]
Words = Annotated[tuple[str, ...], Rule(_words, "expected a word, or a list of them", _LIST)]


class AlertmanagerSection(Section):
    """Prometheus' Alertmanager, by its API v2."""

    url: Url = Field(description="Its address, such as http://alertmanager:9093.")
    every: PositiveDuration = Field(
        60_000, description="What fires is told again this often; it ends there by itself after three times as long."
    )


class WebhookSection(Section):
    """Any address that takes a POST."""

    url: Url = Field(description="Where each message is posted; ${ENV} where it is a secret.")
    headers: Headers = Field((), description="Further headers; ${ENV} for secrets.")
    template: Text | None = Field(
        None, description="A file beside the config with the body, $headline and others in it; left out: JSON."
    )
    secret: Text | None = Field(None, description="Signs each body: header X-Streamcheck-Signature (HMAC-SHA256).")


class SlackSection(Section):
    """A channel of Slack, or of what takes its format."""

    url: Url | None = Field(None, description="An incoming webhook: a message for each change of an incident.")
    token: Text | None = Field(
        None, description="A bot's token, instead: one message for an incident, edited in place."
    )
    channel: Text | None = Field(None, description="With token: the channel's id.")
    api: Url = Field("https://slack.com/api", description="With token: the address of Slack's API.")


class EmailSection(Section):
    """Mail by SMTP; the messages of an incident are one thread."""

    smtp: Server = Field(description="HOST:PORT of the mail server.")
    sender: Address = Field(description="The address that it comes from.")
    to: Addresses = Field(description="Whom it goes to.")
    tls: Annotated[Literal["starttls", "tls", "none"], choice_rule("starttls", "tls", "none")] = Field(
        "starttls", description="starttls: begin in the clear, then encrypt; tls: from the beginning; none."
    )
    user: Text | None = Field(None, description="To log in as.")
    password: Text | None = Field(None, description="${ENV}.")


class NotifySection(Section):
    """One way to tell people: exactly one of alertmanager, webhook, slack, email; and of what."""

    name: Name | None = Field(None, description="Its name in the log and on the page; left out: the way's own.")
    alertmanager: AlertmanagerSection | None = Field(None, description="Alertmanager.")
    webhook: WebhookSection | None = Field(None, description="An address that takes a POST.")
    slack: SlackSection | None = Field(None, description="Slack.")
    email: EmailSection | None = Field(None, description="Mail.")
    severities: Words | None = Field(None, description="Only of incidents with an alert of these severities.")
    owners: Words | None = Field(None, description="Only of incidents with an alert of these owners.")
    wait: PositiveDuration = Field(
        10_000, description="How long an incident is waited for to show its other alerts, before the first message."
    )
    resolved: Switch = Field(default=True, description="Whether to tell that an incident is over.")


def check_notify(sections: tuple[NotifySection, ...], findings: Findings) -> None:
    """Each names one way; names are not given twice."""
    names: set[str] = set()
    for at, section in enumerate(sections):
        ways = [way for way in WAYS if getattr(section, way) is not None]
        if len(ways) != 1:
            findings.mistake(("notify", at), f"expected exactly one of {', '.join(WAYS)}; got {len(ways)}")
            continue
        name = section.name or ways[0]
        if name in names:
            findings.mistake(("notify", at), f"{name!r} is there already; give each a name of its own")
        names.add(name)
        slack, email = section.slack, section.email
        if slack is not None and (slack.url is None) == (slack.token is None):
            findings.mistake(("notify", at, "slack"), "expected url (a webhook), or token and channel")
        elif slack is not None and (slack.token is None) != (slack.channel is None):
            findings.mistake(("notify", at, "slack"), "expected token and channel together")
        if email is not None and (email.user is None) != (email.password is None):
            findings.mistake(("notify", at, "email"), "expected user and password together")
        if email is not None and email.password is not None and email.tls == "none":
            findings.mistake(("notify", at, "email", "tls"), "a password is not sent in the clear")


def compile_notify(sections: tuple[NotifySection, ...]) -> tuple[Notify, ...]:
    """What the runtime needs of them."""
    return tuple(
        Notify(
            section.name or next(way for way in WAYS if getattr(section, way) is not None),
            _way(section),
            section.severities,
            section.owners,
            section.wait / 1000,
            section.resolved,
        )
        for section in sections
    )


def _way(section: NotifySection) -> Alertmanager | Webhook | Slack | Email:
    made: Any
    if section.alertmanager is not None:
        made = Alertmanager(section.alertmanager.url, section.alertmanager.every / 1000)
    elif section.webhook is not None:
        hook = section.webhook
        made = Webhook(hook.url, hook.headers, hook.template, hook.secret)
    elif section.slack is not None:
        slack = section.slack
        made = Slack(slack.url, slack.token, slack.channel, slack.api)
    else:
        assert section.email is not None, "checked"
        mail = section.email
        made = Email(mail.smtp, mail.sender, mail.to, mail.tls, mail.user, mail.password)
    way: Alertmanager | Webhook | Slack | Email = made
    return way
