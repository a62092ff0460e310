"""What do malformed events cost, and do they change anything? The real command, dead letters delivered, on one broker.

    make bench-hostile                             three rounds of 300,000 good events
    python -m bench hostile --events 50000 --rounds 1

Three streams in turn: the good events alone; the same with one malformed event in ten, of every kind that the decoder
rejects; nothing but malformed ones. Exit code 1 where an alert of the second differs from the first in a byte (but for
the name of the state's life), a bad event lacks its dead letter or has another reason than expected, or the good events
come through at less than half of the clean stream's rate.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaConsumer, TopicPartition

from bench import configs
from bench.events import Shape
from bench.measure import Figures, measure
from bench.poison import MESSAGE_BYTES_MAX, clean, fill, mixed, spoiled
from bench.roster import own_command
from bench.run import add_options
from bench.streams import Stream, broker
from bench.surroundings import described, keep, surroundings

CLEAN, MIXED, SPOILED = "clean", "one in ten malformed", "all malformed"
EVERY = 10
SHARE_MIN = 0.5


def command(stream: Stream, folder: Path, run: str) -> list[str]:
    """A run over the predictions alone, with dead letters and a limit on sizes; all go by one name in their alerts."""
    path = configs.over_kafka(configs.features_only(stream.shape), stream, run, folder)
    more = {"name": "hostile", "dead_letter": {"topic": f"{run}.rejects"}}
    config = {**yaml.safe_load(path.read_text()), **more, "limits": {"message_bytes": f"{MESSAGE_BYTES_MAX}B"}}
    return own_command(configs.write(config, path), "--supervised")


def read(bootstrap: str, topic: str) -> list[Any]:
    """Every committed record of a topic, by partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    found = []
    for number in sorted(consumer.partitions_for_topic(topic) or ()):
        part = TopicPartition(topic, number)
        consumer.assign([part])
        consumer.seek_to_beginning(part)
        end = consumer.end_offsets([part])[part]
        while consumer.position(part) < end:
            found += [record for batch in consumer.poll(timeout_ms=1000).values() for record in batch]
    consumer.close()
    return found


def alerts(bootstrap: str, run: str) -> list[tuple[bytes, bytes]]:
    """Key and bytes of each alert, but for the name of the state's life."""
    records = read(bootstrap, f"{run}.alerts")
    return [(record.key, re.sub(rb'"lineage":"[0-9a-f]*",', b"", record.value)) for record in records]


def misdirected(bootstrap: str, run: str, stream: Stream, bad: dict[tuple[int, int], str]) -> list[str]:
    """How the dead letters differ from the bad events: none missing, none too many, each with its reason."""
    if not bad:
        return []
    letters = read(bootstrap, f"{run}.rejects")
    found = {}
    for letter in letters:
        headers = {name: text.decode() for name, text in letter.headers if name != "source-key"}
        assert headers["source-topic"] == stream.predictions, headers
        found[int(headers["source-partition"]), int(headers["source-offset"])] = headers["reason"]
    wrong = [
        f"{at}: {found.get(at)!r}, not {bad.get(at)!r}" for at in bad.keys() | found if found.get(at) != bad.get(at)
    ]
    return wrong if len(found) == len(letters) else [*wrong, f"{len(letters) - len(found)} letters twice"]


def report(found: dict[str, list[Figures]], good: dict[str, int]) -> float:
    """Print the table; the share of the clean rate at which good events come through beside bad ones."""
    print(f"\n{'':22s} {'good/s':>9s} {'all/s':>9s} {'x clean':>8s}   CPU us/event  peak MB   (medians; memory: max)")
    share = 0.0
    for stream, runs in found.items():
        ratios = [
            (good[stream] / own.seconds) / (good[CLEAN] / base.seconds)
            for own, base in zip(runs, found[CLEAN], strict=True)
        ]
        if stream == SPOILED:
            ratios = [own.rate / base.rate for own, base in zip(runs, found[CLEAN], strict=True)]
        share = statistics.median(ratios) if stream == MIXED else share
        print(
            f"{stream:22s} {statistics.median(good[stream] / own.seconds for own in runs):9,.0f} "
            f"{statistics.median(own.rate for own in runs):9,.0f} {statistics.median(ratios):8.2f} "
            f"{statistics.median(own.cpu_s / own.events * 1e6 for own in runs):14.1f} "
            f"{max(own.peak_mb for own in runs):8.0f}"
        )
    return share


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="bench hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, events=300_000, rounds=3)
    args = parser.parse_args(arguments)
    around = surroundings()
    found: dict[str, list[Figures]] = {CLEAN: [], MIXED: [], SPOILED: []}
    wrong: list[str] = []
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        stamp = time.time_ns()
        names = {CLEAN: f"clean-{stamp}", MIXED: f"mixed-{stamp}", SPOILED: f"spoiled-{stamp}"}
        streams = {each: Stream(bootstrap, name, Shape(), args.events, args.partitions) for each, name in names.items()}
        print(f"publishing three times {args.events:,} events", file=sys.stderr, flush=True)
        bad = {
            CLEAN: fill(streams[CLEAN], clean(streams[CLEAN])),
            MIXED: fill(streams[MIXED], mixed(streams[MIXED], EVERY)),
            SPOILED: fill(streams[SPOILED], spoiled(streams[SPOILED])),
        }
        good = {CLEAN: args.events, MIXED: args.events, SPOILED: 0}
        logs: dict[str, list[tuple[bytes, bytes]]] = {}
        for number in range(args.rounds):
            for each in [*found][number % 3 :] + [*found][: number % 3]:
                run, sent = f"{names[each]}-{number}", good[each] + len(bad[each])
                figures = measure(each, command(streams[each], Path(folder), run), sent)
                assert figures.said["predictions"] == sent, figures
                print(f"  round {number + 1}  {each:22s} {figures.rate:9,.0f} events/s", file=sys.stderr, flush=True)
                found[each].append(figures)
                logs[each] = alerts(bootstrap, run)
                wrong += misdirected(bootstrap, run, streams[each], bad[each])
            if logs[MIXED] != logs[CLEAN] or not logs[CLEAN]:
                wrong.append(f"round {number + 1}: the alerts of the mixed stream differ from those of the clean one")
            if logs[SPOILED]:
                wrong.append(f"round {number + 1}: {len(logs[SPOILED])} alerts where there was no event")
    share = report(found, good)
    verdict = "NOT as they should be" if wrong else "byte for byte the same, every dead letter there"
    print(f"{len(logs[CLEAN])} alert transitions: {verdict}; commit {around['commit']}; {described(around)}")
    rows = {each: [asdict(figures) for figures in runs] for each, runs in found.items()}
    keep("hostile", around, {"events": args.events, "good_share": share, "streams": rows}, args.out)
    print("\n".join(wrong[:20]), file=sys.stderr)
    raise SystemExit(1 if wrong or share < SHARE_MIN else 0)
