"""The Grafana dashboard of deploy/grafana, made from a short description: rows of panels, each with its queries."""

import json
from dataclasses import dataclass
from typing import Any

PATH = "deploy/grafana/dashboards/streamcheck.json"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
HEIGHT = 8
OF_CONFIG = 'config=~"$config"'
OF_MONITOR = f'{OF_CONFIG},monitor=~"$monitor",segment=~"$segment"'
OWN = 'instance=~"$instance"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: queries as (PromQL, legend); kind: of Grafana's panel types; unit: one of its unit names."""

    title: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    help: str = ""
    mappings: tuple[tuple[str, str, str], ...] = ()
    """Values in words: (value, text, colour)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, with what stands below it."""

    title: str
    panels: tuple[Panel, ...]


TRANSITIONS = f"sum by (state, severity) (increase(streamcheck_alerts_total{{{OF_CONFIG}}}[24h]))"
FIRING = (
    f"(streamcheck_alert_state{{{OF_CONFIG}}} == 2) "
    "* on (instance, config, monitor) group_left (severity, owner) streamcheck_monitor_info"
)
OVER = f"streamcheck_score{{{OF_MONITOR}}} / streamcheck_threshold{{{OF_MONITOR}}}"
OF_SEGMENT = f'{OF_CONFIG},segment=~"$segment"'
SINCE_COMMIT = f"time() - streamcheck_last_commit_seconds{{{OWN}}}"
OF_PROCESS = f'{OWN},job="streamcheck"'
CPU = f"rate(process_cpu_seconds_total{{{OF_PROCESS}}}[5m])"

STATES = (("0", "quiet", "green"), ("1", "pending", "yellow"), ("2", "firing", "red"))
BROKER = (("0", "away", "red"), ("1", "connected", "green"))

ROWS = (
    Row(
        "What is firing",
        (
            Panel(
                "Firing",
                ((f"sum(streamcheck_alert_state{{{OF_CONFIG}}} == bool 2)", ""),),
                "stat",
                width=4,
                help="Monitors and segments whose alert fires.",
            ),
            Panel("Broker", ((f"min(streamcheck_broker_connected{{{OWN}}})", ""),), "stat", width=4, mappings=BROKER),
            Panel(
                "Alerts of the last day, by the state that began",
                ((TRANSITIONS, "{{state}} {{severity}}"),),
                "bargauge",
                width=8,
            ),
            Panel(
                "Fires now",
                ((FIRING, ""),),
                "table",
                width=8,
                help="With owner and severity; the status page says since when and what moved.",
            ),
            Panel(
                "Alert states",
                ((f"streamcheck_alert_state{{{OF_MONITOR}}} > 0", "{{monitor}} {{segment}}"),),
                "state-timeline",
                width=24,
                mappings=STATES,
            ),
        ),
    ),
    Row(
        "One monitor",
        (
            Panel(
                "Value against reference",
                (
                    (f"streamcheck_value{{{OF_MONITOR}}}", "{{monitor}} {{segment}}"),
                    (f"streamcheck_reference{{{OF_MONITOR}}}", "normal: {{monitor}} {{segment}}"),
                ),
                width=12,
                help="In the column's own unit. Choose monitor and segment above.",
            ),
            Panel(
                "Score over threshold",
                ((OVER, "{{monitor}} {{segment}}"),),
                unit="percentunit",
                width=12,
                help="Beyond 100 % it drifts. (Limits from below fire under 100 %.)",
            ),
        ),
    ),
    Row(
        "Quality of labelled rows",
        (
            Panel(
                "Accuracy and other qualities",
                (
                    (f"streamcheck_accuracy{{{OF_SEGMENT}}}", "{{measure}} {{segment}}"),
                    (f"streamcheck_accuracy_low{{{OF_SEGMENT}}}", "low: {{measure}} {{segment}}"),
                    (f"streamcheck_accuracy_high{{{OF_SEGMENT}}}", "high: {{measure}} {{segment}}"),
                ),
                width=16,
                help="With the ends of their 95 % intervals.",
            ),
            Panel(
                "Waiting in the label join",
                (
                    (f"streamcheck_join_pending{{{OWN}}}", "{{stream}}"),
                    (f"streamcheck_join_predictions{{{OWN}}}", "kept in {{place}}"),
                ),
            ),
        ),
    ),
    Row(
        "The stream",
        (
            Panel("Events", (("streamcheck:events:rate5m{" + OWN + "}", "{{topic}} {{outcome}}"),), unit="eps"),
            Panel(
                "Rejected and late",
                (
                    ("streamcheck:rejected:ratio5m{" + OWN + "}", "rejected {{topic}}"),
                    ("streamcheck:late:ratio5m{" + OWN + "}", "late {{topic}}"),
                ),
                unit="percentunit",
            ),
            Panel("Lag, records", (("streamcheck:lag_records:sum{" + OWN + "}", "{{topic}}"),)),
            Panel(
                "Event time behind the clock",
                ((f"time() - streamcheck_watermark_seconds{{{OWN}}}", "{{topic}} {{partition}}"),),
                unit="s",
                help="The partition with the largest holds panes open.",
            ),
            Panel("Limits that bite", ((f"increase(streamcheck_limit_hits_total{{{OWN}}}[15m])", "{{limit}}"),)),
            Panel("Alerts that wait for their topic", ((f"streamcheck_outbox_entries{{{OWN}}}", "{{instance}}"),)),
        ),
    ),
    Row(
        "The service",
        (
            Panel("Since the last commit", ((SINCE_COMMIT, "{{instance}}"),), unit="s"),
            Panel("CPU", ((CPU, "{{instance}}"),), unit="percentunit"),
            Panel(
                "Memory",
                (
                    (f"process_resident_memory_bytes{{{OF_PROCESS}}}", "{{instance}}"),
                    (f"streamcheck_join_memory_bytes{{{OWN}}}", "label join"),
                ),
                unit="bytes",
            ),
        ),
    ),
)  # fmt: skip


def queries() -> list[str]:
    """Every query of the dashboard, with its variables in it."""
    return [query for row in ROWS for panel in row.panels for query, _ in panel.queries]


def dashboard() -> str:
    """The dashboard's JSON."""
    document = {
        "title": "streamcheck",
        "uid": "streamcheck",
        "tags": ["streamcheck"],
        "schemaVersion": 39,
        "timezone": "utc",
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _panels(),
    }
    return json.dumps(document, indent=1) + "\n"


