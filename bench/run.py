"""How many events a second, side by side in one run: loops, peers, streamcheck in both modes, and the limits.

Contenders take turns, the order turned by one each round, each in a process of its own.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import table, targets
from bench.events import Shape
from bench.measure import Figures, measure
from bench.peers import installed
from bench.roster import BY_KEY, CONTENDERS, PANE, Contender
from bench.streams import Stream, broker, stream
from bench.surroundings import described, keep, surroundings
from bench.verify import verify


def chosen(only: str | None, *, peers: bool) -> list[Contender]:
    """The contenders named by key; of all others those whose packages are there."""
    keys = only.split(",") if only else list(BY_KEY)
    unknown = [key for key in keys if key not in BY_KEY]
    if unknown:
        raise SystemExit(f"no contender {', '.join(unknown)}; there are {', '.join(BY_KEY)}")
    wanted = [contender for contender in CONTENDERS if contender.key in keys and contender.there]
    if len(wanted) < len(keys):
        lacking = ", ".join(key for key in keys if not BY_KEY[key].there)
        print(f"WITHOUT {lacking}: pip install 'streamcheck[fast]'", file=sys.stderr, flush=True)
    there = installed() if peers and any(contender.needs for contender in wanted) else {}
    return [contender for contender in wanted if contender.needs is None or contender.needs in there]


def rounds(stream: Stream, contenders: Sequence[Contender], count: int) -> Iterator[Figures]:
    """All contenders in turn. Each must have read everything, and panes must give the same alerts every time."""
    alerts: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            turn = number % len(contenders)
            for contender in (*contenders[turn:], *contenders[:turn]):
                run = f"{contender.key}-{time.time_ns()}"
                figures = measure(contender.key, contender.start(stream, Path(folder), run), stream.events)
                read = figures.said["predictions"] + figures.said["labels"]
                assert read == 2 * stream.events, f"{contender.key} read {read} of {2 * stream.events} events"
                if contender.key.startswith(PANE):
                    alerts.add(figures.said["alerts"])
                    assert len(alerts) == 1, f"{contender.key}: {sorted(alerts)} alerts over the same stream"
                print(f"  round {number + 1}  {contender.title:40s} {figures.rate:9,.0f} events/s", file=sys.stderr)
                yield figures


def complete(measured: Iterator[Figures], contenders: int) -> list[Figures]:
    """Everything; where it is interrupted or a contender fails, the rounds that are complete, if there is one."""
    found: list[Figures] = []
    try:
        for figures in measured:
            found.append(figures)  # noqa: PERF402 - what there is when interrupted must stay
    except (KeyboardInterrupt, SystemExit) as end:
        if len(found) < contenders:
            raise
        print(f"STOPPED before the end: {end or 'interrupted'}", file=sys.stderr, flush=True)
    return found[: len(found) // contenders * contenders]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench run", description=__doc__)
    add_options(parser, events=1_000_000)
    parser.add_argument("--only", help=f"contenders, separated by commas: {', '.join(BY_KEY)}")
    parser.add_argument("--no-peers", action="store_true", help="neither install nor run what is not the project's")
    parser.add_argument("--verify", action="store_true", help="compare the drifts that all sides find, not the time")
    args = parser.parse_args(arguments)
    contenders = chosen(args.only, peers=not args.no_peers)
    around = surroundings(installed() if any(each.needs for each in contenders) else {})
    with broker(args.kafka) as bootstrap:
        filled = stream(bootstrap, Shape(), args.events, 1 if args.verify else args.partitions)
        if args.verify:
            raise SystemExit(0 if verify(filled, [each for each in contenders if each.rivers]) else 1)
        found = complete(rounds(filled, contenders, args.rounds), len(contenders))
    rows, count = table.rows(found), len(found) // len(contenders)
    setup = {"events": args.events, "partitions": args.partitions, "rounds": count}
    size = f"{count} rounds of {args.events:,} predictions and as many labels"
    print(f"\n{size}, on {args.partitions} partitions each")
    print(f"commit {around['commit']}; {described(around)}\n\n{table.shown(rows)}\n")
    if args.only is None or args.out:
        keep("run", around, {**setup, "contenders": rows}, args.out)
        print(targets.shown(around["commit"]))


def add_options(parser: argparse.ArgumentParser, *, events: int, rounds: int = 5) -> None:
    """What all measurements over a broker can be told."""
    parser.add_argument("--events", type=int, default=events)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--partitions", type=int, default=4, help="of each topic")
    parser.add_argument("--kafka", default=os.environ.get("STREAMCHECK_TEST_KAFKA"), help="broker (default: start one)")
    parser.add_argument("--out", type=Path, help="file for the figures (default: bench/results/COMMIT/…)")
