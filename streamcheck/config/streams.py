"""What do the events look like? The models of `streams` in a config."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamcheck.config.formats import EnvelopeName, FormatName
from streamcheck.config.values import (
    Duration,
    FieldPath,
    PositiveDuration,
    Range,
    Rule,
    ScalarText,
    Text,
    Topics,
    choice_rule,
    count_rule,
    duration_rule,
)

SEGMENTATIONS_MAX = 50
CROSSED_MAX = 4
"""Fields in one crossing; the number of segments multiplies with each."""


class Section(BaseModel):
    """One mapping of the config; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _segmentations(value: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list) or len(value) > SEGMENTATIONS_MAX:
        raise ValueError(value)
    made = []
    for item in value:
        fields = item if isinstance(item, list) else [item]
        if (
            not 1 <= len(fields) <= CROSSED_MAX
            or not all(isinstance(f, str) and f.strip() for f in fields)
            or len({*fields}) < len(fields)
        ):
            raise ValueError(value)
        made.append(tuple(fields))
    return tuple(dict.fromkeys(made))


_FIELD = {"type": "string"}
_SEGMENTATIONS_SCHEMA = {
    "type": "array",
    "items": {"oneOf": [_FIELD, {"type": "array", "items": _FIELD, "minItems": 1, "maxItems": CROSSED_MAX}]},
}
Segmentations = Annotated[
    tuple[tuple[str, ...], ...],
    Rule(
        _segmentations,
        "expected a list of fields such as [tier, country]; [[tier, country]] crosses them (at most 4)",
        _SEGMENTATIONS_SCHEMA,
    ),
]
TaskName = Annotated[Literal["binary", "multiclass", "regression"], choice_rule("binary", "multiclass", "regression")]


