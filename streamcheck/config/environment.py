"""What does `${NAME}` stand for in a config?"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\})?")


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with its variables filled in, and the names of those that are not set.

    `${NAME:-default}` stands for the default where NAME is unset or empty, `$${` for a literal `${`. A `${` that is
    neither gives the name "". What a variable holds is not looked into again.

    >>> substitute("${HOST:-localhost}:${PORT}", {"PORT": "9092"})
    ('localhost:9092', ())
    >>> substitute("${TOKEN} and ${", {})
    (' and ', ('TOKEN', ''))
    """
    unset: list[str] = []

    def fill(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if match[0] == "$${":
            return "${"
        value = environ.get(name or "", "")
        if default is not None:
            return value or default
        if not name or name not in environ:
            unset.append(name or "")
        return value

    return _REFERENCE.sub(fill, text), tuple(unset)
