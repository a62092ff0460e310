"""`streamcheck state show`: where does the saved state stand, and what does it hold?"""

from typing import Any

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.cli.state_common import Place, place, when


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def show(config: str, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Show where the saved state of CONFIG stands: positions, monitors, join, journal, sizes.

    Works while a run uses the state: it shows the last commit, and says who runs.

    Exit codes: 0 shown (also where there is no state yet), 1 the state cannot be used, 2 a mistake in the config or the
    command line.
    """
    where = place(config)
    found = look(where)
    if as_json:
        show_json(found)
    elif not found["exists"]:
        click.echo(f"no state in {where.directory}: the first run begins at start: {where.start}")
    else:
        _tables(found)


def look(where: Place) -> dict[str, Any]:
    """The facts; {"exists": false} where there is no state yet."""
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415 (only when it is used)
    from streamcheck.cli.state_facts import facts  # noqa: PLC0415

    if not SqliteView.exists(where.directory):
        return {"exists": False, "directory": str(where.directory)}
    view = SqliteView(where.directory, where.loaded.plan.name)
    try:
        return facts(view, where.loaded.plan)
    finally:
        view.close()


def _tables(found: dict[str, Any]) -> None:
    from streamcheck.cli.state_facts import head_rows  # noqa: PLC0415 (only when it is used)

    show_table("State", ("what", "value"), head_rows(found))
    show_table(
        "Partitions",
        ("partition", "position", "newest", "watermark", "idle", "accepted", "late", "rejected"),
        [
            [
                f"{row['topic']}[{row['partition']}]",
                str(row["position"]),
                when(row["newest_ms"]),
                when(row["watermark_ms"]),
                "yes" if row["idle"] else "no",
                *(str(row[name]) for name in ("accepted", "late", "rejected")),
            ]
            for row in found["partitions"]
        ],
    )
    show_table(
        "Monitors",
        ("monitor", "segments", "status", "bytes"),
        [
            [
                row["monitor"],
                str(row["segments"]),
                ", ".join(f"{text} ({count})" for text, count in row["status"].items()) or "nothing seen yet",
                str(row["bytes"]),
            ]
            for row in found["monitors"]
        ],
    )
    show_table("Sizes", ("part", "bytes"), [[row["part"], str(row["bytes"])] for row in found["parts"]])
