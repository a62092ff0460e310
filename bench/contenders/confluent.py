"""confluent-kafka, a list of 10,000 messages at a time: read only, with orjson, or with orjson and all the work.

queued.min.messages and fetch.queue.backoff.ms: with its defaults the client fills its queue, then pauses a second.
"""

import time
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition

from bench.contenders.task import Clock, Task

BATCH_ROWS = 10_000
SETTINGS = {"queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 5}


def connect(task: Task) -> Any:
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap,
            "group.id": f"bench-{time.time_ns()}",
            "enable.auto.commit": False,
            **SETTINGS,
        }
    )
    topics = (task.predictions, task.labels)
    consumer.assign([TopicPartition(topic, part, 0) for topic in topics for part in range(task.partitions)])
    return consumer


def count(task: Task, *, parse: bool) -> None:
    """The limits: no work at all."""
    clock = Clock()
    consumer = connect(task)
    read = 0
    while read < 2 * task.events:
        messages = consumer.consume(BATCH_ROWS, 1.0)
        if parse:
            for message in messages:
                orjson.loads(message.value())
        read += len(messages)
        assert not messages or messages[-1].error() is None, messages[-1].error()
    clock.say(read - task.events, task.events)
    consumer.close()


def everything(task: Task) -> None:
    from bench.contenders.work import Work  # noqa: PLC0415 (river: not for the limits)

    clock = Clock()
    consumer = connect(task)
    work = Work(task.events)
    while not work.done:
        for message in consumer.consume(BATCH_ROWS, 1.0):
            event = orjson.loads(message.value())
            if message.topic() == task.predictions:
                work.prediction(event)
            else:
                work.label(event)
    clock.say(work.predictions, work.labels, **work.found())
    consumer.close()


def main() -> None:
    task = Task.given(__doc__, "consume", "loads", "river")
    if task.mode == "river":
        everything(task)
    else:
        count(task, parse=task.mode == "loads")


if __name__ == "__main__":
    main()
