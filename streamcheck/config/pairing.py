"""Which measure and detector suit a subject, and which does the config's table choose?"""

from dataclasses import dataclass, replace

from streamcheck.config import defaults
from streamcheck.config.chosen import component_spec
from streamcheck.config.defaults import DEFAULTS, side
from streamcheck.config.document import Findings, Path
from streamcheck.config.models import Monitor
from streamcheck.config.surface import ERROR, Subject, Surface, measures
from streamcheck.config.targets import NAMED
from streamcheck.core.components import find
from streamcheck.core.detectors.base import Domain, RowDetector
from streamcheck.core.measures.base import Needs
from streamcheck.core.measures.share_of import ShareOf
from streamcheck.core.plan import ComponentSpec, Kind, Target, Task


@dataclass(frozen=True, slots=True)
class Pick:
    """A measure and a detector for a subject; default: the table chose them."""

    measure: ComponentSpec | None
    detector: ComponentSpec
    default: bool = False


class Pairing:
    """Completes entries with measures and detectors; what does not suit goes to `findings`."""

    def __init__(self, surface: Surface, findings: Findings) -> None:
        self.surface = surface
        self.findings = findings

    def chosen(self, entry: Monitor, here: Path) -> tuple[ComponentSpec | None, ComponentSpec | None]:
        """The measure and detector that the entry names, with checked parameters; None where it names none."""
        measure, detector = None, None
        if entry.measure:
            measure = component_spec("measure", entry.measure, (*here, "measure"), self.findings)
        if entry.detector:
            detector = component_spec("detector", entry.detector, (*here, "detector"), self.findings)
        if entry.measure and detector and issubclass(find("detector", detector.name), RowDetector):
            problem = f"{detector.name} reads rows, not a measure of them; leave measure out"
            self.findings.mistake((*here, "measure"), problem)
        return measure, detector

    def picks(
        self, subject: Subject, rank: int, measure: ComponentSpec | None, detector: ComponentSpec | None, here: Path
    ) -> list[Pick]:
        """Measure and detector for a subject, the table's where the entry names none; a group takes what suits it."""
        if detector is not None and issubclass(find("detector", detector.name), RowDetector):
            return self._row_pick(subject, rank, detector, here)
        wanted = [measure] if measure else self._default_measures(subject, detector)
        picks = []
        for spec in wanted:
            cls = measures()[spec.name]
            suits = cls.limit is None or detector is None or _draws_a_line(detector)
            if not suits and rank == NAMED:
                self.findings.mistake((*here, "detector"), f"{spec.name} says by itself what is too much: {_LINE}")
                continue
            problem = self._misfit(subject, spec.name, explicit=measure is not None) or self._blind(subject, spec)
            if problem is None:
                picks.append(
                    Pick(
                        self._completed(subject, spec),
                        _sided(detector if detector and suits else defaults.detector(cls), side(cls)),
                        measure is None and detector is None,
                    )
                )
            elif rank == NAMED:
                self.findings.mistake((*here, "measure" if measure else "on"), problem)
        return picks

    def _default_measures(self, subject: Subject, detector: ComponentSpec | None) -> list[ComponentSpec]:
        """All of the table where the entry names no detector; with one, the single measure that says most."""
        if subject.target is Target.LABELLED:
            error = "mae" if self.surface.task is Task.REGRESSION else "error_rate"
            return [ComponentSpec(error if subject.name == ERROR else subject.name, auto=True)]
        if subject.target in (Target.STREAM, Target.FEATURES, Target.ESTIMATED):
            return [ComponentSpec(subject.name, auto=True)]
        names = [d.measure for d in DEFAULTS if d.signals in subject.signals]
        if detector is not None:
            names = ["mean"] if detector.name == "threshold" and subject.needs[0] is Needs.NUMERIC else names[:1]
        return [ComponentSpec(name, auto=True) for name in names]

    def _misfit(self, subject: Subject, measure: str, *, explicit: bool) -> str | None:
        """Why the measure says nothing about the subject; None when it does."""
        needs = measures()[measure].needs
        if explicit and subject.target is Target.LABELLED and measure != subject.name:
            suits = needs in subject.needs and self.surface.obstacle(needs) is None
            instead = f", or write on: {measure}" if suits else ""
            return f"{subject.name} is a measure itself; leave measure out{instead}"
        if needs not in subject.needs:
            suited = [name for name, cls in measures().items() if cls.needs in subject.needs]
            return f"{measure} says nothing about {subject.name}; measures for it: {', '.join(suited)}"
        if subject.target is Target.KPI and measure != "mean":
            return f"{measure} says nothing about {subject.name}; measures for it: mean"
        column = self.surface.column(subject.name)
        if measure == "out_of_range" and column is not None and column.range is None:
            return f"out_of_range needs a range: {subject.name}: {{kind: numeric, range: [LOW, HIGH]}}"
        return None

    def _blind(self, subject: Subject, measure: ComponentSpec) -> str | None:
        """Which given values a numeric column never has; None where it may have all of them, or none is given."""
        column = self.surface.column(subject.name)
        if measure.name != "share_of" or column is None or column.kind is not Kind.NUMERIC:
            return None
        odd = [value for value in dict(measure.params).get("values", ()) if not ShareOf.counts_numbers(value)]
        if not odd:
            return None
        return f"{subject.name} is numeric and never {odd[0]!r}: expected numbers, or classes of a hundred such as 5xx"

    def _completed(self, subject: Subject, measure: ComponentSpec) -> ComponentSpec:
        """With the limits that the column's declared range gives, unless the entry gives some."""
        column, given = self.surface.column(subject.name), dict(measure.params)
        if measure.name != "edge_rate" or column is None or column.range is None or "low" in given:
            return measure
        low, high = map(float, column.range)
        return replace(measure, params=tuple(sorted({**given, "low": low, "high": high}.items())), auto=False)

    def _row_pick(self, subject: Subject, rank: int, detector: ComponentSpec, here: Path) -> list[Pick]:
        cls = find("detector", detector.name)
        assert issubclass(cls, RowDetector), cls
        enough = {
            Domain.REAL: tuple(Domain),
            Domain.UNIT: (Domain.UNIT, Domain.BINARY),
            Domain.BINARY: (Domain.BINARY,),
        }
        if subject.rows in enough[cls.domain]:
            if detector.auto and cls.untunable:
                self.findings.mistake((*here, "detector"), f"{cls.name} cannot be calibrated: {cls.untunable}")
                return []
            return [Pick(None, detector)]
        if rank == NAMED:
            wants = {
                Domain.BINARY: "a 0/1 signal such as error",
                Domain.UNIT: "a share between 0 and 1, such as score or error",
                Domain.REAL: "a number per row",
            }
            wants_other = "; a pane detector such as scan takes it" if subject.rows is None else ""
            self.findings.mistake(
                (*here, "detector"),
                f"{cls.name} needs {wants[cls.domain]}; {subject.name} is {subject.describe()}{wants_other}",
            )
        return []


_LINE = "leave detector out, or write {threshold: {above: NUMBER}}"


def _draws_a_line(detector: ComponentSpec) -> bool:
    """Whether it is the detector that such a measure can have: a limit above which it is too much."""
    given = {name for name, value in detector.params if value is not None}
    return detector.name == "threshold" and "above" in given and "below" not in given


def _sided(detector: ComponentSpec, toward: str) -> ComponentSpec:
    """The detector looking to the side where the measure means trouble, unless the user chose one."""
    takes = {param.name: param for param in find("detector", detector.name).params}
    if "side" not in takes or takes["side"].default == toward or any(name == "side" for name, _ in detector.params):
        return detector
    return replace(detector, params=tuple(sorted((*detector.params, ("side", toward)))), auto=False)
