"""YAML with places: scalars as YAML 1.2 has them, a line for every path, limits on everything."""

import pytest

from streamcheck.config.document import ALIASES_MAX, DEPTH_MAX, Document, Unreadable, read
from streamcheck.config.environment import substitute


def document(text: str) -> Document:
    return read(text, lambda scalar: substitute(scalar, {"A": "filled"}))


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "{on: on, no: NO, yes: 'true', t: true, n: null, e: , i: 12, f: 1e-3, d: 2026-3-1, o: 0o7, s: 1:30, h: 0x1f}"
    assert document(text).data == {
        "on": "on",
        "no": "NO",
        "yes": "true",
        "t": True,
        "n": None,
        "e": None,
        "i": 12,
        "f": 0.001,
        "d": "2026-3-1",
        "o": "0o7",
        "s": "1:30",
        "h": "0x1f",
    }


def test_every_path_has_its_line_and_variables_stay_visible() -> None:
    made = document("a:\n  b:\n    - 1\n    - ${A}\nc: {d: 2}\n")
    assert made.data == {"a": {"b": [1, "filled"]}, "c": {"d": 2}}
    assert made.written == {"a": {"b": [1, "${A}"]}, "c": {"d": 2}}
    assert [made.place(p)[0] for p in [("a",), ("a", "b"), ("a", "b", 1), ("c", "d"), ("c", "missing")]] == [
        1,
        2,
        4,
        5,
        5,
    ]
    assert made.shown(("a", "b", 1)) == "'${A}'"
    assert made.varies(("a",))
    assert not made.varies(("c",))


def test_aliases_repeat_with_places_of_their_own() -> None:
    made = document("a: &x {p: [1, {q: 2}]}\nb: *x\nc: &y [*x]\nd: *y\n")
    assert made.data == {
        "a": {"p": [1, {"q": 2}]},
        "b": {"p": [1, {"q": 2}]},
        "c": [{"p": [1, {"q": 2}]}],
        "d": [{"p": [1, {"q": 2}]}],
    }
    assert made.has(("b", "p", 1, "q"))
    assert made.has(("d", 0, "p", 0))


def test_a_key_written_twice_is_a_mistake() -> None:
    made = document("a: 1\nb:\n  c: 2\n  c: {d: 3}\n")
    assert [str(m) for m in made.mistakes] == ["line 4: b.c: 'c' is written twice; the first stands on line 3"]
    assert made.data == {"a": 1, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "the file is empty; a config begins with version: 1", None),
        ("# nothing\n", "the file is empty; a config begins with version: 1", None),
        ("a: 1\n---\nb: 2\n", "the file holds several YAML documents; a config is one", None),
        ("a: 1\nb: [1, 2\nc: 3\n", "not valid YAML: did not find expected ',' or ']'", 3),
        (
            "a: 1\nname payments\nb: 2\n",
            "not valid YAML: could not find expected ':'; a key takes a colon and a blank, as in name: payments",
            2,
        ),
        (
            "a:\n\tb: 2\n",
            "not valid YAML: found character that cannot start any token; indent with spaces, not with tabs",
            2,
        ),
        ("a: *b\n", "the alias *b refers to nothing complete before it", 1),
        ("a: &a [*a]\n", "the alias *a refers to nothing complete before it", 1),
        ("? [1]\n: 2\n", "a key must be a plain text", 1),
        ("a: \0", "not valid YAML: it contains a character that YAML does not allow", None),
        ("[" * (DEPTH_MAX + 2), f"nested more than {DEPTH_MAX} deep", 1),
        ("[" * 100_000, f"nested more than {DEPTH_MAX} deep", 1),
        ("x" * 2_000_000, "the file is larger than 1024 KiB", None),
        ("a: &a 1\nb: [" + "*a," * (ALIASES_MAX + 1) + "]", f"more than {ALIASES_MAX} aliases", 2),
    ],
    ids=range(14),
)
def test_what_cannot_be_read(text: str, message: str, line: int | None) -> None:
    with pytest.raises(Unreadable) as caught:
        document(text)
    assert (caught.value.message, caught.value.line) == (message, line)


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [" + ",".join("x" * 100) + "]"]
    lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 20) + "]" for i in range(1, 8)]
    with pytest.raises(Unreadable, match="more than"):
        document("\n".join(lines))


def test_tags_and_merge_keys_are_refused_in_words() -> None:
    made = document("a: !!python/object/apply:os.system [ls]\nb: &b {c: 1}\nd:\n  <<: *b\n")
    assert [(m.path, m.line) for m in made.mistakes] == [("a", 1), ("d.<<", 4)]
    assert made.data["a"] == ["ls"]