def _variables() -> list[dict[str, Any]]:
    source: dict[str, Any] = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    made = [source]
    for name, query in (
        ("instance", "label_values(streamcheck_info, instance)"),
        ("config", "label_values(streamcheck_info, config)"),
        ("monitor", f"label_values(streamcheck_alert_state{{{OF_CONFIG}}}, monitor)"),
        ("segment", f"label_values(streamcheck_alert_state{{{OF_CONFIG},monitor=~\"$monitor\"}}, segment)"),
    ):  # fmt: skip
        made.append(
            {
                "name": name,
                "type": "query",
                "datasource": DATASOURCE,
                "query": {"query": query, "refId": name},
                "refresh": 2,
                "includeAll": True,
                "allValue": ".*",
                "multi": True,
                "current": {"text": "All", "value": "$__all"},
            }
        )
    return made


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    x = y = 0
    for row in ROWS:
        made.append(
            _placed(len(made), {"type": "row", "title": row.title, "collapsed": False, "panels": []}, 0, y, WIDTH, 1)
        )
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            made.append(_placed(len(made), _panel(panel), x, y, panel.width, HEIGHT))
            x += panel.width
        y += HEIGHT
    return made


def _placed(number: int, panel: dict[str, Any], x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number + 1, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.mappings:
        options = {
            value: {"text": text, "color": colour, "index": at}
            for at, (value, text, colour) in enumerate(panel.mappings)
        }
        defaults["mappings"] = [{"type": "value", "options": options}]
    instant = panel.kind in ("stat", "table", "bargauge")
    targets = []
    for at, (query, legend) in enumerate(panel.queries):
        target: dict[str, Any] = {"refId": chr(ord("A") + at), "datasource": DATASOURCE, "expr": query}
        target |= {"legendFormat": legend or "__auto", "instant": instant, "range": not instant}
        targets.append(target | ({"format": "table"} if panel.kind == "table" else {}))
    made: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }
    if panel.kind == "table":
        hidden = dict.fromkeys(("Time", "Value", "__name__", "instance", "job"), True)
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return made
