"""`streamcheck test`: do the alerts of scenario files come as they are expected?"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from streamcheck.cli.exits import EXIT_FAILURE
from streamcheck.cli.output import show_json

if TYPE_CHECKING:
    from streamcheck.config.scenarios import Expected, Scenario, Suite
    from streamcheck.report.record.alerts import FiredAlert


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option("--only", metavar="TEXT", help="Only tests whose name holds this text.")
@click.option("--show", is_flag=True, help="Print the alerts that came, as a test would write them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each test, in a list.")
def test(files: tuple[str, ...], only: str | None, show: bool, as_json: bool) -> None:  # noqa: FBT001
    """Run scenario tests: rows in, alerts out, compared exactly.

    FILES describe rows in a small notation, the config that is to judge them, and the alerts that are expected with
    their times (docs/scenarios.md). No broker, no clock: the same file gives the same alerts.

    Exit codes: 0 all passed, 1 some failed, 2 a mistake in a file, its config or the command line.
    """
    from streamcheck.config.scenarios import load_suite  # noqa: PLC0415 (numpy, pydantic: only when it runs)

    logging.basicConfig(level=logging.ERROR)
    results = [
        (file, run(scenario, suite))
        for file, suite in [(file, load_suite(file)) for file in files]
        for scenario in suite.scenarios
        if only is None or only in scenario.name
    ]
    if not results:
        raise click.UsageError(f"no test has a name with {only!r}" if only else "the files hold no tests")
    if as_json:
        show_json([{"file": file, **outcome.told()} for file, outcome in results])
    else:
        for file, outcome in results:
            _tell(file, outcome, show=show)
        failed = sum(not outcome.passed for _, outcome in results)
        click.echo(f"{len(results) - failed} passed, {failed} failed")
    if not all(outcome.passed for _, outcome in results):
        raise SystemExit(EXIT_FAILURE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test came to. came: alerts that fired; missing, surplus: what differs; other: same alert, other fields."""

    scenario: "Scenario"
    came: Sequence["FiredAlert"]
    missing: Sequence["Expected"]
    surplus: Sequence["FiredAlert"]
    other: Sequence[tuple["Expected", "FiredAlert", list[str]]]

    @property
    def passed(self) -> bool:
        """Whether everything came as expected, and nothing else."""
        return not (self.missing or self.surplus or self.other)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        start = self.scenario.start_ms
        return {
            "name": self.scenario.name,
            "line": self.scenario.line,
            "passed": self.passed,
            "alerts": [alert.told() for alert in self.came],
            "missing": [written(each, start) for each in self.missing],
            "unexpected": [written_alert(each, start) for each in self.surplus],
            "different": [
                {"expected": written(each, start), "came": written_alert(alert, start), "differs": names}
                for each, alert, names in self.other
            ],
        }


def run(scenario: "Scenario", suite: "Suite") -> Outcome:
    """What came of a scenario, against what was expected."""
    from streamcheck.report.record.alerts import AlertHistory  # noqa: PLC0415
    from streamcheck.runtime.scenario import run_scenario  # noqa: PLC0415

    alerts, _ = run_scenario(scenario, suite.loaded.plan)
    history = AlertHistory()
    for alert in alerts:
        history.add(alert)
    came = [alert for alert in history.fired if not scenario.monitors or alert.monitor in scenario.monitors]
    return compared(scenario, came)


def compared(scenario: "Scenario", came: Sequence["FiredAlert"]) -> Outcome:
    """What came against what was expected: exactly, one to one; near misses are paired for the eye."""
    left = list(came)
    missing, other = [], []
    for each in scenario.alerts:
        exact = next((alert for alert in left if _key(each) == _key_of(alert) and not differing(each, alert)), None)
        if exact is not None:
            left.remove(exact)
        else:
            missing.append(each)
    for each in list(missing):
        rivals = [alert for alert in left if _key(each) == _key_of(alert)]
        if rivals:
            near = min(rivals, key=lambda alert: abs(alert.fired_ms - each.at_ms))
            other.append((each, near, differing(each, near)))
            left.remove(near)
            missing.remove(each)
    return Outcome(scenario, came, missing, left, other)


def _key(each: "Expected") -> tuple[str, tuple[tuple[str, str], ...]]:
    return each.monitor, tuple(sorted(each.segment.items()))


def _key_of(alert: "FiredAlert") -> tuple[str, tuple[tuple[str, str], ...]]:
    return alert.monitor, tuple(sorted(alert.segment))


def differing(each: "Expected", alert: "FiredAlert") -> list[str]:
    """The names of the fields in which an alert is another one than expected."""
    times = (("at", each.at_ms, alert.fired_ms), ("resolved", each.resolved_ms, alert.resolved_ms))
    found = [name for name, wanted, came in times if wanted != came]
    return found + [name for name, value in each.more.items() if not _same(value, alert.record[name])]


def _same(wanted: object, value: object) -> bool:
    if isinstance(wanted, int | float) and isinstance(value, int | float):
        return math.isclose(wanted, value, rel_tol=5e-4, abs_tol=1e-12) or f"{wanted:.4g}" == f"{value:.4g}"
    return wanted == value


# ------------------------------------------------------------------ for people
def _tell(file: str, outcome: Outcome, *, show: bool) -> None:
    scenario, start = outcome.scenario, outcome.scenario.start_ms
    verdict = click.style("pass", fg="green") if outcome.passed else click.style("FAIL", fg="red")
    click.echo(f"{verdict} {file}:{scenario.line}: {scenario.name}")
    for line in differences(outcome):
        click.echo(line)
    if show:
        for alert in outcome.came:
            click.echo(f"      - {written_alert(alert, start)}")


def differences(outcome: Outcome) -> Iterator[str]:
    """What differs, line by line; nothing where all came as expected."""
    start = outcome.scenario.start_ms
    for each in outcome.missing:
        yield f"  - expected (line {each.line}), and did not come: {written(each, start)}"
    for each, alert, names in outcome.other:
        yield f"  ~ {' and '.join(names)} {'differs' if len(names) == 1 else 'differ'} (line {each.line}):"
        yield f"      expected {written(each, start)}"
        yield f"      came     {written_alert(alert, start, each.more)}"
    for alert in outcome.surplus:
        yield f"  + came, and was not expected: {written_alert(alert, start)}"
        yield f"      {alert.summary}"


def written(each: "Expected", start_ms: int) -> str:
    """An expected alert as a test writes it."""
    return _flow(each.at_ms, each.monitor, each.segment, each.resolved_ms, each.more, start_ms)


def written_alert(alert: "FiredAlert", start_ms: int, more: Iterable[str] = ()) -> str:
    """An alert that came, in the same form, with the fields that are asked for."""
    fields = {name: alert.record[name] for name in more}
    return _flow(alert.fired_ms, alert.monitor, dict(alert.segment), alert.resolved_ms, fields, start_ms)


def _flow(at_ms: int, monitor: str, segment: Any, resolved_ms: int | None, more: Any, start_ms: int) -> str:
    from streamcheck.config.edit import scalar  # noqa: PLC0415
    from streamcheck.config.values import duration_text  # noqa: PLC0415

    parts = [f"at: {duration_text(at_ms - start_ms)}", f"monitor: {scalar(monitor)}"]
    if segment:
        parts.append("segment: {" + ", ".join(f"{name}: {scalar(value)}" for name, value in segment.items()) + "}")
    if resolved_ms is not None:
        parts.append(f"resolved: {duration_text(resolved_ms - start_ms)}")
    parts += [f"{name}: {scalar(value)}" for name, value in more.items()]
    return "{" + ", ".join(parts) + "}"
