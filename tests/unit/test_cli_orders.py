"""`streamcheck acknowledge` and `rebaseline`: what is left for the run, and what scripts are told."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamcheck.cli import main

CONFIG = {
    "version": 1,
    "name": "shop",
    "kafka": {"bootstrap_servers": "localhost:1"},
    "streams": {"predictions": {"topic": "p", "features": {"amount": "numeric"}}},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({**CONFIG, "state": {"dir": str(tmp_path / "state")}}))
    (tmp_path / "state").mkdir(mode=0o700)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def test_an_acknowledgement_is_left_as_a_file(config: Path) -> None:
    done = run("acknowledge", str(config), "abc", "--by", "ann", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["obeyed_by"] is None, "nothing runs"
    [left] = (config.parent / "state" / "orders").iterdir()
    assert left.name.startswith(told["order"])
    assert json.loads(left.read_bytes()) == told["said"]
    assert told["said"]["by"] == "ann"
    assert "the next run obeys" in run("acknowledge", str(config), "abc").output


def test_an_acknowledgement_ends_when_it_is_told_to(config: Path) -> None:
    began_ms = int(time.time() * 1000)
    done = run("acknowledge", str(config), "abc", "--for", "2d", "--why", "prices", "--json")
    said = json.loads(done.output)["said"]
    assert 0 <= said["until_ms"] - began_ms - 2 * 86_400_000 < 60_000
    assert said["why"] == "prices"
    wrong = run("acknowledge", str(config), "abc", "--for", "soon")
    assert (wrong.exit_code, "expected a duration such as 2h or 3d, got 'soon'" in wrong.output) == (2, True)


def test_a_rebaseline_is_left_as_a_file(config: Path) -> None:
    done = run("rebaseline", str(config), "--monitor", "amount-mean_shift", "--reason", "new prices", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    [left] = (config.parent / "state" / "orders").iterdir()
    assert json.loads(left.read_bytes()) == told["said"]
    assert told["said"]["reason"] == "new prices"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--monitor", "amount-mean_shitf"], "did you mean 'amount-mean_shift'?"),
        (["--segment", "tier"], "expected FIELD=VALUE"),
        (["--since", "yesterday"], "expected a time with an offset"),
    ],
)
def test_mistakes(config: Path, arguments: list[str], said: str) -> None:
    done = run("rebaseline", str(config), *arguments)
    assert done.exit_code == 2
    assert said in done.output
