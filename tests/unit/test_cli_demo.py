"""The demo: it finds what it injects and nothing else, serves its pages meanwhile, and says plainly what is wrong."""

import fnmatch
import io
import json
import os
import signal
import socket
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from streamcheck.adapters.simulate.incidents import DEMO
from streamcheck.adapters.simulate.source import SimulatedSource
from streamcheck.adapters.simulate.traffic import HOUR_MS, MINUTE_MS
from streamcheck.adapters.web.server import WebServer
from streamcheck.cli import main
from streamcheck.cli.demo import _config
from streamcheck.cli.demo_show import Fired, Show, Stop, explains

ROOT = Path(__file__).parents[2]
WIDTH = 100


def demo(*args: str) -> Result:
    return CliRunner().invoke(main, ["demo", *args])


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@dataclass
class Watched:
    """A run of six hours, and what its pages said meanwhile and while it stayed up."""

    result: dict[str, Any]
    probes: list[tuple[int, str]] = field(default_factory=list)
    during: dict[str, tuple[int, str]] = field(default_factory=dict)
    after: dict[str, tuple[int, str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def watched() -> Watched:
    seen = Watched({})
    urls: list[str] = []
    start, poll = WebServer.start, SimulatedSource.poll

    def started(server: WebServer) -> None:
        start(server)
        urls.append(server.url)

    def polled(source: SimulatedSource, timeout_s: float) -> Any:
        seen.probes.append(get(f"{urls[0]}healthz"))
        if not seen.during and source.clock.now_ms() >= source.stream.start_ms + 4 * HOUR_MS:
            seen.during = {path: get(urls[0] + path) for path in ("", "metrics", "api/alerts", "api/status", "readyz")}
        return poll(source, timeout_s)

    def waited(stop: Stop, _seconds: float) -> None:
        seen.after = {path: get(urls[0] + path) for path in ("", "readyz", "healthz")}
        stop.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WebServer, "start", started)
        patch.setattr(SimulatedSource, "poll", polled)
        patch.setattr(Stop, "wait", waited)
        done = demo("--hours", "6", "--json", "--listen", "127.0.0.1:0", "--serve")
    assert done.exit_code == 0, done.output
    seen.result = json.loads(done.output)
    return seen


def test_it_finds_the_incidents_of_its_hours_soon_and_nothing_else(watched: Watched) -> None:
    result = watched.result
    found = {row["incident"]: (row["first_alert"], row["delay_minutes"]) for row in result["incidents"]}
    assert list(found) == ["amount in cents", "new country"]
    for alert, delay in found.values():
        assert alert is not None
        assert 0 < delay <= 5
    assert result["false_alarms"] == []
    assert result["hours"] == 6
    assert result["events"] > 100_000
    assert result["alerts"] >= 4


@pytest.mark.first
def test_it_finds_and_names_what_breaks_in_pipelines() -> None:
    done = demo("--faults", "--hours", "16.7", "--json", "--listen", "off")
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    delays = {row["incident"]: row["delay_minutes"] for row in result["incidents"]}
    assert len(delays) == 11
    first = {row["incident"]: row["first_alert"] for row in result["incidents"]}
    assert first["a worse model version"] == "versions: v4 loses"
    assert delays.pop("a worse model version") <= 120, "labels take two hours"
    assert first["slow answers"] == "latency_ms-p99"
    assert first["one card tries amounts"] in ("card-top_share", "amount-edge_rate")
    assert {row["incident"]: row["alerts"] for row in result["incidents"]}["slow answers"] == 2, "and the objective"
    assert all(delay is not None and delay <= 2 for delay in delays.values()), delays
    assert result["false_alarms"] == []


def test_page_and_gauges_are_served_while_it_runs(watched: Watched) -> None:
    assert {path: status for path, (status, _) in watched.during.items()} == dict.fromkeys(watched.during, 200)
    assert "<h2>Firing</h2>" in watched.during[""][1]
    assert "amount-mean_shift" in watched.during[""][1]
    gauges = watched.during["metrics"][1]
    firing = 'streamcheck_alert_state{column="amount",config="demo",monitor="amount-mean_shift",segment="all"} 2.0'
    assert firing in gauges
    book = json.loads(watched.during["api/alerts"][1])
    assert {alert["monitor"] for alert in book["firing"]} >= {"amount-mean_shift", "amount-scale"}
    status = json.loads(watched.during["api/status"][1])
    assert status["phase"] == "live"
    assert status["last_commit_ms"] is not None


def test_it_is_in_good_health_all_the_time(watched: Watched) -> None:
    assert len(watched.probes) > 300
    assert {status for status, _ in watched.probes} == {200}, [body for status, body in watched.probes if status != 200]


def test_what_stays_up_is_the_end_of_the_stream(watched: Watched) -> None:
    assert {path: status for path, (status, _) in watched.after.items()} == {"": 200, "readyz": 200, "healthz": 200}
    assert "country-unseen" in watched.after[""][1]
    assert "stopping" not in watched.after[""][1]


@pytest.mark.first
def test_a_quiet_stream_gives_no_alarm() -> None:
    done = demo("--quiet-stream", "--hours", "8", "--json", "--listen", "off")
    result = json.loads(done.output)
    assert (done.exit_code, result["incidents"], result["false_alarms"], result["alerts"]) == (0, [], [], 0)


def test_told_to_stop_it_reports_what_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    poll = SimulatedSource.poll

    def polled(source: SimulatedSource, timeout_s: float) -> Any:
        if source.clock.now_ms() == source.stream.start_ms + 30 * MINUTE_MS:
            os.kill(os.getpid(), signal.SIGTERM)
        return poll(source, timeout_s)

    monkeypatch.setattr(SimulatedSource, "poll", polled)
    before = signal.getsignal(signal.SIGTERM)
    done = demo("--listen", "off")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split() == ["00:00", "hour", "0", "of", "20"]
    assert lines[-3:-1] == ["Nothing was injected.", "False alarms: none"]
    assert ", 0.52 h, in " in lines[-1]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("listen", ["9108", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:65536", ":9108", ""])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    done = demo("--listen", listen)
    assert done.exit_code == 2
    assert f"--listen: expected HOST:PORT such as 127.0.0.1:9108 (port 0: any free one), or off, got {listen!r}" in (
        done.output
    )


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        done = demo("--listen", where)
    assert done.exit_code == 2
    assert f"--listen: {where} is in use by another process" in done.output
    assert "--listen 127.0.0.1:0: any free port" in done.output


def test_nothing_can_be_served_nowhere() -> None:
    done = demo("--serve", "--listen", "off")
    assert done.exit_code == 2
    assert "--serve needs an address" in done.output


def test_an_alert_on_another_segment_is_not_the_incidents() -> None:
    fraud = next(incident for incident in DEMO.incidents if incident.name == "premium fraud missed")
    at_ms = fraud.start_ms + HOUR_MS
    assert explains(fraud, Fired("m", "accuracy", (), at_ms))
    assert explains(fraud, Fired("m", "accuracy", (("tier", "premium"),), at_ms))
    assert not explains(fraud, Fired("m", "accuracy", (("tier", "general"),), at_ms))
    assert not explains(fraud, Fired("m", "amount", (), at_ms))
    assert not explains(fraud, Fired("m", "accuracy", (), fraud.start_ms - 1))


@pytest.fixture
def show() -> Show:
    shown = Show(_config("off").plan, seed=7, hours=20, silent=False)
    shown.console = Console(width=WIDTH, file=io.StringIO(), highlight=False)
    return shown


def printed(show: Show) -> list[str]:
    assert isinstance(show.console.file, io.StringIO)
    return [line.rstrip() for line in show.console.file.getvalue().splitlines()]


def test_the_course_is_one_line_each_in_order_of_event_time(show: Show) -> None:
    show._tell(12 * HOUR_MS)
    show._tell(20 * HOUR_MS)
    lines = printed(show)
    assert len(lines) == 21 + 2 * len(DEMO.incidents)
    assert [line[:5] for line in lines] == sorted(line[:5] for line in lines)
    assert lines[4] == "03:30  injected  amount in cents: mean, scale and shape of amount, within a pane or two"


def test_the_table_fits_a_terminal_and_names_what_was_missed(show: Show) -> None:
    segment = {"tier": "premium"}
    row = {"incident": "premium fraud missed", "from": "12:30", "to": "14:30", "segment": segment, "alerts": 12}
    rows = [
        {**row, "first_alert": "accuracy-cusum-by-tier", "delay_minutes": 95.5},
        {**row, "first_alert": None, "delay_minutes": None},
    ]
    false = [{"monitor": "amount-psi", "segment": segment, "at": "02:10"}]
    numbers = {"events": 1000, "seconds": 0.5, "hours": 20.0}
    show.table({"incidents": rows, "false_alarms": false, "kpi": ["net revenue follows accuracy"], **numbers})
    lines = printed(show)
    assert max(map(len, lines)) <= WIDTH
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert cells == [
        ["premium fraud missed", "12:30", "14:30", "accuracy-cusum-by-tier [tier=premium]", "96 min", "12"],
        ["premium fraud missed", "12:30", "14:30", "not found", "", "12"],
    ]
    assert lines[-5:] == [
        "Incidents found: 1 of 2",
        "False alarms: 1",
        "  02:10  amount-psi [tier=premium]",
        "Net revenue follows accuracy",
        "1,000 events, 20 h, in 0.5 s: 2,000 events/s",
    ]


def test_every_file_that_is_read_is_shipped() -> None:
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["streamcheck"]
    package = ROOT / "streamcheck"
    files = [path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()]
    data = [name for name in files if not name.endswith((".py", ".pyc"))]
    assert "cli/demo.yaml" in data
    assert [name for name in data if not any(fnmatch.fnmatch(name, glob) for glob in globs)] == []
