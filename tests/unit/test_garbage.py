"""The collector of garbage: seldom while the loop runs, as before it afterwards."""

import gc
import subprocess
import sys
from contextlib import suppress

from streamcheck.runtime.garbage import COLLECT_AFTER, settled


def test_it_collects_seldom_and_then_as_before() -> None:
    before = gc.get_threshold()
    frozen = gc.get_freeze_count()
    with suppress(KeyError), settled():
        assert gc.get_threshold() == (COLLECT_AFTER, *before[1:])
        assert gc.get_freeze_count() > frozen
        raise KeyError
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_a_worker_starts_without_what_only_its_owner_needs() -> None:
    """Two of them start while the owner waits: scipy alone is 0.2 s of CPU for each."""
    asked = "import sys, streamcheck.cli.worker; print(sorted({'scipy', 'http', 'river', 'kafka'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", asked], check=True, stdout=subprocess.PIPE, text=True, timeout=60)
    assert told.stdout.strip() == "[]"
