"""What is asked and said while a config is made."""

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from streamcheck.adapters.kafka.sample import topics as topics_of
from streamcheck.cli.init import NONE, listed
from streamcheck.cli.init_look import NothingToSee, of_file, of_topic, of_topics
from streamcheck.cli.registry_wiring import open_registry
from streamcheck.config.guess import Guess, Origin, Picks, Sample, guess, label_topics, survey, write
from streamcheck.config.guess.roles import Choice
from streamcheck.config.guess.write import PASSWORD
from streamcheck.config.load import Loaded, loads
from streamcheck.config.settings import SchemaRegistry
from streamcheck.errors import ConfigError, StreamcheckError
from streamcheck.runtime.schemas import Registry

OTHERS_MAX = 40
OTHERS_RECORDS = 300
PREDICTIONS_TOPIC = re.compile(r"predict|score|inference|decision", re.I)
NOT_EVENTS = re.compile(r"alerts|positions|journal|rejects|dead|late|dlq", re.I)
ROLES = (
    ("id", "Which field identifies a prediction?"),
    ("time", "Which field says when it happened?"),
    ("prediction", "Which field is what the model said?"),
    ("score", "Which field is its score?"),
    ("model_version", "Which field is the model's version?"),
)
LABEL_ROLES = (
    ("label_id", "Which field of the labels is the prediction's id?"),
    ("label", "Which field of the labels is the truth?"),
    ("label_time", "Which field of the labels says when the label became known?"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says. asks: whether there is somebody to answer. registry: address and user."""

    bootstrap: str | None
    options: Mapping[str, str]
    topic: str | None
    labels: str | None
    file: Path | None
    records: int
    picks: Picks
    config: Path
    asks: bool
    registry: tuple[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A config, what it was made of, and where from."""

    text: str
    guess: Guess
    origin: Origin

    def told(self) -> dict[str, Any]:
        """For JSON: fields by role (null for none) with what else they could be, features, doubts."""
        found, labels = self.guess, self.guess.labels
        roles = {name: getattr(found, name) for name in ("id", "time", "prediction", "score", "label", "model_version")}
        named = None if labels is None else {"id": labels.id, "label": labels.label, "time": labels.time}
        return {
            "topic": self.origin.topic,
            "labels_topic": self.origin.label_topic,
            "events": found.events,
            "events_per_second": found.rate,
            "roles": {name: _choice(choice) for name, choice in roles.items()},
            "time_unit": found.unit,
            "task": found.task,
            "labels": None if named is None else {name: _choice(choice) for name, choice in named.items()},
            "features": [asdict(feature) for feature in found.features],
            "segments": list(found.segments),
            "segment_candidates": list(found.segment_candidates),
            "left_out": [{"path": path, "why": why} for path, why in found.left_out],
            "doubts": list(found.doubts),
        }


def _choice(choice: Choice) -> dict[str, Any] | None:
    if choice.path is None:
        return None
    return {"path": choice.path, "why": choice.why, "or": list(choice.others)}


def make(request: Request) -> Made:
    """A config for what is there. Raises StreamcheckError, click.UsageError."""
    events, labels, origin = _from_file(request) if request.file is not None else _from_topics(request)
    picks = _check(request.picks, events, labels)
    if request.asks:
        picks = _ask(guess(events, labels, picks), events, labels, picks)
    found = guess(events, labels, picks)
    _tell(found)
    if not found.features and found.prediction.path is None:
        raise NothingToSee(f"{events.name}: no field can be watched; a config needs a feature, or a prediction")
    text = write(found, origin)
    if request.options:
        lines = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in request.options.items())
        text = text.replace("  bootstrap_servers:", f"{lines}  bootstrap_servers:", 1)
    try:
        loads(text, os.environ, str(request.config))
    except ConfigError as error:
        raise StreamcheckError(f"what you say does not make a config:\n{error}") from error
    return Made(text, found, origin)


# ---------------------------------------------------------------------- where from
def _from_file(request: Request) -> tuple[Sample, Sample | None, Origin]:
    assert request.file is not None
    events = of_file(request.file, request.records)
    named = None if request.labels in (None, NONE) else Path(str(request.labels))
    if named is not None and not named.exists():
        raise click.UsageError(f"--labels {named}: no such file")
    labels = of_file(named, request.records) if named is not None else None
    name = _name(request.file.name.split(".")[0])
    return (
        events,
        labels,
        Origin(name, None, f"{name}.predictions", f"{name}.labels" if labels else None, str(request.file)),
    )


def _from_topics(request: Request) -> tuple[Sample, Sample | None, Origin]:
    settings, registry = _settings(request), _registry(request)
    there = [topic for topic in topics_of(settings) if not NOT_EVENTS.search(topic)]
    topic = request.topic or _topic(there, asks=request.asks)
    events = of_topic(settings, topic, request.records, registry)
    labels_topic = _labels_topic(request, settings, registry, [t for t in there if t != topic], events)
    labels = of_topic(settings, labels_topic, request.records, registry) if labels_topic else None
    stem = topic.rpartition(".")[0] or topic
    forms = [() if each is None else (each.format, each.envelope, each.key_format) for each in (events, labels)]
    asked = any(form in ("avro", "protobuf") for stream in forms for form in stream)
    named = (_name(stem), str(request.bootstrap), topic, labels_topic, topic)
    return events, labels, Origin(*named, forms[0], forms[1], request.registry if asked else None)


def _registry(request: Request) -> Registry | None:
    if request.registry is None:
        return None
    url, user = request.registry
    return open_registry(SchemaRegistry(url, user, os.environ.get(PASSWORD)))


def _settings(request: Request) -> Mapping[str, object]:
    """The client's settings, checked as those of a config are."""
    kafka = {"bootstrap_servers": request.bootstrap, **request.options}
    text = json.dumps(
        {
            "version": 1,
            "name": "init",
            "kafka": kafka,
            "streams": {"predictions": {"topic": "t", "features": {"x": "numeric"}}},
        }
    )
    loaded: Loaded = loads(text, os.environ, "--option")
    assert loaded.settings.kafka is not None
    return {name: value for name, value in loaded.settings.kafka.items() if name != "group_id"}


def _topic(there: list[str], *, asks: bool) -> str:
    likely = sorted(there, key=lambda topic: (not PREDICTIONS_TOPIC.search(topic), topic))
    if not likely:
        raise NothingToSee("the cluster has no topic to look at")
    if len(likely) == 1 or (not asks and len([t for t in likely if PREDICTIONS_TOPIC.search(t)]) == 1):
        click.echo(f"Topic: {likely[0]}", err=True)
        return likely[0]
    if not asks:
        raise click.UsageError(f"say which topic: --topic {' | '.join(likely[:10])}")
    click.echo("Topics: " + ", ".join(likely[:OTHERS_MAX]))
    return str(
        click.prompt("Which has the predictions?", default=likely[0], type=click.Choice(likely), show_choices=False)
    )


def _labels_topic(
    request: Request, settings: Mapping[str, object], registry: Registry | None, others: list[str], events: Sample
) -> str | None:
    if request.labels is not None:
        return None if request.labels == NONE else request.labels
    if any(value is not None for value in (request.picks.label,)) and request.picks.label_id is None:
        return None  # the truth is in the event itself
    samples = of_topics(settings, others[:OTHERS_MAX], OTHERS_RECORDS, registry) if others else {}
    ranked = label_topics(events, samples.values())
    suggested = ranked[0][0] if ranked and (ranked[0][1] or len(ranked) == 1) else None
    for topic, shared in ranked[:3]:
        click.echo(f"Labels may be in {topic}: {shared} ids of the predictions are there", err=True)
    if not request.asks or not others:
        return suggested
    answer = click.prompt(
        f"Which topic has the labels ({NONE}: none)?",
        default=suggested or NONE,
        type=click.Choice([*others, NONE]),
        show_choices=False,
    )
    return None if answer == NONE else str(answer)


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "streamcheck"


# ---------------------------------------------------------------------- questions
def _check(picks: Picks, events: Sample, labels: Sample | None) -> Picks:
    """Raises click.UsageError where a field that was named is in none of the events."""
    here = survey(events.events)
    there = survey(labels.events) if labels is not None else here
    for each in fields(picks):
        said = getattr(picks, each.name)
        if not isinstance(said, str) or not said or each.name == "task":
            continue
        known = there if each.name.startswith("label") and labels is not None else here
        if said not in known:
            close = difflib.get_close_matches(said, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(list(known)[:20])}"
            raise click.UsageError(f"--{each.name.replace('_', '-')}: no event has a field {said!r}; {hint}")
    unknown = _unknown_segments(picks.segments or (), events)
    if unknown:
        raise click.UsageError(f"--segments: {unknown}")
    return picks


def _unknown_segments(named: tuple[str, ...], events: Sample) -> str | None:
    """What is wrong with them; segments go by the names of features, or by paths."""
    known = {name for field in survey(events.events).values() for name in (field.path, field.name)}
    for name in named:
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1)
            return f"no event has a field {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    return None


