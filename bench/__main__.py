"""`python -m bench [COMMAND] [OPTIONS]`: bench/README.md tells what each command measures."""

import importlib
import sys

COMMANDS = {
    "run": "contenders side by side (the default)",
    "axes": "more features, more segments, larger events",
    "files": "backtests of Parquet, JSON Lines and CSV, with one process and with two",
    "workers": "who works how much with several processes, in CPU time",
    "decode": "the decoder alone, on one core",
    "join": "the label join with ten million predictions that wait",
    "targets": "what must be reached, and what has been",
    "profile": "where the time of a run goes, per stage and event",
    "checks": "what all default checks cost, beside the drift monitors alone",
    "charts": "what the charts of a pane cost, a thousand at once",
    "hostile": "what malformed events cost, and that they change nothing",
    "memory": "a run against the memory that `explain` prints",
    "noaa": "a known drift in real data",
    "parsers": "ways from JSON to columns, beside the one that was chosen",
}


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        print(f"{__doc__}\n" + "\n".join(f"  {name:10s} {text}" for name, text in COMMANDS.items()))
        print("\nEach takes --help; without a command the options are those of `run`.")
        return
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "run"
    if name not in COMMANDS:
        raise SystemExit(f"no command {name}; there are {', '.join(COMMANDS)}")
    importlib.import_module(f"bench.{name}").main(arguments)


if __name__ == "__main__":
    main()
