"""Does a replay say how far it has come: a bar for people, few lines for logs?"""

import io
import sys

import pytest

from streamcheck.cli.progress import Shown


def test_lines_at_a_bounded_rate(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 10.0, 10.0, 12.0, 19.9, 20.0, 20.0])
    shown = Shown(lambda: next(times))
    for read in (10, 400, 500, 600, 1_000):
        shown(read, 2_000, 1)
    shown.close()
    said = capsys.readouterr()
    said_at = ["400 of 2,000 offsets (20 %), 1 transition", "1,000 of 2,000 offsets (50 %), 1 transition"]
    assert said.err.splitlines() == said_at
    assert said.out == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    shown = Shown()
    shown(0, 0, 0)
    shown(400, 2_000, 3)
    shown.close()
    shown.close()
    text = sys.stderr.getvalue()
    assert "replaying, 3 transitions" in text
    assert "20%" in text
