"""From a checkout and a broker to the first gauge within three minutes, by what the README's first screen says."""

from pathlib import Path

from tests.deploy.programs import free_port
from tools import stranger


def test_from_nothing_to_the_first_gauge(kafka, tmp_path: Path) -> None:
    with stranger.Rides(kafka.bootstrap):
        steps = stranger.walk(kafka.bootstrap, tmp_path, free_port())
    took = {step.command: round(step.seconds, 1) for step in steps}
    assert sum(took.values()) < stranger.PROMISE_S, took
    said = next(step.said for step in steps if " init " in step.command)
    assert "predicted_minutes (regression)" in said
    assert f"actual_minutes of {stranger.ARRIVALS}, by ride_id" in said
