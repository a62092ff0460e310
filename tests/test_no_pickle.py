"""Can bytes from outside ever be executed? The package, and the wheel that users get, are free of the pickle family."""

import io
import subprocess
import sys
import tokenize
import zipfile
from pathlib import Path

import pytest
import setuptools  # noqa: F401 - builds the wheel; in the `dev` extra, so that no network is needed

ROOT = Path(__file__).parents[1]
FORBIDDEN = frozenset(
    {
        *("pickle", "cPickle", "_pickle", "cloudpickle", "jsonpickle", "dill", "joblib", "marshal", "shelve"),
        *("__reduce__", "__reduce_ex__", "read_pickle", "to_pickle", "allow_pickle", "fromfile", "copyreg"),
        *("unsafe_load", "full_load", "unsafe_load_all", "full_load_all", "UnsafeLoader", "FullLoader", "CFullLoader"),
        *("eval", "exec", "execfile", "__import__", "run_path", "run_string"),
    }
)
NEVER_OF = {"yaml": frozenset({"load", "load_all", "Loader", "CLoader"}), "np": frozenset({"load", "save", "savez"})}
"""Attributes that are harmless of other things: `codec.load` is not `yaml.load`."""


def findings(source: bytes, name: str) -> list[str]:
    """Where a forbidden name is used; comments and docstrings may speak of it, strings that look like code may not."""
    found = []
    between = (tokenize.NL, tokenize.COMMENT)
    tokens = [token for token in tokenize.tokenize(io.BytesIO(source).readline) if token.type not in between]
    for at, token in enumerate(tokens):
        if token.type != tokenize.NAME:
            continue
        owner = tokens[at - 2].string if tokens[at - 1].string == "." else ""
        if token.string in FORBIDDEN or token.string in NEVER_OF.get(owner, ()):
            found.append(f"{name}:{token.start[0]}: {token.line.strip()}")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """What `pip install streamcheck` would unpack, built without a network from a copy of what is in git."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "streamcheck").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    outcome = subprocess.run([*command, "-w", str(out), str(source)], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_the_package_is_free_of_it() -> None:
    found = [
        each
        for path in sorted((ROOT / "streamcheck").rglob("*.py"))
        for each in findings(path.read_bytes(), str(path.relative_to(ROOT)))
    ]
    assert found == []


def test_the_wheel_is_free_of_it(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    modules = [name for name in names if name.endswith(".py")]
    assert len(modules) > 100
    assert [each for name in modules for each in findings(wheel.read(name), name)] == []
    kinds = {Path(name).suffix for name in names if not name.endswith("/") and ".dist-info/" not in name}
    assert kinds <= {".py", ".typed", ".yaml", ".json", ".html", ".css", ".js"}, "nothing compiled, nothing serialised"


def test_the_wheel_holds_what_the_package_needs(wheel: zipfile.ZipFile) -> None:
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "streamcheck").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = there - set(wheel.namelist())
    assert missing == set()


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from cloudpickle import dumps",
        "thing.load(path, allow_pickle=True)",
        "array = np.load(path)",
        "config = yaml.load(text)",
        "config = yaml.unsafe_load(text)",
        "value = eval(expression)",
        "exec(code)",
        "state = thing.__reduce__()",
        "import joblib as j",
        "marshal.loads(data)",
    ],
)
def test_every_member_of_the_family_is_seen(line: str) -> None:
    assert findings(line.encode(), "x.py") == [f"x.py:1: {line}"]


def test_words_are_no_code() -> None:
    innocent = b'"""No pickle, no eval."""\n# yaml.load is banned\nload(path)\nyaml.parse(text)\nre.compile("x")\n'
    assert findings(innocent, "x.py") == []
