"""Which field plays which part: id, time, prediction, score, truth, version?"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from streamcheck.config.guess.fields import Field, Sample

CLASSES_MAX = 30
"""More values of a prediction or a label are a number, not a class."""
VERSIONS_MAX = 200
ARRIVAL_APART_MS = 3_600_000
"""From an event's time to its record's: a field further off says something else."""

ID = re.compile(
    r"^(id|uuid|guid|key)$|(^|_)(event|request|prediction|transaction|message|trace|correlation)_?id$", re.I
)
SOME_ID = re.compile(r"(^|_|[a-z])(id|uuid|guid|Id|ID)$|^id_")
TIME = re.compile(r"^(ts|time|timestamp|event_?time|event_?ts|at|created_?at|occurred_?at|datetime|date)$", re.I)
SOME_TIME = re.compile(r"(time|timestamp|_ts|_at|date)$", re.I)
PREDICTION = re.compile(
    r"^(prediction|predicted|pred|y_?hat|y_?pred|decision|output|predicted_\w+|\w+_pred(iction)?)$", re.I
)
SCORE = re.compile(r"(score|prob(ability)?|proba|confidence|likelihood)$", re.I)
LABEL = re.compile(
    r"^(label|truth|actual|y|y_?true|target|outcome|ground_?truth|gt|is_\w+|true_\w+|actual_\w+|\w+_label)$", re.I
)
VERSION = re.compile(r"(^|[._])(model_?version|version)$|^model$", re.I)


@dataclass(frozen=True, slots=True)
class Choice:
    """A field for a role, what else could have been it, and why this one. path None: there is none."""

    path: str | None
    others: tuple[str, ...] = ()
    why: str = ""


NOTHING = Choice(None)


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """What the labels stream looks like."""

    stream: str
    id: Choice
    time: Choice
    unit: str | None
    label: Choice
    shared: int
    """Ids that both samples have."""


@dataclass(frozen=True, slots=True)
class Picks:
    """What the user has said, by role: a path, "" for none, None for no word on it."""

    id: str | None = None
    time: str | None = None
    prediction: str | None = None
    score: str | None = None
    label: str | None = None
    model_version: str | None = None
    task: str | None = None
    label_id: str | None = None
    label_time: str | None = None
    segments: tuple[str, ...] | None = None


def pick(path: str | None) -> Choice:
    """What the user has said; "" is no field."""
    return Choice(path or None, why="as you say" if path else "")


def ranked(found: Iterable[Field], rank: Callable[[Field], tuple[object, ...]], why: str) -> Choice:
    """The first by `rank`; the others as what it could be instead."""
    ordered = sorted(found, key=rank)
    if not ordered:
        return NOTHING
    return Choice(ordered[0].path, tuple(each.path for each in ordered[1:]), why)


def find_id(fields: Mapping[str, Field], theirs: Mapping[str, Field], said: str | None) -> Choice:
    """The field that tells events apart; one whose values the labels have as well goes first."""
    if said is not None:
        return pick(said)
    label_values = [set(f.values) for f in theirs.values() if f.is_text or f.whole]
    candidates = [f for f in fields.values() if f.is_id and f.unit is None]

    def shared(f: Field) -> int:
        return max((len(values & set(f.values)) for values in label_values), default=0)

    candidates = [f for f in candidates if ID.search(f.name) or SOME_ID.search(f.name) or f.is_text or shared(f)]
    return ranked(
        candidates,
        lambda f: (-shared(f), f.beside, not ID.search(f.name), not SOME_ID.search(f.name), f.path.count(".")),
        "every event has another one",
    )


def find_time(fields: Mapping[str, Field], sample: Sample, said: str | None) -> Choice:
    """The field that says when; near the records' own timestamps, where there are any."""
    if said is not None:
        return pick(said)
    candidates = [f for f in fields.values() if f.unit is not None and f.missing_share == 0]

    def apart_ms(f: Field) -> float:
        apart = [
            abs(arrival - time_ms)
            for arrival, time_ms in zip(sample.arrivals, f.times_ms(sample), strict=True)
            if arrival > 0 and time_ms is not None
        ]
        return median(apart) if apart else 0.0

    named = [f for f in candidates if TIME.search(f.name) or SOME_TIME.search(f.name)]
    near = [f for f in (named or candidates) if apart_ms(f) <= ARRIVAL_APART_MS]
    chosen = ranked(near or named, lambda f: (not TIME.search(f.name), apart_ms(f), f.path.count(".")), "")
    return replace(chosen, why=f"in {fields[chosen.path].unit}") if chosen.path else chosen


