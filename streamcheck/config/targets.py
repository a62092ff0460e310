"""What does `on` name: a group, a column, the stream or a quality of labelled rows?"""

from collections.abc import Iterator

from streamcheck.config.defaults import DEFAULTS
from streamcheck.config.document import Findings, Path
from streamcheck.config.models import Monitor
from streamcheck.config.surface import (
    ERROR,
    EVERYTHING,
    FEATURES,
    LABELLED_NEEDS,
    PREDICTION,
    PREDICTIONS,
    SCORE,
    Subject,
    Surface,
    estimated_measures,
    feature_measures,
    measures,
    qualities,
    stream_measures,
)
from streamcheck.config.wording import Usable
from streamcheck.core.kpi import KPI
from streamcheck.core.measures.base import Needs
from streamcheck.core.plan import Kind, Task

GROUP_RANKS = {EVERYTHING: 0, FEATURES: 1}
NAMED = 2
"""What is written for a column takes the place of what a group makes under the same id."""


class Targets:
    """Finds the subjects that `on` names; what cannot be watched goes to `findings`."""

    def __init__(self, usable: Usable, surface: Surface, findings: Findings) -> None:
        self.usable = usable
        self.surface = surface
        self.findings = findings

    def subjects(self, entry: Monitor, here: Path) -> Iterator[tuple[Subject, int]]:
        """What the entry watches, each with the rank of the name that brought it in."""
        for target in entry.on:
            if target in GROUP_RANKS:
                yield from ((subject, GROUP_RANKS[target]) for subject in self._group_subjects(target))
                continue
            subject = self._subject(target, entry, (*here, "on"))
            if subject is not None:
                yield subject, NAMED

    def _group_subjects(self, group: str) -> Iterator[Subject]:
        yield from (self.surface.subject(column) for column in self.surface.features)
        if group == FEATURES:
            return
        for name in (PREDICTION, SCORE):
            column = self.surface.column(name)
            if column is not None:
                yield self.surface.subject(column)
        known = measures()
        identified = self.usable.config.streams.predictions.id is not None
        for default in DEFAULTS:
            if default.measure in stream_measures() and (identified or default.measure != "duplicate_rate"):
                yield self.surface.stream(default.measure)
        for default in DEFAULTS:
            cls = known.get(default.measure)
            if cls is None or not self.surface.task or self.surface.obstacle(cls.needs) is not None:
                continue
            if cls.needs in LABELLED_NEEDS:
                yield self.surface.quality(default.measure)
            elif cls.needs is Needs.ESTIMATED:
                yield self.surface.estimate(default.measure)
        if self.usable.config.streams.kpi is not None:
            yield self.surface.business()

    def _subject(self, name: str, entry: Monitor, here: Path) -> Subject | None:
        column = self.surface.column(name)
        if column is not None and (name in (PREDICTION, SCORE) or column in self.surface.features):
            return self.surface.subject(column)
        if name in (PREDICTION, SCORE):
            if self.usable.sure("streams", "predictions", name):
                self.findings.mistake(here, f"no {name} is declared; add {name}: FIELD under streams.predictions")
            return None
        kinds = ((stream_measures(), self._stream), (feature_measures(), self._together), ((KPI,), self._business))
        for names, found in kinds:
            if name in names:
                return found(name, entry, here)
        if name == ERROR or name in (*qualities(), *estimated_measures()):
            return self._quality(name, here)
        features = tuple(self.usable.config.streams.predictions.features)
        declared: Path = (*PREDICTIONS, "features")
        if self.usable.sound(*declared) and not self.findings.document.has((*declared, name)):
            own = (*stream_measures(), *feature_measures(), *estimated_measures(), *qualities())
            own += () if self.usable.config.streams.kpi is None else (KPI,)
            known = (*features, FEATURES, EVERYTHING, PREDICTION, SCORE, ERROR, *own)
            self.findings.unknown(here, "column or quality", known, name=name)
        return None

    def _stream(self, name: str, entry: Monitor, here: Path) -> Subject | None:
        if entry.by:
            self.findings.mistake((*here[:-1], "by"), f"{name} is counted for all rows together; leave by out")
        if getattr(measures()[name], "of_labels", False) and self.usable.config.streams.labels is None:
            if self.usable.sure("streams", "labels"):
                self.findings.mistake(here, f"{name} needs a stream of labels; add streams.labels")
            return None
        return self.surface.stream(name)

    def _business(self, name: str, entry: Monitor, here: Path) -> Subject | None:
        if entry.by:
            self.findings.mistake((*here[:-1], "by"), f"a {name} has no segments; leave by out")
        if self.usable.config.streams.kpi is not None:
            return self.surface.business()
        if self.usable.sure("streams", "kpi"):
            self.findings.mistake(here, "no KPI is declared; add streams.kpi: {topic: TOPIC, value: FIELD}")
        return None

    def _together(self, name: str, entry: Monitor, here: Path) -> Subject | None:
        if entry.by:
            self.findings.mistake((*here[:-1], "by"), f"{name} is watched for all rows together; leave by out")
        numeric = [column for column in self.surface.features if column.kind is Kind.NUMERIC]
        if len(numeric) >= 2:
            return self.surface.together(name)
        if self.usable.sound(*PREDICTIONS, "features"):
            self.findings.mistake(here, f"{name} needs two numeric features or more; here are {len(numeric)}")
        return None

    def _quality(self, name: str, here: Path) -> Subject | None:
        if not self._labels_are_sure():
            return None
        needs = Needs.LABELLED_CLASS if name == ERROR else measures()[name].needs
        if name == ERROR and self.surface.task is Task.REGRESSION:
            needs = Needs.LABELLED_NUMBER
        obstacle = self.surface.obstacle(needs) if self.surface.task or not self.surface.labelled else None
        if obstacle:
            self.findings.mistake(here, f"{name} {obstacle}")
        if obstacle or not self.surface.task:
            return None
        return self.surface.estimate(name) if needs is Needs.ESTIMATED else self.surface.quality(name)

    def _labels_are_sure(self) -> bool:
        return self.usable.sure("streams", "labels") and all(
            self.usable.sure("streams", "predictions", k) for k in ("task", "label", "score")
        )
