"""Events in, alert records out: what a config makes of a stream whose faults the test has put there."""

import numpy as np
import orjson

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 (importing registers)
from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

START_MS = 1_772_359_200_000
GAP_MS = 250
PARTITIONS = 4
REFERENCE_ROWS = 9_600
"""40 minutes at GAP_MS: a reference takes half an hour, after 1,000 values for the histogram."""
HEAD = """version: 1
name: checks
reference: {first: 30m}
"""
CONFIG = HEAD + """streams:
  predictions:
    topic: p
    id: id
    features: {amount: numeric, items: numeric, country: categorical}
    prediction: said
    task: binary
"""


def ordinary(n, seed=1):
    """Rows on which nothing is wrong."""
    rng = np.random.default_rng(seed)
    amount, items = np.round(rng.lognormal(3.6, 0.7, n), 2), 1 + rng.poisson(1.4, n)
    country, said = rng.choice(["DE", "FR", "NL"], n, p=[0.5, 0.3, 0.2]), rng.random(n) < 0.1
    columns = zip(amount.tolist(), items.tolist(), country.tolist(), said.tolist(), strict=True)
    return [
        {"id": f"e{k}", "amount": a, "items": i, "country": c, "said": int(s)} for k, (a, i, c, s) in enumerate(columns)
    ]


class Stream:
    """An engine with its decoder: rows go to partitions in turn, one every GAP_MS."""

    def __init__(self, config=CONFIG, partitions=PARTITIONS):
        self.plan = loads(config, {}, "config.yaml").plan
        self.engine = Engine(self.plan, "lineage")
        self.sources = [SourcePartition("p", k) for k in range(partitions)]
        self.labels = SourcePartition("l", 0)
        labels = [] if self.plan.labels is None else [self.labels]
        self.engine.open(dict.fromkeys([*self.sources, *labels], 0))
        self.decode = Decoder(self.plan.predictions, self.plan.task).decode
        self.offsets = dict.fromkeys(self.sources, 0)
        self.n = 0
        self.records = []

    def feed(self, events):
        """The next rows; None: that one never comes."""
        at = [START_MS + (self.n + k) * GAP_MS + (event or {}).get("shift_ms", 0) for k, event in enumerate(events)]
        self.n += len(events)
        for k, source in enumerate(self.sources):
            mine = range(k, len(events), len(self.sources))
            part = [(event, at[j]) for j in mine if (event := events[j]) is not None]
            if part:
                values, times = [event for event, _ in part], [ms for _, ms in part]
                raw = raw_batch("p", k, values, first_offset=self.offsets[source], times_ms=times)
                self.offsets[source] += len(part)
                self.take(self.engine.feed(self.decode(raw)))
        return self

    def take(self, outcome):
        self.records += [orjson.loads(alert.record) for alert in outcome.alerts]

    def silent(self, *partitions, until=None):
        """These say no more; all of them: for so many ms of event time."""
        for k in partitions:
            self.take(self.engine.set_idle(self.sources[k]))
        if until is not None:
            self.take(self.engine.advance(START_MS + self.n * GAP_MS + until))

    def end(self):
        """Close what is open; all that fired."""
        self.take(self.engine.finish())
        return self.fired()

    def fired(self):
        return [record for record in self.records if record["state"] == "firing"]


def with_fault(
    fault, *, config=CONFIG, rows=1_200, reference=REFERENCE_ROWS, before=None, after=None, seed=1, events=None
):
    """What fires where `fault(k, event)` changes each row (or drops it: None) after the reference, and then stops."""
    made = ordinary(reference + rows, seed)
    events = made if events is None else [events(k, event) for k, event in enumerate(made)]
    stream = Stream(config)
    if before is not None:
        before(stream)
    stream.feed(events[:reference])
    quiet = stream.fired()
    assert quiet == [], [record["summary"] for record in quiet]
    stream.feed([fault(k, event) for k, event in enumerate(events[reference:])])
    if after is not None:
        after(stream)
    return stream.end()


def monitors(records):
    return {record["monitor"] for record in records}


def of(records, monitor):
    """The one alert of this monitor."""
    (found,) = [record for record in records if record["monitor"] == monitor]
    return found
