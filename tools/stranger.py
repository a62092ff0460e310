"""How long does a stranger take from nothing to the first gauge? By nothing but what the README's first screen says.

`python tools/stranger.py` starts a broker (or takes the one at STREAMCHECK_TEST_KAFKA) with a stream that streamcheck
has never seen, makes an environment of its own, types the commands, and prints the seconds that each took.
"""

import argparse
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script: tools is a folder beside the package

from kafka import KafkaAdminClient, KafkaProducer  # noqa: E402

from tools import release  # noqa: E402
from tools.kafka_cluster import ADDRESS_VARIABLE, KafkaCluster  # noqa: E402

SCREEN_LINES = 40
PROMISE_S = 180.0
"""All of it together."""
TOLD = ("pip", "streamcheck init", "streamcheck check", "streamcheck run", "curl")
ADDRESS, PAGE, TOPIC = "localhost:9092", "127.0.0.1:9108", "payments.predictions"
"""What stands in the README for the reader's own."""
GAUGE = "streamcheck_value{"
RIDES, ARRIVALS = "rides.etas", "rides.arrivals"
HISTORY, RATE = 3_000, 40
"""Events that are there already, and how many come in a second from then on."""


class Stuck(Exception):  # noqa: N818 - what a stranger would say
    """It went no further, and what was said last."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was typed."""

    command: str
    seconds: float
    said: str


def commands(readme: str) -> list[str]:
    """What the first screen tells to type, in its order; raises Stuck where something is missing."""
    screen = "\n".join(readme.splitlines()[:SCREEN_LINES])
    blocks = re.findall(r"^```console\n(.*?)^```$", screen, re.MULTILINE | re.DOTALL)
    typed = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    found = [line for line in typed if line.startswith(TOLD)]
    if [next(each for each in TOLD if line.startswith(each)) for line in found] != list(TOLD):
        raise Stuck(f"the README's first {SCREEN_LINES} lines do not tell all of {', '.join(TOLD)}, but {found}")
    return found


