"""What a result says in rows: the same on a terminal and on a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamcheck.core.causes import FAULT
from streamcheck.core.wording import counted, moment, number, percent, span
from streamcheck.report.record.alerts import FiredAlert, Label, cause
from streamcheck.report.result.compare import Compared
from streamcheck.report.result.promise import Promise
from streamcheck.report.result.truth import Known, Score, Truth

NAME_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Table:
    """Heads and rows of cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cut(value: str, chars_max: int) -> str:
    """At most so many characters; control characters as escapes."""
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in value[: chars_max + 1])
    return clean if len(clean) <= chars_max else clean[: chars_max - 1] + "…"


def name_of(label: Label, chars_max: int = NAME_CHARS_MAX) -> str:
    """A segment, for people."""
    return cut(", ".join(f"{field}={value}" for field, value in label), chars_max) if label else "all"


def incidents(truth: Truth) -> Table:
    """Each known incident and what found it."""
    heads = ("start", "end", "what", "found by", "delay", "in rows", "alerts")
    return Table(heads, tuple(_incident(each) for each in truth.incidents))


def _incident(known: Known) -> tuple[str, ...]:
    return (
        moment(known.incident.start_ms),
        moment(known.incident.end_ms),
        what(known),
        found_by(known),
        _delay(known.delay_ms),
        _whole(known.delay_rows),
        f"{known.alerts:,}",
    )


def found_by(known: Known) -> str:
    """Which monitor found an incident, and when."""
    if known.found_ms is not None:
        return f"{known.found_by} at {moment(known.found_ms)}"
    return "missed" if known.already is None else f"missed: {known.already} was firing already"


def what(known: Known) -> str:
    """What an incident is about: its note, else whom it concerns."""
    incident = known.incident
    named = cut(", ".join((*incident.monitors, *incident.columns)), NAME_CHARS_MAX)
    return cut(incident.note, NAME_CHARS_MAX) or named or name_of(incident.segment)


def broken(alerts: Sequence[FiredAlert]) -> Table:
    """Incidents with a fault of the pipeline: since when, what, and how many alerts of drift follow from it."""
    members: dict[str, list[FiredAlert]] = {}
    for alert in alerts:
        members.setdefault(alert.incident, []).append(alert)
    rows = []
    for held in members.values():
        fault, follow = cause(held)
        if fault is not None:
            until = [alert.resolved_ms for alert in (fault, *follow)]
            ended = "still open" if None in until else moment(max(at for at in until if at is not None))
            said = cut(str(fault.evidence[FAULT]), NAME_CHARS_MAX)
            rows.append((moment(fault.change_ms), ended, cut(fault.column, 60), said, f"{len(follow):,}"))
    return Table(("since about", "until", "column", "what is broken", "drift alerts that follow"), tuple(rows))


def scores(truth: Truth) -> Table:
    """How good the alerts are, beside the dummies."""
    heads = (
        "", "alerts", "found", "recall", "precision", "repeats", "false", "false a week", "per 10,000 rows",
        "false groups", "median delay", "in rows",
    )  # fmt: skip
    return Table(heads, tuple(_score(each) for each in truth.scores))


def _score(score: Score) -> tuple[str, ...]:
    return (
        score.name,
        f"{score.alerts:,}",
        f"{score.found} of {score.incidents}",
        percent(score.recall),
        percent(score.precision),
        f"{score.repeats:,}",
        f"{score.false:,}",
        number(score.false_per_week),
        number(score.false_per_10000_rows),
        f"{score.false_groups:,} of {score.groups:,}",
        _delay(score.delay_ms_median),
        _whole(score.delay_rows_median),
    )


def configs(compared: Sequence[Compared]) -> Table:
    """Configs side by side; what differs is against the first."""
    judged = compared[0].config.truth is not None
    heads = ["config", "alerts", "a week", "same", "vanish", "appear"]
    heads += ["found", "recall", "precision", "false a week", "median delay"] if judged else []
    return Table(tuple(heads), tuple(_config(each) for each in compared))


def _config(row: Compared) -> tuple[str, ...]:
    config = row.config
    cells = [cut(config.written.name, NAME_CHARS_MAX), f"{config.fired:,}", number(config.fired_per_week)]
    cells += ["–"] * 3 if row.same is None else [f"{row.same:,}", f"{len(row.vanished):,}", f"{len(row.appeared):,}"]
    if config.truth is not None:
        score = config.truth.scores[0]
        cells += [f"{score.found} of {score.incidents}", percent(score.recall), percent(score.precision)]
        cells += [number(score.false_per_week), _delay(score.delay_ms_median)]
    return tuple(cells)


def promised(of: Promise) -> str:
    """What the budget promises and what was seen, in one sentence."""
    alarms = counted(of.seen, "false alarm" if of.judged else "alarm")
    said = f"promised: at most {number(of.per_week)} a week; seen: {alarms}"
    if of.groups != of.seen:
        said += f" in {counted(of.groups, 'group')}"
    if of.rate is not None and of.interval is not None:
        ends = f"{number(of.interval.low)} to {number(of.interval.high)}"
        said += f", {number(of.rate)} a week (95 % interval {ends})"
        said += "" if of.kept else ": more than promised" if of.judged else ": more than false ones alone would be"
    if of.outside:
        said += f"; {of.outside:,} more of detectors that are not calibrated to the budget"
    return said


def _delay(duration_ms: int | None) -> str:
    return "–" if duration_ms is None else span(duration_ms / 1000)


def _whole(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
