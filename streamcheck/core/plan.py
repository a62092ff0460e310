"""The plan: what a config comes to, as frozen objects that the engine runs. Only streamcheck.config makes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from streamcheck.core.types import StreamRole
from streamcheck.core.zones import UTC, Timing, Zone

if TYPE_CHECKING:  # they are made of what a plan is made of
    from streamcheck.core.profiles import Profile
    from streamcheck.core.rules import KpiRules, ShadowRules
    from streamcheck.core.summaries.layout import Layout

WEEK_MS = 604_800_000


class Kind(StrEnum):
    """What the values of a column are. BINARY columns are coded 0 and 1 (1: the positive class)."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BINARY = "binary"


class Role(StrEnum):
    """What a column is for."""

    FEATURE = "feature"
    PREDICTION = "prediction"
    SCORE = "score"
    LABEL = "label"
    SEGMENT = "segment"
    MODEL_VERSION = "model_version"
    KPI = "kpi"


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class TimeUnit(StrEnum):
    """How an event writes its time: a number since 1970-01-01 UTC, or ISO 8601 text with an offset."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"
    ISO8601 = "iso8601"


KEY, HEADERS = "$key", "$headers"
"""First parts of paths that lead into a record's key and headers; all other paths lead into its value."""

Path = tuple[str, ...]


class Format(StrEnum):
    """How a topic's records write an event."""

    JSON = "json"
    JSON_SCHEMA = "json_schema"
    AVRO = "avro"
    PROTOBUF = "protobuf"


class Envelope(StrEnum):
    """What stands around an event."""

    CLOUDEVENTS = "cloudevents"
    CLOUDEVENTS_BINARY = "cloudevents_binary"
    DEBEZIUM = "debezium"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How events lie in a topic's records. schema: by which all are written (else each names its own, of a registry).

    message: with a Protobuf schema, the name of theirs. key: of their keys, where these are written by a schema.
    """

    format: Format = Format.JSON
    envelope: Envelope | None = None
    schema: bytes | None = None
    message: str | None = None
    key: "Encoding | None" = field(default=None, repr=False)

    @property
    def by_registry(self) -> bool:
        """Whether a schema registry must be asked."""
        return self.format in (Format.AVRO, Format.PROTOBUF) and self.schema is None


@dataclass(frozen=True, slots=True)
class TimeField:
    """Where an event carries its time; without one, the record timestamp counts."""

    path: Path
    unit: TimeUnit


@dataclass(frozen=True, slots=True)
class Column:
    """One field that is kept of every event. `range` is what the config declares as valid (inclusive)."""

    name: str
    path: Path
    kind: Kind
    role: Role
    range: tuple[float, float] | None = None
    positive: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """One stream: its topics and the columns that are decoded, numeric ones first (the order in Batch)."""

    role: StreamRole
    topics: tuple[str, ...]
    id_path: Path | None
    time: TimeField | None
    columns: tuple[Column, ...]
    message_bytes_max: int
    max_future_ms: int
    encoding: Encoding = field(default=Encoding(), repr=False)
    """Not in repr: by it, states of before there were encodings know their streams (saving.meaning)."""
    looks: bool = field(default=False, repr=False)
    """Whether some events are looked into for fields that nobody declares: one more coded column, the last."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path that is named, those of the columns first; one may come twice."""
        named = (*(column.path for column in self.columns), self.id_path, self.time.path if self.time else None)
        return tuple(path for path in named if path)

    @property
    def wants_keys(self) -> bool:
        """Whether a path leads into the keys of records."""
        return any(path[0] == KEY for path in self.paths)

    @property
    def wants_headers(self) -> bool:
        """Whether a path, or the envelope, leads into the headers of records."""
        return self.encoding.envelope is Envelope.CLOUDEVENTS_BINARY or any(p[0] == HEADERS for p in self.paths)

    @property
    def needed(self) -> Role | None:
        """The role of the column without which an event says nothing; None for predictions, which say much else."""
        needs = {StreamRole.LABELS: Role.LABEL, StreamRole.KPI: Role.KPI, StreamRole.SHADOW: Role.PREDICTION}
        return needs.get(self.role)

    @property
    def numeric(self) -> tuple[Column, ...]:
        """The numeric columns, rows of Batch.numeric."""
        return tuple(c for c in self.columns if c.kind is Kind.NUMERIC)

    @property
    def coded(self) -> tuple[Column, ...]:
        """The categorical and binary columns, rows of Batch.codes."""
        return tuple(c for c in self.columns if c.kind is not Kind.NUMERIC)

    @property
    def coded_rows(self) -> int:
        """Rows of Batch.codes: the coded columns, and what was found by looking."""
        return len(self.coded) + self.looks


@dataclass(frozen=True, slots=True)
class TimeRules:
    """Panes, lateness and what is taken as an implausible time, in ms."""

    pane_ms: int = 10_000
    lateness_ms: int = 5_000
    idle_after_ms: int = 30_000
    max_jump_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class JoinRules:
    """How predictions and labels meet. corrections: whether the last or the first label of an id counts.

    memory_max: predictions of which as many are held in memory, the others on a shelf (None: all in memory);
    shelf_bytes: memory for filters that find those. Neither changes a result.
    """

    horizon_ms: int
    corrections_last: bool = True
    predictions_max: int = 2_000_000
    labels_max: int = 1_000_000
    memory_max: int | None = None
    shelf_bytes: int = 128 << 20


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A way to cut the traffic: one segment field, or several crossed. The name is `tier` or `tier*country`."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """How configs and gauges call it."""
        return "*".join(self.fields)


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """A component by name with its parameters; `auto`: none were given, the component standardises and calibrates."""

    name: str
    params: tuple[tuple[str, Any], ...] = ()
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """The newest `rows` labelled rows, or those of the newest `span_ms` of event time; exactly one is set."""

    rows: int | None = None
    span_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When a drifting monitor becomes an alert, and whose it is.

    for_ms: event time from the first drifting step to firing; cooldown_ms: event time without drift until it is
    resolved. escalate_ms: event time for which it fires, and nobody acknowledges it, until its severity becomes
    escalate_to; None: it stays as it is.
    """

    for_ms: int = 0
    cooldown_ms: int = 300_000
    severity: str = "warning"
    owner: str | None = None
    runbook: str | None = None
    escalate_ms: int | None = None
    escalate_to: str | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """Two segments that are compared: values of one field."""

    segmentation: Segmentation
    first: str
    second: str


