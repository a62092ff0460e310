"""Does a replay say how far it has come: a bar for people, few lines for logs?"""

import io
import sys

import pytest

from streamcheck.cli.progress import RebuildProgress, ReplayProgress, SampleProgress


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    return made


def test_a_rebuild_tells_in_lines_at_a_bounded_rate(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 10.0, 12.0, 19.9, 20.0])
    shown = RebuildProgress(lambda: next(times))
    for read in (10, 400, 500, 600, 1_000):
        shown(read, 2_000, 1)
    shown.close()
    said = capsys.readouterr()
    said_at = ["400 of 2,000 offsets (20 %), 1 transition", "1,000 of 2,000 offsets (50 %), 1 transition"]
    assert said.err.splitlines() == said_at
    assert said.out == ""


def test_a_rebuild_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    times = iter([0.0, 0.1, 0.3, 0.6])
    shown = RebuildProgress(lambda: next(times))
    shown(0, 0, 0)
    shown(300, 2_000, 2)
    shown(400, 2_000, 3)
    shown.close()
    shown.close()
    assert "replaying, 3 transitions" in terminal.getvalue()
    assert "20%" in terminal.getvalue()


def test_a_look_at_records_tells_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 11.0])
    shown = SampleProgress(lambda: next(times))
    shown(100, 2_000)
    shown(1_200, 2_000)
    shown.close()
    assert capsys.readouterr().err == "1,200 of 2,000 records\n"


def test_a_backtest_tells_rows_a_second_and_what_remains(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = ReplayProgress(lambda: now[0])
    for second in range(0, 41, 5):
        now[0] = second
        progress(25 * second, 1_000, 1_000 * second)
    assert capsys.readouterr().err.splitlines() == [
        "25 %: 10,000 rows, 1,000 a second, 30 s remain",
        "50 %: 20,000 rows, 1,000 a second, 20 s remain",
        "75 %: 30,000 rows, 1,000 a second, 10 s remain",
        "100 %: 40,000 rows, 1,000 a second, 0 s remain",
    ]


def test_a_backtest_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    times = iter([0.0, 0.5, 130.0])
    progress = ReplayProgress(lambda: next(times))
    progress(0, 1_000, 0)
    progress(250, 1_000, 50_000)
    progress.close()
    assert "50,000 rows, 385 a second, 6 min 30 s remain" in terminal.getvalue()
