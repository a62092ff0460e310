"""What was done to the service, and what came of it: one row for each fault, one table at the end."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.verdict import Verdict

COLUMNS = ("fault", "times", "transitions", "duplicates", "missing", "differing bytes", "worst recovery")
COUNTS = ("times", "transitions", "duplicates", "missing", "differing_bytes", "broken")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. recovery_s: the longest wait from the fault to the next commit; None where nothing had to recover."""

    fault: str
    times: int
    transitions: int
    duplicates: int
    missing: int
    differing_bytes: int
    broken: int
    recovery_s: float | None

    @classmethod
    def of(cls, fault: str, times: int, verdict: Verdict, recoveries_s: Iterable[float] = ()) -> "Row":
        return cls(
            fault, times, verdict.transitions, verdict.duplicates, verdict.missing, verdict.differing_bytes,
            len(verdict.broken), max(recoveries_s, default=None),
        )  # fmt: skip


def summed(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each fault, in the order of their first: what was done in several worlds counts together.

    >>> one, other = Row("cut", 2, 9, 0, 0, 0, 0, 1.5), Row("cut", 3, 8, 0, 1, 0, 0, None)
    >>> [(row["times"], row["missing"], row["recovery_s"]) for row in summed([asdict(one), asdict(other)])]
    [(5, 1, 1.5)]
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        before = found.get(row["fault"])
        if before is None:
            found[row["fault"]] = dict(row)
            continue
        for name in COUNTS:
            before[name] += row[name]
        seconds = [each for each in (before["recovery_s"], row["recovery_s"]) if each is not None]
        before["recovery_s"] = max(seconds, default=None)
    return list(found.values())


def rendered(rows: Iterable[Mapping[str, object]]) -> str:
    """As Markdown; the same rows stand in docs/operations.md."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        seconds = row["recovery_s"]
        shown = "" if seconds is None else f"{seconds:.1f} s"
        numbers = [row[key] for key in COUNTS if key != "broken"]
        cells = [str(row["fault"]), *(f"{number:,}" for number in numbers), shown]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(rows: Iterable[Mapping[str, object]], path: Path) -> None:
    """As JSON lines, beside the screen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(dict(row)) + "\n" for row in rows))


def as_property(row: Row) -> dict[str, object]:
    """What pytest carries from a worker process to the table."""
    return asdict(row)
