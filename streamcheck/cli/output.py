"""How is a table shown? With rules and colours on a terminal, as plain tab-separated lines when piped."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click


def show_json(value: Any, *, compact: bool = False) -> None:
    """Print a value as indented JSON, or on one line."""
    click.echo(json.dumps(value, indent=None if compact else 2, ensure_ascii=False))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: rich on a terminal; else a header line and one line per row, cells separated by tabs."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