class Target(StrEnum):
    """What kind of rows a monitor sees."""

    COLUMN = "column"  # a column of the predictions stream
    FEATURES = "features"  # the numeric features of the predictions stream, row by row together
    STREAM = "stream"  # the predictions stream itself: volume and the like
    ESTIMATED = "estimated"  # rows of the predictions stream by what their calibrated scores say
    LABELLED = "labelled"  # rows whose label has joined
    KPI = "kpi"  # values of the KPI stream


class Finds(StrEnum):
    """What an alert of a monitor means."""

    DRIFT = "drift"  # the stream has changed against its own past, or a profile of it
    SKEW = "skew"    # serving differs from what the model was trained on
    LIMIT = "limit"  # beyond a line that was drawn


@dataclass(frozen=True, slots=True)
class MonitorSpec:
    """One monitor: what it looks at, for which segments, through which measure, with which detector, under which rule.

    id: unique in the config, stable (part of alert ids, fingerprints, seeds). column: the column's name, or the quality
    (`accuracy`, `volume`, `error`). A row detector has no measure: it sees the column's values, or for `error` the
    row's error (0/1 for classes, |prediction - label| for numbers). by: None for all rows together. share: the part of
    the config's false-alarm budget that is this monitor's.
    """

    id: str
    target: Target
    column: str
    detector: ComponentSpec
    measure: ComponentSpec | None = None
    by: Segmentation | None = None
    window: Window | None = None
    block_rows: int = 50
    reference: ComponentSpec = field(default_factory=lambda: ComponentSpec("auto"))
    rule: AlertRule = field(default_factory=AlertRule)
    share: float = 0.0
    default: bool = False
    between: Between | None = None
    finds: Finds = Finds.DRIFT


@dataclass(frozen=True, slots=True)
class Budget:
    """False alarms that the whole config may give: `alarms` per `period_ms` of event time (None: per pane).

    >>> Budget(2.0, 86_400_000).panes(10_000), Budget(0.001, None).alarms_per_week(10_000)
    (4320.0, 60.48)
    """

    alarms: float = 1.0
    period_ms: int | None = WEEK_MS

    def panes(self, pane_ms: int) -> float:
        """Panes between two false alarms, on average."""
        return (1.0 if self.period_ms is None else self.period_ms / pane_ms) / self.alarms

    def alarms_per_week(self, pane_ms: int) -> float:
        """The same as a rate."""
        return WEEK_MS / pane_ms / self.panes(pane_ms)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is kept in memory; each has a counter that says when it bites.

    pane_rows, pane_bytes: per source partition and pane; monitor_bytes: references, detectors and windows together.
    """

    segments: int = 1_000
    pane_rows: int = 1_000_000
    pane_bytes: int = 32 << 20
    monitor_bytes: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the engine needs to know. `labels` is None where labels sit in the prediction event, or nowhere."""

    name: str
    predictions: Schema
    labels: Schema | None
    task: Task | None
    time: TimeRules
    join: JoinRules | None
    segmentations: tuple[Segmentation, ...]
    monitors: tuple[MonitorSpec, ...]
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    search_rows: int = 0
    """Newest labelled rows in which weak and biased segments are looked for; 0: they are not."""
    profiles: "Mapping[str, Profile]" = field(default_factory=dict)
    """By digest: those that monitors' references name."""
    zones: Mapping[str, Zone] = field(default_factory=lambda: {UTC.name: UTC})
    """By name: those that monitors' references name."""
    kpi: Schema | None = None
    """The stream of a business figure that the model is to move."""
    kpi_rules: "KpiRules | None" = None
    shadow: Schema | None = None
    """The stream of a challenger whose predictions nobody uses."""
    shadow_rules: "ShadowRules | None" = None

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """Of all streams that are declared, predictions first."""
        return tuple(each for each in (self.predictions, self.labels, self.kpi, self.shadow) if each is not None)

    @property
    def topics(self) -> tuple[str, ...]:
        """Of all streams."""
        return tuple(topic for schema in self.schemas for topic in schema.topics)

    def role_of(self, topic: str) -> StreamRole:
        """Which stream a topic belongs to; of none: as a label, until it is refused."""
        return next((schema.role for schema in self.schemas if topic in schema.topics), StreamRole.LABELS)

    @property
    def wants_headers(self) -> bool:
        """Whether a path of any stream leads into the headers of records."""
        return any(schema.wants_headers for schema in self.schemas)

    @property
    def timing(self) -> Timing:
        """What references must know of time."""
        return Timing(self.time.pane_ms, self.zones)

    @property
    def layouts(self) -> "dict[str, Layout]":
        """The bins that profiles give to numeric columns; profiles of one column share them (the config is checked)."""
        return {name: layout for profile in self.profiles.values() for name, layout in profile.layouts.items()}
