"""`streamcheck state export`: everything that a saved state holds, for people and other programs to read."""

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    try:
        saved = view.load()
    finally:
        view.close()
    assert saved is not None, "a view of a fresh file is refused"
    lines = [saved.state[key] for key in sorted(saved.state) if key.startswith(PREFIX)]
    if out is not None:
        parts = _parts(where.loaded.plan.name, saved)
        text = "".join(_line(part) + "\n" for part in parts) if out.endswith("l") else _line(parts, indent=1) + "\n"
        _write(Path(out), text.encode())
    if journal is not None:
        _write(Path(journal), b"".join(line + b"\n" for line in lines))
    if as_json:
        show_json({"out": out, "journal": journal, "parts": len(saved.state), "journal_entries": len(lines)})
    else:
        written = counted(len(lines), "journal entry", "journal entries")
        click.echo(f"{counted(len(saved.state), 'part')}, {written}")


def _parts(name: str, saved: "Saved") -> list[dict[str, Any]]:
    """Every part of the state by its key, then the outbox."""
    from streamcheck.core import codec, saving  # noqa: PLC0415 (numpy: only when it is used)

    parts: list[dict[str, Any]] = [{"key": "config", "value": name}]
    for key in sorted(saved.state):
        value = saved.state[key]
        read = saving.decode_part(key, value) if codec.is_state(value) else _foreign(value)
        parts.append({"key": key, "value": plain(read)})
    parts += [{"key": f"outbox/{e.sequence}", "value": json.loads(e.value)} for e in saved.outbox]
    return parts


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


def _line(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
