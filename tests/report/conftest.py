"""A small replay with everything in it: drift, late labels, segments, hostile names; and a browser to look with."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from tools.browser import Browser, chromium

START_MS = 1_772_359_200_000
CANARY = "<script>document.title='canary'</script>"
CONFIG = """
version: 1
name: small
kafka: {bootstrap_servers: "localhost:9092", sasl_mechanism: PLAIN, security_protocol: SASL_SSL,
        sasl_plain_username: someone, sasl_plain_password: hush-hush}
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    prediction: said
    score: score
    task: binary
    features:
      amount: {kind: numeric, range: [0, 50]}
      "<img src=x onerror=alert(1)>": {path: odd, kind: numeric}
      country: categorical
    segments: [tier]
  labels: {topic: l, id: id, label: truth, time: {field: at, unit: ms}, horizon: 1h}
time: {pane: 1s, lateness: 200ms}
reference: {first: 40s}
alarm_budget: 1 per hour
monitors:
  - on: defaults
  - {on: amount, by: [tier], alert: {severity: page, runbook: "javascript:alert(1)"}}
  - {name: rows, on: amount, detector: {adwin: {delta: 0.01}}}
  - {name: floor, on: accuracy, window: {rows: 200}, detector: {threshold: {below: 0.7}}, alert: {runbook: "https://wiki.example/x"}}
alerts: {owner: team}
"""


INCIDENTS = f"""
version: 1
tolerance: 20s
incidents:
  - {{start: 2026-03-01T10:01:30Z, end: 2026-03-01T10:02:24Z, columns: [amount], note: "amounts tripled {CANARY}"}}
  - {{start: 2026-03-01T10:02:06Z, end: 2026-03-01T10:03:00Z, monitors: [floor]}}
  - {{start: 2026-03-01T10:00:45Z, end: 2026-03-01T10:00:50Z, columns: [country], note: nothing to be seen}}
"""
COMPARED = ("--sweep", "floor.detector.below=0.2,0.9", "--sweep", "alarm_budget=1 per hour")


def events() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Three minutes: amounts triple in the middle, a hostile category appears, labels go wrong in the end."""
    rng = random.Random(8)
    predictions, labels = [], []
    for n in range(6_000):
        at, progress = START_MS + n * 30, n / 6_000
        drifted = 0.5 < progress < 0.8
        truth = rng.random() < 0.3
        wrong = rng.random() < (0.5 if progress > 0.7 else 0.05)
        country = rng.choice(["DE", "FR", f'"{CANARY}', "</script><b>x</b>%{y}"] if drifted else ["DE", "DE", "FR"])
        row = {"id": f"e{n}", "ts": at, "amount": rng.gauss(10, 2) * (3 if drifted else 1), "odd": rng.expovariate(1.0)}
        row |= {"country": country, "tier": rng.choice(["a", CANARY, "$now"]), "said": int(truth != wrong)}
        predictions.append({**row, "score": rng.random(), **({"amount": None} if n % 50 == 3 else {})})
        if n % 10:
            labels.append({"id": f"e{n}", "at": at + rng.randrange(100, 9_000), "truth": int(truth)})
    return predictions, sorted(labels, key=lambda label: label["at"])


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with config.yaml, incidents.yaml, p.jsonl and l.jsonl."""
    folder = tmp_path_factory.mktemp("report")
    predictions, labels = events()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "incidents.yaml").write_text(INCIDENTS)
    for name, rows in (("p.jsonl", predictions), ("l.jsonl", labels)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def replay(world: Path, *more: str) -> str:
    """A backtest of the whole world; what it prints."""
    files = ["--predictions", str(world / "p.jsonl"), "--labels", str(world / "l.jsonl")]
    done = CliRunner().invoke(main, ["backtest", str(world / "config.yaml"), *files, *more])
    assert done.exit_code == 0, done.output
    return done.output


def judged(world: Path) -> tuple[str, ...]:
    """Options that bring in what is known to have happened, and other configs."""
    return ("--incidents", str(world / "incidents.yaml"), *COMPARED)


@pytest.fixture(scope="session")
def report(world: Path) -> Path:
    """Its report; the alerts lie beside it."""
    path = world / "report.html"
    replay(world, "--html", str(path), "--alerts", str(world / "with.jsonl"))
    return path


@pytest.fixture(scope="session")
def compared(world: Path) -> Path:
    """The report with known incidents and other configs; the JSON lies beside it."""
    path = world / "compared.html"
    replay(world, "--html", str(path), "--json", str(world / "compared.json"), *judged(world))
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real one; without it, one line says loudly what was not tested."""
    if chromium() is None:
        pytest.skip("NO CHROMIUM: how reports look is NOT tested here; apt install chromium")
    with Browser() as opened:
        yield opened
