"""Which monitors does a config come to? Entries of `monitors` are resolved, completed and expanded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from streamcheck.config.defaults import BLOCK_ROWS, DETECTOR, WINDOW_ROWS
from streamcheck.config.document import Findings, Path
from streamcheck.config.models import Alert, Monitor, Reference
from streamcheck.config.pairing import Pairing, Pick
from streamcheck.config.profiles import Profiles
from streamcheck.config.shares import shared
from streamcheck.config.surface import ERROR, EVERYTHING, FEATURES, MODEL_VERSION, Subject, Surface, measures
from streamcheck.config.targets import GROUP_RANKS, NAMED, Targets
from streamcheck.config.wording import Usable
from streamcheck.core.components import find
from streamcheck.core.detectors.base import RowDetector
from streamcheck.core.measures.base import LabelledMeasure
from streamcheck.core.measures.segment_gap import QUALITIES
from streamcheck.core.plan import AlertRule, Between, ComponentSpec, Finds, MonitorSpec, Segmentation, Target, Window

UNDIVIDED = (Target.STREAM, Target.FEATURES, Target.KPI)
"""What has no segments."""
MONITORS_MAX = 20_000
"""Beyond this a pane of 10 s cannot be closed in time; it is reached by crossing many features and segments."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A monitor on its way: the spec without its share, the entry it comes from (None: the defaults), and its rank."""

    spec: MonitorSpec
    entry: int | None
    rank: int


