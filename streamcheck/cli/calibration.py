"""The work of `streamcheck calibrate`: one pass with every value of every knob, a choice, one pass to count."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from streamcheck.cli.backtest_input import Input
from streamcheck.cli.output import show_table
from streamcheck.cli.replay import Candidate, Course, Replayed, Told, replay
from streamcheck.config.knobs import Knob, knobs, only, turned
from streamcheck.config.load import Loaded, loads
from streamcheck.config.values import budget_text
from streamcheck.core.intervals import poisson
from streamcheck.core.plan import WEEK_MS, Budget
from streamcheck.core.truth import Incident
from streamcheck.core.wording import counted, percent
from streamcheck.errors import StreamcheckError
from streamcheck.report.calibration import BUSY, LimitWatcher, Steps, choose, limit_for
from streamcheck.report.record.alerts import FiredAlert, Label
from streamcheck.report.result.truth import Fired, fired

NEVER_ALLOWED = 10**12


@dataclass(frozen=True, slots=True)
class Proposal:
    """One knob: its value now and the one proposed (None: none keeps to the budget), with false alarms in history.

    busy_now: for which share of the history a monitor alarms falsely as it is, the busiest one; counted: false alarms
    of the changed config, replayed. low, high: the 95 % interval of the rate a week that goes with it.
    """

    name: str
    monitors: tuple[str, ...]
    now: float
    false_now: int
    busy_now: float
    proposed: float | None
    counted: int | None
    low_per_week: float | None
    high_per_week: float | None
    target_per_week: float


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that came of it. text: the config as proposed."""

    proposals: tuple[Proposal, ...]
    weeks: float
    budget: str
    text: str
    complete: bool
    left_out: int

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "complete": self.complete,
            "weeks": round(self.weeks, 4),
            "budget": self.budget,
            "left_out": self.left_out,
            "proposals": [asdict(each) for each in self.proposals],
        }


class Calibration:
    """Turns the knobs of one config over one history."""

    def __init__(
        self,
        candidate: Candidate,
        config: str,
        incidents: Sequence[Incident],
        budget: Budget,
        reopen: Callable[[], Input],
        told: Told,
    ) -> None:
        self._candidate, self._config, self._incidents, self._budget = candidate, config, incidents, budget
        self._reopen, self._told = reopen, told
        self._knobs = knobs(candidate.loaded, candidate.text, self._read)
        if not self._knobs:
            raise StreamcheckError(
                "there is nothing to calibrate: every detector of this config is held to its share of alarm_budget "
                "already (or is auto). Limits of threshold and parameters of river's detectors are what calibrate turns"
            )

    def _read(self, text: str) -> Loaded:
        return loads(text, os.environ, self._config)

    def run(self, bounds_ms: tuple[int | None, int | None]) -> Found:
        """Both passes."""
        limits = frozenset(name for knob in self._knobs if knob.sign for name in knob.monitors)
        watcher = LimitWatcher(limits)
        tried = [self._candidate, *self._grid()]
        done = replay(tried, self._reopen(), bounds_ms, None, self._told, watch=lambda engine: engine.watch(watcher))
        span_ms = done.courses[0].rows.span_ms
        if not span_ms:
            raise StreamcheckError("there was nothing to learn from: no prediction counted")
        weeks = span_ms / WEEK_MS
        target = self._budget.alarms_per_week(self._candidate.plan.time.pane_ms) / len(self._knobs)
        allowed = int(target * weeks)
        chosen = {knob.path: self._choose(knob, done, watcher.steps, allowed) for knob in self._knobs}
        text = turned(self._candidate.text, {path: value for path, value in chosen.items() if value is not None})
        again = self._count(text, bounds_ms) if done.complete else None
        proposals = tuple(self._proposal(knob, chosen[knob.path], done, again, weeks, target) for knob in self._knobs)
        complete = done.complete and again is not None and again.complete
        return Found(proposals, weeks, budget_text(self._budget), text, complete, watcher.left_out)

    def _grid(self) -> list[Candidate]:
        """A config for each place in the grids, with the monitors that they turn and no others."""
        turning = [knob for knob in self._knobs if knob.values]
        ids = frozenset(name for knob in turning for name in knob.monitors)
        made = []
        for place in range(max((len(knob.values) for knob in turning), default=0)):
            values = {knob.path: knob.values[min(place, len(knob.values) - 1)] for knob in turning}
            text = turned(self._candidate.text, values)
            made.append(Candidate(f"value {place}", text, only(self._read(text), ids)))
        return made

    def _choose(self, knob: Knob, done: Replayed, steps: Sequence[Steps], allowed: int) -> float | None:
        if knob.sign:
            mine = [each for each in steps if each.monitor in knob.monitors]
            found = limit_for(mine, knob.sign, allowed, self._is_false)
            return knob.now if found is None else found[0]
        counts = [self._too_long(course, knob) + self._false(course, knob) for course in done.courses[1:]]
        counts = counts[: len(knob.values)]
        place = choose(counts, allowed)
        return None if place is None else knob.values[place]

    def _count(self, text: str, bounds_ms: tuple[int | None, int | None]) -> Replayed:
        ids = frozenset(name for knob in self._knobs for name in knob.monitors)
        changed = Candidate("as proposed", text, only(self._read(text), ids))
        return replay([changed], self._reopen(), bounds_ms, None, self._told)

    def _is_false(self, alert: Fired) -> bool:
        return not any(alert.covers(incident) for incident in self._incidents)

    def _too_long(self, course: Course, knob: Knob) -> int:
        """More than any budget where a monitor alarms nearly all the time: once, and never rests; else 0."""
        return NEVER_ALLOWED if self._busy(course, knob) > BUSY else 0

    def _busy(self, course: Course, knob: Knob) -> float:
        """For which share of the time a monitor of the knob alarms falsely; the busiest one."""
        busy: dict[tuple[str, Label], int] = {}
        _, last_ms = course.rows.seen_ms or (0, 0)
        for alert in course.history.fired:
            if _turned_by(knob, alert) and self._is_false(fired(alert)):
                key = alert.monitor, alert.segment
                end_ms = last_ms if alert.resolved_ms is None else alert.resolved_ms
                busy[key] = busy.get(key, 0) + max(0, end_ms - alert.fired_ms)
        return max(busy.values(), default=0) / max(course.rows.span_ms, 1)

    def _false(self, course: Course, knob: Knob) -> int:
        return sum(self._is_false(fired(alert)) for alert in course.history.fired if _turned_by(knob, alert))

    def _proposal(
        self, knob: Knob, value: float | None, done: Replayed, again: Replayed | None, weeks: float, target: float
    ) -> Proposal:
        count = None if value is None or again is None else self._false(again.courses[0], knob)
        low, high = (None, None) if count is None else poisson(count, weeks)
        return Proposal(
            knob.name,
            tuple(sorted(knob.monitors)),
            knob.now,
            self._false(done.courses[0], knob),
            round(self._busy(done.courses[0], knob), 4),
            value,
            count,
            None if low is None else round(low, 4),
            None if high is None else round(high, 4),
            round(target, 4),
        )


