"""A challenger in shadow from files: named where it is better, undecided where it is not, the same in every form."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as papq
import pytest
from click.testing import CliRunner

from streamcheck.cli import main

START_S = 1_772_323_200
ROWS = 12_000
CONFIG = """version: 1
name: shop
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: s}
    prediction: said
    task: binary
    segments: [tier]
    features: {amount: numeric}
  labels: {topic: l, id: id, label: truth, time: {field: ts, unit: s}, horizon: 6h}
  shadow: {topic: s, id: id, prediction: fraud, name: forest, time: {field: ts, unit: s}}
time: {pane: 1m}
reference: {first: 1h}
alerts: {owner: shop}
"""


def tables(seed, gain):
    """A row a second of accuracy .85, labels an hour later; of nine rows in ten a challenger that gains so much."""
    rng = np.random.default_rng((71, seed))
    ts, truth = START_S + np.arange(ROWS), rng.random(ROWS) < 0.5
    said, other = (truth == (rng.random(ROWS) < right) for right in (0.85, 0.85 + gain))
    ids = [f"e{k}" for k in range(ROWS)]
    tier = np.array(["gold", "blue"])[rng.integers(0, 2, ROWS)]
    heard = np.flatnonzero(rng.random(ROWS) < 0.9)
    amount = np.round(rng.lognormal(3.0, 0.4, ROWS), 2)
    return {
        "predictions": {"id": ids, "ts": ts, "said": said, "tier": tier, "amount": amount},
        "labels": {"id": ids, "ts": ts + 3_600, "truth": truth},
        "shadow": {"id": [ids[k] for k in heard], "ts": ts[heard] + 7, "fraud": other[heard]},
    }


def lines(folder: Path, made) -> dict[str, Path]:
    paths = {}
    for name, columns in made.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in pa.table(columns).to_pylist()))
    return paths


def parquet(folder: Path, made) -> dict[str, Path]:
    paths = {}
    for name, columns in made.items():
        paths[name] = folder / f"{name}.parquet"
        papq.write_table(pa.table(columns), paths[name], row_group_size=700)
    return paths


def backtest(folder: Path, paths, workers=1, forms=("alerts", "json")):
    config = folder / f"config{workers}.yaml"
    config.write_text(CONFIG + f"workers: {workers}\n")
    out = {form: folder / f"out.{form}" for form in forms}
    files = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    outputs = [word for form, path in out.items() for word in (f"--{form}", str(path))]
    done = CliRunner().invoke(main, ["backtest", str(config), *files, *outputs])
    assert done.exit_code == 0, done.output
    return out["alerts"].read_bytes(), json.loads(out["json"].read_bytes()), done.output


@pytest.mark.parametrize("seed", range(4))
def test_a_better_challenger_is_named_and_an_equal_one_is_not(seed, tmp_path):
    for gain, verdict in ((0.05, "wins"), (-0.05, "loses"), (0.0, "undecided")):
        _, told, printed = backtest(tmp_path, parquet(tmp_path, tables(seed, gain)))
        shadow = told["shadow"]
        all_rows, *by_tier = shadow["compared"]
        assert (all_rows["challenger"], all_rows["segment"], all_rows["verdict"]) == ("forest", {}, verdict)
        assert all_rows["low"] <= gain <= all_rows["high"]
        assert {each["segment"]["tier"] for each in by_tier} == {"gold", "blue"}
        assert all_rows["rows"] == shadow["join"]["predictions_matched"] > 10_500
        assert 0.7 < all_rows["agreement"] < 0.8
        assert shadow["alone"] == 0.0
        assert ("undecided" if verdict == "undecided" else f"forest {verdict}") in printed
        assert f"{all_rows['rows']:,} compared" in printed.replace("\n", " ")


def test_every_form_and_number_of_workers_gives_the_same(tmp_path):
    made = tables(9, 0.04)
    alerts, told, _ = backtest(tmp_path, lines(tmp_path, made), forms=("alerts", "json", "html"))
    page = (tmp_path / "out.html").read_text()
    assert "Challenger in shadow" in page
    assert "forest: 10," in page
    for paths, workers in ((parquet(tmp_path, made), 1), (lines(tmp_path, made), 2)):
        other = backtest(tmp_path, paths, workers)
        assert other[0] == alerts
        assert other[1]["shadow"] == told["shadow"]


def test_alerts_are_those_of_a_run_without_a_challenger(tmp_path):
    made = tables(3, 0.05)
    made["predictions"]["amount"] = made["predictions"]["amount"] * np.where(np.arange(ROWS) > 9_000, 3.0, 1.0)
    alerts, _, _ = backtest(tmp_path, parquet(tmp_path, made))
    plain = tmp_path / "plain.yaml"
    plain.write_text("\n".join(line for line in CONFIG.splitlines() if not line.startswith("  shadow:")))
    files = [word for name in ("predictions", "labels") for word in (f"--{name}", str(tmp_path / f"{name}.parquet"))]
    done = CliRunner().invoke(main, ["backtest", str(plain), *files, "--alerts", str(tmp_path / "plain.alerts")])
    assert done.exit_code == 0, done.output
    found = [list(map(json.loads, log.splitlines())) for log in (alerts, (tmp_path / "plain.alerts").read_bytes())]
    for alert in [*found[0], *found[1]]:
        del alert["lineage"]  # it tells which partitions there are
    assert found[0] == found[1] != []


def test_what_is_named_must_be_declared(tmp_path):
    paths = parquet(tmp_path, tables(0, 0.0))
    config = tmp_path / "plain.yaml"
    config.write_text("\n".join(line for line in CONFIG.splitlines() if not line.startswith("  shadow:")))
    run = ["backtest", str(config), "--predictions", str(paths["predictions"]), "--shadow", str(paths["shadow"])]
    done = CliRunner().invoke(main, run)
    assert done.exit_code == 2
    assert "has no shadow stream (streams.shadow)" in done.output


def test_without_its_file_there_is_no_challenger(tmp_path):
    paths = parquet(tmp_path, tables(0, 0.0))
    del paths["shadow"]
    _, told, printed = backtest(tmp_path, paths)
    assert told["shadow"]["compared"] == []
    assert "forest: 0 predictions" in printed.replace("\n", " ")