def named(
    fields: Mapping[str, Field],
    names: re.Pattern[str],
    taken: set[str | None],
    said: str | None,
    suits: Callable[[Field], bool],
) -> Choice:
    """A field by its name (the pattern), not taken yet, that suits."""
    if said is not None:
        return pick(said)
    found = [
        f
        for f in fields.values()
        if f.path not in taken and (names.search(f.name) or names.search(f.path)) and f.filled and suits(f)
    ]
    return ranked(found, lambda f: (f.path.count("."), f.missing_share), "by its name")


def classlike(f: Field) -> bool:
    """Whether it may be a prediction or a truth: a class, or a number."""
    return f.is_flag or f.is_number or (f.is_text and len(f.values) <= CLASSES_MAX)


def find_prediction(
    fields: Mapping[str, Field], taken: set[str | None], said: str | None, truth: Field | None, score: Choice
) -> Choice:
    """What the model said: by its name, or because it looks like the truth, or because a score is named after it."""
    if said is not None:
        return pick(said)
    found = named(fields, PREDICTION, taken, None, classlike)
    if found.path is not None:
        return found
    if truth is not None:
        bare = truth.name.removeprefix("is_")
        alike = [f for f in fields.values() if f.path not in taken and f.name in (truth.name, bare) and classlike(f)]
        if alike:
            return ranked(alike, lambda f: (f.path.count("."),), "named as the label is")
        values = set(truth.values)
        same = [
            f for f in fields.values()
            if f.path not in taken and f.filled and truth.is_flag and f.is_flag and set(f.values) <= values
        ]  # fmt: skip
        if len(same) == 1:
            return Choice(same[0].path, why="its values are those of the label")
    if score.path is not None:
        stem = SCORE.sub("", fields[score.path].name).rstrip("_")
        of_score = [
            f
            for f in fields.values()
            if stem and f.path not in taken and f.name in (stem, f"is_{stem}") and classlike(f)
        ]
        if of_score:
            return ranked(of_score, lambda f: (f.path.count("."),), "the score is named after it")
    flagged = [f for f in fields.values() if f.path not in taken and f.is_flag and LABEL.search(f.name)]
    return ranked(flagged, lambda f: (f.path.count("."),), "by its name")


def find_labels(
    labels: Sample, theirs: Mapping[str, Field], ids: Choice, fields: Mapping[str, Field], said: Picks
) -> LabelGuess:
    """Id, time and truth of the labels stream."""
    our_id = fields.get(ids.path or "")
    ours = set(our_id.values) if our_id is not None else set()

    def shared(f: Field) -> int:
        return len(ours & set(f.values))

    if said.label_id is not None:
        their_id = pick(said.label_id)
    else:
        name = our_id.name if our_id is not None else ""
        candidates = [f for f in theirs.values() if shared(f) or f.name == name or SOME_ID.search(f.name)]
        their_id = ranked(
            candidates,
            lambda f: (-shared(f), f.name != name, not f.is_id, f.path.count(".")),
            "the predictions have it, too",
        )
    time = find_time(theirs, labels, said.label_time)
    taken = {their_id.path, time.path}
    if said.label is not None:
        label = pick(said.label)
    else:
        label = named(theirs, LABEL, taken, None, classlike)
        rest = [f for f in theirs.values() if f.path not in taken and classlike(f) and f.unit is None and not f.is_id]
        if label.path is None:
            label = ranked(rest, lambda f: (not f.is_flag, f.path.count(".")), "what is left beside id and time")
    chosen, at_time = theirs.get(their_id.path or ""), theirs.get(time.path or "")
    at = shared(chosen) if chosen is not None else 0
    unit = at_time.unit if at_time is not None else None
    return LabelGuess(labels.name, their_id, time, unit, label, at)


def task_of(prediction: Field | None, truth: Field | None) -> str | None:
    """What the model predicts, by the values of prediction and truth."""
    if prediction is None:
        return None
    values = set(prediction.values) | (set(truth.values) if truth is not None else set())
    if prediction.is_number and not prediction.is_flag and (not prediction.whole or len(values) > CLASSES_MAX):
        return "regression"
    return "binary" if len(values) <= 2 else "multiclass"


def positive_of(prediction: Field | None, task: str | None) -> str | None:
    """The value that has to be named: 1 and true need not be."""
    if task != "binary" or prediction is None or prediction.is_flag or not prediction.values:
        return None
    good = re.compile(r"^(y|yes|true|fraud|bad|churn(ed)?|positive|pos|spam|default(ed)?|1|click(ed)?)$", re.I)
    ordered = sorted(prediction.values, key=lambda value: (not good.search(value), prediction.values[value], value))
    return ordered[0]
