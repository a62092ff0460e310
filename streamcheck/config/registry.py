"""Where are the schemas that events are written by? The model of `schema_registry` in a config."""

from pydantic import Field

from streamcheck.config.notify import Url
from streamcheck.config.settings import SchemaRegistry
from streamcheck.config.streams import Section
from streamcheck.config.values import Text


class SchemaRegistrySection(Section):
    """A schema registry that speaks Confluent's REST interface (Confluent, Karapace, Apicurio's ccompat, Redpanda)."""

    url: Url = Field(description="Its address, such as http://registry:8081.")
    username: Text | None = Field(None, description="To log in as; a key of the cloud's.")
    password: Text | None = Field(None, description="${ENV}.")
    ca_file: Text | None = Field(None, description="Certificates that its own is checked by; left out: the system's.")


def compile_registry(section: SchemaRegistrySection | None) -> SchemaRegistry | None:
    """What the runtime needs of it."""
    if section is None:
        return None
    return SchemaRegistry(section.url, section.username, section.password, section.ca_file)
