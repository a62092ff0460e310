"""`streamcheck schema`: what does an editor need to know to complete and check configs?"""

import click

from streamcheck.cli.output import show_json
from streamcheck.config.plugins import enrol
from streamcheck.config.schema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of configs (draft 2020-12), for editors that complete and check YAML.

    The same stands in streamcheck/config/streamcheck.schema.json, but for plug-ins. Exit code: 0.
    """
    enrol()
    show_json(json_schema())
