"""Connections are cut, delayed, swallowed, or break in the very moment of a commit: does the log of alerts show it?"""

import os
import random
import time
from collections.abc import Iterator

import pytest

from streamcheck.adapters.kafka.watchdog import LIMIT_S
from tests.conftest import quiet_start
from tests.faults.conftest import Scenario
from tests.faults.proxy import END_TXN, PRODUCE, ProxiedBroker, Proxy
from tests.faults.runner import EXIT_CRASHED, Service

RECOVERY_S = 20.0
WAIT_S = 60.0
PACE = 1_000
"""Drifts come soon."""
LATENCY_S = 0.25
"""Each way: half a second for an answer."""
STALL_S, STALL_LONG_S = 2.0, 15.0


@pytest.fixture(scope="module")
def broker(kafka) -> Iterator[ProxiedBroker]:
    with quiet_start(ProxiedBroker()) as made:
        assert isinstance(made, ProxiedBroker)
        yield made


@pytest.fixture
def far_away(broker, tmp_path, request) -> Scenario:
    """A world whose service reaches its broker through the proxy alone."""
    return Scenario(broker.bootstrap, tmp_path, f"{request.node.originalname}.{os.getpid()}")


def cut_each_second(proxy: Proxy, seconds: float, chance: random.Random) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.5, 1.5))
        proxy.cut()


def delay(proxy: Proxy, seconds: float) -> None:
    with proxy.slow(LATENCY_S):
        time.sleep(seconds)


def stall(proxy: Proxy, seconds: float) -> None:
    with proxy.stalled():
        time.sleep(seconds)


def cut_in_responses(proxy: Proxy, times: int, chance: random.Random) -> None:
    for _ in range(times):
        before = proxy.cuts
        proxy.cut_in_response()
        deadline = time.monotonic() + WAIT_S
        while proxy.cuts == before:
            assert time.monotonic() < deadline, "nothing was answered"
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.7))


def cut_commits(service: Service, proxy: Proxy, kinds: list[int], *, answered: bool) -> list[float]:
    """The connection breaks as a request of this kind passes; how long the next commit took each time."""
    seconds = []
    for kind in kinds:
        order = proxy.cut_at(kind, answered=answered)
        service.until(lambda order=order: order.done, f"a request of kind {kind}", WAIT_S)
        at = service.now()
        seconds.append(service.recovered(at))
    return seconds


def test_bad_connections(far_away, broker, report, long_form) -> None:
    """One after the other, in one life of the service."""
    proxy, chance, times = broker.proxy, random.Random(3), 5 if long_form else 1
    waits: dict[str, list[float]] = {name: [] for name in ("cut", "half", "lost", "unsent", "delay", "stall")}
    with far_away(seed=51, through=proxy.address, pace=PACE, ticks=2_600 * times) as (_, service):
        connections = proxy.connections
        assert connections > 0, "the service goes past the proxy"
        for _ in range(times):
            waits["lost"] += cut_commits(service, proxy, [END_TXN], answered=True)
            waits["unsent"] += cut_commits(service, proxy, [END_TXN], answered=False)
            waits["cut"].append(service.longest_wait(lambda: cut_each_second(proxy, 3 * times, chance)))
            waits["half"].append(service.longest_wait(lambda: cut_in_responses(proxy, 3, chance)))
            waits["delay"].append(service.longest_wait(lambda: delay(proxy, 2 * times)))
            waits["stall"].append(service.longest_wait(lambda: stall(proxy, STALL_LONG_S if long_form else STALL_S)))
        assert proxy.connections > connections, "nothing was cut"
    verdict, seconds = far_away.verdict, STALL_LONG_S if long_form else STALL_S
    report("all connections cut, each second", 3 * times * times, verdict, waits["cut"])
    report("connection cut in the middle of a response", 3 * times, verdict, waits["half"])
    report("connection cut as the commit of alerts passes", times, verdict, waits["unsent"])
    report("answer to the commit of alerts lost", times, verdict, waits["lost"])
    report(f"{2 * LATENCY_S * 1000:.0f} ms to each answer", times, verdict, waits["delay"])
    report(f"nothing passes for {seconds:g} s", times, verdict, waits["stall"])
    assert max(max(each) for each in waits.values()) <= RECOVERY_S + seconds


