"""What a user writes first: kafka-python's iterator, json (or orjson), river, dicts."""

import json
from collections.abc import Callable
from typing import Any

import orjson
from kafka import KafkaConsumer

from bench.contenders.task import Clock, Task
from bench.contenders.work import Work


def main() -> None:
    task = Task.given(__doc__, "json", "orjson")
    loads: Callable[[bytes], Any] = orjson.loads if task.mode == "orjson" else json.loads
    clock = Clock()
    consumer = KafkaConsumer(
        task.predictions,
        task.labels,
        bootstrap_servers=task.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    work = Work(task.events)
    for record in consumer:
        event = loads(record.value)
        if record.topic == task.predictions:
            work.prediction(event)
        else:
            work.label(event)
        if work.done:
            break
    clock.say(work.predictions, work.labels, **work.found())
    consumer.close()


if __name__ == "__main__":
    main()
