"""What do several profiles come to together? Sums merge; bins must be the same."""

from dataclasses import replace

from streamcheck.core.profile_text import accumulator, sealed
from streamcheck.core.profiles import Content, Key, Profile
from streamcheck.errors import ProfileError


def merged(first: Profile, second: Profile) -> Profile:
    """Both together, named as the first. Raises ProfileError where panes, kinds or bins differ."""
    if first.pane_ms != second.pane_ms:
        raise ProfileError(f"panes of {first.pane_ms} ms and of {second.pane_ms} ms do not merge")
    if first.training != second.training:
        raise ProfileError("one is of training data and the other is not")
    for name, kind in second.kinds.items():
        if first.kinds.get(name, kind) != kind:
            raise ProfileError(f"{name} is {first.kinds[name]} in one and {kind} in the other")
    for name, layout in second.layouts.items():
        if name in first.layouts and first.layouts[name].edges.tolist() != layout.edges.tolist():
            raise ProfileError(f"{name} has other bins in the second: make it again with --like the first")
    contents = dict(first.contents)
    for key, content in second.contents.items():
        contents[key] = _together(key, contents[key], content) if key in contents else content
    begins = [at for at in (first.from_ms, second.from_ms) if at is not None]
    ends = [at for at in (first.to_ms, second.to_ms) if at is not None]
    together = replace(
        first,
        kinds={**second.kinds, **first.kinds},
        rows=first.rows + second.rows,
        from_ms=min(begins, default=None),
        to_ms=max(ends, default=None),
        layouts={**second.layouts, **first.layouts},
        contents=contents,
    )
    return sealed(together)


def _together(key: Key, one: Content, other: Content) -> Content:
    total = accumulator(key, one.state)
    total.merge(accumulator(key, other.state))
    return Content(one.panes + other.panes, total.export())
