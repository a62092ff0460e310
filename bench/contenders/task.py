"""What every contender is told on its command line, and what it says at its end. Standard library only."""

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """Read `events` predictions and as many labels from two topics of `partitions` each. mode: the contender's own."""

    bootstrap: str
    predictions: str
    labels: str
    events: int
    partitions: int
    mode: str

    @staticmethod
    def given(description: str | None, *modes: str) -> "Task":
        """From the command line."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("mode", choices=modes)
        for name in ("bootstrap", "predictions", "labels"):
            parser.add_argument(name)
        for name in ("events", "partitions"):
            parser.add_argument(name, type=int)
        return Task(**vars(parser.parse_args()))


class Clock:
    """Started once everything is imported: how long it took, and the CPU time of this process and its children."""

    def __init__(self) -> None:
        self._began_s, self._cpu_s = time.perf_counter(), _cpu_s()

    def say(self, predictions: int, labels: int, **more: Any) -> None:
        """The last line of a contender's output: what it took, what it read, and what it found."""
        took = {"seconds": time.perf_counter() - self._began_s, "cpu_s": _cpu_s() - self._cpu_s}
        json.dump({**took, "predictions": predictions, "labels": labels, **more}, sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
