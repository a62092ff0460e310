"""What does `streams.kpi` come to: which column, compared with what of the model, over which spans?"""

from streamcheck.config.document import Findings, Path
from streamcheck.config.formats import located
from streamcheck.config.models import Config
from streamcheck.config.streams import Kpi
from streamcheck.config.values import duration_text
from streamcheck.config.wording import Usable
from streamcheck.core.kpi import KPI, series_of
from streamcheck.core.plan import Column, Kind, Plan, Role
from streamcheck.core.rules import KpiRules

KPI_STREAM: Path = ("streams", "kpi")
HOUR_MS = 3_600_000


def kpi_column(stream: Kpi) -> Column:
    """Its one column."""
    return Column(KPI, located(stream.value, stream.envelope), Kind.NUMERIC, Role.KPI)


def check_kpi(usable: Usable, findings: Findings) -> None:
    """Spans are whole panes; no feature has the name by which monitors call the KPI."""
    config, stream = usable.config, usable.config.streams.kpi
    if stream is None:
        return
    if KPI in config.streams.predictions.features:
        here: Path = ("streams", "predictions", "features", KPI)
        findings.mistake(
            here, f"{KPI!r} is what monitors call the KPI stream; choose another name and write {{path: {KPI}}}"
        )
    if stream.every is not None and stream.every % config.time.pane and usable.sure("time"):
        here = (*KPI_STREAM, "every")
        pane = duration_text(config.time.pane)
        findings.mistake(here, f"expected a multiple of time.pane ({pane}), got {findings.document.shown(here)}")


def check_against(usable: Usable, plan: Plan, findings: Findings) -> None:
    """What the KPI is to be compared with must be watched."""
    stream = usable.config.streams.kpi
    there = series_of(plan)
    for name in (stream.against or ()) if stream is not None else ():
        if name not in there:
            hint = f"there is {', '.join(there)}" if there else "no monitor watches the model"
            findings.mistake((*KPI_STREAM, "against"), f"nothing here gives {name}; {hint}")


def kpi_rules(config: Config, plan: Plan) -> KpiRules | None:
    """How it counts; plan: the config's, but for this."""
    stream = config.streams.kpi
    if stream is None:
        return None
    span_ms = stream.every or -(-HOUR_MS // config.time.pane) * config.time.pane
    there = series_of(plan)
    against = there if stream.against is None else tuple(name for name in stream.against if name in there)
    name = stream.name or stream.value.split(".")[-1]
    return KpiRules(name, stream.values == "sum", span_ms, stream.lags, against=against)
