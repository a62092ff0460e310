"""Who watches the service itself, and where does what they find go?"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamcheck.adapters.kafka.operations import KafkaOperations
from streamcheck.adapters.notify.files import NotebookFile
from streamcheck.config.settings import Settings
from streamcheck.runtime.operations import Operations
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import Telemetry

NOTEBOOK = "operations"


@contextmanager
def watched(
    settings: Settings, telemetry: Telemetry, clock: Clock, troubles: Callable[[], Iterable[tuple[str, str]]]
) -> Iterator[None]:
    """Watch for as long as this lasts; the state directory must be ours. troubles: of those who tell people."""
    if settings.operations is None:
        yield
        return
    topic, sink = settings.topics.operations, None
    if topic is not None and settings.kafka is not None:
        client = {key: value for key, value in settings.kafka.items() if key != "group_id"}
        sink = KafkaOperations(client, topic)
    notebook = NotebookFile(Path(settings.state_dir), NOTEBOOK, kind="open")
    with Operations(settings.operations, telemetry, clock, notebook, sink, troubles):
        yield
