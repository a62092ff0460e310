"""`streamcheck run CONFIG --until-end`, or `backtest` over files, imports done before the clock starts, as everywhere.

Unsupervised: the supervisor is a second process that only waits; `--supervised` is for runs that may need it. With
`--stages` or `--functions` it tells where the time went as well.
"""

import argparse
import contextlib
import cProfile
import importlib
import io
import json
import pstats
import re
import subprocess
import sys
from typing import Any

import streamcheck.adapters.sqlite.aside
import streamcheck.cli.kafka_wiring
import streamcheck.cli.service
import streamcheck.config.load  # noqa: F401 - all for the sake of the clock
from bench.contenders.stages import watch
from bench.contenders.task import Clock
from streamcheck.cli import main as command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--river", action="store_true", help="the config names river's detectors: import it as well")
    parser.add_argument("--stages", action="store_true", help="tell where the time went, by stage")
    parser.add_argument("--functions", type=int, default=0, help="tell where the time went: so many functions")
    parser.add_argument("--supervised", action="store_true", help="run it as users do, in processes of its own")
    parser.add_argument("--files", nargs=2, metavar=("PREDICTIONS", "LABELS"), help="backtest these instead")
    parser.add_argument("--report", nargs=2, metavar=("FORM", "FILE"), help="of a backtest: json or html, and where")
    args = parser.parse_args()
    if args.river:
        import river.drift  # noqa: F401, PLC0415 (pane mode runs without it)
    words = ["run", args.config, "--until-end", "--no-supervise", "--json"]
    supervised = [sys.executable, "-m", "streamcheck", *(word for word in words if word != "--no-supervise")]
    if args.files:
        importlib.import_module("streamcheck.cli.replay")
        importlib.import_module("streamcheck.adapters.files.tables")
        words = ["backtest", args.config, "--predictions", args.files[0], "--labels", args.files[1]]
        words += [f"--{args.report[0]}", args.report[1]] if args.report else []
    stages = watch() if args.stages else None
    profile = cProfile.Profile() if args.functions else None
    clock = Clock()
    if args.supervised:
        told = did(subprocess.run(supervised, check=True, stdout=subprocess.PIPE, text=True).stdout)
    else:
        with contextlib.redirect_stdout(io.StringIO()) as out, profile or contextlib.nullcontext():
            command(words, standalone_mode=False)
        told = did(out.getvalue())
    if stages is not None:
        told["stages"] = stages.told()
    if profile is not None:
        told["functions"] = hottest(profile, args.functions)
    clock.say(told.pop("events"), 0, **told)


def did(said: str) -> dict[str, Any]:
    """Events and alerts: `run` tells them as JSON, `backtest` in a sentence."""
    if said.startswith("{"):
        told: dict[str, Any] = json.loads(said.splitlines()[-1])
        return {name: told[name] for name in ("events", "alerts")}
    numbers = [re.search(rf"([\d,]+) {what}", said) for what in ("events? from", "alerts? fired")]
    events, alerts = (int(found[1].replace(",", "")) for found in numbers if found is not None)
    return {"events": events, "alerts": alerts}


def hottest(profile: cProfile.Profile, count: int) -> str:
    """The functions in which most time was spent, as pstats prints them."""
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(count)
    return text.getvalue()


if __name__ == "__main__":
    main()
