"""How many labels find their prediction in a second, and what does a waiting prediction take, in memory and on disk?

    python -m bench join --pending 10000000
    python -m bench join --pending 10000000 --spilled 0.5

Fills the join, then, pane by pane, as many predictions enter as labels arrive, each for a prediction that waits, drawn
from all of them: the worst for caches. The oldest leave for the limit. Keys are made beforehand; what is timed is the
whole step: entering, finding, completing, forgetting, and the delta for the store. Seconds of the clock count what else
runs on the machine, seconds of CPU do not.
"""

import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click
import numpy as np

from bench.surroundings import keep, surroundings
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.core import codec
from streamcheck.core.join import Join
from streamcheck.core.join_size import entry_bytes
from streamcheck.core.joining import Labels, Predictions
from streamcheck.core.migrations import VERSION
from streamcheck.core.plan import JoinRules
from streamcheck.core.saving import decode_part
from streamcheck.core.types import IntArray, KeyArray
from streamcheck.runtime.ports import Commit

PANE_MS = 10_000
FILL_ROWS = 100_000
SEGMENTS_MAX = 1_000


def keys(numbers: IntArray) -> KeyArray:
    """Keys as of ids of eight bytes, which stand for themselves."""
    made = np.empty((len(numbers), 2), np.uint64)
    made[:, 0], made[:, 1] = numbers, 8 << 56
    return made


def predictions(first: int, n: int, segmentations: int) -> Predictions:
    """n predictions numbered from `first` on."""
    rng = np.random.default_rng(first)
    return Predictions(
        keys(np.arange(first, first + n)),
        rng.integers(0, 2, n).astype(np.float64),
        rng.random(n),
        np.full(n, first),
        rng.integers(0, SEGMENTS_MAX, (segmentations, n)).astype(np.int32),
    )


def resident_bytes() -> int:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def put_away(join: Join, store: SqliteStore) -> None:
    """What memory has no room for goes to disk, as with a commit."""
    spill = join.spill()
    if spill is not None:
        chunks = ((key, codec.encode("streamcheck.state", VERSION, chunk())) for key, chunk in spill.chunks.items())
        store.commit(Commit(dict(chunks), spill.gone))


def measure(
    pending: int, segmentations: int, pane_rows: int, panes: int, spilled: float, store: SqliteStore
) -> dict[str, float]:
    """One join with so many waiting, that share of them on disk, stepped through so many panes."""
    assert panes * pane_rows <= pending // 2, "labels for more than half of those that wait"
    fills = pending // FILL_ROWS
    memory = int(pending * (1 - spilled))
    rules = JoinRules(horizon_ms=10**15, predictions_max=pending, labels_max=1_000, memory_max=memory)
    gc.collect()
    before = resident_bytes()
    join = Join(rules, segmentations, SEGMENTS_MAX)
    if spilled:
        join.attach(lambda key: decode_part(key, store.read(key)), 1)
    nothing = Labels(keys(np.empty(0, np.int64)), np.empty(0))
    filled_s = time.process_time()
    for fill in range(fills):
        join.step((fill + 1) * PANE_MS, predictions(fill * FILL_ROWS, FILL_ROWS, segmentations), nothing)
        put_away(join, store)
    filled_s = time.process_time() - filled_s
    gc.collect()
    resident = resident_bytes() - before
    rng, entered = np.random.default_rng(1), fills * FILL_ROWS
    asked = rng.permutation(pending - panes * pane_rows)[: panes * pane_rows] + panes * pane_rows
    rates, cpu_rates = [], []
    for pane in range(panes):
        new = predictions(entered, pane_rows, segmentations)
        known = keys(asked[pane * pane_rows : (pane + 1) * pane_rows])
        labels = Labels(known, np.ones(pane_rows))
        began, cpu_began = time.perf_counter(), time.process_time()
        joined, _, _ = join.step((fills + pane + 1) * PANE_MS, new, labels)
        cpu_rates.append(pane_rows / (time.process_time() - cpu_began))
        rates.append(pane_rows / (time.perf_counter() - began))
        assert len(joined.ordinals) == pane_rows, f"{len(joined.ordinals)} of {pane_rows} labels found their prediction"
        entered += pane_rows
    held = join.nbytes
    return {
        "pending": pending,
        "segmentations": segmentations,
        "joins_per_s": statistics.median(rates),
        "joins_per_s_min": min(rates),
        "joins_per_s_max": max(rates),
        "joins_per_cpu_s": statistics.median(cpu_rates),
        "entered_per_cpu_s": pending / filled_s,
        "resident_bytes_each": resident / pending,
        "array_bytes_each": held / pending,
        "on_disk": join.places().disk,
        "file_bytes": store.path.stat().st_size,
        "limit_bytes_each": entry_bytes(segmentations, SEGMENTS_MAX),
    }


@click.command()
@click.option("--pending", default=10_000_000, show_default=True, help="Predictions that wait.")
@click.option("--segmentations", default=1, show_default=True)
@click.option("--spilled", default=0.0, show_default=True, help="The share that memory has no room for.")
@click.option("--pane-rows", default=50_000, show_default=True, help="Predictions and labels of a pane.")
@click.option("--panes", default=15, show_default=True)
def main(pending: int, segmentations: int, spilled: float, pane_rows: int, panes: int) -> None:
    """Measure the label join; one JSON object on standard output."""
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder), "bench")) as store:
        found = measure(pending, segmentations, pane_rows, panes, spilled, store)
    json.dump(found, sys.stdout, indent=2)
    print()
    keep("join", surroundings(), found)
