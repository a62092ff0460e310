"""From a checkout and a broker to the first gauge, by what the README's first screen says.

How long it takes is for `python tools/stranger.py` to say, on a machine that does nothing else.
"""

from pathlib import Path

from tests.deploy.programs import free_port
from tools import stranger


def test_from_nothing_to_the_first_gauge(kafka, tmp_path: Path) -> None:
    with stranger.Rides(kafka.bootstrap):
        steps = stranger.walk(kafka.bootstrap, tmp_path, free_port())
    said = next(step.said for step in steps if " init " in step.command)
    assert "predicted_minutes (regression)" in said
    assert f"actual_minutes of {stranger.ARRIVALS}, by ride_id" in said
