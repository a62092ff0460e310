"""Commands: what they print, their exit codes, and that help needs nothing but click."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from streamcheck import __version__
from streamcheck.cli import COMMANDS, main
from streamcheck.cli.output import show_table
from streamcheck.config.schema import json_schema
from streamcheck.core.components import components

ROOT = Path(__file__).parents[2]
PAYMENTS = str(ROOT / "configs" / "payments.yaml")
HEAVY = ("river", "kafka", "numpy", "scipy", "pydantic", "yaml", "rich", "prometheus_client", "msgspec")


def run(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    path = tmp_path / "wrong.yaml"
    path.write_text("version: 1\nname: n\nstreams:\n  predictions: {topic: t, features: {a: numric}}\nalarms: 3\n")
    return str(path)


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["chek"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys\nfrom streamcheck.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_config_is_looked_at_without_river(command: str) -> None:
    """It takes longer to import than everything else; payments.yaml names detectors of river."""
    code = f"import sys\nfrom streamcheck.cli import main\ntry:\n    main([{command!r}, {PAYMENTS!r}])\nfinally:\n"
    code += "    print([name for name in ('river', 'scipy.stats') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert any(name in Path(PAYMENTS).read_text() for name in ("adwin", "page_hinkley"))


def test_help_lists_every_command_in_one_line() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", result.output, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "xit code" in result.output
    command = main.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_version() -> None:
    assert run("--version").output == f"streamcheck, version {__version__}\n"


def test_a_mistyped_command_names_the_nearest() -> None:
    result = run("expain")
    assert result.exit_code == 2
    assert "No such command 'expain'. Did you mean 'explain'?" in result.output
    assert "Commands: init, check, explain" in run("zzz").output


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamcheck", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"streamcheck, version {__version__}\n"


def test_check_of_a_good_config() -> None:
    result = run("check", PAYMENTS)
    assert (result.exit_code, result.output) == (
        0,
        f"{PAYMENTS}: ok: 2 topics, 7 features, 2 segmentations, 66 monitors; `streamcheck explain` shows them\n",
    )
    assert json.loads(run("check", "--json", PAYMENTS).output) == {"ok": True, "mistakes": [], "warnings": []}


def test_check_of_a_wrong_config(wrong: str) -> None:
    result = run("check", wrong)
    lines = result.output.splitlines()
    assert result.exit_code == 2
    mistake = "expected numeric or categorical, got 'numric' (did you mean 'numeric'?)"
    assert lines[0] == f"{wrong}: line 4: streams.predictions.features.a: {mistake}"
    assert lines[1].startswith(f"{wrong}: line 5: alarms: unknown key; known here: ")
    assert lines[2:] == ["2 mistakes"]


def test_check_as_json(wrong: str) -> None:
    result = run("check", "--json", wrong)
    said = json.loads(result.output)
    assert (result.exit_code, said["ok"]) == (2, False)
    assert said["mistakes"][0] == {
        "path": "streams.predictions.features.a",
        "message": "expected numeric or categorical, got 'numric'",
        "line": 4,
        "suggestion": "numeric",
    }


def test_check_shows_warnings_and_is_content(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\nname: n\nstreams: {predictions: {topic: t, features: {a: numeric}}}\n")
    result = run("check", str(path))
    assert result.exit_code == 0
    assert (
        "warning: line 1: alerts: nobody owns the alerts of 13 of 13 monitors; write alerts: {owner: TEAM}"
        in result.output
    )
    assert json.loads(run("check", "--json", str(path)).output)["warnings"][0]["path"] == "alerts"


@pytest.mark.parametrize("args", [["check"], ["explain"], ["explain", "--json"]])
def test_a_config_that_is_not_there(args: list[str]) -> None:
    result = run(*args, "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml: (the file): cannot be read: No such file or directory" in result.output


def test_explain_prints_plain_lines_when_piped() -> None:
    result = run("explain", PAYMENTS)
    lines = [line.split("\t") for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines[0] == ["subject", "what holds"]
    monitors = {line[0]: line for line in lines if len(line) == 10}
    assert len(monitors) == 67
    assert monitors["amount-adwin"][3:8] == [
        "rows",
        "adwin (delta=0.002, clock=32, max_buckets=5, min_window_length=5, grace_period=10)",
        "every row as it is",
        "the method's own, outside the budget",
        "none",
    ]
    assert (
        "page after 1m, resolved 10m after the last drift, to risk-oncall (https://wiki.example/fraud)"
        in monitors["error-ddm"]
    )


def test_explain_as_json() -> None:
    said = json.loads(run("explain", "--json", PAYMENTS).output)
    assert said["name"] == "payments"
    assert len(said["monitors"]) == 66


def test_explain_of_a_wrong_config_shows_its_mistakes(wrong: str) -> None:
    result = run("explain", wrong)
    assert result.exit_code == 2
    assert "did you mean 'numeric'?" in result.output


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table("title", ("one", "two"), [("a [b]", "c")])
    shown = capsys.readouterr().out
    assert "title" in shown
    assert "a [b]" in shown
    assert "\t" not in shown


def test_list_shows_every_component_with_its_parameters() -> None:
    said = json.loads(run("list", "--json").output)
    assert {family: [c["name"] for c in said[family]] for family in said} == {
        f"{family}s": list(components(family)) for family in ("detector", "measure", "reference")
    }
    adwin = next(c for c in said["detectors"] if c["name"] == "adwin")
    assert adwin["params"][0]["name"] == "delta"
    assert adwin["params"][0]["expected"] == "a number > 0 and < 1"
    assert all(c["summary"] and all(p["doc"] for p in c["params"]) for family in said for c in said[family])


def test_list_of_one_family_in_plain_lines() -> None:
    lines = [line.split("\t") for line in run("list", "detectors").output.splitlines()]
    assert lines[0] == ["detector", "answers", "parameter", "default", "expected", "meaning"]
    assert ["cusum", "", "h", "null"] in [line[:4] for line in lines]
    assert run("list", "gadgets").exit_code == 2


def verbs() -> list[tuple[str, click.Command]]:
    """Every command that does something, with its verbs."""
    found = []
    for name in COMMANDS:
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        found += [(f"{name} {verb}".strip(), each) for verb, each in inner.items()]
    return found


@pytest.mark.parametrize(("name", "command"), verbs(), ids=[name for name, _ in verbs()])
def test_scripts_are_answered_in_json(name: str, command: click.Command) -> None:
    options = {option for each in command.params for option in each.opts}
    if name in ("schema", "completion"):
        assert "--json" not in options, "JSON by itself, and a shell's script"
    else:
        assert "--json" in options


def test_schema_prints_the_json_schema() -> None:
    assert json.loads(run("schema").output) == json_schema()


def test_completion_offers_commands_and_options(tmp_path: Path) -> None:
    """The script of bash, run by bash, asks the command for what may follow."""
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash").output)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    for line, offered in (("streamcheck back", "backtest"), ("streamcheck run --until", "--until-end")):
        words = line.split()
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_STREAMCHECK_COMPLETE": "bash_complete"}
        command = [sys.executable, "-c", "from streamcheck.cli import main; main(prog_name='streamcheck')"]
        done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
        assert offered in done.stdout
