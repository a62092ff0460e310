"""The schema registry that a config names, as the decoders ask it."""

from typing import TYPE_CHECKING

from streamcheck.config.settings import SchemaRegistry

if TYPE_CHECKING:
    from streamcheck.adapters.registry.http import HttpRegistry


def open_registry(named: SchemaRegistry) -> "HttpRegistry":
    """Nothing is connected yet. Raises SourceError for certificates that cannot be read."""
    from streamcheck.adapters.registry.http import HttpRegistry  # noqa: PLC0415 (30 ms, of each worker)

    return HttpRegistry(named.url, named.username, named.password, named.ca_file)
