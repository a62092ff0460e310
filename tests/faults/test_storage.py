"""The disk flips bits, is full, or cannot be written: is a damaged state ever loaded, an alert ever lost or doubled?"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import bit_flips
from tests.faults.bit_flips import Harm, outcome, snapshots
from tests.faults.runner import EXIT_TEMPORARY, Service
from tests.faults.topics import read
from tests.faults.verdict import Verdict

HARMS, HARMS_LONG = 600, 10_000
PACE = 1_000
"""Drifts come soon."""
RECOVERY_S = 15.0
GOOD = ("refused", "unharmed")


# ---------------------------------------------------------------------- bits
@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[bit_flips.Image]:
    return snapshots(tmp_path_factory.mktemp("images"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory, where there is such a place: thousands of databases are written and synced."""
    memory = Path("/dev/shm")
    path = (memory if os.access(memory, os.W_OK) else Path.cwd()) / f"streamcheck-flips-{os.getpid()}"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


def drawn(images, number, seed) -> Iterator[tuple[bit_flips.Image, Harm]]:
    rng = random.Random(seed)
    for at in range(number):
        image = images[at % len(images)]
        yield image, Harm.draw(rng, image)


def log_cuts(images) -> Iterator[tuple[bit_flips.Image, Harm]]:
    """Every write-ahead log that ends early, at each of its frames: what a disk that lies about syncing leaves."""
    for image in images:
        for at in range(0, len(image.files.get(bit_flips.LOG_FILE, b"")), bit_flips.PAGE_BYTES):
            yield image, Harm(bit_flips.Kind.CUT, bit_flips.LOG_FILE, (at,))


def harmed(harms, folder, opened_by=bit_flips.SqliteStore) -> Counter[str]:
    """What came of these harms, each to a fresh copy of its image."""
    found: Counter[str] = Counter()
    for image, harm in harms:
        result = outcome(image, harm.applied(image), folder, opened_by)
        found[result] += 1
        if opened_by is bit_flips.SqliteStore:
            assert result in GOOD, f"{harm} to the state {image.name}: {result}"
    return found


def test_damaged_state_is_never_loaded(images, folder, report, long_form) -> None:
    number = HARMS_LONG if long_form else HARMS
    found = harmed(drawn(images, number, seed=7), folder)
    assert found["refused"] > number / 3, "most harm is no harm: it hits nothing"
    assert found["unharmed"] > number / 20
    silent = tuple(f"{count} times {result}" for result, count in found.items() if result not in GOOD)
    report("a bit flipped in the saved state, a page lost, cut, swapped", number, Verdict(0, 0, 0, 0, silent))


def test_flips_catch_who_trusts_values(images, folder) -> None:
    assert "another state" in harmed(drawn(images, HARMS // 2, seed=7), folder, bit_flips.Trusting)


def test_a_log_that_ends_early_is_never_loaded(images, folder) -> None:
    assert harmed(log_cuts(images), folder)["refused"]


def test_cuts_catch_who_does_not_count(images, folder) -> None:
    found = harmed(log_cuts(images), folder, bit_flips.Uncounted)
    assert "an empty state" in found
    assert any(result.endswith("commits ago") for result in found)


# ---------------------------------------------------------------------- an older state
def put_back(files: dict[str, bytes], directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)


def kept(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def alerts_sent(service: Service) -> int:
    return len(read(service.world.bootstrap, service.world.alerts))


@pytest.mark.long
def test_a_state_that_lost_commits_is_refused_twice(scenario, report) -> None:
    """Once by the count beside it; and, that removed, by what the alerts topic says of this lineage."""
    with scenario(seed=43, pace=PACE, ticks=6_000) as (_, service):
        directory = service.world.state_dir
        service.until(lambda: alerts_sent(service) > 0, "alerts")
        service.kill()
        older, sent = kept(directory), alerts_sent(service)
        service.start()
        service.until(lambda: alerts_sent(service) > sent, "more alerts")
        service.kill()
        newest = kept(directory)

        put_back({**older, "commits": newest["commits"]}, directory)
        service.start()
        assert service.ended() == 1
        assert "its write-ahead log is damaged or was removed, or an older copy" in service.said()

        (directory / "commits").unlink()
        service.start()
        assert service.ended() == 1
        assert "of this lineage, the saved state only" in service.said()

        put_back(newest, directory)
        at = service.now()
        service.start()
        seconds = service.recovered(at)
    report("an older copy of the state put back, then the newest", 1, scenario.verdict, [seconds])


# ---------------------------------------------------------------------- space
def test_full_and_read_only(scenario, report, disk) -> None:
    recoveries = {}
    with scenario(seed=41, pace=PACE, state=disk.path / "state") as (_, service):
        disk.fill()
        service.until(lambda: EXIT_TEMPORARY in service.codes, "the disk to be full")
        assert "the disk is full: free some space, nothing was lost" in service.said()
        before, at = service.commit(), service.now()
        disk.free()
        recoveries["full"] = service.recovered(at, before)

        service.kill()
        disk.read_only()
        service.start()
        assert service.ended() == EXIT_TEMPORARY, service.said()
        assert "is mounted read-only" in service.said()
        before, at = service.commit(), service.now()
        disk.writable()
        service.start()
        recoveries["read-only"] = service.recovered(at, before)
    report("state directory full", 1, scenario.verdict, [recoveries["full"]])
    report("state directory read-only", 1, scenario.verdict, [recoveries["read-only"]])
    assert scenario.verdict.transitions > 0
    assert max(recoveries.values()) <= RECOVERY_S


def worker_ends(service: Service) -> int:
    """How often the supervisor has said that its worker ended for want of space."""
    return (service.world.folder / "log").read_text().count(f"the worker ended with exit code {EXIT_TEMPORARY}")


@pytest.mark.long
def test_full_disk_under_the_supervisor(scenario, report, disk) -> None:
    seconds = []
    with scenario(seed=42, state=disk.path / "state", supervised=True, ticks=6_000) as (_, service):
        for _ in range(5):
            said = worker_ends(service)
            disk.fill()
            service.until(lambda said=said: worker_ends(service) > said, "the disk to be full")
            before, at = service.commit(), service.now()
            disk.free()
            seconds.append(service.recovered(at, before))
    report("state directory full, restarted by the supervisor", 5, scenario.verdict, seconds)


@pytest.mark.long
def test_a_full_disk_catches_who_goes_on_all_the_same(scenario, disk) -> None:
    with scenario(seed=41, mutant="commits_lost_in_silence", pace=PACE, state=disk.path / "state") as (feeder, service):
        disk.fill()
        feeder.reach(feeder.ticks + 1_000)
        service.kill()
        disk.free()
        service.start()
    assert not scenario.verdict.good, "alerts went out that no state knows"
