"""How does a profile stand in a file? As JSON with a version and a digest; what does not agree with them is refused."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.components import State, build
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.profiles import Content, Key, Label, Profile
from streamcheck.core.summaries import Layout
from streamcheck.errors import ProfileError

VERSION = 1
CONTENTS_MAX = 100_000
"""Monitors times segments in one profile."""


class _Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    edges: list[float]
    weights: list[tuple[float, float]]
    origin: float
    third: float = 0.0


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target: str
    column: str
    measure: str
    params: dict[str, Any]
    by: list[str]
    segment: dict[str, str]
    panes: int
    content: dict[str, Any]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    streamcheck_profile: int
    digest: str
    name: str
    pane_ms: int
    kinds: dict[str, str]
    rows: int
    from_ms: int | None
    to_ms: int | None
    layouts: dict[str, _Layout]
    contents: list[_Content]
    training: bool = False


def to_text(profile: Profile) -> bytes:
    """The profile as JSON, one content a line; its digest is made anew."""
    body = _body(profile)
    mark = _digest(body)
    lines = ",\n".join(_json(content) for content in body.pop("contents"))
    head = {"streamcheck_profile": VERSION, "digest": mark, **body}
    return f'{_json(head)[:-1]}, "contents": [\n{lines}\n]}}\n'.encode()


def from_text(text: bytes) -> Profile:
    """The profile that was written. Raises ProfileError where it is another thing, newer, cut off or changed."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ProfileError(f"it is no JSON, or was cut off: {error}") from error
    if not isinstance(raw, dict) or "streamcheck_profile" not in raw:
        raise ProfileError("it is no profile; `streamcheck profile CONFIG` makes one")
    if raw["streamcheck_profile"] != VERSION:
        said = raw["streamcheck_profile"]
        raise ProfileError(f"it is of version {said!r}, this release reads {VERSION}; make it again")
    try:
        held = msgspec.convert(raw, _File)
        profile = _profile(held)
    except (msgspec.ValidationError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ProfileError(f"it is damaged: {error}") from error
    if _digest(_body(profile)) != held.digest:
        raise ProfileError("it was changed or damaged: its digest is another one")
    return replace(profile, digest=held.digest)


def accumulator(key: Key, state: State) -> Accumulator:
    """A content that can be asked. Raises ProfileError where the measure cannot take it."""
    try:
        made: Accumulator = build("measure", key.measure, dict(key.params)).accumulator()
        made.restore(state)
    except Exception as error:  # whatever a component makes of a state that is not its own
        raise ProfileError(f"{key.measure} of {key.column} cannot be read: {error}") from error
    return made


def sealed(profile: Profile) -> Profile:
    """The profile with the digest of what it holds."""
    return replace(profile, digest=_digest(_body(profile)))


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(body).encode()).hexdigest()[:24]


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def _body(profile: Profile) -> dict[str, Any]:
    """What gives a profile its meaning, as plain data in one order."""
    layouts = {
        name: {
            "edges": _plain(held.edges), "weights": _plain(held.weights), "origin": held.origin,
            **({"third": held.third} if held.third else {}),
        }
        for name, held in sorted(profile.layouts.items())
    }
    contents = [
        {
            "target": key.target,
            "column": key.column,
            "measure": key.measure,
            "params": dict(key.params),
            "by": list(key.by),
            "segment": dict(key.segment),
            "panes": content.panes,
            "content": _plain(content.state),
        }
        for key, content in sorted(profile.contents.items(), key=lambda pair: _order(pair[0]))
    ]
    return {
        "name": profile.name,
        "pane_ms": profile.pane_ms,
        "kinds": dict(sorted(profile.kinds.items())),
        "rows": profile.rows,
        "from_ms": profile.from_ms,
        "to_ms": profile.to_ms,
        **({"training": True} if profile.training else {}),
        "layouts": layouts,
        "contents": contents,
    }


def _order(key: Key) -> tuple[str, ...]:
    return (key.column, key.target, key.measure, _json(dict(key.params)), _json(key.by), _json(dict(key.segment)))


def _profile(held: _File) -> Profile:
    if len(held.contents) > CONTENTS_MAX:
        raise ValueError(f"{len(held.contents):,} contents, at most {CONTENTS_MAX:,}")
    layouts = {name: _layout(layout) for name, layout in held.layouts.items()}
    contents: dict[Key, Content] = {}
    for each in held.contents:
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in each.params.items()}
        params = tuple(sorted(given.items()))
        segment: Label = tuple(each.segment.items())
        if tuple(each.segment) != tuple(each.by):
            raise ValueError(f"{each.column}: a segment of {list(each.segment)}, by {each.by}")
        key = Key(each.target, each.column, each.measure, params, tuple(each.by), segment)
        if key in contents:
            raise ValueError(f"{each.column}, {each.measure}: twice")
        contents[key] = Content(each.panes, each.content)
        _check(key, each.content, layouts)
    times = held.from_ms, held.to_ms
    return Profile(
        held.name, held.pane_ms, held.kinds, held.rows, *times, layouts, contents, held.digest, held.training
    )


def _layout(held: _Layout) -> Layout:
    edges, weights = np.array(held.edges, np.float64), np.array(held.weights, np.float64)
    if not len(edges) or weights.shape != (len(edges) + 1, 2) or not bool(np.all(np.diff(edges) > 0)):
        raise ValueError("bins that do not ascend, or lack their scores")
    return Layout(edges, weights, held.origin, held.third)


def _check(key: Key, state: State, layouts: Mapping[str, Layout]) -> None:
    """Whether the measure takes it, and its counts are of the column's bins."""
    made = accumulator(key, state)
    counts = getattr(made, "counts", None)
    if isinstance(counts, np.ndarray) and (key.column not in layouts or len(counts) != layouts[key.column].n_bins):
        raise ValueError(f"{key.column}: counts of other bins than its layout has")


def _plain(value: Any) -> Any:
    """Arrays as lists, numpy numbers as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
