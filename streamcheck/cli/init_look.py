"""Where do the events that `init` looks at come from? Topics of a broker, or a file."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from streamcheck.adapters.files.paths import Form, form_of
from streamcheck.adapters.files.sample import first_rows, first_values
from streamcheck.adapters.kafka.sample import Taken, newest
from streamcheck.cli.init_forms import RegistryNeeded, sample
from streamcheck.cli.progress import SampleProgress
from streamcheck.config.guess import Sample
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.schemas import Registry


class NothingToSee(StreamcheckError):  # noqa: N818 - a fact about an input
    """There are no events that could be looked at."""


def of_file(path: Path, records: int) -> Sample:
    """The first rows of a file. Raises NothingToSee, SourceError."""
    form = form_of(path)
    if form is None:
        raise NothingToSee(f"{path}: cannot tell what it holds; expected .jsonl, .csv (also .gz, .zst) or .parquet")
    if form is Form.JSONL:
        values = first_values(path, records)
        return _whole(sample(str(path), Taken(values, [-1] * len(values), [0] * len(values)), None))
    rows = first_rows(path, records)
    return _whole(Sample(str(path), rows, [-1] * len(rows), [0] * len(rows)))


def of_topics(
    settings: Mapping[str, object], topics: Sequence[str], records: int, registry: Registry | None
) -> dict[str, Sample]:
    """The newest records of each topic; one without any, or written by schemas that nobody knows, has an empty sample.

    Raises SourceError.
    """
    found = {}
    with closing(SampleProgress()) as progress:
        samples = newest(settings, topics, records, progress)
    for topic, taken in samples.items():
        try:
            found[topic] = sample(topic, taken, registry)
        except RegistryNeeded:
            found[topic] = Sample(topic, [], [], [], len(taken.values) + taken.unreadable)
    return found


def of_topic(settings: Mapping[str, object], topic: str, records: int, registry: Registry | None) -> Sample:
    """The newest records of a topic. Raises NothingToSee, RegistryNeeded, SourceError."""
    with closing(SampleProgress()) as progress:
        taken = newest(settings, [topic], records, progress)[topic]
    return _whole(sample(topic, taken, registry))


def _whole(made: Sample) -> Sample:
    if made.events:
        return made
    if made.unreadable:
        raise NothingToSee(f"{made.name}: none of {made.unreadable} records is a JSON object")
    raise NothingToSee(f"{made.name} holds no records: publish some events first, or look at a --file")
