"""What is done to a running service, and how long it takes to commit again. The tests and their mutants do the same."""

import random
import signal
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing

from kafka import KafkaAdminClient
from kafka.structs import TopicPartition

from streamcheck.adapters.sqlite.store import STATE_FILE
from streamcheck.core.shelf import PREFIX as SHELF
from streamcheck.core.types import SourcePartition
from tests.faults.moments import PLACES
from tests.faults.runner import Service
from tests.faults.verdict import Logs, input_logs
from tests.faults.world import Feeder

ORPHANED_S = 15.0
CROWDED_TICKS = 1_700
"""Then more predictions wait than the join of a crowded world has memory for, and labels come for those on disk."""
SECOND = ("reading-again", "strays-flushed", "before-commit", "in-commit", "after-commit")
"""Places that every life comes to at once: the third time is less tidy."""
WORST = (
    "restoring", "fenced", "reading-again", "strays-flushed", "in-commit", "after-commit", "in-transaction",
    "after-transaction", "before-forgetting", "after-journal",
)  # fmt: skip


def kill_at_random(service: Service, times: int, seed: int) -> list[float]:
    """SIGKILL, and a new life at once."""
    chance, seconds = random.Random(seed), []
    for _ in range(times):
        time.sleep(chance.uniform(0.0, 0.5))  # the moment is what is random here
        at = service.kill()
        service.start()
        seconds.append(service.recovered(at))
    return seconds


def kill_at_moments(service: Service, *, each_recovers: bool) -> list[float]:
    """SIGKILL by its own hand, at each place. each_recovers: with a whole life between two."""
    places, seconds = tuple(PLACES) if each_recovers else WORST, []
    service.kill()
    for place in places:
        service.start(f"{place}:{3 if place in SECOND else 1}")
        at = service.dies()
        if each_recovers or place == places[-1]:
            service.start()
            seconds.append(service.recovered(at))
            if place != places[-1]:
                service.kill()
    return seconds


def kill_at_places(service: Service, places: Iterable[str]) -> list[float]:
    """SIGKILL by its own hand, the second time that it comes to each place, and a new life that commits."""
    seconds = []
    for place in places:
        service.kill()
        service.start(f"{place}:2")
        at = service.dies()
        service.start()
        seconds.append(service.recovered(at))
    return seconds


def on_shelf(service: Service) -> int:
    """How many pieces of the join's shelf the saved state holds."""
    with closing(sqlite3.connect(f"file:{service.world.state_dir / STATE_FILE}?mode=ro", uri=True, timeout=5)) as file:
        (found,) = file.execute("SELECT count(*) FROM state WHERE key GLOB ?", (f"{SHELF}*",)).fetchone()
    return int(found)


def stop_and_start(service: Service, times: int = 3) -> list[float]:
    """SIGTERM, a good end within ten seconds, and a new life."""
    seconds = []
    for _ in range(times):
        service.committed(2)
        assert service.stop() < 10
        at = service.now()
        service.start()
        seconds.append(service.recovered(at))
    return seconds


def kill_supervisor(service: Service) -> list[float]:
    """SIGKILL to the supervisor: its worker must stop by itself; what started it starts it again."""
    worker = service.worker()
    at = service.kill()
    service.start()
    service.until(lambda: not service.alone(worker), "the end of the worker without a supervisor", ORPHANED_S)
    return [service.recovered(at)]


def kill_decoders(service: Service, times: int, seed: int = 1) -> list[float]:
    """SIGKILL to one process that decodes, while it does or waits: the run ends, and is started again."""
    chance, seconds = random.Random(seed), []
    for _ in range(times):
        time.sleep(chance.uniform(0.0, 0.5))
        before, lives = service.commit(), service.lives
        at = service.kill_decoder(chance.randrange(service.world.workers))
        service.until(lambda lives=lives: service.lives > lives, "the end of a run without its decoder")
        seconds.append(service.recovered(at, before))
    return seconds


def come_back_as_zombie(service: Service, place: str) -> list[float]:
    """It freezes, a copy of its state is taken up elsewhere, and then it goes on."""
    service.kill()
    service.start(f"{place}:1:stop")
    service.frozen()
    at, before = service.now(), service.commit()
    old = service.world
    zombie = service.succeed(service.world.folder / f"moved-{place}")
    seconds = service.recovered(at, before)
    left = Service(old)
    known = left.commit()
    zombie.send_signal(signal.SIGCONT)
    service.until(lambda: zombie.poll() is not None or left.commit() != known, "the zombie to go on, or to end")
    zombie.kill()
    zombie.wait()
    service.committed()
    return [seconds]


def doubt(service: Service) -> list[float]:
    """The commit of a transaction succeeds, and the client says that it failed."""
    service.kill()
    at = service.now()
    service.start("doubt:1")
    seconds = service.recovered(at)
    service.until(lambda: service.told("broke before anyone was told"), "the doubt")
    service.committed(2)
    return [seconds]


def remove_unread(service: Service, feeder: Feeder) -> tuple[Logs, list[float]]:
    """Retention removes what a frozen service has not read. All events there were, and the time to the next commit."""
    world = service.world
    service.signal(signal.SIGSTOP)
    feeder.reach(feeder.ticks + 800)
    known = input_logs(world)
    until = {TopicPartition(world.predictions, 0): len(known[SourcePartition(world.predictions, 0)]) - 20}
    until[TopicPartition(world.labels, 1)] = len(known[SourcePartition(world.labels, 1)]) - 20
    admin = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    try:
        admin.delete_records(until)
    finally:
        admin.close()
    at = service.signal(signal.SIGCONT)
    seconds = service.recovered(at)
    for topic in (world.predictions, world.labels):
        service.until(lambda topic=topic: service.told(f"WARNING {topic}"), "the gap")
    service.committed(5)
    return known, [seconds]


def add_partitions(service: Service, feeder: Feeder) -> list[float]:
    """One more while it runs, and one more while it does not."""
    feeder.grow(4)
    feeder.reach(feeder.ticks + 400)
    at = service.kill()
    feeder.grow(5)
    feeder.reach(feeder.ticks + 200)
    service.start()
    seconds = service.recovered(at)
    feeder.reach(feeder.ticks + 200)
    return [seconds]
