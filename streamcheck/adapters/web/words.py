"""How are readings said on pages: segments, states and their tones, addresses of monitors?"""

from urllib.parse import urlencode

from streamcheck.core.keys import on_level
from streamcheck.core.readings import AlertState, Reading, Segment
from streamcheck.core.wording import moment, number
from streamcheck.runtime.telemetry import segment_text

SEGMENT_CHARS_MAX = 64
NEAR = 0.7
"""From this part of its threshold on a score is worth a look."""


def short_segment(segment: Segment) -> str:
    """A segment in no more than SEGMENT_CHARS_MAX characters; its end stays, for it may be what tells it apart."""
    text = segment_text(segment)
    return text if len(text) <= SEGMENT_CHARS_MAX else f"{text[: SEGMENT_CHARS_MAX - 18]}…{text[-17:]}"


def state(reading: Reading) -> tuple[str, str]:
    """What to say of a reading, and in which tone."""
    if reading.alert is AlertState.FIRING:
        return ("known, firing", "warning") if reading.acknowledged_by else ("firing", "alarm")
    if reading.alert is AlertState.PENDING:
        return "pending", "warning"
    return ("quiet", "good") if reading.status == "ready" else (reading.status, "wait")


def known(reading: Reading) -> str:
    """Who has acknowledged its open alert, why, and until when; empty where nobody has."""
    if reading.acknowledged_by is None:
        return ""
    until = reading.acknowledged_until_ms
    why = f": {reading.acknowledged_why}" if reading.acknowledged_why else ""
    return f"by {reading.acknowledged_by}, {f'until {moment(until)}' if until else 'until it is over'}{why}"


def limited(reading: Reading) -> bool:
    """Whether the score is the value itself and the threshold a limit drawn by the user, from above or from below."""
    return on_level(reading.detector, reading.measure)


def nearness(reading: Reading) -> float:
    """The score as a part of its threshold; 0 where that says nothing."""
    return (reading.score or 0.0) / reading.threshold if reading.threshold and not limited(reading) else 0.0


def trouble(reading: Reading) -> tuple[int, bool, bool]:
    """Ascending order: firing, pending, near its threshold, all others; what is known after what is not."""
    return -int(reading.alert), reading.acknowledged_by is not None, nearness(reading) < NEAR


def against(reading: Reading) -> str:
    """What a value is compared with, in words; empty for nothing."""
    if limited(reading):
        return "" if reading.threshold is None else f"limit {number(reading.threshold)}"
    return "" if reading.reference is None else f"normal {number(reading.reference)}"


def address(monitor: str, segment: Segment) -> str:
    """Where the page of one monitor for one segment is."""
    named = {"id": monitor} | ({"segment": segment_text(segment)} if segment else {})
    return "monitor?" + urlencode(named, errors="replace")
