"""Do README and docs tell the truth? Blocks are run or checked, links followed, generated pages compared with code."""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.config.load import load
from streamcheck.core import alerts, records
from streamcheck.core.plan import ComponentSpec, MonitorSpec, Target
from tools.gen_docs import pages

ROOT = Path(__file__).parent.parent
BESIDE = [ROOT / folder / "README.md" for folder in ("bench", "evaluate")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *BESIDE], key=lambda path: path.as_posix())
CONFIGS = sorted(
    path
    for path in (*(ROOT / "configs").glob("**/*.yaml"), *(ROOT / "deploy").glob("payments*.yaml"))
    if not path.name.endswith((".test.yaml", ".incidents.yaml"))
)
EXECUTED = {"check", "explain", "list", "schema"}
"""Commands that need no broker and end at once; of the others the name and the options must exist."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, line, language and content."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    fences = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in fences]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


@pytest.mark.parametrize("block", [b for b in of("python") if b.page.name != "plugins.md"], ids=str)
def test_python_blocks_run(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `predictions` and `labels` at hand, as their texts say; those of plugins.md run in tests/test_plugins.py."""
    monkeypatch.chdir(ROOT)
    exec(compile(block.text, str(block), "exec"), {"predictions": [], "labels": []})


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands() -> dict[str, click.Command]:
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def test_the_pages_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in PAGES}
    assert {"README.md", "CHANGELOG.md", "ARCHITECTURE.md", "docs/concepts.md"} <= names
    assert of("yaml")
    assert of("console")


def test_blocks_are_of_a_kind_that_is_checked() -> None:
    known = {"", "console", "json", "python", "text", "yaml"}
    assert [str(block) for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_resolve(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)(#[^)]*)?\)", page.read_text())
    for target, anchor in links:
        file = page.parent / target if target else page
        assert file.exists(), f"{target} is linked but does not exist"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_configs_in_pages_are_valid(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(block.text)
    load(config, {})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_configs_that_are_shipped_are_valid(path: Path) -> None:
    load(path, {})


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_commands_in_pages_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (other for other in of("yaml") if other.page == block.page):
        (tmp_path / f"{yaml.safe_load(config.text)['name']}.yaml").write_text(config.text)
    monkeypatch.chdir(tmp_path)
    lines = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    assert lines, "a console block has lines that begin with $"
    for line in lines:
        words = [word for word in shlex.split(line, comments=True) if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= make_targets()
        elif words[0] == "streamcheck":
            run_or_parse(words[1:])
        else:
            assert words[0] in {"cd", "curl", "docker", "git", "pip"}, f"{line!r} is of a kind that nothing checks"


def run_or_parse(arguments: list[str]) -> None:
    if arguments[0] in EXECUTED:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert result.output.strip()
    else:
        command = commands()[arguments[0]]
        command.make_parser(click.Context(command)).parse_args(arguments[1:])


def test_commands_named_in_the_text_exist() -> None:
    for page in PAGES:
        text = page.read_text()
        named = set(re.findall(r"`streamcheck ([a-z][a-z-]*)", text))
        assert named <= commands().keys(), page
        assert set(re.findall(r"`make ([a-z][a-z-]*)", text)) <= make_targets(), page


def test_every_command_and_option_is_documented() -> None:
    readme, reference = (ROOT / "README.md").read_text(), (ROOT / "docs/cli.md").read_text()
    for name, command in commands().items():
        assert f"`streamcheck {name}" in readme
        chapter = reference.split(f"\n## {name}\n")[1].split("\n## ")[0]
        verbs = command.commands.values() if isinstance(command, click.Group) else ()
        for each, section in [(command, chapter), *((v, chapter.split(f"\n### {name} {v.name}\n")[1]) for v in verbs)]:
            for option in (o for o in each.params if isinstance(o, click.Option) and not o.hidden):
                assert all(opt in section.split("\n### ")[0] for opt in option.opts), option


@pytest.mark.parametrize("path", sorted(pages()))
def test_generated_pages_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text() == pages()[path], f"{path} is stale: make docs"


def test_the_alert_in_the_readme_has_the_fields_of_a_real_one() -> None:
    [block] = [block for block in of("json") if block.page.name == "README.md"]
    spec = MonitorSpec("m", Target.COLUMN, "amount", ComponentSpec("adwin"))
    finding = alerts.Finding(0, 2.0, 1.0, None, None, 1, 1)
    transition = alerts.Transition("firing", 0, 0, 10_000, finding)
    change = alerts.Change(spec, (("tier", "premium"),), "mean", transition)
    real = json.loads(records.record("payments", "77ab01c4e5d29f30", 1, "1c0d77e2a9b4", change))
    shown = json.loads(block.text)
    assert list(shown) == list(real)
    assert shown["segment"] == real["segment"]
    assert shown["summary"].startswith("amount for tier=premium rose from 104.9 to 212.4 (mean of")
    assert real["summary"].startswith("amount for tier=premium rose from 1 to 2 (mean of")


def test_the_makefile_explains_its_targets() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert set(re.findall(r"make ([a-z-]+)", listed)) >= set(phony)


def test_the_changelog_has_room_for_the_next_release() -> None:
    assert re.search(r"^## Unreleased\n\n### ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
