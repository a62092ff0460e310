"""Can a config file hang, fill memory or execute anything? And has nobody added a way to?"""

import ast
import re
from pathlib import Path

import pytest

import streamcheck
from streamcheck.config.document import TEXT_BYTES_MAX
from streamcheck.config.load import load, loads
from streamcheck.errors import ConfigError

PACKAGE = Path(streamcheck.__file__).parent
BASE = "version: 1\nname: demo\nstreams: {predictions: {topic: t, features: {amount: numeric}}}\n"
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "[" * TEXT_BYTES_MAX,
        "{a: " * 200_000,
        "- " * 500_000,
        "a: " + "${A:-" * 200_000,
        "a: " + "${A}" * 200_000,
        "a: " + "9" * 1_000_000,
        "? " * 300_000,
        "&a " * 300_000,
        "".join(f"k{i}: ${{A}}\n" for i in range(70_000)),
        "a: &a [*a]\n",
        "a: \x00",
        "%YAML 9.9\n---\na: 1",
        "!!python/object/new:os.system [id]",
        BASE + "x: !!python/object/apply:os.system [id]\n",
        BASE + "x: !!binary aGVsbG8=\n",
        BASE + "x: !!timestamp 2026-01-01\n",
        BASE + "x: &b {c: 1}\ny: {<<: *b}\n",
        BASE + "name: again\n",
        BASE + "limits: {segments: .nan}\n",
        BASE + "limits: {segments: .inf}\n",
        BASE + "time: {pane: .inf}\n",
        BASE + "alarm_budget: .nan\n",
        BASE + "monitors: [{on: amount, detector: {adwin: {delta: .nan}}}]\n",
        BASE + "monitors: [{on: amount, detector: {page_hinkley: {threshold: .inf}}}]\n",
        BASE.replace("amount: numeric", "amount: {kind: numeric, range: [.nan, 1]}"),
    ],
    ids=range(26),
)
def test_a_hostile_config_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, {"A": "x"})
    assert caught.value.mistakes


def test_a_file_of_ten_megabytes_is_not_even_read(tmp_path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * 2_000_000)
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load(path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Dotted name and node of each call."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}
IMPORTS_BY_NAME = {"cli/__init__.py", "core/detectors/__init__.py"}  # out of a table, and its own neighbours


def test_nothing_in_the_package_executes_text() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for name, node in calls(ast.parse(path.read_text())):
            where = f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno} {name}"
            shell = any(word.arg == "shell" for word in node.keywords)
            by_name = name == "importlib.import_module" and path.relative_to(PACKAGE).as_posix() not in IMPORTS_BY_NAME
            if name in FORBIDDEN or shell or by_name:
                found.append(where)
    assert found == []


def patterns() -> list[tuple[str, object]]:
    """Every regular expression of the package, as written; None where it is put together while running."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for name, node in calls(ast.parse(path.read_text())):
            if re.fullmatch(r"re\.(compile|match|search|fullmatch|sub|subn|split|findall|finditer)", name):
                literal = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                found.append((f"{path.relative_to(PACKAGE)}:{node.lineno}", literal))
    return found


def nested(tree: object, inside: bool = False) -> bool:
    """Whether an unlimited repeat that may backtrack holds another one: the way to exponential time."""
    unlimited = re._constants.MAXREPEAT  # type: ignore[attr-defined]
    for op, arg in tree:  # type: ignore[attr-defined]
        repeats = str(op) in ("MAX_REPEAT", "MIN_REPEAT") and arg[1] == unlimited
        if repeats and inside:
            return True
        parts = arg if isinstance(arg, list | tuple) else ()
        subs = [part for part in parts if isinstance(part, re._parser.SubPattern)]  # type: ignore[attr-defined]
        subs += [p for part in parts if isinstance(part, list) for p in part if isinstance(p, re._parser.SubPattern)]  # type: ignore[attr-defined]
        if any(nested(sub, inside or repeats) for sub in subs):
            return True
    return False


def test_regular_expressions_are_our_own_and_cannot_hang() -> None:
    """None comes from a config or an event, and none nests repeats."""
    found = patterns()
    assert len(found) > 10
    assert [where for where, literal in found if literal is None] == []
    assert [where for where, literal in found if nested(re._parser.parse(literal))] == []  # type: ignore[attr-defined]
    assert nested(re._parser.parse("(a+)+b"))  # type: ignore[attr-defined]
