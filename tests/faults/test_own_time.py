"""Does the clock of the faults leave out what others took, and nothing else?"""

import os
import time

import pytest

from tests.faults.own_time import OwnTime


def test_time_in_line_is_left_out_also_of_processes_that_have_ended(tmp_path) -> None:
    clock, line = OwnTime(tmp_path), tmp_path / "7" / "schedstat"
    line.parent.mkdir()
    line.write_text("1000 4000000000 9\n")
    before = clock.now()
    clock.watch([7])
    assert clock.now() - before == pytest.approx(-4.0, abs=0.5)
    line.write_text("9000000000 5500000000 9\n")
    clock.watch([7])
    line.unlink()
    clock.watch([7, 8])
    assert clock.now() - before == pytest.approx(-5.5, abs=0.5)


def test_a_process_that_sleeps_does_not_stand_in_line() -> None:
    clock = OwnTime()
    clock.watch([os.getpid()])
    before, began = clock.now(), time.monotonic()
    time.sleep(0.2)
    clock.watch([os.getpid()])
    assert 0.0 < clock.now() - before <= time.monotonic() - began