@pytest.mark.long
def test_commits_that_break(far_away, broker, report) -> None:
    """Requests of producers, again and again, under the product's own supervisor."""
    proxy = broker.proxy
    with far_away(seed=52, through=proxy.address, supervised=True, pace=PACE, ticks=9_000) as (_, service):
        lost = cut_commits(service, proxy, [END_TXN, PRODUCE] * 5, answered=True)
        unsent = cut_commits(service, proxy, [END_TXN, PRODUCE] * 5, answered=False)
    report("answer to a producer lost, supervised", len(lost), far_away.verdict, lost)
    report("connection cut as a producer's request passes, supervised", len(unsent), far_away.verdict, unsent)


def doubt(service: Service, proxy: Proxy, seconds: float) -> float:
    """A commit of alerts succeeds, its answer is lost, and then nothing passes: the client cannot but give up."""
    service.until(lambda: "alert firing" in service.said(), "an alert")  # the first transaction holds none
    order = proxy.cut_at(END_TXN, answered=True, then_silent=True)
    service.until(lambda: order.done, "a commit of alerts", WAIT_S)
    at = service.now()
    time.sleep(seconds)
    proxy.pass_on()
    return service.recovered(at)


def lose_the_coordinator(service: Service, proxy: Proxy, seconds: float, limit_s: float = WAIT_S) -> float:
    """The connection breaks as a commit of alerts passes, and nobody listens: the stock client then hangs for ever."""
    order = proxy.cut_at(END_TXN, answered=False)
    with proxy.refusing():
        service.until(lambda: order.done, "a commit of alerts", WAIT_S)
        at = service.now()
        time.sleep(seconds)
    return service.recovered(at, limit_s=limit_s)


@pytest.mark.long
def test_a_commit_in_doubt(far_away, broker, report) -> None:
    with far_away(seed=53, through=broker.proxy.address, supervised=True, pace=PACE, ticks=9_000) as (_, service):
        silent = [doubt(service, broker.proxy, STALL_LONG_S) for _ in range(3)]
        refused = [lose_the_coordinator(service, broker.proxy, 5.0) for _ in range(3)]
    report(f"answer to the commit of alerts lost, then silence for {STALL_LONG_S:g} s", 3, far_away.verdict, silent)
    report("connection cut as the commit of alerts passes, then refused for 5 s", 3, far_away.verdict, refused)


@pytest.mark.long
def test_a_commit_that_hangs(far_away, broker, report) -> None:
    """The client unrepaired: the watchdog alone must do."""
    with far_away(seed=53, through=broker.proxy.address, mutant="stock_client", pace=PACE) as (_, service):
        hung = [lose_the_coordinator(service, broker.proxy, 5.0)]
        assert EXIT_CRASHED in service.codes, "nothing hung"
    report("commit cut, 5 s without a broker, a client that hangs for ever", 1, far_away.verdict, hung)


@pytest.mark.long
def test_a_commit_that_hangs_catches_who_waits_for_it(far_away, broker) -> None:
    with pytest.raises(AssertionError, match="waited in vain for a commit after the fault"):  # noqa: SIM117
        with far_away(seed=53, through=broker.proxy.address, mutant="no_watchdog", pace=PACE) as (_, service):
            lose_the_coordinator(service, broker.proxy, 5.0, limit_s=LIMIT_S + 10)


@pytest.mark.long
def test_a_commit_in_doubt_catches_who_does_not_ask_the_marker(far_away, broker) -> None:
    with far_away(seed=51, mutant="blind_after_doubt", through=broker.proxy.address, pace=PACE) as (_, service):
        doubt(service, broker.proxy, STALL_LONG_S)
    assert far_away.verdict.duplicates or far_away.verdict.broken, far_away.verdict
