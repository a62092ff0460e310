"""How do names of undeclared fields come with rows? As one text for those of an event."""

from collections.abc import Iterable

NAMES_MAX = 64
"""Undeclared fields of an event (the first in alphabetical order), or pane, that are told apart: 4 KiB of letters."""
NAME_CHARS_MAX = 64
_BETWEEN = "\n"


def joined(names: Iterable[str]) -> str:
    """Names of fields, none of which holds the end of a line, as one text."""
    return _BETWEEN.join(names)


def parted(text: str) -> list[str]:
    """The names again.

    >>> parted(joined(["fee", "model.name"])), parted(joined([]))
    (['fee', 'model.name'], [])
    """
    return text.split(_BETWEEN) if text else []
