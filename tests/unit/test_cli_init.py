"""`streamcheck init` as it is typed: flags, questions on a terminal, and what it says where it cannot."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamcheck.cli import main

DEADLINE_S = 60.0


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "shop.jsonl"
    begin_ms = 1_772_359_200_000
    rows = [
        {"event_id": f"e{i}", "ts": begin_ms + i * 500, "amount": i / 7, "tier": "ab"[i % 2], "fraud": i % 3 == 0}
        for i in range(300)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def init(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, arguments)])


def check(config: Path) -> Result:
    return CliRunner().invoke(main, ["check", str(config)])


def test_a_file_makes_a_config_that_passes(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "made.yaml"
    done = init(config, "--file", events)
    assert done.exit_code == 0, done.output
    assert f"streamcheck backtest {config}" in done.output
    assert check(config).exit_code == 0
    done = CliRunner().invoke(main, ["backtest", str(config), "--predictions", str(events)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_tables_are_looked_at_too(suffix: str, tmp_path: Path) -> None:
    import gzip  # noqa: PLC0415
    import io  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as papq  # noqa: PLC0415

    path = tmp_path / f"rows{suffix}"
    text = "id;when;price;model.version\n" + "".join(f"r{i};2026-03-01T10:00:{i:02d}Z;{i / 7};v1\n" for i in range(60))
    if suffix == ".parquet":
        rows = {"id": [f"r{i}" for i in range(60)], "when": [f"2026-03-01T10:00:{i:02d}Z" for i in range(60)]}
        papq.write_table(pa.table({**rows, "price": [i / 7 for i in range(60)], "model.version": ["v1"] * 60}), path)
    else:
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    done = init("--file", path, "--stdout")
    assert done.exit_code == 0, done.output
    assert "time: {field: when, unit: iso8601}" in done.stdout
    assert "model_version: model.version" in done.stdout
    assert "price: numeric" in done.stdout
    assert io.StringIO(done.stdout).readline().startswith("# Made by")


def test_what_was_found_as_json(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "made.yaml"
    done = init(config, "--file", events, "--prediction", "fraud", "--label", "-", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["config"] == str(config)
    assert check(config).exit_code == 0
    assert (said["roles"]["id"]["path"], said["roles"]["time"]["path"], said["time_unit"]) == ("event_id", "ts", "ms")
    assert (said["roles"]["prediction"]["path"], said["task"], said["roles"]["score"]) == ("fraud", "binary", None)
    kinds = {each["name"]: each["kind"] for each in said["features"]}
    assert kinds == {"amount": "numeric", "tier": "categorical"}
    assert said["segments"] == ["tier"]
    done = init(
        tmp_path / "other.yaml", "--file", events, "--prediction", "fraud", "--label", "-", "--json", "--stdout"
    )
    assert json.loads(done.stdout)["text"] == config.read_text()
    assert not (tmp_path / "other.yaml").exists()


def test_a_truth_needs_a_prediction(events: Path, tmp_path: Path) -> None:
    done = init(tmp_path / "made.yaml", "--file", events, "--prediction", "-", "--label", "fraud")
    assert done.exit_code == 0, done.output
    assert "fraud may be the truth, but nothing is what the model said" in done.output


def test_flags_are_taken_at_their_word(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "made.yaml"
    done = init(config, "--file", events, "--prediction", "fraud", "--label", "-", "--segments", "-")
    assert done.exit_code == 0, done.output
    text = config.read_text()
    assert "prediction: fraud" in text
    assert "label:" not in text
    assert "segments: []" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--id", "event_ids"], "did you mean 'event_id'?"),
        (["--labels", "nowhere.jsonl"], "no such file"),
        (["--kafka", "localhost:1"], "say what to look at"),
        (["--segments", "tier,amuont"], "did you mean 'amount'?"),
    ],
)
def test_mistakes_in_flags(events: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = init(tmp_path / "x.yaml", "--file", events, *arguments)
    assert done.exit_code in (1, 2)
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no records"),
        ("nonsense\n[1]\n", "none of 2 records is a JSON object"),
        ('{"a": [1]}\n', "no field can be watched"),
    ],
)
def test_files_with_nothing_in_them(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    done = init(tmp_path / "x.yaml", "--file", path)
    assert done.exit_code == 1
    assert said in done.output


def test_a_config_that_exists_is_kept(events: Path, tmp_path: Path) -> None:
    config = tmp_path / "made.yaml"
    config.write_text("mine")
    assert init(config, "--file", events).exit_code == 2
    assert config.read_text() == "mine"
    assert init(config, "--file", events, "--force").exit_code == 0


def test_no_broker_is_said_plainly(tmp_path: Path) -> None:
    """In a process of its own: kafka-python leaves sockets behind for each connection that is refused."""
    command = [sys.executable, "-m", "streamcheck", "init", "--kafka", "127.0.0.1:1", "--topic", "p"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert "127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_option_of_the_client_is_checked_as_in_a_config(tmp_path: Path) -> None:
    done = init(tmp_path / "x.yaml", "--kafka", "127.0.0.1:1", "--option", "sasl_mechanisn=PLAIN")
    assert done.exit_code == 2
    assert "sasl_mechanism" in done.output


def test_questions_on_a_terminal(events: Path, tmp_path: Path) -> None:
    """Answers: Enter throughout, but a typing mistake first for the id, and no segments."""
    config = tmp_path / "made.yaml"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "streamcheck", "init", str(config), "--file", str(events)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text, answered, deadline = "", 0, time.monotonic() + DEADLINE_S
        while process.poll() is None:
            assert time.monotonic() < deadline, text
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    text += os.read(ours, 4096).decode()
                except OSError:
                    break
            asked = text.count("]: ")
            if asked > answered:
                question = text[text.rindex("\n") :] if "\n" in text else text
                answer = "evnt_id" if answered == 0 else "-" if "segments" in question else ""
                os.write(ours, f"{answer}\n".encode())
                answered += 1
    os.close(ours)
    assert process.returncode == 0, text
    assert "did you mean event_id" in text
    assert "segments: []" in config.read_text()
    assert check(config).exit_code == 0
