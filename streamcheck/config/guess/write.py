"""The guess as a config with comments: what was seen, what else it could be, what could not be told."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from textwrap import wrap

from streamcheck.config.guess.guessing import Guess
from streamcheck.config.guess.parts import Feature
from streamcheck.config.guess.roles import Choice
from streamcheck.config.values import duration_text
from streamcheck.core.wording import printable

WIDTH = 100
PLAIN = re.compile(r"^[A-Za-z_][\w.-]*$")
WORDS_OF_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})
COMMENT_AT = 44
RATE_WHOLE = 10


PASSWORD = "SCHEMA_REGISTRY_PASSWORD"  # noqa: S105 - a name
"""Environment variable with the password of a schema registry's user."""

Forms = tuple[str | None, ...]
"""Format, envelope, format of keys."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the events came from. bootstrap: None for a file.

    forms, label_forms: see Forms. registry: address and user of the schema registry, where one was asked.
    """

    name: str
    bootstrap: str | None
    topic: str
    label_topic: str | None
    path: str
    forms: Forms = (None, None)
    label_forms: Forms = (None, None)
    registry: tuple[str, str | None] | None = None


def write(guess: Guess, origin: Origin) -> str:
    """The text of the config; it passes `check`."""
    return "\n".join(line.rstrip() for line in _lines(guess, _asked(guess, origin))) + "\n"


def _asked(guess: Guess, origin: Origin) -> Origin:
    """The same without a word on keys that nothing of the config leads into."""
    labels = guess.labels
    roles = (guess.id, guess.time, guess.prediction, guess.score, guess.label, guess.model_version)
    named = [*(role.path for role in roles), *(feature.path for feature in guess.features), *guess.segments]
    theirs = [] if labels is None else [labels.id.path, labels.label.path, labels.time.path]

    def kept(forms: Forms, paths: Iterable[str | None]) -> Forms:
        return forms if any(path and path.partition(".")[0] == "$key" for path in paths) else forms[:2]

    return replace(origin, forms=kept(origin.forms, named), label_forms=kept(origin.label_forms, theirs))


def _lines(guess: Guess, origin: Origin) -> Iterator[str]:
    rate = "" if guess.rate is None else f", about {guess.rate:,.{0 if guess.rate >= RATE_WHOLE else 2}f} a second"
    yield f"# Made by `streamcheck init` from {guess.events:,} events of {guess.stream}{rate}."
    yield "# docs/config-reference.md describes every key; `streamcheck explain` shows the monitors that result."
    if guess.doubts:
        yield "#"
        yield "# What it could not tell, or was not sure of:"
        for doubt in guess.doubts:
            yield from (f"# {'-' if n == 0 else ' '} {text}" for n, text in enumerate(wrap(doubt, WIDTH)))
    yield "version: 1"
    yield _with(f"name: {_scalar(origin.name)}", "prefix of state, consumer group and gauges; part of every alert id")
    yield ""
    if origin.bootstrap is not None:
        yield "kafka:"
        yield f"  bootstrap_servers: {_scalar(origin.bootstrap)}"
        yield ""
        yield _with("start: latest", "where the first run begins; earliest: with all that the topics hold")
        yield ""
    yield from _registry(origin)
    yield "streams:"
    yield from _predictions(guess, origin)
    yield from _labels(guess, origin)
    yield ""
    yield "time:"
    yield _with(f"  pane: {duration_text(guess.pane_ms)}", "statistics step once per pane: some 50 rows of it and more")
    yield _with(f"  lateness: {duration_text(guess.lateness_ms)}", "how much out of order events may come")
    yield ""
    yield "# What is normal: learned over two days before anything fires, then by hour of day. Where the first hour is"
    yield "# known to be good, {first: 1h} starts sooner."
    yield "reference: auto"
    yield _with("alarm_budget: 1 per week", "false alarms of the whole config")
    yield ""
    yield "alerts:"
    yield f"  topic: {_scalar(_beside(origin.topic, 'alerts'))}"
    yield "  # owner: your-team              # whoever answers for an alert"
    if origin.bootstrap is not None:
        yield f"# dead_letter: {{topic: {_scalar(_beside(origin.topic, 'rejects'))}}}      # events that cannot be read"
    yield ""
    yield "prometheus:"
    yield _with('  listen: "127.0.0.1:9108"', "gauges and the status page")


