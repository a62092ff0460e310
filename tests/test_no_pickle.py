"""Can bytes from outside ever be executed? The package is free of the pickle family (the wheel: tests/release)."""

import io
import tokenize
from pathlib import Path

import pytest

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


def test_the_package_is_free_of_it() -> None:
    found = [
        each
        for path in sorted((ROOT / "streamcheck").rglob("*.py"))
        for each in findings(path.read_bytes(), str(path.relative_to(ROOT)))
    ]
    assert found == []


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
