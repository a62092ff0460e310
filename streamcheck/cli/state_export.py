"""`streamcheck state export`: everything that a saved state holds, for people and other programs to read."""

import base64
import heapq
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from streamcheck.cli.output import show_json
from streamcheck.cli.state_common import place
from streamcheck.core.wording import counted

if TYPE_CHECKING:
    from streamcheck.runtime.ports import Saved


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("out", type=click.Path(dir_okay=False), required=False)
@click.option("--journal", type=click.Path(dir_okay=False), help="Write the journal here, a line for each entry.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(config: str, out: str | None, journal: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Write the saved state of CONFIG to OUT as JSON; OUT.jsonl has a line for each part.

    Arrays are {"dtype", "shape", "base64"}, little-endian; other bytes {"base64"}. The journal's lines are exactly the
    values of the journal topic; `state rebuild --journal` reads them. Connection settings are no part of the state.
    What is in it comes from events, so the files are readable by their owner only.

    Exit codes: 0 written, 1 there is no state or it cannot be used, 2 a mistake in the config or the command line.
    """
    from streamcheck.adapters.sqlite.view import SqliteView  # noqa: PLC0415 (only when it is used)
    from streamcheck.runtime.journal_log import PREFIX  # noqa: PLC0415

    where = place(config)
    if out is None and journal is None:
        raise click.UsageError("name OUT, or a file with --journal")
    view = SqliteView(where.directory, where.loaded.plan.name)
    parts = 0
    try:
        saved = view.load()
        assert saved is not None, "a view of a fresh file is refused"
        if out is not None:
            parts = _write(Path(out), _parts(where.loaded.plan.name, saved, view.shelf()))
    finally:
        view.close()
    lines = [saved.state[key] for key in sorted(saved.state) if key.startswith(PREFIX)]
    if journal is not None:
        with _private(Path(journal)) as file:
            file.writelines(line + b"\n" for line in lines)
    if as_json:
        show_json({"out": out, "journal": journal, "parts": parts, "journal_entries": len(lines)})
    else:
        written = counted(len(lines), "journal entry", "journal entries")
        click.echo(f"{counted(parts, 'part')}, {written}")


def _parts(name: str, saved: "Saved", shelf: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, Any]]:
    """Every part of the state by its key, then the outbox. shelf: parts that are not loaded, each read in its turn."""
    from streamcheck.core import codec, saving  # noqa: PLC0415 (numpy: only when it is used)

    yield {"key": "config", "value": name}
    for key, value in heapq.merge(sorted(saved.state.items()), shelf):
        read = saving.decode_part(key, value) if codec.is_state(value) else _foreign(value)
        yield {"key": key, "value": plain(read)}
    for entry in saved.outbox:
        yield {"key": f"outbox/{entry.sequence}", "value": json.loads(entry.value)}


def _foreign(value: bytes) -> Any:
    """Parts that the runtime keeps beside the engine's: JSON where they are, else bytes."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def plain(value: Any) -> Any:
    """The same for JSON: arrays and bytes as base64, what is not finite as text.

    >>> plain({"a": b"hi", "b": [1.5, float("inf")]})
    {'a': {'base64': 'aGk='}, 'b': [1.5, 'inf']}
    """
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    if hasattr(value, "dtype"):
        little = value.astype(value.dtype.newbyteorder("<"))
        raw = base64.b64encode(little.tobytes()).decode()
        return {"dtype": little.dtype.str, "shape": list(value.shape), "base64": raw}
    return value


def _write(path: Path, parts: Iterable[dict[str, Any]]) -> int:
    """The parts, each as it comes: as lines, or as one list where the file is no .jsonl. Returns how many."""
    as_lines, n = path.suffix == ".jsonl", 0
    with _private(path) as file:
        for part in parts:
            text = json.dumps(part, ensure_ascii=False, indent=None if as_lines else 1, allow_nan=False)
            if not as_lines:
                text = ("," if n else "[") + "\n " + text.replace("\n", "\n ")
            file.write((text + "\n" * as_lines).encode())
            n += 1
        file.write(b"" if as_lines else b"\n]\n")
    return n


def _private(path: Path) -> BinaryIO:
    """A new file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
