"""How many events a second does `streamcheck run` take, against the naive loop, on the same broker in the same run?

    make bench                      five rounds of 300,000 events
    make bench ARGS='--verify'      do both sides report the same drifts? (one partition, once)
    make bench ARGS='--events 50000 --rounds 1'
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script: bench and tools are folders beside the package, not installed

from bench.events import FEATURES, START_MS, STEP_MS, Topic, publish  # noqa: E402
from bench.verify import differences, panes_of_alerts, panes_of_drifts, read_alerts, until  # noqa: E402

NAIVE, NAIVE_ORJSON, OWN = "naive loop, json", "naive loop, orjson", "streamcheck run"
PANE_MS = 10_000
LATENESS_MS = 5_000
VERIFY_PANE_MS = 100  # a hundred rows: the finer, the more exact the comparison
PACKAGES = ("kafka-python", "river", "numpy", "orjson", "msgspec", "crc32c")


@dataclass(frozen=True, slots=True)
class Figures:
    """One contender in one round. seconds: its own count, from before it connects until the last event is done."""

    contender: str
    events: int
    seconds: float
    process_s: float
    cpu_s: float
    rss_mb: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def commands(topic: Topic, folder: Path, run: str, pane_ms: int) -> dict[str, list[str]]:
    """The command line of each contender. Every run of streamcheck has its own name, topics and state."""
    naive = [str(ROOT / "bench/naive.py"), topic.bootstrap, topic.name, str(topic.events), ",".join(FEATURES)]
    filled = {"BOOTSTRAP": topic.bootstrap, "TOPIC": topic.name, "RUN": run, "DIR": str(folder), "PANE": f"{pane_ms}ms"}
    text = (ROOT / "bench/config.yaml").read_text()
    for name, value in filled.items():
        text = text.replace(f"<{name}>", value)
    config = folder / f"{run}.yaml"
    config.write_text(text)
    return {
        NAIVE: [*naive, "--parser", "json"],
        NAIVE_ORJSON: [*naive, "--parser", "orjson"],
        OWN: ["-c", "from streamcheck.cli import main; main()", "run", str(config), "--until-end", "--json"],
    }


def measure(contender: str, arguments: list[str]) -> tuple[Figures, dict[str, Any]]:
    """Run one contender in a process of its own; what it took, and what it printed."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode != 0:
        raise SystemExit(f"{contender} ended with exit code {process.returncode}\n{text}")
    said = json.loads(text.strip().splitlines()[-1])
    cpu_s = usage.ru_utime + usage.ru_stime
    figures = Figures(contender, said["events"], said["seconds"], process_s, cpu_s, usage.ru_maxrss / 1024)
    return figures, said


def rounds(topic: Topic, count: int, folder: Path) -> Iterator[Figures]:
    """All contenders in turn, the order turned by one each round, so that none is always the first."""
    for number in range(count):
        contenders = list(commands(topic, folder, f"{topic.name}-{number}", PANE_MS).items())
        turn = number % len(contenders)
        for contender, arguments in contenders[turn:] + contenders[:turn]:
            figures, _ = measure(contender, arguments)
            assert figures.events == topic.events, f"{contender} read {figures.events} of {topic.events} events"
            print(f"  round {number + 1}  {contender:20s} {figures.rate:9,.0f} events/s", file=sys.stderr, flush=True)
            yield figures


def report(found: list[Figures]) -> list[dict[str, Any]]:
    """Per contender: rate (min, median, max), ratio to the naive loop of the same round, CPU and memory."""
    by_contender: dict[str, list[Figures]] = {}
    for figures in found:
        by_contender.setdefault(figures.contender, []).append(figures)
    rows = []
    print(f"\n{'':20s} {'min':>9s} {'median':>9s} {'max':>9s}  events/s   x naive  process   CPU us/event  peak MB")
    for contender, runs in sorted(by_contender.items()):
        rates = sorted(figures.rate for figures in runs)
        pairs = list(zip(by_contender[NAIVE], runs, strict=True))
        row = {
            "contender": contender,
            "events_per_second": {"min": rates[0], "median": statistics.median(rates), "max": rates[-1]},
            "ratio_to_naive": statistics.median(own.rate / naive.rate for naive, own in pairs),
            "ratio_of_process_time": statistics.median(naive.process_s / own.process_s for naive, own in pairs),
            "cpu_us_per_event": statistics.median(figures.cpu_s / figures.events * 1e6 for figures in runs),
            "rss_mb_max": max(figures.rss_mb for figures in runs),
            "rounds": [asdict(figures) for figures in runs],
        }
        rows.append(row)
        print(
            f"{contender:20s} {rates[0]:9,.0f} {statistics.median(rates):9,.0f} {rates[-1]:9,.0f}            "
            f"{row['ratio_to_naive']:7.2f}  {row['ratio_of_process_time']:7.2f}  {row['cpu_us_per_event']:13.1f}  "
            f"{row['rss_mb_max']:7.0f}"
        )
    return rows


def verify(topic: Topic, folder: Path) -> bool:
    """Whether both sides see drifts in the same panes of a single partition."""
    run = f"{topic.name}-verify"
    contenders = commands(topic, folder, run, VERIFY_PANE_MS)
    _, naive = measure(NAIVE, contenders[NAIVE])
    measure(OWN, contenders[OWN])
    closed_ms = START_MS + (topic.events - 1) * STEP_MS - LATENESS_MS
    last = closed_ms // VERIFY_PANE_MS - 1
    found = until(panes_of_drifts(naive["drifts"], VERIFY_PANE_MS), last)
    records = read_alerts(topic.bootstrap, f"{run}.alerts")
    own = until(panes_of_alerts(records, VERIFY_PANE_MS, last), last)
    print(f"panes of {VERIFY_PANE_MS} ms with a drift: naive loop, streamcheck")
    print("\n".join(differences(found, own)))
    return found == own


def surroundings() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[str]:
    """The broker named on the command line or in STREAMCHECK_TEST_KAFKA, else one started for the occasion."""
    if address:
        yield address
        return
    from tools.kafka_cluster import KafkaCluster  # noqa: PLC0415 (needed only here)

    with KafkaCluster() as cluster:
        yield cluster.bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--kafka", default=os.environ.get("STREAMCHECK_TEST_KAFKA"), help="broker (default: start one)")
    parser.add_argument("--out", type=Path, help="file for the figures (default: bench/results/COMMIT.json)")
    parser.add_argument("--verify", action="store_true", help="compare the drifts of both sides instead of the time")
    args = parser.parse_args()
    around = surroundings()
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        topic = Topic(bootstrap, f"bench-{time.time_ns()}", args.events, 1 if args.verify else args.partitions)
        print(f"publishing {topic.events:,} events to {topic.partitions} partitions", file=sys.stderr)
        publish(topic)
        if args.verify:
            raise SystemExit(0 if verify(topic, Path(folder)) else 1)
        found = list(rounds(topic, args.rounds, Path(folder)))
    rows = report(found)
    print(f"{args.rounds} rounds of {args.events:,} events, {args.partitions} partitions; {json.dumps(around)}")
    out = args.out or ROOT / "bench/results" / f"{around['commit']}.json"
    setup = {"events": args.events, "partitions": args.partitions}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**around, **setup, "contenders": rows}, indent=1))
    print(f"written to {out.relative_to(ROOT) if out.is_relative_to(ROOT) else out}")


if __name__ == "__main__":
    main()