def _ask(found: Guess, events: Sample, labels: Sample | None, picks: Picks) -> Picks:
    click.echo(f"\n{len(events.events):,} events of {events.name}. Enter takes the suggestion, {NONE} is none.")
    here = survey(events.events)
    for role, question in ROLES:
        if getattr(picks, role) is None:
            chosen = getattr(found, role)
            picks = _said(picks, role, _field(question, chosen.path, list(here)))
    if labels is not None:
        found = guess(events, labels, picks)
        assert found.labels is not None
        suggestions = {"label_id": found.labels.id, "label": found.labels.label, "label_time": found.labels.time}
        for role, question in LABEL_ROLES:
            if getattr(picks, role) is None:
                picks = _said(picks, role, _field(question, suggestions[role].path, list(survey(labels.events))))
    elif picks.label is None:
        picks = replace(
            picks, label=_field("Which field is the truth, where the event carries it?", found.label.path, list(here))
        )
    if picks.segments is None:
        found = guess(events, labels, picks)
        named = [*found.segments, *found.segment_candidates]
        answer = click.prompt(
            f"Which fields cut the traffic into segments ({', '.join(named) or 'none fits'})?",
            default=",".join(found.segments) or NONE,
        )
        picks = replace(picks, segments=listed(answer))
    return picks


