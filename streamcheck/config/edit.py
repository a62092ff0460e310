"""One setting of a config's text changed, everything else left as it is written: comments, order, layout."""

import json
from typing import Any

import yaml

from streamcheck.config.document import Path, path_text
from streamcheck.config.models import Config
from streamcheck.core.components import nearest
from streamcheck.errors import ParameterError

COMPONENTS = ("detector", "measure")
"""Settings that are the name of a component, or that name with parameters."""
_SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+ /")


def find(text: str, dotted: str) -> Path:
    r"""Where a dotted path of the command line leads: `alarm_budget`, or `NAME.detector.below` in the monitor NAME.

    The name of a component may be left out where the config names one, and a setting that has its default need not be
    written. Raises ParameterError with the nearest name.

    >>> find("monitors:\n  - {name: low, on: a, detector: {threshold: {below: 1}}}", "low.detector.below")
    ('monitors', 0, 'detector', 'threshold', 'below')
    """
    root = _root(text)
    entries = _entry(root, "monitors")
    names = {
        name.value: at
        for at, entry in enumerate(entries.value if isinstance(entries, yaml.SequenceNode) else [])
        if (name := _entry(entry, "name")) is not None
    }
    owner = max((name for name in names if dotted == name or dotted.startswith(name + ".")), key=len, default=None)
    if owner is not None:
        assert isinstance(entries, yaml.SequenceNode)
        parts = dotted[len(owner) + 1 :].split(".") if len(dotted) > len(owner) else []
        return _below(entries.value[names[owner]], ("monitors", names[owner]), parts)
    first = dotted.split(".", maxsplit=1)[0]
    keys = [key.value for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
    if first not in keys and first in Config.model_fields:
        return tuple(dotted.split("."))
    if first not in keys:
        known = [*names, *Config.model_fields]
        close = nearest(first, known)
        hint = f"; did you mean {close!r}?" if close else f"; there are {', '.join(known)}"
        raise ParameterError(f"the config has no monitor of its own and no setting {first!r}{hint}", first, close)
    return _below(root, (), dotted.split("."))


def _below(node: yaml.Node, path: Path, parts: list[str]) -> Path:
    """The rest of a path: a component's name is put in where the parts leave it out."""
    for at, part in enumerate(parts):
        inner = _entry(node, part)
        only = node.value[0] if isinstance(node, yaml.MappingNode) and len(node.value) == 1 else None
        in_component = bool(path) and path[-1] in COMPONENTS
        if inner is None and in_component and only is not None and part != only[0].value:
            path, node = (*path, only[0].value), only[1]
            inner = _entry(node, part)
        elif inner is None and in_component and isinstance(node, yaml.ScalarNode) and part != node.value:
            return (*path, node.value, *parts[at:])
        if inner is None:
            return (*path, *parts[at:])
        path, node = (*path, part), inner
    return path


def change(text: str, path: Path, value: str) -> str:
    r"""The text with this value (as YAML) at the path; what is missing on the way is written in.

    >>> change("a: {b: 1}   # one", ("a", "b"), "2")
    'a: {b: 2}   # one'
    >>> change("m:\n  - detector: adwin  # river's", ("m", 0, "detector", "adwin", "delta"), "0.01")
    "m:\n  - detector: {adwin: {delta: 0.01}}  # river's"
    >>> change("reference: auto", ("reference", "first"), "1h")
    'reference: {first: 1h}'
    """
    node, done = _root(text), 0
    for part in path:
        inner = (
            node.value[part] if isinstance(node, yaml.SequenceNode) and isinstance(part, int) else _entry(node, part)
        )
        if inner is None:
            break
        node, done = inner, done + 1
    rest = path[done:]
    if not rest:
        return _replaced(text, node, value)
    flow = _flow(rest[1:], value)
    if isinstance(node, yaml.MappingNode):
        return _inserted(text, node, str(rest[0]), flow)
    assert isinstance(node, yaml.ScalarNode), f"{path_text(path)}: nothing can be put in there"
    if path[done - 1] not in COMPONENTS:
        return _replaced(text, node, _flow(rest, value))
    whole = _flow(rest, value) if rest[0] == node.value or not node.value else f"{{{node.value}: {_flow(rest, value)}}}"
    return text[: node.start_mark.index] + whole + text[node.end_mark.index :]


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    """A block ends where the next thing begins: the lines between stay."""
    start, end = node.start_mark.index, node.end_mark.index
    old = text[start:end]
    return text[:start] + value + old[len(old.rstrip()) :] + text[end:]


def _inserted(text: str, node: yaml.MappingNode, key: str, value: str) -> str:
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end].rstrip() + (", " if node.value else "") + f"{key}: {value}" + text[end:]
    first = node.value[0][0].start_mark
    return f"{text[: first.index]}{key}: {value}\n{' ' * first.column}{text[first.index :]}"


def _flow(path: Path, value: str) -> str:
    for part in reversed(path):
        value = f"{{{part}: {value}}}"
    return value


def _root(text: str) -> yaml.Node:
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    return root if root is not None else yaml.MappingNode("tag:yaml.org,2002:map", [])


def _entry(node: yaml.Node | None, key: object) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def scalar(value: object) -> str:
    """A value as YAML that a config may hold.

    >>> scalar(0.25), scalar("1 per week"), scalar("a: b")
    ('0.25', '1 per week', '"a: b"')
    """
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    text = str(value)
    return text if text and set(text) <= _SAFE and text == text.strip() else json.dumps(text, ensure_ascii=False)
