"""What a backtest came to: put together, written as JSON and as a page, shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import click

from streamcheck.cli.explain import COLUMNS, monitor_rows
from streamcheck.cli.output import show_table
from streamcheck.cli.replay import Course, Replayed
from streamcheck.config.shown import without_connection
from streamcheck.config.values import budget_text
from streamcheck.core.truth import Incident
from streamcheck.errors import StreamcheckError
from streamcheck.report import terminal
from streamcheck.report.result.compare import compare
from streamcheck.report.result.result import ConfigResult, Result, Written
from streamcheck.report.result.truth import fired, judge


def prepare(json: Path | None, html: Path | None) -> None:
    """Before anything is read: can it be made, can it be written? Raises StreamcheckError where not."""
    if html is not None and find_spec("plotly") is None:
        raise StreamcheckError("--html takes plotly: pip install 'streamcheck[report]'")
    for path in (json, html):
        if path is not None:
            _write(path, b"", "ab")  # what stands there stays, should the replay fail


def result_of(done: Replayed, told: Mapping[str, Any], incidents: Sequence[Incident] | None = None) -> Result:
    """Everything. told: what was read; incidents: None where none are known."""
    configs = tuple(_judged(_config(course), incidents) for course in done.courses)
    read = {**told, "positions": done.positions, "gaps": [list(gap) for gap in done.gaps]}
    compared = compare(configs) if len(configs) > 1 else ()
    return Result(configs, done.complete, read, done.events, done.seconds, compared)


def _config(course: Course) -> ConfigResult:
    candidate, history = course.candidate, course.history
    if course.recorder is not None:
        course.recorder.ended()
    return ConfigResult(
        written=Written(
            candidate.name,
            without_connection(candidate.text),
            budget_text(candidate.plan.budget),
            COLUMNS,
            monitor_rows(candidate.loaded),
        ),
        plan=candidate.plan,
        lineage=course.engine.lineage,
        reading=course.engine.reading(),
        rows=course.rows,
        alerts=tuple(history.fired),
        fired=history.states["firing"],
        transitions=sum(history.states.values()),
        by_monitor=history.by_monitor,
        recorded=course.recorder,
    )


def _judged(result: ConfigResult, incidents: Sequence[Incident] | None) -> ConfigResult:
    if incidents is None:
        return result
    return replace(result, truth=judge(incidents, [fired(alert) for alert in result.alerts], result.rows))


def write(result: Result, json: Path | None, html: Path | None) -> None:
    """The files that are wanted. Raises StreamcheckError."""
    if json is not None:
        from streamcheck.report import as_json  # noqa: PLC0415 (most backtests want neither: a twentieth of a second)

        _write(json, as_json.render(result))
    if html is not None:
        from streamcheck.report.html import page  # noqa: PLC0415

        _write(html, page.render(result))


def show(result: Result) -> None:
    """For people, on standard output."""
    for said in terminal.tell(result):
        if isinstance(said, str):
            click.echo(said)
        else:
            show_table(said.title, said.table.columns, said.table.rows)


def _write(path: Path, content: bytes, mode: Literal["wb", "ab"] = "wb") -> None:
    try:
        with path.open(mode) as file:
            file.write(content)
    except OSError as error:
        raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error
