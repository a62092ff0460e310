"""Does docs/checks.md name tests that are there, and incidents that the demos have?"""

import re
from pathlib import Path

from streamcheck.adapters.simulate.faults import FAULTS
from streamcheck.adapters.simulate.incidents import DEMO

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "checks.md").read_text()


def test_every_test_that_is_named_is_there():
    table = TEXT.partition("## Which test shows what")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", table)
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 12
    assert [name for name in named if not ((ROOT / name).exists() or name in there)] == []


def test_every_check_has_an_incident_of_a_demo():
    rows = [line for line in TEXT.splitlines() if re.match(r"\| [1-7] \w", line) and line.count("|") == 6]
    known = {incident.name for incident in (*DEMO.incidents, *FAULTS.incidents)}
    cells = {row[2]: re.sub(r"\(.*?\)", "", row.split("|")[-2]) for row in rows}
    told = {check: {name.strip() for name in re.split("[;,]", cell) if name.strip()} for check, cell in cells.items()}
    assert sorted(told) == list("1234567")
    assert {check: sorted(names - known) for check, names in told.items() if not names or names - known} == {}