def _registry(origin: Origin) -> Iterator[str]:
    if origin.registry is not None:
        url, user = origin.registry
        yield "schema_registry:"
        yield f"  url: {_scalar(url)}"
        if user is not None:
            yield f"  username: {_scalar(user)}"
            yield f'  password: "${{{PASSWORD}}}"'
        yield ""


def _forms(forms: Forms) -> Iterator[str]:
    for name, said in zip(("format", "envelope", "key_format"), forms, strict=False):
        if said is not None:
            yield _with(f"    {name}: {said}", "docs/formats.md")


def _predictions(guess: Guess, origin: Origin) -> Iterator[str]:
    yield "  predictions:"
    yield f"    topic: {_scalar(origin.topic)}"
    yield from _forms(origin.forms)
    yield from _role("id", guess.id, "    ")
    yield from _time(guess.time, guess.unit, "    ", file=origin.bootstrap is None)
    yield from _role("prediction", guess.prediction, "    ")
    if guess.positive is not None:
        yield _with(f"    positive: {_scalar(guess.positive)}", "the value of the positive class")
    yield from _role("score", guess.score, "    ")
    if guess.labels is None:
        yield from _role("label", guess.label, "    ")
    yield from _role("model_version", guess.model_version, "    ")
    if guess.task is not None and guess.prediction.path is not None:
        yield f"    task: {guess.task}"
    if guess.features:
        yield "    features:"
    written = [f"      {_scalar(feature.name)}: {_feature(feature)}" for feature in guess.features]
    at = min(max([COMMENT_AT, *(len(text) + 2 for text in written)]), WIDTH)
    yield from (_with(text, feature.seen, at) for text, feature in zip(written, guess.features, strict=True))
    for path, why in guess.left_out:
        yield f"      # {printable(path)}: {printable(why)}"
    if guess.segments or guess.segment_candidates:
        others = f"also: {', '.join(guess.segment_candidates)}" if guess.segment_candidates else ""
        yield _with(f"    segments: [{', '.join(map(_scalar, guess.segments))}]", others)


def _feature(feature: Feature) -> str:
    if feature.name == feature.path:
        return feature.kind
    return f"{{path: {_scalar(feature.path)}, kind: {feature.kind}}}"


def _labels(guess: Guess, origin: Origin) -> Iterator[str]:
    found = guess.labels
    if found is None or found.id.path is None or found.label.path is None or origin.label_topic is None:
        return
    yield "  labels:"
    yield f"    topic: {_scalar(origin.label_topic)}"
    yield from _forms(origin.label_forms)
    yield _with(
        f"    id: {_scalar(found.id.path)}", f"{found.shared:,} of the sampled predictions have their label here"
    )
    yield _with(f"    label: {_scalar(found.label.path)}", _others(found.label))
    yield from _time(found.time, found.unit, "    ", file=origin.bootstrap is None)
    yield _with("    horizon: 7d", "how long a prediction waits for its label: longer than the slowest label takes")


def _role(name: str, choice: Choice, indent: str) -> Iterator[str]:
    if choice.path is not None:
        yield _with(f"{indent}{name}: {_scalar(choice.path)}", "; ".join(filter(None, (choice.why, _others(choice)))))


def _time(choice: Choice, unit: str | None, indent: str, *, file: bool) -> Iterator[str]:
    if choice.path is not None and unit is not None:
        yield _with(f"{indent}time: {{field: {_scalar(choice.path)}, unit: {unit}}}", _others(choice))
    elif file:
        yield _with(f"{indent}time: {{step: 1s}}", "no field is a time: one row every second")


def _others(choice: Choice) -> str:
    return f"or {', '.join(choice.others[:4])}?" if choice.others else ""


def _with(text: str, comment: str, at: int = COMMENT_AT) -> str:
    return f"{text:<{at - 2}}  # {printable(comment)}" if comment else text


def _scalar(text: str) -> str:
    """A text as YAML takes it for nothing else.

    >>> _scalar("amount"), _scalar("yes"), _scalar("17")
    ('amount', '"yes"', '"17"')
    """
    if PLAIN.match(text) and text.lower() not in WORDS_OF_YAML:
        return text
    return json.dumps(text)


def _beside(topic: str, what: str) -> str:
    """A topic of ours named after theirs: payments.predictions -> payments.alerts."""
    stem, dot, last = topic.rpartition(".")
    return f"{stem if dot else last}.{what}"