# ------------------------------------------------------------------ what the stranger has
class Rides:
    """A service that predicts how long a ride will take: nested events, ISO times, truth on a topic of its own."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap, self._rng, self._number = bootstrap, random.Random(11), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Self:
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            topics = {name: {"num_partitions": 2, "configs": {"retention.ms": "-1"}} for name in (RIDES, ARRIVALS)}
            admin.create_topics(topics, wait_for_metadata=True)
        finally:
            admin.close()
        self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, linger_ms=20)
        now_s = time.time()
        for at in range(HISTORY):
            self._send(now_s - (HISTORY - at) / RATE)
        self._producer.flush()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.close()
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith("rides.")])
        finally:
            admin.close()

    def _live(self) -> None:
        while not self._stop.wait(1 / RATE):
            self._send(time.time())

    def _send(self, at_s: float) -> None:
        self._number += 1
        ride, rng = f"ride-{self._number:06d}", self._rng
        km = rng.lognormvariate(1.5, 0.6)
        minutes = 4 + 2.4 * km + rng.gauss(0, 1)
        event = {
            "ride": {"id": ride, "city": rng.choice(["Lyon", "Nantes", "Lille"])},
            "requested_at": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds"),
            "model": {"name": "eta", "version": "7.2"},
            "inputs": {"km": km, "stops": rng.randrange(3), "rain": rng.random() < 0.2},
            "predicted_minutes": 4 + 2.4 * km,
        }
        known = {"ride_id": ride, "actual_minutes": minutes, "arrived_at": int(at_s + 1)}
        for topic, value in ((RIDES, event), (ARRIVALS, known)):
            stamp_ms = int(at_s * 1000)
            self._producer.send(topic, json.dumps(value).encode(), partition=self._number % 2, timestamp_ms=stamp_ms)


# ------------------------------------------------------------------ what the stranger does
def walk(bootstrap: str, folder: Path, port: int | None = None) -> list[Step]:
    """Type it all; the topics are there. port: of the page, where it is not to be the one of the README.

    Raises Stuck.
    """
    tree, work, environment = folder / "streamcheck", folder / "work", folder / "venv"
    release.copy(tree)
    work.mkdir()
    steps: list[Step] = []
    began_s = time.monotonic()
    venv.create(environment, with_pip=True)
    steps.append(Step("python3 -m venv", time.monotonic() - began_s, ""))
    variables = {**os.environ, "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    variables.pop("PYTHONPATH", None)
    page = PAGE if port is None else f"127.0.0.1:{port}"
    own = {ADDRESS: bootstrap, TOPIC: RIDES, PAGE: page}
    running: subprocess.Popen[str] | None = None
    try:
        for command in commands((ROOT / "README.md").read_text()):
            typed = command
            for theirs, mine in own.items():
                typed = typed.replace(theirs, mine)
            began_s = time.monotonic()
            if typed.startswith("streamcheck run"):
                with (folder / "run.log").open("w") as log:
                    running = subprocess.Popen(
                        shlex.split(typed), cwd=work, env=variables, stdout=log, stderr=log, text=True
                    )
                continue
            if typed.startswith("curl"):
                assert running is not None, "the README runs it before it looks"
                said = _until_seen(typed, running, folder)
            else:
                said = _done(typed, tree if typed.startswith("pip") else work, variables)
            steps.append(Step(typed, time.monotonic() - began_s, said))
            if typed.startswith("streamcheck init") and port is not None:
                (config,) = work.glob("*.yaml")
                config.write_text(config.read_text().replace(PAGE, page))
    finally:
        if running is not None:
            running.terminate()
            running.wait(30)
    return steps


def _done(command: str, where: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        shlex.split(command), cwd=where, env=variables, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=PROMISE_S,
    )  # fmt: skip
    if done.returncode:
        raise Stuck(f"{command}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3_000:]}")
    return done.stdout + done.stderr


def _until_seen(command: str, running: subprocess.Popen[str], folder: Path) -> str:
    """Look at the gauges until one of the stream is there, as somebody would who is curious."""
    deadline_s, said = time.monotonic() + PROMISE_S, ""
    while time.monotonic() < deadline_s:
        if running.poll() is not None:
            raise Stuck(f"the run has ended with {running.returncode}\n{(folder / 'run.log').read_text()[-3_000:]}")
        looked = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False, timeout=30)
        said = looked.stdout
        if seen := next((line for line in said.splitlines() if line.startswith(GAUGE)), None):
            return seen
        time.sleep(0.5)
    log = (folder / "run.log").read_text()
    raise Stuck(f"no {GAUGE}…}} within {PROMISE_S:.0f} s:\n{said[-2_000:]}\n{log[-2_000:]}")


# ------------------------------------------------------------------ by hand
@contextmanager
def broker() -> Iterator[str]:
    """The address of a broker, for as long as this lasts."""
    if address := os.environ.get(ADDRESS_VARIABLE):
        yield address
        return
    with KafkaCluster() as cluster:
        yield cluster.bootstrap


def main() -> None:
    """Walk, and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, help="of the page (default: the README's)")
    parser.add_argument("--show", action="store_true", help="what was said as well")
    chosen: Any = parser.parse_args()
    with broker() as bootstrap, Rides(bootstrap), tempfile.TemporaryDirectory(prefix="streamcheck-stranger-") as folder:
        try:
            steps = walk(bootstrap, Path(folder), chosen.port)
        except Stuck as stuck:
            sys.exit(str(stuck))
    for step in steps:
        print(f"{step.seconds:7.1f} s  {step.command}")
        if chosen.show or step.said.startswith(GAUGE):
            print(step.said)
    took_s = sum(step.seconds for step in steps)
    print(f"{took_s:7.1f} s  of {PROMISE_S:.0f} promised")
    sys.exit(took_s > PROMISE_S)


if __name__ == "__main__":
    main()