def _against(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(name in COMPARABLE for name in value):
        raise ValueError(value)
    return tuple(dict.fromkeys(value))


COMPARABLE = ("accuracy", "mae", "estimated_accuracy", "drift")
"""What of a model a KPI is compared with: its quality, the estimate of it, its features' drift."""
Against = Annotated[
    tuple[str, ...] | None,
    Rule(
        _against,
        f"expected a list of {', '.join(COMPARABLE)}",
        {"type": "array", "items": {"enum": list(COMPARABLE)}, "minItems": 1},
    ),
]


class TimeSource(Section):
    """Where an event carries its time."""

    field: FieldPath | None = Field(None, description="Field with the event time; dots reach into nested objects.")
    unit: Annotated[Literal["s", "ms", "us", "ns", "iso8601"] | None, choice_rule("s", "ms", "us", "ns", "iso8601")] = (
        Field(
            None,
            description="How the field writes time: a number since 1970 UTC in s, ms, us, ns; or iso8601 text.",
        )
    )
    step: Annotated[int | None, duration_rule("1ms", "1d")] = Field(
        None,
        description="For files without a time column, instead of field and unit: one row every step. `run` refuses it.",
    )


class Feature(Section):
    """One input of the model."""

    kind: Annotated[Literal["numeric", "categorical"], choice_rule("numeric", "categorical")] = Field(
        description="numeric: statistics of numbers. categorical: shares of values."
    )
    path: FieldPath | None = Field(
        None,
        description="Where the event carries it; left out: the feature's own name. Dots reach into nested objects.",
    )
    range: Range | None = Field(
        None, description="Smallest and largest valid value of a numeric feature; makes an out-of-range monitor."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


FORMAT = Field(
    None, description="How records write events; left out: json. By a schema_registry, or by a file beside the config."
)
KEY_FORMAT = Field(
    None,
    description="How records write their keys, where paths lead into these; left out: as text, or as a JSON object.",
)
ENVELOPE = Field(
    None, description="What stands around the fields: cloudevents, cloudevents_binary or debezium; docs/formats.md."
)


class Predictions(Section):
    """The stream of predictions: one event per prediction, with the features it was made from."""

    topic: Topics = Field(description="Topic, or list of topics, with prediction events.")
    format: FormatName | None = FORMAT
    key_format: FormatName | None = KEY_FORMAT
    envelope: EnvelopeName | None = ENVELOPE
    id: FieldPath | None = Field(
        None,
        description="Field that identifies a prediction; needed for a labels stream. Left out: a CloudEvent's own id.",
    )
    time: TimeSource | None = Field(
        None,
        description="Where the event time stands; left out: the record timestamp, or the CloudEvent's own time.",
    )
    prediction: FieldPath | None = Field(
        None, description="Field with what the model predicted: a class, or a number for regression."
    )
    positive: ScalarText | None = Field(
        None,
        description="Binary tasks: the value of prediction and label for the positive class (left out: 1 or true).",
    )
    score: FieldPath | None = Field(
        None, description="Field with the model's score; a probability of the positive class for binary tasks."
    )
    label: FieldPath | None = Field(
        None,
        description="Field with the truth, where the prediction event carries it; then there is no labels stream.",
    )
    model_version: FieldPath | None = Field(
        None, description="Field that names the model's version; it may be used as a segment, too."
    )
    task: TaskName | None = Field(None, description="What the model predicts.")
    features: dict[str, Feature] = Field(
        default_factory=dict, description="The model's inputs by name: a kind, or {kind, path, range}."
    )
    segments: Segmentations = Field(
        (), description="Slices: features or fields whose values cut the traffic; a nested list crosses fields."
    )


class Labels(Section):
    """The stream of labels: the truth about predictions, later."""

    topic: Topics = Field(description="Topic, or list of topics, with label events.")
    format: FormatName | None = FORMAT
    key_format: FormatName | None = KEY_FORMAT
    envelope: EnvelopeName | None = ENVELOPE
    id: FieldPath = Field(description="Field with the id of the prediction.")
    label: FieldPath = Field(description="Field with the truth.")
    time: TimeSource | None = Field(
        None,
        description="When the label became known; left out: the record timestamp, or the CloudEvent's own time. Never "
        "the time of the prediction.",
    )
    horizon: PositiveDuration = Field(
        604_800_000, description="How long a prediction waits for its label, in event time."
    )
    corrections: Annotated[Literal["last", "first"], choice_rule("last", "first")] = Field(
        "last", description="Which label counts where an id gets several."
    )


class Kpi(Section):
    """The stream of a business figure (KPI) that the model is to move: revenue, refunds, calls to support."""

    topic: Topics = Field(description="Topic, or list of topics, with its events.")
    format: FormatName | None = FORMAT
    envelope: EnvelopeName | None = ENVELOPE
    value: FieldPath = Field(description="Field with the number.")
    name: Text | None = Field(None, description="What people call it; left out: the field with the number.")
    time: TimeSource | None = Field(
        None,
        description="When the value became known; left out: the record timestamp, or the CloudEvent's own time.",
    )
    values: Annotated[Literal["mean", "sum"], choice_rule("mean", "sum")] = Field(
        "mean",
        description="Several values of a pane, or of a span, count by their mean (an hour's figure) or their sum "
        "(single sales).",
    )
    every: PositiveDuration | None = Field(
        None, description="Spans by which it is compared with the model, the newest 672; left out: an hour, or a pane."
    )
    lags: Annotated[int, count_rule(0, 168)] = Field(
        24, description="By how many spans it may come behind the model at most."
    )
    against: Against = Field(
        None, description="What of the model it is compared with; left out: everything that there is."
    )


class Shadow(Section):
    """The stream of a challenger in shadow: a model that predicts what the model in use predicts, and is not obeyed."""

    topic: Topics = Field(description="Topic, or list of topics, with its predictions.")
    format: FormatName | None = FORMAT
    key_format: FormatName | None = KEY_FORMAT
    envelope: EnvelopeName | None = ENVELOPE
    id: FieldPath = Field(description="Field with the id of the prediction; the same as the champion's.")
    prediction: FieldPath = Field(
        description="Field with what the challenger predicted, written as in streams.predictions."
    )
    name: Text | None = Field(
        None, description="What people call the challenger; left out: shadow. With another name it is compared anew."
    )
    time: TimeSource | None = Field(
        None,
        description="When the prediction became known; left out: the record timestamp, or the CloudEvent's own time.",
    )
    horizon: PositiveDuration | None = Field(
        None,
        description="How long its predictions wait for the champion's labelled row, and rows for them, in event time; "
        "left out: as predictions for labels, or a day where the prediction event has its label.",
    )


class Streams(Section):
    """The event streams by role."""

    predictions: Predictions = Field(description="The stream of predictions.")
    labels: Labels | None = Field(
        None, description="The stream of labels; left out where there are none, or they sit in the prediction event."
    )
    kpi: Kpi | None = Field(None, description="The stream of a business figure that the model is to move.")
    shadow: Shadow | None = Field(None, description="The stream of a challenger whose predictions nobody uses.")


class Times(Section):
    """Panes, lateness and implausible times."""

    pane: Annotated[int, duration_rule("100ms", "1d")] = Field(
        10_000, description="The smallest time bucket; statistics and detectors step once per pane."
    )
    lateness: Annotated[int, duration_rule("1ms", "7d")] = Field(
        5_000, description="How much out of order the events of a partition may come; later ones do not count."
    )
    idle_after: Annotated[int, duration_rule("100ms", "1d")] = Field(
        30_000, description="Silence after which a partition no longer holds time back."
    )
    max_future: Duration = Field(
        300_000, description="How far a field time may lie past its record's timestamp; beyond, the event is rejected."
    )
    max_jump: PositiveDuration = Field(
        86_400_000, description="A jump ahead larger than this must be confirmed by further rows."
    )
