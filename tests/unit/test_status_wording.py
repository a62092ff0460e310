"""What does a monitor say while it cannot judge yet?"""

from streamcheck.core.types import SourcePartition
from streamcheck.testing import ScriptedSource, raw_batch

P0, P1, LABELS = SourcePartition("p", 0), SourcePartition("p", 1), SourcePartition("l", 0)
CONFIG = """monitors:
  - {name: shift, on: amount, measure: mean_shift}
  - {name: gaps, on: amount, measure: missing_rate}"""


def test_a_numeric_monitor_says_that_it_learns_its_range_first(rig):
    """Its reference begins only once the histogram is laid out, from the first 1,000 values."""
    made, at = rig([], config=rig().config.replace("monitors:", CONFIG)), rig.start_ms

    def rows(source, first, n, second):
        times = [at + 1_000 * second] * n
        values = [{"id": f"{source}{first + i}", "at": times[0], "said": 1, "truth": 1, "amount": i} for i in range(n)]
        return raw_batch(source.topic, source.partition, values, first_offset=first, times_ms=times)

    others = [rows(source, 0, 1, 60) for source in (P1, LABELS)]
    made.source = ScriptedSource([*others, rows(P0, 0, 340, 0), rows(P0, 340, 1, 2)])
    said = []
    for more in ([rows(P0, 341, 700, 4), rows(P0, 1_041, 5, 6)], [rows(P0, 1_046, 1, 8)], []):
        made.start()
        shown = {reading.monitor: reading.status for reading in made.loop.engine.reading().monitors}
        said.append((shown["shift"], shown["gaps"].split(" of ")[0]))
        made.source._script, made.source._next = more, 0
    assert said == [
        ("learning its range, 340 of 1,000 values", "warming up 1"),
        ("warming up 0 of 30 panes", "warming up 3"),
        ("warming up 1 of 30 panes", "warming up 4"),
    ]
