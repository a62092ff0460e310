"""What can monitors name: which columns, segments and qualities does a config declare?"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamcheck.config.defaults import Signals
from streamcheck.config.document import Findings, Path
from streamcheck.config.formats import located
from streamcheck.config.streams import Predictions
from streamcheck.config.wording import Usable
from streamcheck.core.components import components
from streamcheck.core.detectors.base import Domain
from streamcheck.core.kpi import KPI
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.plan import Column, Kind, Role, Segmentation, Target, Task

FEATURES, EVERYTHING, ERROR = "features", "defaults", "error"
PREDICTION, SCORE, LABEL, MODEL_VERSION = "prediction", "score", "label", "model_version"
LABELLED_NEEDS = (Needs.LABELLED_CLASS, Needs.LABELLED_BINARY, Needs.LABELLED_SCORE, Needs.LABELLED_NUMBER)
PREDICTIONS: Path = ("streams", "predictions")


def measures() -> Mapping[str, type[Measure]]:
    """All registered measures by name."""
    return {name: cls for name, cls in components("measure").items() if issubclass(cls, Measure)}


def qualities() -> tuple[str, ...]:
    """The measures of labelled rows; `on` may name them."""
    return tuple(name for name, cls in measures().items() if cls.needs in LABELLED_NEEDS)


def feature_measures() -> tuple[str, ...]:
    """The measures of all numeric features together; `on` may name them."""
    return tuple(name for name, cls in measures().items() if cls.needs is Needs.FEATURES)


def estimated_measures() -> tuple[str, ...]:
    """The measures of calibrated scores; `on` may name them."""
    return tuple(name for name, cls in measures().items() if cls.needs is Needs.ESTIMATED)


def stream_measures() -> tuple[str, ...]:
    """The measures of the stream itself; `on` may name them."""
    return tuple(name for name, cls in measures().items() if cls.needs is Needs.STREAM)


def reserved() -> frozenset[str]:
    """Names that mean something in `on`, so that no feature can have them."""
    return frozenset(
        (
            *(FEATURES, EVERYTHING, ERROR, PREDICTION, SCORE, LABEL, MODEL_VERSION),
            *(*qualities(), *stream_measures(), *feature_measures(), *estimated_measures()),
        )
    )


@dataclass(frozen=True, slots=True)
class Subject:
    """What one monitor looks at. rows: which numbers a row detector would be fed; None: there are none."""

    name: str
    target: Target
    signals: tuple[Signals, ...]
    needs: tuple[Needs, ...]
    rows: Domain | None = None

    def describe(self) -> str:
        """What kind of signal it is, for a message."""
        rows = {
            Domain.BINARY: "0/1",
            Domain.UNIT: "a share between 0 and 1",
            Domain.REAL: "any number",
            None: "no number",
        }
        return rows[self.rows]


@dataclass(frozen=True, slots=True)
class Surface:
    """Everything that monitors can name. fields: a segment field as the config writes it, and the column behind it."""

    columns: tuple[Column, ...]
    segmentations: tuple[Segmentation, ...]
    fields: Mapping[str, str]
    task: Task | None
    labelled: bool

    @property
    def features(self) -> tuple[Column, ...]:
        """The features, in the order of the config."""
        return tuple(c for c in self.columns if c.role is Role.FEATURE)

    def column(self, name: str) -> Column | None:
        """The column of this name."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def scored(self) -> bool:
        """Whether predictions come with a score."""
        return self.column(SCORE) is not None

    def subject(self, column: Column) -> Subject:
        """A column as something to watch."""
        feature = column.role is Role.FEATURE
        signals = [Signals.NUMERIC if column.kind is Kind.NUMERIC else Signals.CATEGORICAL]
        if feature:
            signals += [Signals.FEATURE] + ([Signals.CATEGORICAL_FEATURE] if column.kind is Kind.CATEGORICAL else [])
            signals += [Signals.RANGED] if column.range else []
            signals += [Signals.NUMERIC_FEATURE] if column.kind is Kind.NUMERIC else []
        needs = (
            (Needs.NUMERIC, Needs.VALUES, Needs.CODES, Needs.FIELD)
            if column.kind is Kind.NUMERIC
            else (Needs.CATEGORICAL, Needs.CODES, Needs.TOP, Needs.FIELD)
        )
        score = column.role is Role.SCORE and self.task is Task.BINARY
        domain = {Kind.NUMERIC: Domain.UNIT if score else Domain.REAL, Kind.BINARY: Domain.BINARY}.get(column.kind)
        return Subject(column.name, Target.COLUMN, tuple(signals), needs, domain)

    def together(self, name: str) -> Subject:
        """A measure of all numeric features as something to watch."""
        return Subject(name, Target.FEATURES, (), (Needs.FEATURES,))

    def stream(self, name: str) -> Subject:
        """A measure of the stream as something to watch."""
        return Subject(name, Target.STREAM, (Signals.STREAM,), (Needs.STREAM,))

    def estimate(self, name: str) -> Subject:
        """An estimate of a quality from calibrated scores."""
        return Subject(name, Target.ESTIMATED, (Signals.LABELLED_SCORE,), (Needs.ESTIMATED,))

    def business(self) -> Subject:
        """The KPI as something to watch."""
        return Subject(KPI, Target.KPI, (Signals.KPI,), (Needs.NUMERIC,))

    def quality(self, name: str) -> Subject:
        """A labelled quality, or the error of each row."""
        number = self.task is Task.REGRESSION
        simple = name in (ERROR, "accuracy", "error_rate", "mae", "rmse", "bias")
        domain = (Domain.REAL if number else Domain.BINARY) if simple else None
        signals = Signals.LABELLED_NUMBER if number else Signals.LABELLED_CLASS
        return Subject(name, Target.LABELLED, (signals,), LABELLED_NEEDS, domain)

    def obstacle(self, needs: Needs) -> str | None:
        """What is missing for a labelled measure with these needs; None when nothing is."""
        if not self.labelled:
            return "needs labels: declare streams.labels, or label: FIELD where the prediction event carries the truth"
        regression, binary = self.task is Task.REGRESSION, self.task is Task.BINARY
        if needs is Needs.LABELLED_NUMBER and not regression:
            return f"needs task: regression; here it is {self.task}"
        if needs is Needs.LABELLED_CLASS and regression:
            return "needs classes (task: binary or multiclass); here it is regression"
        if needs in (Needs.LABELLED_BINARY, Needs.LABELLED_SCORE, Needs.ESTIMATED) and not binary:
            return f"needs task: binary; here it is {self.task}"
        if needs in (Needs.LABELLED_SCORE, Needs.ESTIMATED) and not self.scored:
            return "needs a score: FIELD under streams.predictions"
        return None


