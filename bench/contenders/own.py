"""`streamcheck run CONFIG --until-end`, its imports done before the clock starts, as with all contenders.

Unsupervised: the supervisor is a second process that only waits. With `--stages` or `--functions` it tells where the
time went as well.
"""

import argparse
import contextlib
import io
import json

import streamcheck.adapters.sqlite.aside
import streamcheck.cli.kafka_wiring
import streamcheck.cli.service
import streamcheck.config.load  # noqa: F401 - all four for the sake of the clock
from bench.contenders.task import Clock
from streamcheck.cli import main as command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--river", action="store_true", help="the config names river's detectors: import it as well")
    args = parser.parse_args()
    if args.river:
        import river.drift  # noqa: F401, PLC0415 (pane mode runs without it)
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        command(["run", args.config, "--until-end", "--no-supervise", "--json"], standalone_mode=False)
    did = json.loads(out.getvalue().splitlines()[-1])
    clock.say(did["events"], 0, alerts=did["alerts"], panes=did["panes"], commits=did["commits"])


if __name__ == "__main__":
    main()
