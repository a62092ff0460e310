"""Does `run` start its worker again when it should, and only then?"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamcheck.adapters.kafka.watchdog import EXIT_STATUS
from streamcheck.cli import supervise
from streamcheck.cli.exits import EXIT_CRASHED, EXIT_TEMPORARY
from streamcheck.cli.kafka_wiring import _reader
from streamcheck.cli.supervise import CAREFUL, Supervisor
from streamcheck.config.load import loads

WAIT_S = 30
ROOT = Path(__file__).parents[2]
WORKER = """
import os, signal, sys, time
from pathlib import Path
from streamcheck.cli.supervise import Lifeline
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append("TERM"))
signal.signal(signal.SIGINT, lambda *_: stopping.append("INT"))
lives = Path("lives")
with lives.open("a") as file:
    print(os.getpid(), *sys.argv[1:], file=file)
life = len(lives.read_text().splitlines())
lifeline = Lifeline(lost=lambda: stopping.append("lost"))
def until_stopped(code):
    while not stopping:
        time.sleep(0.01)
    Path("stopped").write_text(" ".join(stopping))
    sys.exit(code)
"""
SUPERVISOR = """
import sys
from streamcheck.cli import supervise
supervise.WAIT_FIRST_S = supervise.WAIT_MAX_S = 0.01
sys.exit(supervise.Supervisor(["run", "c.yaml", "--reset-state"], [sys.executable, "worker.py"]).run())
"""

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor, as a process, over a worker with this code at its end."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(code: str) -> "subprocess.Popen[bytes]":
        (tmp_path / "worker.py").write_text(WORKER + textwrap.dedent(code))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started.append(subprocess.Popen([sys.executable, "-c", SUPERVISOR], cwd=tmp_path, env=environment))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def lives(folder: Path) -> list[list[str]]:
    """Process id and arguments of every worker so far."""
    path = folder / "lives"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("end", ["sys.exit(70)", "sys.exit(75)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"])
def test_a_worker_that_crashes_is_started_again(start: Start, tmp_path: Path, end: str) -> None:
    process = start(f"if life < 4: {end}")
    assert process.wait(WAIT_S) == 0
    assert len(lives(tmp_path)) == 4


@pytest.mark.parametrize(
    ("end", "careful"), [("sys.exit(70)", "no"), ("os.abort()", "1"), ("os.kill(os.getpid(), 9)", "1")]
)
def test_behind_a_worker_that_was_killed_the_careful_client_reads(
    start: Start, tmp_path: Path, end: str, careful: str
) -> None:
    code = f"""
        Path(f"life-{{life}}").write_text(os.environ.get({CAREFUL!r}, "no"))
        if life == 1: {end}
        if life == 2: sys.exit(70)
    """
    assert start(code).wait(WAIT_S) == 0
    assert [(tmp_path / f"life-{life}").read_text() for life in (1, 2, 3)] == ["no", careful, careful]


def test_the_careful_client_is_the_one_that_the_variable_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "version: 1\nname: n\nkafka: {bootstrap_servers: 'a:1', client: confluent}\n"
    settings = loads(text + "streams: {predictions: {topic: t, features: {a: numeric}}}", {}).settings
    assert _reader(settings) == "confluent"
    monkeypatch.setenv(CAREFUL, "1")
    assert _reader(settings) == "kafka-python"


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_worker_that_has_done_or_refused_is_left_alone(start: Start, tmp_path: Path, code: int) -> None:
    assert start(f"sys.exit({code})").wait(WAIT_S) == code
    assert len(lives(tmp_path)) == 1


def test_the_worker_is_told_not_to_supervise_and_a_reset_is_done_once(start: Start, tmp_path: Path) -> None:
    start("""
        if life == 2: lifeline.opened()
        if life < 4: sys.exit(70)
    """).wait(WAIT_S)
    told = [arguments for _, *arguments in lives(tmp_path)]
    again = ["run", "c.yaml", "--reset-state", "--no-supervise"]
    assert told == [again, again, ["run", "c.yaml", "--no-supervise"], ["run", "c.yaml", "--no-supervise"]]


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT")])
@pytest.mark.parametrize("code", [0, 1])
def test_a_signal_is_passed_on_once_and_ends_both(
    start: Start, tmp_path: Path, number: signal.Signals, name: str, code: int
) -> None:
    process = start(f"until_stopped({code})")
    until(lambda: lives(tmp_path), "a worker")
    process.send_signal(number)
    assert process.wait(WAIT_S) == code
    assert (tmp_path / "stopped").read_text() == name


def test_a_worker_whose_supervisor_was_killed_stops(start: Start, tmp_path: Path) -> None:
    process = start("until_stopped(0)")
    until(lambda: lives(tmp_path), "a worker")
    process.kill()
    process.wait()
    until((tmp_path / "stopped").exists, "the worker to stop")
    until((tmp_path / "stopped").read_text, "its reason")
    assert (tmp_path / "stopped").read_text() == "lost"


def test_the_wait_grows_and_begins_anew_after_a_healthy_life(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ends = iter([70, 70, 70, 70, 0])
    monkeypatch.setattr(Supervisor, "_one_life", lambda _self: next(ends))
    clock = iter([0, 1, 2, 3, 4, 5 + supervise.HEALTHY_S, 100, 101, 200])
    monkeypatch.setattr(supervise.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(supervise, "WAIT_FIRST_S", 0.001)
    monkeypatch.setattr(supervise, "WAIT_MAX_S", 0.003)
    assert Supervisor(["run", "c.yaml"]).run() == 0
    assert [record.args[1] for record in caplog.records] == [0.001, 0.002, 0.001, 0.002]


def test_the_watchdog_ends_with_the_code_that_is_started_again() -> None:
    assert EXIT_STATUS == EXIT_CRASHED != EXIT_TEMPORARY
