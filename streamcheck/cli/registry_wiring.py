"""The schema registry that a config names, as the decoders ask it."""

from streamcheck.adapters.registry.http import HttpRegistry
from streamcheck.config.settings import SchemaRegistry


def open_registry(named: SchemaRegistry) -> HttpRegistry:
    """Nothing is connected yet. Raises SourceError for certificates that cannot be read."""
    return HttpRegistry(named.url, named.username, named.password, named.ca_file)
