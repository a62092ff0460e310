"""What does /metrics say? The newest snapshot in Prometheus' formats, from a registry of its own."""

import math
import threading
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from streamcheck.adapters.prometheus.gauges import GAUGES, Gauge, Scrape
from streamcheck.runtime.telemetry import Snapshot, Telemetry


class SnapshotCollector(Collector):
    """All gauges of one scrape come from one snapshot, whatever the loop publishes meanwhile."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def describe(self) -> Iterator[Metric]:
        """The families without samples, so that the registry sees clashing names."""
        return (_family(gauge) for gauge in GAUGES)

    def collect(self) -> Iterator[Metric]:
        """The families with their samples; a number that is None or not finite has none."""
        scrape = Scrape.of(self._telemetry.read())
        for gauge in GAUGES:
            family = _family(gauge)
            for labels, number in gauge.samples(scrape):
                if number is not None and math.isfinite(number):
                    family.add_metric(labels, number)
            yield family


class Exposition:
    """Renders the newest snapshot, and what this process takes of CPU and memory."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._one = threading.Lock()  # one reader at a time: a body of 5,000 monitors takes 50 MB to make
        self._rendered: dict[str, tuple[Snapshot, bytes]] = {}
        self.registry = CollectorRegistry()
        self.registry.register(SnapshotCollector(telemetry))
        ProcessCollector(registry=self.registry)

    def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and body in the format that the `Accept` header asks for; Prometheus' text format by default."""
        encode, content_type = choose_encoder(accept)
        with self._one:
            snapshot = self._telemetry.read()
            held = self._rendered.get(content_type)
            if held is None or held[0].engine is not snapshot.engine or held[0].beat_s != snapshot.beat_s:
                held = self._rendered[content_type] = (snapshot, encode(self.registry))
        return content_type, held[1]


def _family(gauge: Gauge) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if gauge.kind == "counter" else GaugeMetricFamily
    return kind(gauge.name, gauge.help, labels=gauge.labels)
