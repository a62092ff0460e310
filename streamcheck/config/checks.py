"""Do the parts of a config agree with one another? What no single setting shows: labels, times, topics, owners."""

from streamcheck.config.document import Findings, Path
from streamcheck.config.formats import own_id, own_time
from streamcheck.config.kpi import KPI_STREAM, check_kpi
from streamcheck.config.models import Config, Reference
from streamcheck.config.monitors import reference_spec
from streamcheck.config.shadow import SHADOW, check_shadow
from streamcheck.config.streams import Kpi, Labels, Predictions, Shadow, TimeSource
from streamcheck.config.surface import PREDICTIONS
from streamcheck.config.values import duration_text, loopback
from streamcheck.config.wording import REFERENCES, Usable
from streamcheck.config.zones import names as zone_names
from streamcheck.core.components import build, nearest
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.references._pools import PANES_PROVISIONAL
from streamcheck.errors import ParameterError

LABELS: Path = ("streams", "labels")
PANE: Path = ("time", "pane")
BESIDE: tuple[Path, ...] = (LABELS, KPI_STREAM, SHADOW)
"""Streams whose events become known after predictions."""
OTHERS = {LABELS: "labels do", KPI_STREAM: "KPI does", SHADOW: "challenger's predictions do"}
PASSWORD_CHARS_MIN = 12
OPEN_PANES_MANY = 1_000
"""Panes kept open by lateness beyond which memory and delay surprise people."""


def check_parts(usable: Usable, findings: Findings) -> None:
    """Everything that concerns several settings; mistakes and warnings go to `findings`."""
    _check_labels(usable, findings)
    _check_task(usable, findings)
    _check_times(usable, findings)
    check_kpi(usable, findings)
    check_shadow(usable, findings)
    _check_topics(usable, findings)
    _check_references(usable, findings)
    _check_outputs(usable, findings)


def check_owners(specs: tuple[MonitorSpec, ...], findings: Findings) -> None:
    """Warn where alerts would belong to nobody."""
    nobody = sum(spec.rule.owner is None for spec in specs)
    if nobody:
        findings.warning(
            ("alerts",), f"nobody owns the alerts of {nobody} of {len(specs)} monitors; write alerts: {{owner: TEAM}}"
        )


def _check_labels(usable: Usable, findings: Findings) -> None:
    predictions, labels = usable.config.streams.predictions, usable.config.streams.labels
    has_id = predictions.id is not None or own_id(predictions.envelope) is not None
    if labels is not None and not has_id and usable.sure(*PREDICTIONS, "id"):
        findings.mistake(PREDICTIONS, "labels are joined by id; add id: FIELD to the predictions")
    if labels is not None and predictions.label is not None:
        findings.mistake(
            (*PREDICTIONS, "label"),
            "the label is in the prediction event, so there can be no labels stream; remove one of the two",
        )
    if (
        (labels is not None or predictions.label is not None)
        and predictions.prediction is None
        and usable.sure(*PREDICTIONS, "prediction")
    ):
        findings.mistake(PREDICTIONS, "labels are compared with what the model said; add prediction: FIELD")


def _check_task(usable: Usable, findings: Findings) -> None:
    predictions = usable.config.streams.predictions
    if predictions.task is None and predictions.prediction is not None and usable.sure(*PREDICTIONS, "task"):
        findings.mistake(
            PREDICTIONS, "say what the model predicts; add task: binary, task: multiclass or task: regression"
        )
    if predictions.positive is not None and predictions.task in ("multiclass", "regression"):
        findings.mistake(
            (*PREDICTIONS, "positive"), f"a positive class is for task: binary; here it is {predictions.task}"
        )


def _check_times(usable: Usable, findings: Findings) -> None:
    config = usable.config
    sources: list[tuple[Path, TimeSource | None]] = [((*PREDICTIONS, "time"), config.streams.predictions.time)]
    sources += [((*here, "time"), stream.time) for here, stream in _beside(config)]
    for here, source in sources:
        if source is not None and usable.sure(*here):
            _check_time_source(here, source, findings)
    for here, stream in _beside(config):
        own = _times_itself(stream)
        if own == _times_itself(config.streams.predictions) or not usable.sure(*here, "time"):
            continue
        named, other = (here, "predictions do") if own else (PREDICTIONS, OTHERS[here])
        findings.warning(
            (*named, "time"),
            f"this stream names a time field and the {other} not: field times and record timestamps may differ",
        )
    if config.time.max_jump < config.time.pane and usable.sure("time"):
        findings.mistake(("time", "max_jump"), "expected max_jump of at least one pane")
    if config.time.lateness > OPEN_PANES_MANY * config.time.pane and usable.sure("time"):
        findings.warning(
            ("time", "lateness"),
            f"keeps {config.time.lateness // config.time.pane:,} panes open at once; longer panes save memory",
        )


def _beside(config: Config) -> list[tuple[Path, Labels | Kpi | Shadow]]:
    """Those that are declared, with their place."""
    streams = ((here, getattr(config.streams, str(here[-1]))) for here in BESIDE)
    return [(here, stream) for here, stream in streams if stream is not None]


def _times_itself(stream: Predictions | Labels | Kpi | Shadow) -> bool:
    """Whether its events say their time."""
    return stream.time is not None or own_time(stream.envelope) is not None


def _check_time_source(here: Path, source: TimeSource, findings: Findings) -> None:
    if source.step is not None and (source.field is not None or source.unit is not None):
        findings.mistake((*here, "step"), "expected field and unit, or step, not both")
    elif source.step is None and source.field is None:
        findings.mistake(here, "expected {field: FIELD, unit: ms}; left out, the record timestamp counts")
    elif source.step is None and source.unit is None:
        findings.mistake(here, "the unit is not guessed; add unit: s, ms, us, ns or iso8601")


