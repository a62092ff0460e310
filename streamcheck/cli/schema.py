"""`streamcheck schema`: what does an editor need to know to complete and check configs?"""

import click

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 (these three imports register the components)
from streamcheck.cli.output import show_json
from streamcheck.config.schema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of configs (draft 2020-12), for editors that complete and check YAML.

    The same stands in streamcheck/config/streamcheck.schema.json. Exit code: 0.
    """
    show_json(json_schema())
