"""Who takes part, and how each is started: one line per contender."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import configs
from bench.events import Shape
from bench.peers import python as peers_python
from bench.streams import Stream

Start = Callable[[Stream, Path, str], list[str]]
"""The command line that reads a stream. Path: a folder for files; str: a name that no other run has."""

NAIVE, LOADS, ROW, PANE = "naive", "loads", "row", "pane"


@dataclass(frozen=True, slots=True)
class Contender:
    """needs: the peer's package, None where the project's own environment has all. rivers: it does the row work.

    extra: a module of streamcheck's own extras.
    """

    key: str
    title: str
    start: Start
    needs: str | None = None
    rivers: bool = False
    extra: str | None = None

    @property
    def there(self) -> bool:
        """Whether the extra is installed, if it takes one."""
        return self.extra is None or importlib.util.find_spec(self.extra) is not None


def _loop(module: str, mode: str, *, peer: bool) -> Start:
    def start(stream: Stream, _folder: Path, _run: str) -> list[str]:
        python = str(peers_python()) if peer else sys.executable
        where = [stream.bootstrap, stream.predictions, stream.labels, str(stream.events), str(stream.partitions)]
        return [python, "-m", f"bench.contenders.{module}", mode, *where]

    return start


def _own(config: Callable[[Shape], configs.Config], *options: str, client: str = "kafka-python") -> Start:
    def start(stream: Stream, folder: Path, run: str) -> list[str]:
        return own_command(configs.over_kafka(config(stream.shape), stream, run, folder, client), *options)

    return start


def own_command(config: Path, *options: str) -> list[str]:
    """`streamcheck run` over a config, its imports done before the clock starts."""
    return [sys.executable, "-m", "bench.contenders.own", str(config), *options]


CONTENDERS: tuple[Contender, ...] = (
    Contender(NAIVE, "naive loop: kafka-python, json, river", _loop("naive", "json", peer=False), rivers=True),
    Contender("naive-orjson", "naive loop with orjson", _loop("naive", "orjson", peer=False), rivers=True),
    Contender("quix", "Quix Streams, river", _loop("quix", "river", peer=True), "quixstreams", rivers=True),
    Contender("bytewax", "Bytewax, orjson, river", _loop("dataflow", "river", peer=True), "bytewax", rivers=True),
    Contender(
        "confluent",
        "confluent-kafka, orjson, river",
        _loop("confluent", "river", peer=True),
        "confluent-kafka",
        rivers=True,
    ),
    Contender(ROW, "streamcheck, the same detectors", _own(configs.row_mode, "--river"), rivers=True),
    Contender(PANE, "streamcheck, its default monitors", _own(configs.pane_mode)),
    Contender(
        "row-confluent",
        "streamcheck[fast], the same detectors",
        _own(configs.row_mode, "--river", client="confluent"),
        rivers=True,
        extra="confluent_kafka",
    ),
    Contender(
        "pane-confluent",
        "streamcheck[fast], its default monitors",
        _own(configs.pane_mode, client="confluent"),
        extra="confluent_kafka",
    ),
    Contender("consume", "confluent-kafka, read only", _loop("confluent", "consume", peer=True), "confluent-kafka"),
    Contender(LOADS, "confluent-kafka, orjson.loads", _loop("confluent", "loads", peer=True), "confluent-kafka"),
)
BY_KEY = {contender.key: contender for contender in CONTENDERS}
