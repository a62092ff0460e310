"""The command line: `main` and the table of its commands. Only click is imported here; commands when they run."""

import difflib
import importlib

import click

from streamcheck import __version__
from streamcheck.cli.exits import EXIT_CRASHED, EXIT_FAILURE, EXIT_MISTAKE, EXIT_TEMPORARY
from streamcheck.cli.installation import incomplete
from streamcheck.errors import ConfigError, RegistryUnavailable, StateUnavailable, StreamcheckError, WorkerLost

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("streamcheck.cli.init:init", "Look at a topic or a file, and write a config for it."),
    "check": ("streamcheck.cli.check:check", "Find every mistake in a config."),
    "explain": ("streamcheck.cli.explain:explain", "Show the monitors, limits and budget that a config comes to."),
    "list": (
        "streamcheck.cli.components:list_components",
        "Show detectors, measures and references with their parameters.",
    ),
    "run": ("streamcheck.cli.run:run", "Watch topics; publish alerts, gauges and a status page."),
    "alerts": ("streamcheck.cli.alerts:alerts", "Show what is firing in a running service; history; follow."),
    "silence": ("streamcheck.cli.silence:silence", "Keep messages about some alerts back for a while."),
    "top": ("streamcheck.cli.top:top", "Watch a running service: monitors, lag, labels."),
    "backtest": ("streamcheck.cli.backtest:backtest", "Replay files or topics: which alerts would have fired?"),
    "calibrate": ("streamcheck.cli.calibrate:calibrate", "Propose detectors' parameters for a budget, from history."),
    "test": ("streamcheck.cli.scenarios:test", "Run scenario tests: rows in, expected alerts out."),
    "profile": ("streamcheck.cli.profile:profile", "Make a reference profile of history; show, diff, merge profiles."),
    "acknowledge": ("streamcheck.cli.acknowledge:acknowledge", "Say that an alert is known, or is the new normal."),
    "rebaseline": ("streamcheck.cli.rebaseline:rebaseline", "Let references begin anew: what comes now is normal."),
    "state": ("streamcheck.cli.state:state", "Look at the saved state, check, export, reset or rebuild it."),
    "demo": ("streamcheck.cli.demo:demo", "See it work: simulated payments with incidents, no broker."),
    "completion": ("streamcheck.cli.completion:completion", "Print a shell's completion script."),
    "schema": ("streamcheck.cli.schema:schema", "Print the JSON Schema of configs, for editors."),
}
"""name: (module:function, help in one line). A command is one file; this line is all that `--help` needs."""


class LazyGroup(click.Group):
    """Commands out of the table, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        """The command, its module imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named by the first argument, or a usage error with the nearest name."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        """The table's lines, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what a user can act upon is told in plain lines, without a traceback."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(str(error), err=True)
            ctx.exit(EXIT_MISTAKE)
        except StreamcheckError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(_exit_code(error))
        except ImportError as error:
            told = incomplete(error)
            if told is None:
                raise
            click.echo(f"Error: {told}", err=True)
            ctx.exit(EXIT_FAILURE)


def _exit_code(error: StreamcheckError) -> int:
    if isinstance(error, WorkerLost):
        return EXIT_CRASHED
    return EXIT_TEMPORARY if isinstance(error, StateUnavailable | RegistryUnavailable) else EXIT_FAILURE


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="streamcheck")
def main() -> None:
    """Streaming drift and accuracy monitoring for machine-learning services on Kafka.

    Exit codes: 0 done, 1 failed, 2 a mistake in the config or the command line.
    """
