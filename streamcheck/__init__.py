"""streamcheck: a deterministic streaming drift detector for machine-learning services on Kafka.

`Watch` and `replay` are the engine as a library (docs/library.md); everything else is the command `streamcheck`.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from streamcheck.library import Watch, replay

__all__ = ["Watch", "__version__", "replay"]


def __getattr__(name: str) -> Any:
    """The library, imported when it is used: the command line starts without numpy."""
    if name in ("Watch", "replay"):
        from streamcheck import library  # noqa: PLC0415

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
