"""Where figures are kept: parts in a cache that is not, tables in the repository."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluate.cells import Cell, Found, added

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "evaluate" / "results"
CACHE = ROOT / "evaluate" / ".parts"
PACKAGES = ("numpy", "scipy", "river")


def surroundings() -> dict[str, Any]:
    """What figures depend on besides the seeds: the commit that last touched the package, and versions."""
    commit = _git("log", "-1", "--format=%h", "--", "streamcheck")
    dirty = "-dirty" if _git("status", "--porcelain", "--", "streamcheck") else ""
    versions = {name: version(name) for name in PACKAGES}
    return {"commit": f"{commit}{dirty}", "python": platform.python_version(), "versions": versions}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def definition(cell: Cell) -> str:
    """A digest of what defines the cell: what was kept under another is of no use."""
    return blake2b(json.dumps(cell.about, sort_keys=True).encode(), digest_size=8).hexdigest()


def _folder(cell: Cell, cache: Path) -> Path:
    name = "".join(c if c.isalnum() or c in ".+-" else "_" for c in cell.key)
    return cache / cell.table / f"{name}-{definition(cell)}"


def has_part(cell: Cell, number: int, cache: Path = CACHE) -> bool:
    """Whether this part has been run."""
    return (_folder(cell, cache) / f"{number}.json").exists()


def keep_part(cell: Cell, number: int, found: Found, around: Mapping[str, Any], cache: Path = CACHE) -> None:
    """Put a part aside, whole or not at all."""
    path = _folder(cell, cache) / f"{number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"around": around, "found": found}))
    draft.replace(path)


def parts(cell: Cell, cache: Path = CACHE) -> tuple[list[Found], list[dict[str, Any]]]:
    """All parts that have been run, and where each was."""
    held = [json.loads(path.read_text()) for path in sorted(_folder(cell, cache).glob("*.json"))]
    return [each["found"] for each in held], [each["around"] for each in held]


def forget(cell: Cell, cache: Path = CACHE) -> None:
    """Run it again from the start."""
    for path in _folder(cell, cache).glob("*.json"):
        path.unlink()


def keep(table: str, cells: Sequence[Cell], results: Path = RESULTS, cache: Path = CACHE) -> Path:
    """Write what is known of a table: cells that were run here, and those of the file that were not."""
    path = results / f"{table}.json"
    known = load(table, results)
    entries: dict[str, Any] = {}
    for cell in cells:
        if cell.table != table:
            continue
        found, around = parts(cell, cache)
        if found:
            commits = sorted({each["commit"] for each in around})
            entry = {**cell.about, "parts": f"{len(found)} of {cell.parts}", "commits": commits}
            entries[cell.key] = entry | {"python": around[-1]["python"], "versions": around[-1]["versions"]}
            entries[cell.key] |= {"found": dict(cell.summary(added(found)))}
        elif cell.key in known and all(known[cell.key].get(name) == value for name, value in cell.about.items()):
            entries[cell.key] = known[cell.key]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=1) + "\n")
    return path


def load(table: str, results: Path = RESULTS) -> dict[str, Any]:
    """A table's cells by key; empty where there is none yet."""
    path = results / f"{table}.json"
    return json.loads(path.read_text()) if path.exists() else {}
