"""What `streamcheck run` is given: the same detectors as the peers in row mode, its own defaults in pane mode."""

from pathlib import Path
from typing import Any

import yaml

from bench.contenders.parameters import ADWIN_PARAMS, DDM_PARAMS, PAGE_HINKLEY_PARAMS, WINDOW_ROWS
from bench.events import Shape
from bench.streams import Stream

PANE_MS = 10_000
LATENESS_MS = 5_000
Config = dict[str, Any]


def row_mode(shape: Shape) -> Config:
    """river on every row of every feature and on the error; nothing else is declared, as in the loops."""
    return {
        "streams": _streams(shape, row=True),
        "monitors": [
            {"on": "features", "detector": {"adwin": ADWIN_PARAMS}, "alert": {"cooldown": "0s"}},
            {"on": "features", "detector": {"page_hinkley": PAGE_HINKLEY_PARAMS}, "alert": {"cooldown": "0s"}},
            {"on": "error", "detector": {"ddm": DDM_PARAMS}, "alert": {"cooldown": "0s"}},
            {
                "on": "accuracy",
                "by": ["segment"],
                "window": {"rows": WINDOW_ROWS},
                "detector": {"threshold": {"below": 0.5}},
            },
        ],
    }


def features_only(shape: Shape) -> Config:
    """Row mode without labels and what is judged by them."""
    whole = row_mode(shape)
    predictions = {"predictions": whole["streams"]["predictions"]}
    return {"streams": predictions, "monitors": [m for m in whole["monitors"] if m["on"] == "features"]}


def pane_mode(shape: Shape) -> Config:
    """Everything declared and no monitor named: the defaults. The first minute of the stream is normal."""
    limits = {"limits": {"segments": 2 * shape.segments}} if shape.segments > 500 else {}
    return {"streams": _streams(shape, row=False), "reference": {"first": "1m"}, **limits}


def _streams(shape: Shape, *, row: bool) -> Config:
    time = {"field": "ts", "unit": "ms"}
    features: Config = {name: {"path": f"features.{name}", "kind": "numeric"} for name in shape.feature_names}
    predictions: Config = {"id": "id", "time": time, "prediction": "prediction", "task": "binary"}
    if not row:
        features |= dict.fromkeys(shape.category_names, "categorical")
        predictions |= {"score": "score"}
    return {
        "predictions": {"topic": "predictions", **predictions, "features": features, "segments": ["segment"]},
        "labels": {"topic": "labels", "id": "id", "label": "label", "time": time, "horizon": "1h"},
    }


def over_kafka(config: Config, stream: Stream, run: str, folder: Path, client: str = "kafka-python") -> Path:
    """The file of a config that reads the stream. Every run has its own name, topics and state."""
    streams = {role: {**config["streams"][role], "topic": f"{stream.name}.{role}"} for role in config["streams"]}
    whole = {
        "version": 1,
        "name": run,
        "kafka": {"bootstrap_servers": stream.bootstrap, "client": client},
        "start": "earliest",
        **config,
        "streams": streams,
        "time": {"pane": f"{PANE_MS}ms", "lateness": f"{LATENESS_MS}ms"},
        "alerts": {"topic": f"{run}.alerts", "owner": "bench"},
        "state": {"dir": str(folder / run)},
        "prometheus": {"listen": "127.0.0.1:0"},
    }
    return write(whole, folder / f"{run}.yaml")


def over_files(config: Config, run: str, folder: Path, *, flat: bool, workers: int) -> Path:
    """The file of a config for `backtest`. flat: features are columns of their own names, not fields of an object."""
    streams = config["streams"]
    if flat:
        features = {name: kind["kind"] if isinstance(kind, dict) else kind for name, kind in _features(config).items()}
        streams = {**streams, "predictions": {**streams["predictions"], "features": features}}
    whole = {
        "version": 1,
        "name": run,
        **config,
        "streams": streams,
        "time": {"pane": f"{PANE_MS}ms", "lateness": f"{LATENESS_MS}ms"},
        "alerts": {"owner": "bench"},
        "workers": workers,
    }
    return write(whole, folder / f"{run}.yaml")


def _features(config: Config) -> Config:
    features: Config = config["streams"]["predictions"]["features"]
    return features


def write(config: Config, path: Path) -> Path:
    """As YAML."""
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def shorten_panes(path: Path, pane_ms: int) -> None:
    """Change a config that has been written."""
    config = yaml.safe_load(path.read_text())
    config["time"]["pane"] = f"{pane_ms}ms"
    write(config, path)
