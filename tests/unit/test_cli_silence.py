"""`streamcheck silence`: who, until when, why; and mistakes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamcheck.cli import main

CONFIG = {"version": 1, "name": "shop", "streams": {"predictions": {"topic": "p", "features": {"amount": "numeric"}}}}


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({**CONFIG, "state": {"dir": str(tmp_path / "state")}}))
    return str(path)


def silence(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["silence", *arguments])


def test_a_silence_begins_is_shown_and_ends(config: str) -> None:
    done = silence("add", config, "--for", "2h", "--why", "sale", "--who", "ann", "--segment", "tier=premium")
    assert done.exit_code == 0, done.output
    made = done.output.strip()
    [shown] = json.loads(silence("list", config, "--json").output)
    assert (shown["id"], shown["who"], shown["why"], shown["segment"]) == (made, "ann", "sale", "tier=premium")
    assert shown["until_ms"] - shown["made_ms"] == 7_200_000
    assert "segment tier=premium" in silence("list", config).output
    assert silence("end", config, made).exit_code == 0
    assert silence("list", config).output == "nothing is silenced\n"


def test_silences_that_are_over_are_cleared_away(config: str) -> None:
    silence("add", config, "--for", "1ms", "--why", "x", "--who", "ann", "--everything")
    silence("add", config, "--for", "1h", "--why", "y", "--who", "ann", "--everything")
    assert [each["why"] for each in json.loads(silence("list", config, "--json").output)] == ["y"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "2h"], "say what"),
        (["--for", "soon", "--everything"], "expected a duration"),
        (["--for", "2h", "--monitor", "amount-mean_shitf"], "did you mean"),
    ],
)
def test_mistakes(config: str, arguments: list[str], said: str) -> None:
    done = silence("add", config, "--why", "x", *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_an_id_that_is_none(config: str) -> None:
    done = silence("end", config, "nothing")
    assert done.exit_code == 1
    assert "there is no silence nothing" in done.output


def test_scripts_get_json(config: str) -> None:
    done = silence("add", config, "--for", "2h", "--why", "x", "--who", "ann", "--everything", "--json")
    made = json.loads(done.output)
    assert json.loads(silence("list", config, "--json").output) == [made]
    assert json.loads(silence("end", config, made["id"], "--json").output) == {"ended": [made["id"]]}
