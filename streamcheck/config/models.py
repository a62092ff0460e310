"""What may stand in a config? Models of everything but the streams; descriptions feed the docs and the JSON Schema."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from streamcheck.config.notify import NotifySection
from streamcheck.config.operations import OperationsSection
from streamcheck.config.registry import SchemaRegistrySection
from streamcheck.config.streams import Section, Segmentations, Streams, Times
from streamcheck.config.values import (
    Duration,
    Listen,
    Name,
    PositiveDuration,
    Rate,
    Rule,
    Start,
    Switch,
    Text,
    Topic,
    Version,
    Word,
    choice_rule,
    count_rule,
    duration_rule,
    size_rule,
)
from streamcheck.core.plan import Budget

TARGETS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A component as a config names it: `adwin`, `{adwin: auto}` or `{adwin: {delta: 0.002}}`; params None: auto."""

    name: str
    params: dict[str, Any] | None = None


def _choice(value: object) -> Choice:
    if isinstance(value, str) and value:
        return Choice(value)
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(value)
    ((name, params),) = value.items()
    if params is not None and params != "auto" and not isinstance(params, dict):
        raise ValueError(value)
    return Choice(name, params if isinstance(params, dict) and params else None)


def _targets(value: object) -> tuple[str, ...]:
    targets = value if isinstance(value, list) else [value]
    if not 1 <= len(targets) <= TARGETS_MAX or not all(isinstance(t, str) and t for t in targets):
        raise ValueError(value)
    return tuple(dict.fromkeys(targets))


def component_rule(family: str) -> Rule:
    """A component of a family; names and parameters are checked later, with their own places in the file."""
    return Rule(
        _choice,
        f"expected the name of a {family}, {{NAME: auto}} or {{NAME: {{PARAMETER: VALUE}}}}",
        {"x-family": family},
    )