def _topics(config: Config) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = [((*PREDICTIONS, "topic"), topic) for topic in config.streams.predictions.topic]
    found += [((*here, "topic"), topic) for here, stream in _beside(config) for topic in stream.topic]
    outputs = (
        (("alerts", "topic"), config.alerts.topic),
        (("alerts", "operations_topic"), config.alerts.operations_topic),
        (("journal", "topic"), config.journal and config.journal.topic),
        (("dead_letter", "topic"), config.dead_letter and config.dead_letter.topic),
        (("late", "topic"), config.late and config.late.topic),
    )
    return found + [(here, topic) for here, topic in outputs if topic]


def _check_topics(usable: Usable, findings: Findings) -> None:
    """A topic has one role: an output that is read again would feed on itself."""
    first: dict[str, Path] = {}
    for here, topic in _topics(usable.config):
        if not usable.sure(*here):
            continue
        if topic in first and first[topic] != here:
            where = ".".join(str(part) for part in first[topic])
            findings.mistake(
                here, f"{findings.document.shown(here)} is the topic of {where} already; a topic has one role"
            )
        first.setdefault(topic, here)


def _check_references(usable: Usable, findings: Findings) -> None:
    references: list[tuple[Path, Reference | None]] = [(("reference",), usable.config.reference)]
    references += [
        (("monitors", at, "reference"), entry.reference) for at, entry in enumerate(usable.config.monitors or ())
    ]
    for here, reference in references:
        if reference is None or not usable.sure(*here):
            continue
        kinds = [k for k in ("first", "rolling", "season", "profile") if getattr(reference, k) is not None]
        if len(kinds) > 1:
            findings.mistake(here, f"expected one kind of reference, got {' and '.join(kinds)}")
        elif reference.over is not None and reference.season is None:
            findings.mistake(
                (*here, "over"), "over says how far back a season looks; add season: hour_of_day or hour_of_week"
            )
        elif reference.zone is not None and kinds and reference.season is None:
            findings.mistake((*here, "zone"), f"a zone is for hours of auto or season; {kinds[0]} has none")
        elif reference.zone is not None and reference.zone not in zone_names():
            shown = findings.document.shown((*here, "zone"))
            nearer = None if findings.document.varies((*here, "zone")) else nearest(reference.zone, zone_names())
            findings.mistake((*here, "zone"), f"expected a time zone such as Europe/Berlin, got {shown}", nearer)
        elif reference.per is not None and usable.config.streams.predictions.model_version is None:
            findings.mistake((*here, "per"), "add model_version: FIELD under streams.predictions")
        elif not kinds and findings.document.has(here) and not _says_auto(findings, here, reference):
            findings.mistake(here, f"expected {REFERENCES}")
        else:
            _check_spans(here, reference, usable, findings)


def _check_spans(here: Path, reference: Reference, usable: Usable, findings: Findings) -> None:
    """Whether the component takes the spans; it counts in ms, a config does not."""
    spec = reference_spec(reference)
    try:
        build("reference", spec.name, dict(spec.params))
    except ParameterError:
        place = findings.document.known_part((*here, "over" if reference.season else spec.name))
        needs = (
            f"one {'day' if reference.season == 'hour_of_day' else 'week'} or more"
            if reference.season
            else "a longer one"
        )
        findings.mistake(
            place, f"the span is too short for {spec.name}, which needs {needs}; got {findings.document.shown(place)}"
        )
        return
    pane_ms = usable.config.time.pane
    if reference.rolling is not None and reference.rolling < PANES_PROVISIONAL * pane_ms and usable.sure(*PANE):
        place = findings.document.known_part((*here, "rolling"))
        findings.mistake(
            place,
            f"the span is too short for rolling, which needs {PANES_PROVISIONAL} panes of {duration_text(pane_ms)} "
            f"({duration_text(PANES_PROVISIONAL * pane_ms)}) before it compares; got {findings.document.shown(place)}",
        )


def _says_auto(findings: Findings, here: Path, reference: Reference) -> bool:
    return findings.document.at(here) == "auto" or reference.zone is not None or reference.per is not None


def _check_outputs(usable: Usable, findings: Findings) -> None:
    config = usable.config
    listen = config.prometheus.listen
    if listen is not None and not loopback(listen[0]) and usable.sure("prometheus"):
        findings.warning(
            ("prometheus", "listen"),
            "other machines can read the pages, which have no password; listen on 127.0.0.1 behind a proxy with one",
        )
    _check_page(usable, findings)
    if config.alerts.operations_topic is not None and not config.operations.enabled and usable.sure("operations"):
        findings.warning(("alerts", "operations_topic"), "gets nothing, for operations is not enabled")
    if config.kafka is not None and config.alerts.topic is None and usable.sure("alerts"):
        findings.warning(
            ("alerts",),
            "no topic for alerts is named, so they are shown but not published; write alerts: {topic: NAME}",
        )


def _check_page(usable: Usable, findings: Findings) -> None:
    """Orders on the page need a password where others than this machine can reach it."""
    page = usable.config.prometheus
    if not usable.sure("prometheus"):
        return
    if page.password is not None and len(page.password) < PASSWORD_CHARS_MIN:
        findings.mistake(("prometheus", "password"), f"a password has {PASSWORD_CHARS_MIN} characters or more")
    if page.password is not None and not page.orders:
        unused = "nothing asks for it, for orders is not true; it does not protect the pages"
        findings.warning(("prometheus", "password"), unused)
    if page.orders and page.listen is not None and not loopback(page.listen[0]) and page.password is None:
        findings.mistake(
            ("prometheus", "orders"),
            "other machines can reach the page, so orders need a password: write password: ${NAME}, or listen on "
            "127.0.0.1",
        )
