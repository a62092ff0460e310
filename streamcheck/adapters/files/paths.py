"""Which files does a path name, and what is in them?"""

from enum import StrEnum
from pathlib import Path

from streamcheck.errors import SourceError


class Form(StrEnum):
    """How a file holds its rows."""

    JSONL = "JSONL"
    CSV = "CSV"
    PARQUET = "Parquet"


_FORMS = {
    ".jsonl": Form.JSONL,
    ".ndjson": Form.JSONL,
    ".json": Form.JSONL,
    ".csv": Form.CSV,
    ".parquet": Form.PARQUET,
    ".pq": Form.PARQUET,
}
PACKED = (".gz", ".zst")
_EXPECTED = "expected .jsonl, .json or .csv (also .gz, .zst), or .parquet"


def form_of(path: Path) -> Form | None:
    """What a file's name says that it holds; None where it says nothing that can be read.

    >>> form_of(Path("day.CSV.gz")), form_of(Path("day.parquet.gz")), form_of(Path("day.xlsx"))
    (<Form.CSV: 'CSV'>, None, None)
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    packed = bool(suffixes) and suffixes[-1] in PACKED
    form = _FORMS.get(suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1]) if suffixes else None
    return None if packed and form is Form.PARQUET else form


def expand(named: str) -> tuple[Path, ...]:
    """The files that a path, a folder or a pattern such as `day-*.jsonl` names, in the order of their names.

    Raises SourceError where there are none, or where one is of a kind that cannot be read.
    """
    path = Path(named)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.is_file() and form_of(each) is not None)
        if not found:
            raise SourceError(f"{named}: the folder has no file that can be read; {_EXPECTED}")
        return tuple(found)
    if path.exists():
        found = [path]
    else:
        root = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else named
        found = sorted(each for each in root.glob(pattern) if each.is_file()) if any(c in named for c in "*?[") else []
        if not found:
            raise SourceError(f"{named}: no such file; expected a file, a folder, or a pattern such as 'day-*.jsonl'")
    for each in found:
        if form_of(each) is None:
            raise SourceError(f"{each}: cannot tell what it holds; {_EXPECTED}")
    return tuple(found)
