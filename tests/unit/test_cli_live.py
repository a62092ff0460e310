"""`alerts` and `top` against a service that really serves: what fires, history, following, and nobody at home."""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from streamcheck.adapters.prometheus.exposition import Exposition
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.cli import main
from streamcheck.cli.top import view
from streamcheck.core.readings import AlertState, EngineReading, JoinReading, PartitionReading, Reading
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.telemetry import AlertBook, BrokerReading, Phase, Snapshot, Telemetry
from streamcheck.testing import ManualClock

DEADLINE_S = 60.0
HOSTILE = "red\x1b[2Jtier"


def record(sequence: int, state: str, monitor: str = "amount-scan", severity: str = "page") -> bytes:
    return orjson.dumps(
        {"id": monitor, "sequence": sequence, "state": state, "monitor": monitor, "severity": severity, "owner": "risk",
         "segment": {"tier": HOSTILE}, "column": "amount", "change_at": "2026-03-01T09:58:40.000Z",
         "pane_start": "2026-03-01T10:00:00.000Z", "pane_end": "2026-03-01T10:00:10.000Z", "summary": f"amount {state}"}
    )  # fmt: skip


def reading(monitor: str, alert: AlertState, score: float) -> Reading:
    return Reading(monitor, "amount", (("tier", "premium"),), "mean_shift", "scan", alert, "ready", 812,
                   212.4, 104.9, None, None, score, 8.0)  # fmt: skip


@pytest.fixture
def telemetry() -> Telemetry:
    monitors = (
        reading("calm", AlertState.QUIET, 1.0),
        reading("near", AlertState.QUIET, 7.9),
        reading("loud", AlertState.FIRING, 12.7),
    )
    partition = PartitionReading(SourcePartition("p", 0), 1_500_000, 1_495_000, False, 90, 7, ())
    engine = EngineReading(monitors, (partition,), JoinReading(), 1_495_000, 1_490_000, 42, 5, ())
    book = AlertBook().after([record(1, "pending"), record(2, "firing"), record(3, "firing", "other", "warning")])
    first = Snapshot(
        "shop", "0.1.0", 0, 0.0, Phase.LIVE, engine, BrokerReading(connected=True), ((SourcePartition("p", 0), 17),)
    )
    return Telemetry(replace(first, alerts=book))


@pytest.fixture
def url(telemetry: Telemetry) -> Iterator[str]:
    server = WebServer("127.0.0.1", 0, Routes(telemetry, Exposition(telemetry).render, ManualClock()))
    server.start()
    try:
        yield server.url
    finally:
        server.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_what_fires(url: str) -> None:
    done = run("alerts", url)
    assert done.exit_code == 3
    assert [line.split("\t")[4] for line in done.output.splitlines()] == ["monitor", "other", "amount-scan"]
    assert "\x1b" not in done.output


def test_filters(url: str) -> None:
    assert len(run("alerts", url, "--severity", "page", "--json").output.splitlines()) == 1
    assert len(run("alerts", url, "--monitor", "oth", "--json").output.splitlines()) == 1
    calm = run("alerts", url, "--monitor", "nobody")
    assert (calm.exit_code, calm.output) == (0, "nothing fires\n")


def test_history_is_in_the_order_of_its_events(url: str) -> None:
    done = run("alerts", url, "--history", "--json")
    assert done.exit_code == 0
    assert [json.loads(line)["sequence"] for line in done.output.splitlines()] == [1, 2, 3]


def test_the_config_names_the_service(url: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    listen = url.removeprefix("http://").rstrip("/")
    text = {"version": 1, "name": "shop", "streams": {"predictions": {"topic": "p", "features": {"x": "numeric"}}}}
    config.write_text(json.dumps({**text, "prometheus": {"listen": listen}}))
    assert run("alerts", str(config)).exit_code == 3
    config.write_text(json.dumps({**text, "prometheus": {"listen": "127.0.0.1:0"}}))
    done = run("top", str(config))
    assert done.exit_code == 1
    assert "names no fixed address" in done.output


@pytest.mark.parametrize("command", ["alerts", "top"])
def test_nobody_at_home(command: str) -> None:
    done = run(command, "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "no streamcheck answers" in done.output
    assert "Traceback" not in done.output


def test_top_has_the_nearest_first(url: str) -> None:
    done = run("top", url, "--once")
    assert done.exit_code == 0, done.output
    places = [done.output.index(name) for name in ("loud", "near", "calm")]
    assert places == sorted(places)
    assert "1 firing" in done.output
    assert "lag 17" in done.output


@pytest.mark.parametrize("width", [80, 100, 140])
def test_top_cuts_names_and_neither_numbers_nor_states(url: str, width: int) -> None:
    status = json.loads(run("top", url, "--json").output)
    for each in status["monitors"]:
        each |= {"monitor": "a-monitor-of-some-length-" + each["monitor"], "value": 12345.678, "reference": -0.00012346}
    status["monitors"][0] |= {"status": "warming up 41 of 100 panes", "score": None}
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(view(status, None, "score", 40))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for word in ("1.235e+04", "-0.0001235", "firing", "quiet", "warming up"):
        assert word in text
    assert ("159 %" in text) == (width < 110)
    assert ("812" in text) == (width >= 110)


def test_alerts_are_told_in_lines_on_a_terminal(url: str) -> None:
    said = on_terminal("alerts", url, "--history", until="amount firing")
    assert "firing  2026-03-01 10:00:10  page  amount-scan" in said, "a transition has its own time"
    assert said.count("id amount-scan") == 1, "of the one that can be acknowledged"
    assert "┃" not in said
    assert "\x1b[2J" not in said


def on_terminal(*arguments: str, until: str) -> str:
    """What a command says on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "streamcheck", *arguments]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    ) as process:
        os.close(theirs)
        text, deadline = "", time.monotonic() + DEADLINE_S
        while process.poll() is None or select.select([ours], [], [], 0.2)[0]:
            assert time.monotonic() < deadline, text
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    text += os.read(ours, 65_536).decode(errors="replace")
                except OSError:
                    break
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert until in plain
    return plain


def test_top_by_name_and_as_json(url: str) -> None:
    text = run("top", url, "--once", "--sort", "name").output
    assert text.index("calm") < text.index("loud") < text.index("near")
    assert json.loads(run("top", url, "--json").output)["open_rows"] == 42


def test_following_prints_what_comes(url: str, telemetry: Telemetry) -> None:
    command = [sys.executable, "-m", "streamcheck", "alerts", url, "--follow", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
        reader.start()
        try:
            deadline, sequence = time.monotonic() + DEADLINE_S, 4
            while not lines:  # what is published before the first look is not news
                assert time.monotonic() < deadline
                telemetry.publish(
                    replace(telemetry.read(), alerts=telemetry.read().alerts.after([record(sequence, "resolved")]))
                )
                sequence += 1
                time.sleep(0.2)
        finally:
            process.terminate()
            reader.join(DEADLINE_S)
    seen = [json.loads(line)["sequence"] for line in lines]
    assert seen[0] >= 4
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_top_draws_again_on_a_terminal(url: str, telemetry: Telemetry) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "streamcheck", "top", url, "--every", "0.2"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        text, deadline = "", time.monotonic() + DEADLINE_S
        try:
            while "lag 18" not in text:
                assert time.monotonic() < deadline, text
                if select.select([ours], [], [], 0.2)[0]:
                    text += os.read(ours, 65_536).decode(errors="replace")
                if "lag 17" in text:
                    telemetry.publish(replace(telemetry.read(), lag=((SourcePartition("p", 0), 18),)))
        finally:
            process.terminate()
    os.close(ours)
