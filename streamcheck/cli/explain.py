"""`streamcheck explain`: what does a config come to?"""

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.config.explain import MonitorView
from streamcheck.config.explain import explain as explained
from streamcheck.config.load import load

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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name, facts, monitors.")
def explain(config: str, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Show what CONFIG comes to: every monitor with parameters, reference, window, alert rule and share of the budget.

    Limits are shown with the event rate that they bear. Exit codes: 0 shown, 2 the config has mistakes.
    """
    explanation = explained(load(config))
    if as_json:
        show_json(explanation.as_dict())
        return
    show_table(explanation.name, ("subject", "what holds"), explanation.facts)
    click.echo()
    show_table("monitors", COLUMNS, [_row(view) for view in explanation.monitors])


def _row(view: MonitorView) -> tuple[str, ...]:
    measure = view.measure + _params(view.measure_params)
    threshold = view.threshold
    if view.panes_per_alarm is not None:
        threshold += f": {view.share:.2%}, a false alarm in {view.panes_per_alarm:,} panes"
    alert = (
        f"{view.severity} after {view.alert_for}, resolved {view.cooldown} after the last drift, to {view.owner or '-'}"
    )
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


def _params(params: dict[str, object]) -> str:
    said = (f"{name}={'null' if value is None else value}" for name, value in params.items())
    return f" ({', '.join(said)})" if params else ""
