"""`streamcheck explain`: what does a config come to?"""

from dataclasses import asdict

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.config.explain import MonitorView
from streamcheck.config.explain import explain as explained
from streamcheck.config.load import Loaded, load

MIB = 1 << 20
COLUMNS = (
    "monitor",
    "watches",
    "segments",
    "measure",
    "detector",
    "input",
    "threshold",
    "reference",
    "window",
    "alert",
)


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--partitions", type=click.IntRange(1, 100_000), help="In all topics together, for the memory table.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name, facts, monitors, memory.")
def explain(config: str, partitions: int | None, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Show what CONFIG comes to: every monitor with parameters, reference, window, alert rule and share of the budget.

    Limits are shown with the event rate that they bear, and with the memory that a run may take at most, part by part.
    Exit codes: 0 shown, 2 the config has mistakes.
    """
    from streamcheck.cli.memory import memory  # noqa: PLC0415 (kafka, scipy: not for the help)

    loaded = load(config)
    explanation, budget = explained(loaded), memory(loaded.plan, loaded.settings, partitions)
    if as_json:
        show_json({**explanation.as_dict(), "memory": {**asdict(budget), "total": budget.total}})
        return
    show_table(explanation.name, ("subject", "what holds"), explanation.facts)
    click.echo()
    show_table("monitors", COLUMNS, [_row(view) for view in explanation.monitors])
    click.echo()
    rows = [(part.name, f"{part.bytes / MIB:,.1f}", part.why) for part in budget.parts]
    more = f"for {budget.partitions} partitions in all; each further one {budget.further_partition / MIB:,.1f} MiB"
    rows.append(("sum", f"{budget.total / MIB:,.1f}", more))
    show_table("memory at most", ("part", "MiB", "why"), rows)


def monitor_rows(loaded: Loaded) -> tuple[tuple[str, ...], ...]:
    """The monitors of a config, a row each, as in COLUMNS."""
    return tuple(_row(view) for view in explained(loaded).monitors)


def _row(view: MonitorView) -> tuple[str, ...]:
    measure = view.measure + _params(view.measure_params)
    threshold = view.threshold
    if view.panes_per_alarm is not None:
        above = _above(view)
        threshold += f": {view.share:.2%}, a false alarm in {view.panes_per_alarm:,} panes"
        threshold += f" ({view.alarms_per_week:.3g} a week){above}" + (f"; {view.split}" if view.split else "")
    rises = f" ({view.escalates} acknowledged by nobody)" if view.escalates else ""
    over = f"resolved {view.cooldown} after the last drift"
    alert = f"{view.severity} after {view.alert_for}{rises}, {over}, to {view.owner or '-'}"
    return (
        view.id,
        view.column,
        view.segments,
        measure,
        view.detector + _params(view.params),
        view.input,
        threshold,
        view.reference,
        view.window or "none",
        alert + (f" ({view.runbook})" if view.runbook else ""),
    )


def _above(view: MonitorView) -> str:
    """The threshold as a number, as far as it is known."""
    if view.limit is None:
        return ""
    said = f"; drift above h = {view.limit:.4g}"
    if view.limit_of_ten is not None:
        said += f" for one segment, {view.limit_of_ten:.4g} for each of ten"
    if view.limit_of_panes is not None:
        said += f" ({view.limit_of_panes:.4g} where {view.reference_panes:,} panes tell how far panes scatter)"
    return said + (f", where each pane completes a block of {view.block_rows}" if view.block_rows else "")


def _params(params: dict[str, object]) -> str:
    said = (f"{name}={'null' if value is None else value}" for name, value in params.items())
    return f" ({', '.join(said)})" if params else ""