class Expansion:
    """Turns the entries of `monitors` into specs; what is wrong goes to `findings`."""

    def __init__(self, usable: Usable, surface: Surface, findings: Findings, profiles: Profiles | None = None) -> None:
        self.usable = usable
        self.profiles = profiles
        self.config = usable.config
        self.surface = surface
        self.findings = findings
        self.targets = Targets(usable, surface, findings)
        self.pairing = Pairing(surface, findings)

    def specs(self) -> tuple[MonitorSpec, ...]:
        """All monitors, in the order of the config, each with its share of the budget."""
        entries = self.config.monitors
        drafts: list[Draft] = []
        if entries is None or (entries and not any(e.enabled for e in entries)):
            drafts += self._entry(None, Monitor.model_validate({"on": EVERYTHING}))
        for at, entry in enumerate(entries or ()):
            made = list(self._entry(at, entry))
            drafts += made if entry.enabled else []
        drafts = [d for d in drafts if not any(self._switched_off(d, e) for e in entries or () if not e.enabled)]
        specs = self._distinct(drafts)
        if not specs and not self.findings.mistakes:
            self.findings.mistake(("monitors",), "nothing is watched; leave monitors out to get the defaults")
        if len(specs) > MONITORS_MAX:
            self.findings.mistake(
                ("monitors",),
                f"{len(specs):,} monitors result, at most {MONITORS_MAX:,} can be run; use fewer segments or features",
            )
        return shared(specs)

    def _switched_off(self, draft: Draft, entry: Monitor) -> bool:
        """Whether an entry with `enabled: false` covers this monitor of a group."""
        spec = draft.spec
        if draft.rank == NAMED or (entry.name and entry.name != spec.id):
            return False
        named = self._group(entry.on)
        covers = (
            EVERYTHING in entry.on or spec.column in named or (spec.measure is not None and spec.measure.name in named)
        )
        wanted = (entry.measure is None or (spec.measure and spec.measure.name == entry.measure.name)) and (
            entry.detector is None or spec.detector.name == entry.detector.name
        )
        by = [self._segmentation(fields) for fields in entry.by]
        return bool(covers and wanted and (not by or spec.by in by))

    def _group(self, on: tuple[str, ...]) -> tuple[str, ...]:
        features = tuple(c.name for c in self.surface.features) if FEATURES in on else ()
        return (*on, *features)

    def _distinct(self, drafts: list[Draft]) -> list[MonitorSpec]:
        """One monitor per id: the more specific one, and a mistake where two are equally specific."""
        kept: dict[str, Draft] = {}
        for draft in drafts:
            rival = kept.get(draft.spec.id)
            if rival is None or rival.rank < draft.rank:
                kept[draft.spec.id] = draft
            elif rival.rank == draft.rank:
                self._duplicate(draft, rival)
        return [draft.spec for draft in kept.values()]

    def _duplicate(self, draft: Draft, rival: Draft) -> None:
        if draft.entry is None or rival.entry is None:
            return
        here: Path = ("monitors", draft.entry)
        here = (*here, "name") if self.findings.document.has((*here, "name")) else here
        line = self.findings.document.place(("monitors", rival.entry))[0]
        first = "this entry makes it twice" if draft.entry == rival.entry else f"the entry on line {line} makes it, too"
        identity = self.findings.document.unfilled(draft.spec.id)
        self.findings.mistake(here, f"two monitors would have the id {identity}: {first}; give one another name")

    # ------------------------------------------------------------------ one entry
    def _entry(self, at: int | None, entry: Monitor) -> Iterator[Draft]:
        here: Path = ("monitors",) if at is None else ("monitors", at)
        if at is not None and not self.usable.sure(*here, "on"):
            return
        if entry.between is not None:
            yield from self._gap(at, entry, entry.between, here)
            return
        before = len(self.findings.mistakes)
        by = self._segmentations(entry, here)
        subjects = list(self.targets.subjects(entry, here))
        measure, detector = self.pairing.chosen(entry, here)
        if len(self.findings.mistakes) > before:
            return
        if entry.alert.escalate is not None and entry.alert.escalate.to == entry.alert.severity:
            same = f"its severity is {entry.alert.severity} from the beginning; name one that is more urgent"
            self.findings.mistake((*here, "alert", "escalate", "to"), same)
        self._check_labelled_settings(entry, subjects, detector, here)
        picks = [
            (subject, rank, self.pairing.picks(subject, rank, measure, detector, here)) for subject, rank in subjects
        ]
        if subjects and not any(found for _, _, found in picks) and len(self.findings.mistakes) == before:
            what = measure.name if measure else detector.name if detector else "it"
            self.findings.mistake((*here, "on"), f"{what} suits none of {', '.join(entry.on)}")
        for subject, rank, found in picks:
            name = self._prefix(entry, several=len(subjects) > 1, subject=subject)
            for pick in found:
                segments = [None, *by]
                if subject.target is Target.LABELLED and rank == GROUP_RANKS[EVERYTHING] and not calibrated(pick):
                    segments += [s for s in self.surface.segmentations if s not in by]
                if (entry.reference or self.config.reference).per is not None:
                    segments = list(dict.fromkeys(map(_per_version, segments)))
                for segmentation in [None] if subject.target in UNDIVIDED else segments:
                    spec = self._spec(entry, subject, pick, segmentation)
                    identity = _identity(spec, name, several=len(found) > 1)
                    yield Draft(replace(spec, id=identity, default=pick.default and rank < NAMED), at, rank)

    def _gap(self, at: int | None, entry: Monitor, between: tuple[str, str, str], here: Path) -> Iterator[Draft]:
        """One monitor of the difference between two segments."""
        field, *values = between
        before = len(self.findings.mistakes)
        if field not in self.surface.fields:
            self._unknown_segment(field, (*here, "between"))
        if len(entry.on) > 1 or entry.on[0] not in QUALITIES:
            self.findings.mistake((*here, "on"), f"between compares one of {', '.join(QUALITIES)}")
            return
        if entry.by or entry.measure or entry.window:
            self.findings.mistake((*here, "between"), "by, measure and window do not go with between; leave them out")
        subjects = list(self.targets.subjects(entry, here))
        _, detector = self.pairing.chosen(entry, here)
        if detector is not None and issubclass(find("detector", detector.name), RowDetector):
            self.findings.mistake((*here, "detector"), f"{detector.name} reads rows, not a difference of two segments")
        if not subjects or len(self.findings.mistakes) > before:
            return
        subject, rank = subjects[0]
        measure = ComponentSpec("segment_gap", (("of", entry.on[0]),))
        pick = Pick(measure, detector or ComponentSpec(DETECTOR, auto=True))
        sides = Between(self._segmentation((field,)), *values)
        identity = entry.name or f"{subject.name}-gap-{field}"
        yield Draft(replace(self._spec(entry, subject, pick, None), window=None, id=identity, between=sides), at, rank)

    def _prefix(self, entry: Monitor, *, several: bool, subject: Subject) -> str | None:
        return f"{entry.name}-{subject.name}" if entry.name and several else entry.name

    def _segmentations(self, entry: Monitor, here: Path) -> list[Segmentation]:
        found = []
        for fields in entry.by:
            unknown = [f for f in fields if f not in self.surface.fields]
            for field in unknown:
                self._unknown_segment(field, (*here, "by"))
            if not unknown:
                found.append(self._segmentation(fields))
        return list(dict.fromkeys(found))

    def _unknown_segment(self, field: str, here: Path) -> None:
        if not self.usable.sure("streams", "predictions", "segments"):
            return
        if not self.surface.fields:
            self.findings.mistake(
                here, f"no segments are declared; add segments: [{self.shown(field, here)}] under streams.predictions"
            )
            return
        self.findings.unknown(here, "segment", tuple(self.surface.fields), name=field)

    def shown(self, name: str, here: Path) -> str:
        """A name for a message, unless it came from an environment variable."""
        return "FIELD" if self.findings.document.varies(here) else name

    def _segmentation(self, fields: tuple[str, ...]) -> Segmentation:
        """The declared one with these fields, whatever their order; else a crossing of its own."""
        names = tuple(self.surface.fields.get(f, f) for f in fields)
        return next((s for s in self.surface.segmentations if sorted(s.fields) == sorted(names)), Segmentation(names))

    # ------------------------------------------------------------------ the rest of an entry
    def _check_labelled_settings(
        self, entry: Monitor, subjects: list[tuple[Subject, int]], detector: ComponentSpec | None, here: Path
    ) -> None:
        labelled = any(subject.target is Target.LABELLED for subject, _ in subjects)
        row = detector is not None and issubclass(find("detector", detector.name), RowDetector)
        for key, value in (("window", entry.window), ("block", entry.block)):
            if value is not None and subjects and not labelled:
                self.findings.mistake(
                    (*here, key),
                    f"a {key} is for labelled qualities such as accuracy; other measures are taken per pane",
                )
        if entry.block is not None and row and detector:
            self.findings.mistake((*here, "block"), f"{detector.name} steps once per row; leave block out")
        if (
            entry.window is not None
            and (entry.window.rows is None) == (entry.window.time is None)
            and self.usable.sure(*here, "window")
        ):
            self.findings.mistake((*here, "window"), "expected either rows or time, such as {rows: 1000} or {time: 1h}")

    def _spec(self, entry: Monitor, subject: Subject, pick: Pick, by: Segmentation | None) -> MonitorSpec:
        labelled = subject.target is Target.LABELLED
        column = (
            ERROR
            if labelled and pick.measure is None
            else pick.measure.name
            if labelled and pick.measure
            else subject.name
        )
        window = Window(entry.window.rows, entry.window.time) if entry.window else Window(rows=WINDOW_ROWS)
        return MonitorSpec(
            id="",
            target=subject.target,
            column=column,
            detector=pick.detector,
            measure=pick.measure,
            by=by,
            window=window if labelled and not calibrated(pick) else None,
            block_rows=entry.block or BLOCK_ROWS,
            reference=reference_spec(entry.reference or self.config.reference, self.profiles),
            rule=self._rule(entry.alert),
            finds=self._finds(entry, subject, pick),
        )

    def _finds(self, entry: Monitor, subject: Subject, pick: Pick) -> Finds:
        """What its alerts mean."""
        cls = measures()[pick.measure.name] if pick.measure is not None else None
        own_limit = cls is not None and cls.limit is not None
        if (pick.detector.name == "threshold" and not own_limit) or (cls is not None and not cls.learns):
            return Finds.LIMIT
        named = (entry.reference or self.config.reference).profile
        if subject.target is not Target.STREAM and self.profiles is not None and self.profiles.of_training(named):
            return Finds.SKEW
        return Finds.LIMIT if own_limit else Finds.DRIFT

    def _rule(self, alert: Alert) -> AlertRule:
        """What the entry leaves out, the config says for all; what is as urgent already does not rise."""
        general = self.config.alerts
        rises = alert.escalate or general.escalate
        known = (alert.for_, alert.cooldown, alert.severity, alert.owner or general.owner, alert.runbook)
        if rises is None or rises.to == alert.severity:
            return AlertRule(*known)
        return AlertRule(*known, rises.after, rises.to)


