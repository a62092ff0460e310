"""`streamcheck acknowledge` and `rebaseline`: what is left for the run, and what scripts are told."""

import json
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
