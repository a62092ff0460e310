"""`streamcheck completion`: commands and options at a press of the tab key."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_STREAMCHECK_COMPLETE"
SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash and zsh: eval "$(streamcheck completion bash)" in ~/.bashrc or ~/.zshrc. For fish:
    streamcheck completion fish > ~/.config/fish/completions/streamcheck.fish

    Exit codes: 0 printed, 2 a mistake in the command line.
    """
    from streamcheck.cli import main  # noqa: PLC0415 (it imports this module)

    made = get_completion_class(shell)
    assert made is not None, shell
    click.echo(made(main, {}, "streamcheck", VARIABLE).source())
