"""An undeclared field in files: found whoever reads them, whatever they are, also where parts begin anywhere."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from streamcheck.library import Watch

START_MS = 1_772_323_200_000
N = 60_000
CHANGE = N * 4 // 5
CONFIG = """version: 1
name: shop
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    features: {amount: numeric}
time: {pane: 1m}
reference: {first: 2h}
alerts: {owner: shop}
workers: %d
"""


def rows(before, after):
    """The columns of events that have one more field before the change, or after it."""
    amount = np.round(np.random.default_rng(3).lognormal(3.0, 0.4, N), 2)
    at = np.arange(N)
    table = {"id": [f"e{k}" for k in range(N)], "ts": START_MS + 300 * at, "amount": amount, "site": ["x"] * N}
    parts = []
    for part, more in ((slice(None, CHANGE), before), (slice(CHANGE, None), after)):
        held = {name: column[part] for name, column in table.items()}
        parts.append(pa.table(held | {name: [1.5] * len(held["id"]) for name in more}))
    return parts


def written(folder, form, parts):
    """The same events as files of this form: two, or (of Parquet, "null") one whose fields hold nothing meanwhile."""
    if form == "null":
        whole = pa.concat_tables(parts, promote_options="default")
        papq.write_table(whole, folder / "p.parquet", row_group_size=N // 20)
        return
    for number, part in enumerate(parts):
        path = folder / f"p{number}.{form}"
        if form == "jsonl":
            path.write_text("".join(json.dumps(event) + "\n" for event in part.to_pylist()))
        else:
            pacsv.write_csv(part, path) if form == "csv" else papq.write_table(part, path)


def said(folder, workers=1):
    """The records of a backtest, as bytes, and the alerts that fired."""
    config, out = folder / f"{workers}.yaml", folder / f"{workers}.alerts"
    config.write_text(CONFIG % workers)
    given = ["--predictions", str(folder / "p*.*"), "--alerts", str(out)]
    done = CliRunner().invoke(main, ["backtest", str(config), *given])
    assert done.exit_code == 0, done.output
    records = out.read_bytes()
    return records, [each for each in map(json.loads, records.splitlines()) if each["state"] == "firing"]


def faults(fired):
    return [each["evidence"]["fault"] for each in fired if each["monitor"] == "schema_changes-threshold"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [((), ("fee",), "fee appeared"), (("fee",), (), "fee disappeared"), (("fee",), ("fee",), None)],
)
def test_files_of_columns_say_what_json_lines_say(tmp_path, before, after, fault):
    parts, known = rows(before, after), {}
    for form in ("jsonl", "csv", "parquet", "null"):
        (tmp_path / form).mkdir()
        written(tmp_path / form, form, parts)
        known[form], fired = said(tmp_path / form)
        assert faults(fired) == ([fault] if fault else []), form
        assert known[form] == known["jsonl"], form
    assert said(tmp_path / "csv", workers=3)[0] == said(tmp_path / "null", workers=3)[0] == known["jsonl"]


def test_tables_that_a_program_hands_over_say_so_too():
    fired = []
    watch = Watch(CONFIG % 1)
    for part in rows((), ("fee",)):
        fired += [alert for alert in watch.run(part) if alert["state"] == "firing"]
    fired += [alert for alert in watch.finish() if alert["state"] == "firing"]
    assert faults(fired) == ["fee appeared"]


def test_one_process_and_several_say_the_same(tmp_path):
    written(tmp_path, "jsonl", rows((), ("fee",)))
    records, fired = said(tmp_path)
    assert said(tmp_path, workers=3)[0] == records
    (found,) = [alert for alert in fired if alert["monitor"] == "schema_changes-threshold"]
    late_ms = 300 * CHANGE
    at_ms = np.datetime64(found["pane_start"].rstrip("Z")).astype("datetime64[ms]").astype(int) - START_MS
    assert late_ms < at_ms < late_ms + 15 * 60_000, "within 3,000 rows"
