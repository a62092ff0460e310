"""Which incidents are known of a past that is replayed? A YAML file, checked as configs are: all mistakes at once."""

from pathlib import Path

from streamcheck.config.document import Findings
from streamcheck.config.forms import Filled, Form, Key, fill, listed, mapped, read_form, texts
from streamcheck.config.values import Rule, duration_rule, instant_ms
from streamcheck.core.components import nearest
from streamcheck.core.plan import Plan
from streamcheck.core.truth import Incident

INCIDENTS_MAX = 10_000
_TIME = Rule(instant_ms, "expected a time with an offset such as 2026-03-01T00:00:00Z")
_NAMES = "expected a name or a list of names; * stands for any characters"


def _segment(value: object) -> tuple[tuple[str, str], ...]:
    pairs = mapped(value)
    if not pairs or not all(isinstance(each, str | int | float) for each in pairs.values()):
        raise ValueError(value)
    return tuple(sorted((field, _text(each)) for field, each in pairs.items()))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _note(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise ValueError(value)
    return value


_WHOLE: Form = {
    "version": Key(Rule(_version, "expected 1, the only version of this format"), required=True),
    "tolerance": Key(duration_rule(), default=0),
    "incidents": Key(Rule(listed, "expected a list of incidents, each with a start"), required=True, default=[]),
}
_INCIDENT: Form = {
    "start": Key(_TIME, required=True),
    "end": Key(_TIME, required=True),
    "monitors": Key(Rule(texts, _NAMES)),
    "columns": Key(Rule(texts, _NAMES)),
    "segment": Key(Rule(_segment, "expected a mapping such as {tier: premium}")),
    "note": Key(Rule(_note, "expected a text"), default=""),
}


def load_incidents(path: str | Path, plan: Plan) -> tuple[Incident, ...]:
    """The incidents of a file, by their start. Raises ConfigError with every mistake."""
    found: tuple[Incident, ...] = read_form(path, lambda findings: _incidents(findings, plan))
    return found


def _incidents(findings: Findings, plan: Plan) -> tuple[Incident, ...]:
    whole = fill(findings, (), _WHOLE)
    made: list[Incident] = []
    if len(whole["incidents"]) > INCIDENTS_MAX:
        findings.mistake(("incidents",), f"more than {INCIDENTS_MAX:,} incidents")
        return ()
    for at in range(len(whole["incidents"])):
        one = fill(findings, ("incidents", at), _INCIDENT)
        _check(findings, at, one, plan)
        if not one.wrong:
            made.append(
                Incident(
                    one["start"],
                    one["end"],
                    one["monitors"] or (),
                    one["columns"] or (),
                    one["segment"] or (),
                    one["note"],
                    whole["tolerance"],
                )
            )
    return tuple(sorted(made, key=lambda each: (each.start_ms, each.end_ms)))


def _check(findings: Findings, at: int, one: Filled, plan: Plan) -> None:
    """What the rules of single values cannot know: the order of times, and what the config has."""
    here = ("incidents", at)
    if not {"start", "end"} & one.wrong and one["start"] >= one["end"]:
        findings.mistake((*here, "end"), "end must lie behind start")
    known: dict[str, tuple[str, ...]] = {
        "monitors": tuple(spec.id for spec in plan.monitors),
        "columns": tuple(dict.fromkeys(spec.column for spec in plan.monitors)),
    }
    for key, names in known.items():
        for name in one[key] or ():
            if "*" not in name and name not in names:
                findings.mistake((*here, key), f"the config has no {key[:-1]} {name!r}", nearest(name, names))
    fields = tuple(dict.fromkeys(field for each in plan.segmentations for field in each.fields))
    for field, _ in one["segment"] or ():
        if field not in fields:
            message = f"the config has no segment {field!r}; it has {', '.join(fields) or 'none'}"
            findings.mistake((*here, "segment", field), message, nearest(field, fields))