def calibrated(pick: Pick) -> bool:
    """Whether its measure sees calibrated scores: it has no window, and by default one monitor for all rows."""
    cls = measures()[pick.measure.name] if pick.measure else None
    return cls is not None and issubclass(cls, LabelledMeasure) and cls.calibrated


def _per_version(segmentation: Segmentation | None) -> Segmentation:
    """The same segments, each by model version."""
    fields = () if segmentation is None else segmentation.fields
    return Segmentation(fields if MODEL_VERSION in fields else (*fields, MODEL_VERSION))


def _identity(spec: MonitorSpec, name: str | None, *, several: bool) -> str:
    """The monitor's id: its name, or column and measure (detector where that says no more), and the segmentation."""
    what = spec.detector.name if spec.measure is None or spec.measure.name == spec.column else _called(spec.measure)
    base = f"{spec.column}-{what}" if name is None else f"{name}-{what}" if several else name
    return f"{base}-by-{spec.by.name}" if spec.by else base


def _called(measure: ComponentSpec) -> str:
    return measures()[measure.name].called(dict(measure.params))


def reference_spec(reference: Reference, profiles: Profiles | None = None) -> ComponentSpec:
    """The reference component that a config's `reference` names; a profile that is not to be read counts as auto."""
    if reference.profile is not None and profiles is not None:
        return ComponentSpec("profile", (("digest", profiles.digest(reference.profile)),))
    if reference.first is not None:
        return ComponentSpec("first", (("span_ms", reference.first),))
    if reference.rolling is not None:
        return ComponentSpec("rolling", (("span_ms", reference.rolling),))
    zone = (("zone", reference.zone),) if reference.zone is not None else ()
    if reference.season is not None:
        over = (("over_ms", reference.over),) if reference.over is not None else ()
        return ComponentSpec("season", (*over, ("slots", reference.season), *zone))
    return ComponentSpec("auto", zone, auto=not zone)