def surface(usable: Usable, findings: Findings) -> Surface:
    """What the config declares; names that cannot be used go to `findings`."""
    predictions = usable.config.streams.predictions
    task = Task(predictions.task) if predictions.task else None
    features = [_feature(name, predictions, findings) for name in predictions.features]
    columns = [c for c in features if c is not None] + _own_columns(predictions, task)
    fields: dict[str, str] = {}
    for at, crossed in enumerate(predictions.segments):
        for name in crossed:
            if name not in fields:
                here = (*PREDICTIONS, "segments", at)
                _add_segment_field(name, predictions.envelope, here, columns, fields, findings)
    segmentations = [
        Segmentation(tuple(fields[f] for f in s)) for s in predictions.segments if all(f in fields for f in s)
    ]
    labelled = usable.config.streams.labels is not None or predictions.label is not None
    ordered = sorted(columns, key=lambda c: c.kind is not Kind.NUMERIC)
    return Surface(tuple(ordered), tuple(dict.fromkeys(segmentations)), fields, task, labelled)


def _feature(name: str, predictions: Predictions, findings: Findings) -> Column | None:
    feature, here = predictions.features[name], (*PREDICTIONS, "features", name)
    if name in reserved():
        hint = f"choose another name and write {{path: {name}, kind: {feature.kind}}}"
        findings.mistake(here, f"{name!r} is a name that streamcheck uses itself; {hint}")
        return None
    try:
        path = located(feature.path or name, predictions.envelope)
    except ValueError:
        findings.mistake(here, r"expected a field name, with dots for nested ones; write \. for a dot inside a name")
        return None
    if feature.range and feature.kind != "numeric":
        findings.mistake((*here, "range"), f"a range is for numeric features; {name} is categorical")
    return Column(name, path, Kind(feature.kind), Role.FEATURE, feature.range)


def _own_columns(predictions: Predictions, task: Task | None) -> list[Column]:
    """Prediction, score, label and model version, as far as they are declared."""
    classes = (
        {Task.REGRESSION: Kind.NUMERIC, Task.BINARY: Kind.BINARY}.get(task, Kind.CATEGORICAL) if task else Kind.NUMERIC
    )
    positive = predictions.positive if task is Task.BINARY else None
    columns = []
    for name, path, kind, role in (
        (PREDICTION, predictions.prediction, classes, Role.PREDICTION),
        (SCORE, predictions.score, Kind.NUMERIC, Role.SCORE),
        (LABEL, predictions.label, classes, Role.LABEL),
        (MODEL_VERSION, predictions.model_version, Kind.CATEGORICAL, Role.MODEL_VERSION),
    ):
        if path is not None:
            columns.append(
                Column(
                    name,
                    located(path, predictions.envelope),
                    kind,
                    role,
                    positive=positive if kind is Kind.BINARY else None,
                )
            )
    return columns


def _add_segment_field(
    name: str,
    envelope: str | None,
    here: Path,
    columns: list[Column],
    fields: dict[str, str],
    findings: Findings,
) -> None:
    """Find the column behind a segment field, or make one."""
    known = next((c for c in columns if c.name == name), None)
    if (
        known is not None
        and known.kind is Kind.CATEGORICAL
        and known.role is not Role.PREDICTION
        and known.role is not Role.LABEL
    ):
        fields[name] = known.name
    elif known is not None and known.role is Role.FEATURE:
        findings.mistake(here, f"a segment needs categories; {name} is numeric")
    elif known is not None or name in reserved():
        findings.mistake(
            here, f"{name!r} is a name that streamcheck uses itself; segments are features or other fields"
        )
    else:
        try:
            path = located(name, envelope)
        except ValueError:
            findings.mistake(here, "expected a field name, with dots for nested ones, such as customer.tier")
            return
        same = next(
            (
                c
                for c in columns
                if c.path == path
                and c.kind is Kind.CATEGORICAL
                and c.role in (Role.FEATURE, Role.MODEL_VERSION, Role.SEGMENT)
            ),
            None,
        )
        if same is None:
            columns.append(Column(name, path, Kind.CATEGORICAL, Role.SEGMENT))
        fields[name] = same.name if same else name
