"""Quix Streams: two dataframes of one application, plain functions, not its state store (which is slower)."""

import time
from typing import Any

import orjson
from quixstreams import Application
from quixstreams.models import JSONDeserializer

from bench.contenders.task import Clock, Task
from bench.contenders.work import Work

SETTINGS = {"queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 5}


def main() -> None:
    task = Task.given(__doc__, "river")
    clock = Clock()
    app = Application(
        broker_address=task.bootstrap,
        consumer_group=f"bench-{time.time_ns()}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        consumer_extra_config=SETTINGS,
        loglevel="ERROR",
    )
    work = Work(task.events)

    def prediction(event: Any) -> None:
        work.prediction(event)
        if work.done:
            app.stop()

    def label(event: Any) -> None:
        work.label(event)
        if work.done:
            app.stop()

    for topic, update in ((task.predictions, prediction), (task.labels, label)):
        parsed = app.topic(topic, value_deserializer=JSONDeserializer(loads=orjson.loads))
        app.dataframe(parsed).update(update)
    app.run()
    clock.say(work.predictions, work.labels, **work.found())


if __name__ == "__main__":
    main()
