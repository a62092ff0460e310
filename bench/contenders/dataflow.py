"""Bytewax: one step that takes whole batches (its `stateful_map` per feature would be many times slower)."""

from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

from bench.contenders.task import Clock, Task
from bench.contenders.work import Work

BATCH_ROWS = 10_000
SETTINGS = {"queued.min.messages": "1000000", "fetch.queue.backoff.ms": "5"}


def main() -> None:
    task = Task.given(__doc__, "river")
    clock = Clock()
    work = Work(task.events)

    def step(messages: list[Any]) -> Iterable[Any]:
        for message in messages:
            event = orjson.loads(message.value)
            if message.topic == task.predictions:
                work.prediction(event)
            else:
                work.label(event)
        return ()

    source = KafkaSource(
        [task.bootstrap],
        [task.predictions, task.labels],
        tail=False,
        batch_size=BATCH_ROWS,
        add_config=SETTINGS,
    )
    flow = Dataflow("bench")
    worked = op.flat_map_batch("work", op.input("in", flow, source), step)
    op.output("out", worked, TestingSink([]))
    run_main(flow)
    assert work.done, (work.predictions, work.labels)
    clock.say(work.predictions, work.labels, **work.found())


if __name__ == "__main__":
    main()
