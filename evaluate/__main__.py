"""`python -m evaluate [COMMAND]`: evaluate/README.md tells what each command does."""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from pathlib import Path

import click

from evaluate import checks, kept, roster, sets, settings, tables, tuning
from evaluate.cells import Cell


@click.group(invoke_without_command=True, help=(__doc__ or "").split(":")[0])
@click.pass_context
def main(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--only", default="", help="Cells whose key contains this text; several texts with |.")
@click.option("--parts", type=click.IntRange(1), default=1_000, help="At most so many parts of each cell.")
@click.option("--again", is_flag=True, help="Run what is kept once more, from the start.")
@click.option("--processes", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option("--minutes", type=float, default=None, help="Begin no part after so many minutes.")
@click.option("--data", type=click.Path(path_type=Path), envvar="STREAMCHECK_DATA", default=None,
              help="Folder of the real sets (default: ../shared/data beside the project).")  # fmt: skip
def run(
    names: Sequence[str] = (), only: str = "", parts: int = 1_000, again: bool = False, processes: int = 1,  # noqa: FBT001,FBT002
    minutes: float | None = None, data: Path | None = None,
) -> None:  # fmt: skip
    """Run the cells of some tables (all without a name), those that are not kept yet, part by part."""
    cells = roster.cells(data)
    chosen = [c for c in cells if (not names or c.table in names) and any(t in c.key for t in only.split("|"))]
    if unknown := sorted(set(names) - {c.table for c in cells}):
        raise click.UsageError(f"no table {', '.join(unknown)}; there are {', '.join(roster.TABLES)}")
    absent = sorted({c.data for c in chosen if c.data and not roster.available(c, data)})
    for name in absent:
        click.echo(f"SKIPPED: {data or sets.FOLDER} has no {name}; name its folder with --data", err=True)
    chosen = [c for c in chosen if c.data not in absent]
    for cell in chosen:
        if again:
            kept.forget(cell)
    todo = [(c, n) for n in range(parts) for c in chosen if n < c.parts and not kept.has_part(c, n)]
    click.echo(f"{len(todo)} parts of {len(chosen)} cells to run", err=True)
    try:
        _work(todo, data, processes, None if minutes is None else time.monotonic() + 60 * minutes)
    finally:
        for table in dict.fromkeys(c.table for c in chosen):
            click.echo(f"written: {kept.keep(table, cells).relative_to(kept.ROOT)}", err=True)


def _work(todo: list[tuple[Cell, int]], data: Path | None, processes: int, until: float | None) -> None:
    if processes == 1:
        for cell, number in todo:
            if until is not None and time.monotonic() > until:
                return
            click.echo(_one(cell.table, cell.key, number, data), err=True)
        return
    with ProcessPoolExecutor(processes) as pool:
        running: set[Future[str]] = set()
        for cell, number in todo:
            if until is not None and time.monotonic() > until:
                break
            running.add(pool.submit(_one, cell.table, cell.key, number, data))
            if len(running) == processes:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                click.echo("\n".join(each.result() for each in done), err=True)
        for done_last in as_completed(running):
            click.echo(done_last.result(), err=True)


def _one(table: str, key: str, number: int, data: Path | None) -> str:
    """Run and keep one part; in any process."""
    cell = roster.find(table, key, data)
    around, began = kept.surroundings(), time.process_time()
    found = cell.part(number)
    kept.keep_part(cell, number, found, around)
    return f"{table}: {key}, part {number + 1} of {cell.parts}, {time.process_time() - began:.0f} s"


@main.command()
@click.option("--only", default="", help="Contenders, separated by commas (default: all).")
@click.option("--on", "streams", default="", help="Streams, separated by commas (default: all).")
def tune(only: str, streams: str) -> None:
    """Choose knobs, and promises, for one false alarm per 100,000 rows, on seeds for tuning."""
    held = settings.tuned()
    for key, stream, tuned in tuning.tasks(only, streams):
        held.setdefault(stream, {})[key] = found = tuned()
        click.echo(f"{key} on {stream}: {found}", err=True)
        settings.TUNED.parent.mkdir(exist_ok=True)
        settings.TUNED.write_text(json.dumps({**kept.surroundings(), "settings": held}, indent=1) + "\n")


@main.command("tables")
@click.option("--check", is_flag=True, help="Only say whether README.md holds them; exit code 1 where it does not.")
def tables_command(check: bool) -> None:  # noqa: FBT001
    """Write the tables into evaluate/README.md from the kept figures."""
    fresh = tables.renewed(tables.README.read_text())
    if check:
        sys.exit(fresh != tables.README.read_text())
    tables.README.write_text(fresh)


@main.command("checks")
def checks_command() -> None:
    """What the checks of a model find on seeded faults, and on streams without."""
    for line in checks.report():
        click.echo(line)


@main.command("list")
def list_command() -> None:
    """Tables, with how many parts of their cells have been run."""
    cells = roster.cells(None)
    for table in roster.TABLES:
        mine = [c for c in cells if c.table == table]
        done = sum(kept.has_part(c, n) for c in mine for n in range(c.parts))
        click.echo(f"{table:14s} {len(mine):4d} cells, {done} of {sum(c.parts for c in mine)} parts")


if __name__ == "__main__":
    main()
