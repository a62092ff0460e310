"""Is there an event in this envelope? One field of it, the mark, says so."""

from collections.abc import Sequence

from streamcheck.core.plan import HEADERS, Envelope, Path

NO_CLOUDEVENT = "not a CloudEvent"
NO_DEBEZIUM = "not a Debezium event"
DELETED = "deleted"
NO_ROW = "no row"

MARKS: dict[Envelope, Path] = {
    Envelope.CLOUDEVENTS: ("specversion",),
    Envelope.CLOUDEVENTS_BINARY: (HEADERS, "ce_specversion"),
    Envelope.DEBEZIUM: ("op",),
}

_OPERATIONS = {"c": None, "u": None, "r": None, "d": DELETED, "t": NO_ROW, "m": NO_ROW}
"""Created, updated, read (of a snapshot); deleted; the table emptied, a message that is of no row."""


def doubts(envelope: Envelope, marks: Sequence[object]) -> dict[int, str]:
    """Position -> reason of records that hold no event.

    >>> doubts(Envelope.DEBEZIUM, ["c", "d", None, 7])
    {1: 'deleted', 2: 'not a Debezium event', 3: 'not a Debezium event'}
    """
    if envelope is Envelope.DEBEZIUM:
        found = [_OPERATIONS.get(mark, NO_DEBEZIUM) if isinstance(mark, str) else NO_DEBEZIUM for mark in marks]
    else:
        found = [None if isinstance(mark, str) and mark else NO_CLOUDEVENT for mark in marks]
    return {at: reason for at, reason in enumerate(found) if reason is not None}
