"""`streamcheck state`: what does the saved state hold, can it be used, and how is it set aside or made again?"""

import click

from streamcheck.cli.state_check import check
from streamcheck.cli.state_export import export
from streamcheck.cli.state_rebuild import rebuild
from streamcheck.cli.state_reset import reset
from streamcheck.cli.state_show import show


@click.group()
def state() -> None:
    """Look at the saved state of a config, check, export, reset or rebuild it.

    Exit codes: 0 done, 1 the state cannot be used or the command failed, 2 a mistake in the config or the command line.
    """


for command in (show, check, export, reset, rebuild):
    state.add_command(command)