def _said(picks: Picks, role: str, path: str) -> Picks:
    more: dict[str, Any] = {role: path}
    return replace(picks, **more)


def _field(question: str, suggested: str | None, known: list[str]) -> str:
    while True:
        answer = str(click.prompt(question, default=suggested or NONE))
        if answer == NONE:
            return ""
        if answer in known:
            return answer
        close = difflib.get_close_matches(answer, known, n=3)
        click.echo(
            f"  No event has {answer!r}"
            + (f"; did you mean {', '.join(close)}?" if close else f"; there are {', '.join(known[:20])}")
        )


def _tell(found: Guess) -> None:
    """What has been understood, in a few lines, on standard error: the config may be on standard output."""
    kinds = {kind: sum(feature.kind == kind for feature in found.features) for kind in ("numeric", "categorical")}
    labels = found.labels
    lines = [
        ("id", found.id.path),
        ("time", f"{found.time.path} ({found.unit})" if found.time.path else None),
        ("prediction", f"{found.prediction.path} ({found.task})" if found.prediction.path else None),
        ("score", found.score.path),
        ("model version", found.model_version.path),
        ("features", f"{kinds['numeric']} numeric, {kinds['categorical']} categorical"),
        ("segments", ", ".join(found.segments) or None),
        ("truth", f"{labels.label.path} of {labels.stream}, by {labels.id.path}" if labels else found.label.path),
    ]
    for what, text in lines:
        click.echo(f"  {what:<14}{text or 'none'}", err=True)
    for doubt in found.doubts:
        click.echo(f"  ? {doubt}", err=True)
