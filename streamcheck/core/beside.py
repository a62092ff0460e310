"""What may be done while something else is done? A port: the core has no threads of its own."""

from collections.abc import Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Beside(Protocol):
    """Who may begin work at once that shares nothing with what is done meanwhile."""

    def __call__(self, work: Callable[[], Result]) -> Callable[[], Result]:
        """What this returns gives the work's result, or raises what the work raised; it is called once."""


def later(work: Callable[[], Result]) -> Callable[[], Result]:
    """Nobody is beside: it is done when its result is wanted.

    >>> later(lambda: 7)()
    7
    """
    return work
