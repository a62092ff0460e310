"""An undeclared field in files: found whoever reads them, also where parts of a file begin anywhere."""

import json

import numpy as np
from click.testing import CliRunner

from streamcheck.cli import main

START_MS = 1_772_323_200_000
N = 60_000
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


def test_one_process_and_several_say_the_same(tmp_path):
    amount = np.round(np.random.default_rng(3).lognormal(3.0, 0.4, N), 2).tolist()
    with (tmp_path / "p.jsonl").open("w") as file:
        for k in range(N):
            fee = {"fee": 1} if k > 0.8 * N else {}
            event = {"id": f"e{k}", "ts": START_MS + 300 * k, "amount": amount[k], "site": "x"} | fee
            file.write(json.dumps(event) + "\n")
    said = []
    for workers in (1, 3):
        config, out = tmp_path / f"{workers}.yaml", tmp_path / f"{workers}.jsonl"
        config.write_text(CONFIG % workers)
        paths = ["--predictions", str(tmp_path / "p.jsonl"), "--alerts", str(out)]
        done = CliRunner().invoke(main, ["backtest", str(config), *paths])
        assert done.exit_code == 0, done.output
        said.append(out.read_bytes())
    assert said[0] == said[1]
    fired = [alert for alert in map(json.loads, said[0].splitlines()) if alert["state"] == "firing"]
    (found,) = [alert for alert in fired if alert["monitor"] == "schema_changes-threshold"]
    assert found["evidence"]["fault"] == "fee appeared"
    late_ms = 300 * 0.8 * N
    at_ms = np.datetime64(found["pane_start"].rstrip("Z")).astype("datetime64[ms]").astype(int) - START_MS
    assert late_ms < at_ms < late_ms + 15 * 60_000, "within 3,000 rows"
