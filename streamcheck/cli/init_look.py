"""Where do the events that `init` looks at come from? Topics of a broker, or a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamcheck.adapters.files.paths import Form, form_of
from streamcheck.adapters.files.sample import first_rows, first_values
from streamcheck.adapters.kafka.sample import Taken, newest
from streamcheck.config.guess import Sample
from streamcheck.errors import StreamcheckError

_JSON = msgspec.json.Decoder()


class NothingToSee(StreamcheckError):  # noqa: N818 - a fact about an input
    """There are no events that could be looked at."""


def of_file(path: Path, records: int) -> Sample:
    """The first rows of a file. Raises NothingToSee, SourceError."""
    form = form_of(path)
    if form is None:
        raise NothingToSee(f"{path}: cannot tell what it holds; expected .jsonl, .csv (also .gz, .zst) or .parquet")
    if form is Form.JSONL:
        values = first_values(path, records)
        return _whole(sample(str(path), Taken(values, [-1] * len(values), [0] * len(values))))
    rows = first_rows(path, records)
    return _whole(Sample(str(path), rows, [-1] * len(rows), [0] * len(rows)))


def of_topics(settings: Mapping[str, object], topics: Sequence[str], records: int) -> dict[str, Sample]:
    """The newest records of each topic; a topic without any has an empty sample. Raises SourceError."""
    return {topic: sample(topic, taken) for topic, taken in newest(settings, topics, records).items()}


def of_topic(settings: Mapping[str, object], topic: str, records: int) -> Sample:
    """The newest records of a topic. Raises NothingToSee, SourceError."""
    return _whole(of_topics(settings, [topic], records)[topic])


def sample(name: str, taken: Taken) -> Sample:
    """What of the records are JSON objects."""
    events: list[Mapping[str, Any]] = []
    arrivals, partitions = [], []
    for value, at, partition in zip(taken.values, taken.timestamps, taken.partitions, strict=True):
        event = _object(value)
        if event is not None:
            events.append(event)
            arrivals.append(at)
            partitions.append(partition)
    return Sample(name, events, arrivals, partitions, unreadable=len(taken.values) - len(events))


def _object(value: bytes | None) -> Mapping[str, Any] | None:
    try:
        found = _JSON.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # counted as unreadable
    return found if isinstance(found, dict) else None


def _whole(made: Sample) -> Sample:
    if made.events:
        return made
    if made.unreadable:
        raise NothingToSee(f"{made.name}: none of {made.unreadable} records is a JSON object")
    raise NothingToSee(f"{made.name} holds no records: publish some events first, or look at a --file")
