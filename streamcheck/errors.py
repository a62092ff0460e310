"""Everything streamcheck raises on purpose, as one tree.

StreamcheckError
├── ConfigError        the user's configuration: carries every mistake found
├── ParameterError     one parameter of one component
├── StateError         saved state that cannot be used: damaged, newer, of another config
│   ├── StateUnavailable   the disk does not take or give it at the moment
│   └── StateLocked        another process uses it
├── PluginError        components of another package that cannot be loaded
├── ProfileError       a reference profile that cannot be used: damaged, newer, not one
├── SourceError        the input: unknown topic, fewer partitions, a position that retention removed
│   └── RegistryUnavailable  the schema registry does not answer
└── DeliveryError      the output: an alert that could not be delivered
"""

from dataclasses import dataclass


class StreamcheckError(Exception):
    """Base of all errors that a user can act upon."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a config file: where, what was expected, what to write instead."""

    path: str
    message: str
    line: int | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        hint = f" (did you mean {self.suggestion!r}?)" if self.suggestion else ""
        return f"{where}{self.path}: {self.message}{hint}"


class ConfigError(StreamcheckError):
    """A config that cannot be used; `mistakes` holds all of them, in file order."""

    def __init__(self, mistakes: tuple[Mistake, ...], source: str = "config") -> None:
        self.mistakes = mistakes
        self.source = source
        super().__init__("\n".join(f"{source}: {mistake}" for mistake in mistakes))


class ParameterError(StreamcheckError):
    """A component was given a parameter it cannot take.

    `parameter` is its name (None: the component itself), `suggestion` the nearest valid name.
    """

    def __init__(self, message: str, parameter: str | None = None, suggestion: str | None = None) -> None:
        self.parameter = parameter
        self.suggestion = suggestion
        super().__init__(message)


class PluginError(StreamcheckError):
    """A package offers components that cannot be loaded, or whose names are taken."""


class StateError(StreamcheckError):
    """Saved state cannot be used, and why; never resolved by a silent reset."""


class StateUnavailable(StateError):  # noqa: N818 - a state of the world that passes, not a mistake
    """The disk does not take or give the state (full, failing, mounted read-only); nothing is lost, try again later."""


class StateLocked(StateError):  # noqa: N818 - a state of the world that passes, not a mistake
    """Another process uses the state directory."""


class ProfileError(StreamcheckError):
    """A reference profile cannot be used, and why."""


class WorkerLost(StreamcheckError):  # noqa: N818 - named for what was found
    """A worker process has ended on its own; a restart reads again what it had."""


class SourceError(StreamcheckError):
    """The input cannot be read as asked, and the way out."""


class RegistryUnavailable(SourceError):  # noqa: N818 - a state of the world that passes, not a mistake
    """The schema registry has not answered for too long; nothing is lost, start again later."""


class DeliveryError(StreamcheckError):
    """Alerts could not be delivered; they stay in the outbox."""