def _turned_by(knob: Knob, alert: FiredAlert) -> bool:
    """Whether an alert depends on the knob; of a monitor with two limits, only what passed this one does."""
    mine = alert.monitor in knob.monitors
    return mine and (not knob.sign or knob.sign * alert.record["score"] > knob.sign * alert.record["threshold"])


def show(found: Found) -> None:
    """For people, with what so much history can prove."""
    rows = [
        (
            each.name,
            f"{each.now:g}",
            str(each.false_now),
            "-" if each.proposed is None else f"{each.proposed:g}",
            "-" if each.counted is None else str(each.counted),
            "-" if each.high_per_week is None else f"{each.low_per_week:.3g} to {each.high_per_week:.3g}",
            f"{each.target_per_week:.3g}",
        )
        for each in found.proposals
    ]
    columns = ("parameter", "now", "false alarms", "proposed", "false alarms", "a week, 95 %", "budget a week")
    show_table(f"{found.weeks:.2f} weeks of history", columns, rows)
    for each in found.proposals:
        if each.busy_now > BUSY:
            click.echo(
                f"{each.name}: as it is, its alarms go on for {percent(each.busy_now)} of this history, which is "
                "hardly quiet: name what happened with --incidents, or take a quiet part with --from and --to"
            )
        if each.proposed is None:
            click.echo(f"{each.name}: no value that was tried keeps to the budget; nothing is proposed")
        elif each.high_per_week is not None and each.high_per_week > each.target_per_week:
            needed = poisson(0, 1.0).high / each.target_per_week
            click.echo(
                f"{each.name}: {counted(each.counted or 0, 'false alarm')} in {found.weeks:.2f} weeks cannot prove "
                f"{each.target_per_week:.3g} a week (it may be up to {each.high_per_week:.3g}); that takes "
                f"{needed:.1f} weeks without one"
            )
    if found.left_out:
        click.echo(f"{counted(found.left_out, 'step')} of threshold monitors found no room and count in no limit")
    if not found.complete:
        click.echo("Stopped before the end: the proposals rest on what was read until then.")
