"""Brokers are killed, frozen and restarted, each in turn: does the log of alerts show it?"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import quiet_start
from tests.faults.conftest import Scenario
from tests.faults.mutants.delivery import FORGOTTEN
from tools.kafka_cluster import KafkaCluster

pytestmark = pytest.mark.long

DOWN_S, FROZEN_S = 5, 10
PACE, PACE_OF_MUTANTS = 200, 1_000
RECOVERY_S = 20.0
"""With the broker's absence, and what it takes until another one is the coordinator."""
ROUNDS = 3


@pytest.fixture(scope="module")
def brokers(kafka) -> Iterator[KafkaCluster]:
    """Three of them; min.insync.replicas is 2."""
    with quiet_start(KafkaCluster(3)) as cluster:
        yield cluster


@pytest.fixture
def replicated(brokers, tmp_path, request) -> Scenario:
    return Scenario(brokers.bootstrap, tmp_path, f"{request.node.originalname}.{os.getpid()}", replicas=3)


def kill(brokers: KafkaCluster, node: int) -> None:
    brokers.kill(node)
    time.sleep(DOWN_S)
    brokers.restart(node)


def freeze(brokers: KafkaCluster, node: int) -> None:
    brokers.pause(node)
    time.sleep(FROZEN_S)
    brokers.resume(node)


def restart(brokers: KafkaCluster, node: int) -> None:
    brokers.terminate(node)
    brokers.restart(node)


@pytest.mark.parametrize(
    ("fault", "name"),
    [(kill, "broker SIGKILL"), (freeze, "broker SIGSTOP, 10 s"), (restart, "broker restart, controlled")],
)
def test_each_broker_in_turn(fault: Callable[..., None], name: str, replicated, brokers, report) -> None:
    seconds = []
    with replicated(seed=31, pace=PACE, supervised=True) as (_, service):
        for node in brokers.nodes:
            seconds.append(service.longest_wait(lambda node=node: fault(brokers, node)))
            service.committed(3)
    report(f"{name}, 3 brokers", len(brokers.nodes), replicated.verdict, seconds)
    assert max(seconds) <= RECOVERY_S


@pytest.mark.parametrize("fault", [kill, freeze, restart])
def test_each_catches_who_takes_a_failure_for_sent(fault: Callable[..., None], replicated, brokers) -> None:
    """Some transaction of alerts must meet the absence of a broker, sooner or later."""
    with replicated(seed=31, pace=PACE_OF_MUTANTS, mutant="failure_at_once") as (_, service):
        for node in brokers.nodes * ROUNDS:
            service.longest_wait(lambda node=node: fault(brokers, node))
            if service.told(FORGOTTEN):
                break
    assert service.told(FORGOTTEN), "nothing was under way while a broker was away"
    assert not replicated.verdict.good, "alerts that were forgotten are not missed"
