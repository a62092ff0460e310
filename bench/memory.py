"""Does a run stay under the memory that `streamcheck explain` prints for its config?

    python -m bench memory                      5 million events, with default limits and with tiny ones
    python -m bench memory --events 500000      a shorter one

Through a real broker: predictions in which every id and every segment value is one of a million, labels for half of the
ids, then `streamcheck run` over all of it. Resident memory is the process' own peak (VmHWM). By hand; some minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.batches import BATCH_ROWS, Text, create, publish, record_batch
from bench.measure import ROOT, peak_bytes
from bench.streams import broker

DISTINCT = 1_000_000
PARTITIONS, LABEL_PARTITIONS = 4, 2
START_MS = 1_767_225_600_000
ROWS_A_SECOND = 2_000
LABEL_DELAY_MS = 30_000
LABEL_EVERY = 2
SAMPLE_S = 0.1
CONFIG = """
version: 1
name: memory-{name}
kafka: {{bootstrap_servers: "{bootstrap}"}}
start: earliest
streams:
  predictions:
    topic: {run}.predictions
    id: id
    prediction: fraud
    task: binary
    features: {{amount: numeric, merchant: categorical}}
    segments: [merchant]
  labels: {{topic: {run}.labels, id: id, label: fraud, horizon: 2h}}
reference: {{first: 10m}}
monitors:
  - on: defaults
  - {{name: amount-adwin, on: amount, by: [merchant], detector: {{adwin: auto}}}}
  - {{name: amount-mean, on: amount, by: [merchant], measure: mean_shift}}
alerts: {{topic: {run}.alerts.{name}, owner: bench}}
state: {{dir: {folder}/{name}}}
prometheus: {{listen: "127.0.0.1:0"}}
"""
TINY = """
limits: {segments: 100, join_memory: 16MiB, pending_labels: 10000, pane_memory: 1MiB, open_memory: 8MiB,
         monitor_memory: 4MiB}
"""

PREDICTION = Text(
    b'{"id":"event-', ("id", 7), b'-of-a-million","merchant":"merchant-', ("merchant", 7), b'","amount":1',
    ("amount", 2), b'.5,"fraud":', ("fraud", 1), b"}",
)  # fmt: skip
LABEL = Text(b'{"id":"event-', ("id", 7), b'-of-a-million","fraud":', ("fraud", 1), b"}")


def predictions(events: int) -> Iterator[tuple[int, bytes]]:
    """Partition and batch. The ids and the segment values of each million are the same, in another order."""
    step_ms = 1000 / ROWS_A_SECOND
    for at in range(0, events, BATCH_ROWS):
        row = np.arange(at, at + BATCH_ROWS)
        number = (row * 7_919 + row // DISTINCT) % DISTINCT
        merchant = (number * 104_729) % DISTINCT
        shown = PREDICTION.rows(BATCH_ROWS, id=number, merchant=merchant, amount=row * 37 % 100, fraud=number % 2)
        yield at // BATCH_ROWS % PARTITIONS, record_batch(shown, START_MS + int(at * step_ms), step_ms)


def labels(events: int) -> Iterator[tuple[int, bytes]]:
    """Partition and batch, for one in LABEL_EVERY of the first million events."""
    step_ms = 1000 / ROWS_A_SECOND * LABEL_EVERY
    for at in range(0, min(events, DISTINCT) // LABEL_EVERY, BATCH_ROWS):
        number = (np.arange(at, at + BATCH_ROWS) * LABEL_EVERY * 7_919) % DISTINCT
        shown = LABEL.rows(BATCH_ROWS, id=number, fraud=(number + (number % 10 == 0)) % 2)
        first_ms = START_MS + LABEL_DELAY_MS + int(at * step_ms)
        yield at // BATCH_ROWS % LABEL_PARTITIONS, record_batch(shown, first_ms, step_ms)


# ------------------------------------------------------------------ one run
@dataclass(frozen=True, slots=True)
class Found:
    """What one run took, and what was said beforehand. bitten: limits that the log names."""

    name: str
    events: int
    seconds: float
    peak_bytes: int
    said_bytes: int
    bitten: tuple[str, ...]


def measure(name: str, config: Path) -> Found:
    """Explain the config, then run it, watching the process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "streamcheck"]
    count = str(PARTITIONS + LABEL_PARTITIONS)
    explain = [*command, "explain", str(config), "--partitions", count, "--json"]
    said = json.loads(subprocess.run(explain, env=environment, check=True, capture_output=True).stdout)
    run = [*command, "run", str(config), "--until-end", "--no-supervise", "--json"]
    peak = 0
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(run, env=environment, stdout=out, stderr=errors)
        while process.poll() is None:
            peak = max(peak, peak_bytes(process.pid))
            time.sleep(SAMPLE_S)
        out.seek(0)
        errors.seek(0)
        log = errors.read().decode()
        if process.returncode:
            raise SystemExit(f"{name}: ended with exit code {process.returncode}\n{log[-4000:]}")
        did: dict[str, Any] = json.loads(out.read().splitlines()[-1])
    bitten = {line.split("the limit ")[1].split()[0] for line in log.splitlines() if "the limit " in line}
    return Found(name, did["events"], did["seconds"], peak, said["memory"]["total"], tuple(sorted(bitten)))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="bench memory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--kafka", default=os.environ.get("STREAMCHECK_TEST_KAFKA"), help="broker (default: start one)")
    args = parser.parse_args(arguments)
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        run, began = f"memory-{time.time_ns()}", time.perf_counter()
        for topic, partitions, batches in (
            (f"{run}.predictions", PARTITIONS, predictions(args.events)),
            (f"{run}.labels", LABEL_PARTITIONS, labels(args.events)),
        ):
            create(bootstrap, topic, partitions)
            publish(bootstrap, topic, batches)
        print(f"published in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        found = []
        for name, limits in (("default", ""), ("tiny", TINY)):
            config = Path(folder) / f"{name}.yaml"
            config.write_text(CONFIG.format(name=name, bootstrap=bootstrap, run=run, folder=folder) + limits)
            found.append(measure(name, config))
    print("limits   events     seconds  peak MiB  explain MiB  share  limits that bit")
    for f in found:
        peak, said = f.peak_bytes / 2**20, f.said_bytes / 2**20
        figures = f"{f.name:8} {f.events:<10,} {f.seconds:7.1f} {peak:9,.0f} {said:12,.0f} {peak / said:6.0%}"
        print(f"{figures}  {', '.join(f.bitten)}")
    if any(f.peak_bytes > f.said_bytes for f in found):
        raise SystemExit("a run took more than `explain` said")
