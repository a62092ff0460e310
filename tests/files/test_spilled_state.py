"""A state with predictions on disk: a backtest goes on from it, and `state export` writes all of it."""

import base64
import dataclasses
import json
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.adapters.sqlite.view import SqliteView
from streamcheck.cli import main
from streamcheck.cli.service import Stop, Wiring, run_service
from streamcheck.config import compile as compiling
from streamcheck.config.load import load
from streamcheck.core.saving import decode_part
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.telemetry import Snapshot, Telemetry
from streamcheck.testing import ManualClock, ScriptedSource, raw_batch
from tests.files.conftest import CONFIG

PREDICTIONS_IN_MEMORY = 200
"""Some 600 wait for their label at a time."""
READ = {"p": 2_600, "l": 1_900}
"""Rows of each topic that the run reads before it stops; all else is left to the backtest."""
STEP = 50


class Kept:
    """An alert sink that keeps what it is sent."""

    def __init__(self) -> None:
        self.alerts: list[bytes] = []

    def open(self, lineage: str) -> None:
        pass

    def claim(self, arrived: Any) -> None:
        pass

    def send(self, entries: Any, *_: Any) -> None:
        self.alerts += [entry.value for entry in entries]

    def close(self) -> None:
        pass


def command(*args: object) -> str:
    done = CliRunner().invoke(main, [*map(str, args)])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    state = f"state: {{dir: {json.dumps(str(tmp_path / 'state'))}}}\n"
    path.write_text(CONFIG + state + "kafka: {bootstrap_servers: 'localhost:9'}\n")  # which nobody asks
    return path


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room in memory for far fewer predictions than wait; the config knows no limit that is so low."""
    room = compiling.room
    few = {"memory_max": PREDICTIONS_IN_MEMORY}
    monkeypatch.setattr(compiling, "room", lambda *args: dataclasses.replace(room(*args), **few))


@pytest.fixture
def lived(
    little_memory: None,
    config: Path,
    rows: Any,
    labels: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[bytes]:
    """A run over the beginning of both topics, its state on disk; its alerts. Its lineage is that of a backtest."""
    monkeypatch.setattr(secrets, "token_bytes", lambda _: b"backtest")
    made = []
    for topic, field, of in (("p", "ts", rows), ("l", "known", labels)):
        times = [row[field] for row in of]
        for at in range(0, READ[topic], STEP):
            cut = slice(at, at + STEP)
            made.append(raw_batch(topic, 0, of[cut], first_offset=at, times_ms=times[cut]))
    made.sort(key=lambda batch: int(batch.timestamps.max()))
    clock, kept, stop = ManualClock(), Kept(), Stop()
    source = ScriptedSource(made, on_end=stop.set)
    store = SqliteStore(tmp_path / "state", "bt")
    wiring = Wiring(source, store, lambda: dict.fromkeys(source.partitions(), 0), alerts=kept)  # type: ignore[arg-type]
    telemetry = Telemetry(Snapshot("bt", "0", started_ms=0, beat_s=0.0))
    run_service(load(str(config)).plan, wiring, LoopRules(commit_every_s=0.0), clock, telemetry, stop)
    return kept.alerts


def test_a_backtest_goes_on_from_it(
    lived: list[bytes], config: Path, write_lines: Any, rows: Any, labels: Any, tmp_path: Path
) -> None:
    """With what the run had told, the alerts are those of a backtest of the whole: labels found their predictions."""
    files = ("--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", labels))
    command("backtest", config, *files, "--alerts", tmp_path / "whole", "--json", tmp_path / "whole.json")
    before = sorted((tmp_path / "state").iterdir()), (tmp_path / "state" / "state.sqlite").read_bytes()
    state = ("--state", tmp_path / "state")
    command("backtest", config, *files, *state, "--alerts", tmp_path / "rest", "--json", tmp_path / "rest.json")
    whole, rest = (json.loads((tmp_path / f"{name}.json").read_bytes()) for name in ("whole", "rest"))
    assert b"".join(line + b"\n" for line in lived) + (tmp_path / "rest").read_bytes() == (
        tmp_path / "whole"
    ).read_bytes()
    assert lived
    assert (tmp_path / "rest").read_bytes()
    assert whole["join"] == rest["join"]
    assert (sorted((tmp_path / "state").iterdir()), (tmp_path / "state" / "state.sqlite").read_bytes()) == before


def test_export_writes_what_lies_on_disk(lived: list[bytes], config: Path, tmp_path: Path) -> None:
    """Every part under its key, in order, as lines and as a list; of the predictions that wait, none is missing."""
    assert lived
    view = SqliteView(tmp_path / "state", "bt")
    shelf = dict(view.shelf())
    loaded = view.load()
    view.close()
    assert len(shelf) > 1
    assert loaded is not None
    printed = command("state", "export", config, tmp_path / "out.jsonl", "--json")
    command("state", "export", config, tmp_path / "out.json")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert json.loads((tmp_path / "out.json").read_bytes()) == lines
    assert json.loads(printed)["parts"] == len(lines)
    keys = [part["key"] for part in lines if not part["key"].startswith("outbox/")]
    assert keys == ["config", *sorted([*shelf, *loaded.state])]
    of_export = {part["key"]: part["value"] for part in lines}
    for key, value in shelf.items():
        numbers = of_export[key]["numbers"]
        read = np.frombuffer(base64.b64decode(numbers["base64"]), numbers["dtype"])
        assert read.tolist() == decode_part(key, value)["numbers"].tolist()
        assert len(read)
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o077 == 0
