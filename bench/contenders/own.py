"""`streamcheck run CONFIG --until-end`, its imports done before the clock starts, as with all contenders.

Unsupervised: the supervisor is a second process that only waits. With `--stages` or `--functions` it tells where the
time went as well.
"""

import argparse
import contextlib
import cProfile
import io
import json
import pstats
from typing import Any

import streamcheck.adapters.sqlite.aside
import streamcheck.cli.kafka_wiring
import streamcheck.cli.service
import streamcheck.config.load  # noqa: F401 - all four for the sake of the clock
from bench.contenders.stages import watch
from bench.contenders.task import Clock
from streamcheck.cli import main as command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--river", action="store_true", help="the config names river's detectors: import it as well")
    parser.add_argument("--stages", action="store_true", help="tell where the time went, by stage")
    parser.add_argument("--functions", type=int, default=0, help="tell where the time went: so many functions")
    args = parser.parse_args()
    if args.river:
        import river.drift  # noqa: F401, PLC0415 (pane mode runs without it)
    stages = watch() if args.stages else None
    profile = cProfile.Profile() if args.functions else None
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()) as out, profile or contextlib.nullcontext():
        command(["run", args.config, "--until-end", "--no-supervise", "--json"], standalone_mode=False)
    did = json.loads(out.getvalue().splitlines()[-1])
    told: dict[str, Any] = {name: did[name] for name in ("alerts", "panes", "commits")}
    if stages is not None:
        told["stages"] = stages.told()
    if profile is not None:
        told["functions"] = hottest(profile, args.functions)
    clock.say(did["events"], 0, **told)


def hottest(profile: cProfile.Profile, count: int) -> str:
    """The functions in which most time was spent, as pstats prints them."""
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(count)
    return text.getvalue()


if __name__ == "__main__":
    main()
