"""What `streamcheck backtest --html` writes: the report of what was seen."""

from importlib.util import find_spec
from pathlib import Path

from streamcheck import __version__
from streamcheck.cli.explain import COLUMNS, monitor_rows
from streamcheck.cli.replay import Replayed
from streamcheck.config.shown import without_connection
from streamcheck.config.values import budget_text
from streamcheck.core.wording import counted, span
from streamcheck.errors import StreamcheckError
from streamcheck.report.html.marks import Table
from streamcheck.report.html.page import render
from streamcheck.report.html.story import Facts, tell


def prepare(path: Path) -> None:
    """Before anything is read: can it be made, can it be written? Raises StreamcheckError where not."""
    if find_spec("plotly") is None:
        raise StreamcheckError("--html takes plotly: pip install 'streamcheck[report]'")
    _write(path, b"")


def write_report(path: Path, done: Replayed) -> None:
    """The report of the first config, once the replay has come to its end or was stopped."""
    course = done.courses[0]
    candidate, recorder, window = course.candidate, course.recorder, course.windows.predictions
    assert recorder is not None, "the replay was recorded"
    recorder.ended()
    first_ms, last_ms = window.seen_ms or (None, None)
    speed = counted(round(done.events / max(done.seconds, 1e-9)), "event")
    facts = Facts(
        config=candidate.plan.name,
        version=__version__,
        from_ms=first_ms,
        to_ms=last_ms,
        complete=done.complete,
        events=done.events,
        budget=budget_text(candidate.plan.budget),
        reading=course.engine.reading(),
        config_text=without_connection(candidate.text),
        monitors=Table(COLUMNS, monitor_rows(candidate.loaded)),
        made=f"Made by streamcheck {__version__} in {span(done.seconds)}, {speed} a second.",
    )
    _write(path, render(tell(recorder, facts)))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error
