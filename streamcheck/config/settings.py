"""What does the runtime need to know beside the plan? Frozen objects, made by streamcheck.config.compile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the output topics; None where the config names none."""

    alerts: str | None = None
    operations: str | None = None
    journal: str | None = None
    dead_letter: str | None = None
    late: str | None = None


@dataclass(frozen=True, slots=True)
class JoinStorage:
    """Bytes that waiting predictions may take, in memory and on disk."""

    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Prometheus' Alertmanager: its address, and how often (s) it is told again what fires."""

    url: str
    every_s: float


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes a POST. template: a file with the body; secret: signs it."""

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    template: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Slack:
    """A webhook's address, or a bot's token with a channel and the API's address."""

    url: str | None = field(repr=False)
    token: str | None = field(default=None, repr=False)
    channel: str | None = None
    api: str = ""


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server, and from whom to whom."""

    server: tuple[str, int]
    sender: str
    to: tuple[str, ...]
    tls: Literal["starttls", "tls", "none"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Notify:
    """One way to tell people, and of which incidents; None: of all. wait_s: before the first message of one."""

    name: str
    way: Alertmanager | Webhook | Slack | Email
    severities: tuple[str, ...] | None = None
    owners: tuple[str, ...] | None = None
    wait_s: float = 10.0
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Operations:
    """When the service itself is in trouble; times in s.

    lag_records: left to be read in all partitions, for lag_s; growing_s: how long that may grow. commit_s: how long a
    closed pane may wait for its commit; stalled_s: how long a partition may hold records without progress; delivery_s:
    how long something may not be delivered; broker_s: how long the broker may be away. resolve_s: how long all must be
    well for an alert to end.
    """

    lag_records: int = 1_000_000
    lag_s: float = 300.0
    growing_s: float = 900.0
    commit_s: float = 60.0
    stalled_s: float = 120.0
    delivery_s: float = 60.0
    broker_s: float = 30.0
    resolve_s: float = 60.0
    severity: str = "warning"
    owner: str | None = None
    runbook: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaRegistry:
    """Where the schemas of events are, and how to log in there. ca_file: what its certificate is checked by."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What the status page lets people do and see. orders: acknowledge and silence, with the password if there is one.

    samples: of rejected events.
    """

    orders: bool = False
    password: str | None = field(default=None, repr=False)
    samples: Literal["full", "redacted", "off"] = "full"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the runtime needs that is no part of the plan.

    kafka: options for kafka-python (group_id included), None for a config of files; not in repr: it holds secrets.
    start: where a first run begins, a number being event time in ms. listen: host and port of the page, None for none.
    steps_ms: files without a time column get one row every step, by stream; such a config cannot run on Kafka.
    operations: when the service itself is in trouble, None where nobody watches.
    open_bytes: rows of open panes at which those ahead wait.
    workers: processes that decode; with 1, the one that does everything else. kafka_client: who reads the topics.
    """

    name: str
    kafka: Mapping[str, Any] | None = field(repr=False)
    start: Literal["earliest", "latest"] | int
    on_gap: Literal["refuse", "skip"]
    topics: Topics
    state_dir: str
    commit_every_ms: int
    listen: tuple[str, int] | None
    join: JoinStorage
    idle_after_ms: int
    steps_ms: Mapping[str, int] = field(default_factory=dict)
    operations: Operations | None = None
    open_bytes: int = 512 << 20
    workers: int = 1
    kafka_client: Literal["kafka-python", "confluent"] = "kafka-python"
    notify: tuple[Notify, ...] = ()
    registry: SchemaRegistry | None = None
    page: Page = Page()
