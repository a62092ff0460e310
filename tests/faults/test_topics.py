"""Topics that change or refuse: does the log of alerts show it?"""

import time

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.faults import harm
from tests.faults.mutants.delivery import FORGOTTEN
from tests.faults.topics import read

pytestmark = pytest.mark.long

REFUSED_S = 10
PACE_OF_MUTANTS = 1_000
"""Drifts come soon."""


def test_partitions_added(scenario, report) -> None:
    with scenario(seed=21) as (feeder, service):
        seconds = harm.add_partitions(service, feeder)
    report("partitions added, running and stopped", 2, scenario.verdict, seconds)


def test_retention_gap(scenario, report) -> None:
    with scenario(seed=22, on_gap="skip") as (feeder, service):
        feeder.reach(1_500)
        scenario.known, seconds = harm.remove_unread(service, feeder)
    report("retention removes unread events (`on_gap: skip`)", 2, scenario.verdict, seconds)


def test_slow_alerts_topic(scenario, report) -> None:
    with scenario(seed=23) as (feeder, service):
        service.kill()
        at = service.now()
        service.start("slow:2")
        seconds = service.recovered(at)
        feeder.reach(feeder.ticks + 4_000)
    report("each transaction of alerts takes 2 s more", 1, scenario.verdict, [seconds])


def test_alerts_topic_that_takes_nothing(scenario, report) -> None:
    with scenario(seed=24) as (feeder, service):
        feeder.reach(1_500)

        def refuse() -> None:
            largest_batch(service.world, 100)
            time.sleep(REFUSED_S)
            largest_batch(service.world, 1 << 20)

        seconds = service.longest_wait(refuse)
        assert service.told("wait in the outbox"), service.said()
        feeder.reach(feeder.ticks + 1_000)
    report("alerts topic takes nothing for 10 s", 1, scenario.verdict, [seconds])


def test_a_slow_alerts_topic_catches_who_sends_again(scenario) -> None:
    with scenario(seed=23, pace=PACE_OF_MUTANTS, mutant="sent_again_when_slow", moment="slow:2") as (_, service):
        service.until(lambda: read(service.world.bootstrap, service.world.alerts), "alerts")
        service.committed(2)
    assert scenario.verdict.duplicates, scenario.verdict


def test_an_alerts_topic_that_takes_nothing_catches_who_takes_a_failure_for_sent(scenario) -> None:
    with scenario(seed=24, pace=PACE_OF_MUTANTS, mutant="failure_taken_for_sent") as (_, service):
        largest_batch(service.world, 100)
        service.until(lambda: service.told(FORGOTTEN), "an alert that is not taken")
        largest_batch(service.world, 1 << 20)
    assert scenario.verdict.missing, scenario.verdict


def largest_batch(world, size: int) -> None:
    """With a size below that of any record nothing can be written."""
    admin = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, world.alerts, {"max.message.bytes": str(size)})])
    finally:
        admin.close()