Targets = Annotated[
    tuple[str, ...],
    Rule(
        _targets,
        "expected what to watch, or a list: features, defaults, a feature's name, prediction, score, error, volume, "
        "dependence or a quality such as accuracy",
        {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    ),
]


def _between(value: object) -> tuple[str, str, str]:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(value)
    ((field, values),) = value.items()
    if not isinstance(field, str) or not isinstance(values, list) or len(values) != 2:
        raise ValueError(value)
    if not all(isinstance(v, str) and v for v in values) or values[0] == values[1]:
        raise ValueError(value)
    return field, values[0], values[1]


TwoSegments = Annotated[
    tuple[str, str, str],
    Rule(
        _between,
        "expected a segment field with two of its values, such as {tier: [premium, general]}",
        {"type": "object", "minProperties": 1, "maxProperties": 1},
    ),
]


class Reference(Section):
    """What "normal" means: auto, or exactly one of first, rolling, season, profile."""

    first: PositiveDuration | None = Field(None, description="The first span of the signal, kept for good.")
    rolling: PositiveDuration | None = Field(None, description="A rolling past of this span.")
    season: Annotated[Literal["hour_of_day", "hour_of_week"] | None, choice_rule("hour_of_day", "hour_of_week")] = (
        Field(None, description="The same hour of earlier days or weeks.")
    )
    over: PositiveDuration | None = Field(None, description="How far back a season looks, such as 4w.")
    profile: Text | None = Field(None, description="A file made by `streamcheck profile`, beside the config.")
    zone: Text | None = Field(None, description="Whose hours auto and season go by, such as Europe/Berlin; UTC.")
    per: Annotated[Literal["model_version"] | None, choice_rule("model_version")] = Field(
        None, description="One reference, detector and alert for each model version."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {} if value == "auto" else value


class LabelWindow(Section):
    """Which labelled rows a quality is taken over: the newest rows, or those of the newest time."""

    rows: Annotated[int | None, count_rule(1, 10_000_000)] = Field(None, description="The newest labelled rows.")
    time: PositiveDuration | None = Field(None, description="The labelled rows of the newest event time.")


class Escalate(Section):
    """When an alert that nobody acknowledges becomes more urgent, and how urgent."""

    after: PositiveDuration = Field(description="Event time for which it fires, acknowledged by nobody.")
    to: Word = Field("page", description="Its severity from then on; who is told of that one is told then.")


class Alert(Section):
    """When a drifting monitor becomes an alert, and whose it is."""

    # `for` is a Python keyword; the config says `for`.
    for_: Duration = Field(0, alias="for", description="Event time from the first drifting step to firing.")
    cooldown: Duration = Field(300_000, description="Event time without drift until the alert is resolved.")
    severity: Word = Field("warning", description="How urgent: a lower-case word, such as info, warning or page.")
    owner: Text | None = Field(None, description="Who answers for it; left out: alerts.owner.")
    runbook: Text | None = Field(None, description="Where it says what to do.")
    escalate: Escalate | None = Field(
        None, description="Severity that rises where nobody acknowledges it; left out: alerts.escalate."
    )


class Monitor(Section):
    """What is watched, for which segments, through which measure, with which detector, under which alert rule."""

    name: Name | None = Field(
        None, description="Id of the monitor; left out: made of column, measure and segmentation."
    )
    on: Targets = Field(
        description="What is watched: features (all of them), defaults (everything declared), the name of a feature, "
        "prediction, score, error, volume, kpi, dependence (of the numeric features), or a labelled quality such as "
        "accuracy or mae; a list of these."
    )
    by: Segmentations = Field(
        (), description="Besides all rows: once per value of each of these segments; a nested list crosses fields."
    )
    between: TwoSegments | None = Field(
        None, description="Instead of by: how far the quality of one segment lies above that of another."
    )
    measure: Annotated[Choice | None, component_rule("measure")] = Field(
        None, description="What is computed of a pane; left out: what suits the column."
    )
    detector: Annotated[Choice | None, component_rule("detector")] = Field(
        None, description="What decides that it has changed; left out: scan (cusum for indices), calibrated."
    )
    window: LabelWindow | None = Field(
        None, description="Labelled qualities: the rows that gauges and the threshold detector look at."
    )
    block: Annotated[int | None, count_rule(1, 1_000_000)] = Field(
        None, description="Labelled qualities: rows per step of a pane detector (default 50)."
    )
    reference: Reference | None = Field(
        None, description="What is normal for this monitor; left out: the config's reference."
    )
    alert: Alert = Field(default_factory=Alert, description="When it becomes an alert, and whose.")
    enabled: Switch = Field(
        default=True,
        description="false: switch off what this entry would make (a default, or the monitor of this name).",
    )


class Alerts(Section):
    """Where alerts go."""

    topic: Topic | None = Field(None, description="Topic for alert transitions.")
    operations_topic: Topic | None = Field(None, description="Topic for alerts about the service itself.")
    owner: Text | None = Field(None, description="Who answers for alerts of monitors that name nobody.")
    escalate: Escalate | None = Field(
        None, description="Severity that rises, of alerts of monitors that do not say it themselves."
    )


class TopicSection(Section):
    """An output that is a topic."""

    topic: Topic = Field(description="Name of the topic.")


class StateSection(Section):
    """Where state is kept."""

    dir: Text | None = Field(
        None, description="Directory of the state file, relative to the working directory; left out: var/NAME."
    )
    commit_every: Annotated[int, duration_rule("100ms", "1h")] = Field(
        5_000, description="State is committed at least this often while panes close."
    )


class Prometheus(Section):
    """Where gauges and the status page are served."""

    listen: Listen = Field(
        ("127.0.0.1", 9108), description="HOST:PORT of gauges and status page; port 0 takes any; off serves none."
    )
    orders: Switch = Field(
        default=False, description="true: people may acknowledge and silence on the page, which is read-only otherwise."
    )
    password: Text | None = Field(
        None,
        repr=False,
        description="What an order on the page must come with; needed where other machines can reach it. ${ENV}, 12 "
        "characters or more.",
    )
    samples: Annotated[Literal["full", "redacted", "off"] | None, choice_rule("full", "redacted", "off")] = Field(
        None,
        description="What the page shows of rejected events: their first bytes, only their shape, or where they lie; "
        "left out: full where only this machine can look, else redacted.",
    )


class LimitsSection(Section):
    """Bounds on what is kept; each has a counter that says when it bites."""

    segments: Annotated[int, count_rule(1, 1_000_000)] = Field(
        1_000, description="Values per segmentation; the rest counts as __other__."
    )
    join_memory: Annotated[int, size_rule("1MiB", "1024GiB")] = Field(
        512 * 2**20, description="Memory for predictions that wait for their label; how fast they are found."
    )
    join_disk: Annotated[int, size_rule("1MiB", "1024TiB")] = Field(
        20 * 2**30, description="Disk for predictions that wait for their label, those in memory too; how many may."
    )
    pending_labels: Annotated[int, count_rule(1)] = Field(
        1_000_000, description="Labels that wait for their prediction."
    )
    pane_rows: Annotated[int, count_rule(1)] = Field(
        1_000_000, description="Rows kept per source partition and pane, for row detectors and the join."
    )
    pane_memory: Annotated[int, size_rule("64KiB", "64GiB")] = Field(
        32 * 2**20,
        description="Memory for the rows of one source partition in one open pane, the first in offset order; late "
        "predictions on their way to the join may take a quarter as much.",
    )
    open_memory: Annotated[int, size_rule("1MiB", "1024GiB")] = Field(
        512 * 2**20,
        description="Memory for the rows of all open panes at which partitions wait that have brought all of the "
        "oldest one; nothing is lost.",
    )
    monitor_memory: Annotated[int, size_rule("1MiB", "1024GiB")] = Field(
        512 * 2**20,
        description="Memory for monitors with their references, detectors and windows. Beyond it new segments get no "
        "monitor, references no new hours or categories, and windows no more rows.",
    )
    message_bytes: Annotated[int, size_rule("1KiB", "1GiB")] = Field(
        2**20, description="Size of an event beyond which it is rejected unread."
    )


class Search(Section):
    """Where is the model weak, where does it lean to one side?"""

    rows: Annotated[int, count_rule(4_000, 1_000_000)] = Field(
        20_000, description="The newest labelled rows that are searched, a quarter of them new each time."
    )
    enabled: Switch = Field(default=True, description="false: no search.")


class Config(Section):
    """A streamcheck config."""

    version: Version = Field(description="Version of the config format: 1.")
    name: Name = Field(description="Prefix of state, consumer group and gauges; part of every alert id.")
    kafka: dict[str, Any] | None = Field(
        None,
        repr=False,
        description="Options of kafka-python, handed on as they are, and `client`: who reads; ${ENV} for secrets. "
        "Not needed for files.",
    )
    start: Start = Field(
        "latest",
        description="Where the first run begins: earliest, latest, or a time with an offset. Later runs resume.",
    )
    schema_registry: SchemaRegistrySection | None = Field(
        None, description="Where the schemas are by which avro and protobuf events are written."
    )
    streams: Streams = Field(description="The event streams.")
    time: Times = Field(
        default_factory=Times, description="How event time is cut into panes, and what is late or implausible."
    )
    reference: Reference = Field(
        default_factory=Reference,
        description="What is normal: auto, {first: 1h}, {rolling: 7d}, {season: hour_of_week, over: 4w} "
        "or {profile: FILE}.",
    )
    alarm_budget: Rate = Field(
        default_factory=Budget,
        description="False alarms that the whole config may give, such as 1 per week; a month is 30 days.",
    )
    monitors: tuple[Monitor, ...] | None = Field(
        None, description="What is watched; left out: the defaults for everything declared."
    )
    alerts: Alerts = Field(default_factory=Alerts, description="Where alerts go, and who answers for them.")
    notify: tuple[NotifySection, ...] = Field(
        (), description="Who is told beside the topic: Alertmanager, webhooks, Slack, mail; an incident is one message."
    )
    operations: OperationsSection = Field(
        default_factory=OperationsSection, description="When the service itself is in trouble, and who answers for it."
    )
    journal: TopicSection | None = Field(
        None, description="Topic for a copy of the journal: what a replay needs beside the events."
    )
    dead_letter: TopicSection | None = Field(None, description="Topic for rejected events.")
    late: TopicSection | None = Field(None, description="Topic for late events.")
    state: StateSection = Field(
        default_factory=StateSection, description="Where state is kept, and how often it is written."
    )
    prometheus: Prometheus = Field(
        default_factory=Prometheus, description="Where Prometheus finds gauges, and people the status page."
    )
    limits: LimitsSection = Field(default_factory=LimitsSection, description="Bounds on memory and disk.")
    search: Search = Field(
        default_factory=Search, description="Search for weak and biased segments among those declared, and pairs."
    )
    workers: Annotated[int, count_rule(1, 64)] = Field(
        1,
        description="Processes that decode (and read files), from 2 on beside the one that judges; any number gives "
        "the same alerts.",
    )
    on_gap: Annotated[Literal["refuse", "skip"], choice_rule("refuse", "skip")] = Field(
        "refuse",
        description="Where retention has removed the next event: refuse to start, or skip, and journal the skip.",
    )
