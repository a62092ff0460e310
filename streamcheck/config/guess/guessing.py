"""What config suits these events? Every guess with its reason and what else it could have been."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from streamcheck.config.guess.fields import Field, Sample, survey
from streamcheck.config.guess.parts import LATENESS_MS, PANES_MS, Feature, features_of, rhythm, segments_of
from streamcheck.config.guess.roles import (
    LABEL,
    NOTHING,
    PREDICTION,
    SCORE,
    TIME,
    VERSION,
    VERSIONS_MAX,
    Choice,
    LabelGuess,
    Picks,
    classlike,
    find_id,
    find_labels,
    find_prediction,
    find_time,
    named,
    pick,
    positive_of,
    task_of,
)

LABEL_TOPIC = re.compile(r"label|truth|outcome|feedback|actual|ground|target", re.I)


@dataclass(frozen=True, slots=True)
class Guess:
    """Roles, features and segments of one predictions stream, and of its labels where there are any."""

    stream: str
    events: int
    id: Choice = NOTHING
    time: Choice = NOTHING
    unit: str | None = None
    prediction: Choice = NOTHING
    score: Choice = NOTHING
    label: Choice = NOTHING
    model_version: Choice = NOTHING
    task: str | None = None
    positive: str | None = None
    features: tuple[Feature, ...] = ()
    segments: tuple[str, ...] = ()
    segment_candidates: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    """Fields that are no feature, and why."""
    labels: LabelGuess | None = None
    pane_ms: int = PANES_MS[0]
    lateness_ms: int = LATENESS_MS[0]
    rate: float | None = None
    """Events a second."""
    doubts: tuple[str, ...] = ()
    """What could not be told, in sentences."""


def guess(sample: Sample, labels: Sample | None = None, picks: Picks | None = None) -> Guess:
    """What the events seem to be. picks: what is known already, and goes before every guess."""
    said = picks or Picks()
    fields = survey(sample.events)
    theirs = survey(labels.events) if labels is not None else {}
    doubts: list[str] = []
    ids = find_id(fields, theirs, said.id)
    made = Guess(sample.name, len(sample.events), id=ids)
    time = find_time(fields, sample, said.time)
    made = replace(made, time=time, unit=fields[time.path].unit if time.path in fields else None)
    taken = {ids.path, time.path}
    version = named(
        fields, VERSION, taken, said.model_version, lambda f: len(f.values) <= VERSIONS_MAX and not f.is_flag
    )
    taken.add(version.path)
    label = pick(said.label) if labels is None else NOTHING
    if labels is None and said.label is None:
        label = named(fields, LABEL, taken, None, classlike)
        if label.path and not any(PREDICTION.search(f.name) for f in fields.values()):
            label = NOTHING  # a lone `is_fraud` is what the model said, not the truth about it
    taken.add(label.path)
    score = named(fields, SCORE, taken, said.score, lambda f: f.is_number and f.low >= 0 and f.high <= 1)
    taken.add(score.path)
    found_labels = find_labels(labels, theirs, ids, fields, said) if labels is not None else None
    truth = theirs.get(found_labels.label.path or "") if found_labels else fields.get(label.path or "")
    prediction = find_prediction(fields, taken, said.prediction, truth, score)
    taken.add(prediction.path)
    task = said.task or task_of(fields.get(prediction.path or ""), truth)
    features, left_out = features_of(fields, taken, sample)
    segments, candidates = segments_of(fields, features, said.segments)
    pane_ms, lateness_ms, rate = rhythm(sample, fields.get(time.path or ""))
    doubts += _doubts(sample, labels, made, prediction, found_labels, fields)
    if prediction.path is None:
        doubts += _lone_truth(label, found_labels)
        label, found_labels = NOTHING, None
    return replace(
        made,
        prediction=prediction,
        score=score,
        label=label,
        model_version=version,
        task=task if prediction.path else None,
        positive=positive_of(fields.get(prediction.path or ""), task),
        features=features,
        segments=segments,
        segment_candidates=candidates,
        left_out=left_out,
        labels=found_labels,
        pane_ms=pane_ms,
        lateness_ms=lateness_ms,
        rate=rate,
        doubts=tuple(doubts),
    )


def label_topics(sample: Sample, others: Iterable[Sample]) -> list[tuple[str, int]]:
    """Which streams may hold the labels: (name, ids that they share with the predictions), the likeliest first.

    Where one of two fields is the key of records, it may be a counter: such a stream comes after the others.
    """
    ours = [f for f in survey(sample.events).values() if f.is_id]
    ranked = []
    for other in others:
        fields = survey(other.events)
        pairs = ((mine, theirs) for mine in ours for theirs in fields.values())
        found = [(a.beside or b.beside, -len(set(a.values) & set(b.values))) for a, b in pairs]
        by_key, shared = min((pair for pair in found if pair[1]), default=(False, 0))
        named = bool(LABEL_TOPIC.search(other.name))
        if shared or (named and fields):
            ranked.append((by_key, shared, not named, other.name))
    return [(name, -shared) for _, shared, _, name in sorted(ranked)]


def _lone_truth(label: Choice, labels: LabelGuess | None) -> list[str]:
    said = label.path or (
        f"{labels.label.path} of {labels.stream}" if labels is not None and labels.label.path else None
    )
    return [f"{said} may be the truth, but nothing is what the model said: --prediction names it."] if said else []


def _doubts(
    sample: Sample,
    labels: Sample | None,
    made: Guess,
    prediction: Choice,
    found: LabelGuess | None,
    fields: Mapping[str, Field],
) -> list[str]:
    said = []
    if sample.unreadable:
        said.append(
            f"{sample.unreadable} of {sample.unreadable + len(sample.events)} sampled records cannot be read."
        )
    if made.id.path is None:
        said.append("No field tells events apart, so labels could not be joined by id.")
    if made.time.path is None:
        stamped = any(arrival > 0 for arrival in sample.arrivals)
        taken = "the record's timestamp is taken" if stamped else "one row a second is assumed"
        said.append(f"No field is a time: {taken}.")
    naive = [f.path for f in fields.values() if f.is_text and TIME.search(f.name) and f.unit is None]
    if made.time.path is None and naive:
        said.append(f"{naive[0]} may be a time, but says no offset from UTC; streamcheck does not guess one.")
    if prediction.path is None:
        said.append("No field looks like what the model predicted: only inputs are watched.")
    if labels is not None and found is not None:
        if found.label.path is None:
            said.append(f"No field of {labels.name} looks like the truth.")
        if not found.shared:
            said.append(
                "No id of the sampled predictions is among the sampled labels: labels come later, or "
                f"{found.id.path} is not the predictions' id."
            )
    return said
