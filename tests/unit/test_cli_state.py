"""Do the `state` commands say what lies in place of a state, and do they wait for a cluster that is not ready?"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamcheck.adapters.kafka.client import BrokerUnavailable
from streamcheck.cli import main, state_common, state_rebuild
from streamcheck.errors import StateError

CONFIG = """
version: 1
name: payments
kafka: {{bootstrap_servers: "127.0.0.1:1"}}
streams:
  predictions: {{topic: events, id: id, prediction: fraud, task: binary, features: {{amount: numeric}}}}
state: {{dir: "{directory}"}}
"""
ELECTING = "Kafka at 127.0.0.1:1 answers, but cannot do this yet"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(directory=tmp_path / "state"))
    return path


def state(verb: str, config: Path) -> Result:
    return CliRunner().invoke(main, ["state", verb, str(config)])


@pytest.mark.parametrize("verb", ["show", "check", "rebuild", "export"])
def test_a_file_in_place_of_the_state_directory_is_named(verb: str, config: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no directory")
    more = ["out.json"] if verb == "export" else []
    done = CliRunner().invoke(main, ["state", verb, str(config), *more])
    assert done.exit_code == 1, done.output
    assert f"{tmp_path / 'state'} is a file, no directory" in done.stderr
    assert (tmp_path / "state").read_text() == "no directory"


def test_a_link_to_nothing_is_named_and_so_is_a_file_above(config: Path, tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(tmp_path / "unmounted")
    assert "is a link to nothing" in state("show", config).stderr
    (tmp_path / "file").write_text("")
    config.write_text(CONFIG.format(directory=tmp_path / "file" / "state"))
    assert f"{tmp_path / 'file'} is a file, no directory" in state("show", config).stderr


def test_no_state_is_no_mistake(config: Path) -> None:
    assert "the first run begins at start" in state("show", config).output


def test_a_rebuild_waits_while_a_cluster_elects(config: Path, monkeypatch) -> None:
    asked = []

    def known(*_: object) -> None:
        asked.append(1)
        raise BrokerUnavailable(ELECTING) if len(asked) < 3 else StateError("there is nothing to make again")

    monkeypatch.setattr(state_common, "RETRY_S", 0.01)
    monkeypatch.setattr(state_rebuild, "_known", known)
    done = state("rebuild", config)
    assert (done.exit_code, len(asked)) == (1, 3)
    assert "there is nothing to make again" in done.stderr


def test_a_rebuild_waits_for_its_deadline_only(config: Path, monkeypatch) -> None:
    def known(*_: object) -> None:
        raise BrokerUnavailable(ELECTING)

    monkeypatch.setattr(state_common, "RETRY_S", 0.01)
    monkeypatch.setattr(state_common, "ANSWER_S", 0.05)
    monkeypatch.setattr(state_rebuild, "_known", known)
    done = state("rebuild", config)
    assert done.exit_code == 1
    assert ELECTING in done.stderr
