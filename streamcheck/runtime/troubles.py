"""What may be wrong with the service itself? One check each: over its limit, clearly below it, or between the two.

Of what is shown and the real clock; who makes alerts of it is streamcheck.runtime.operational.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from streamcheck.config.settings import Operations
from streamcheck.core.types import SourcePartition
from streamcheck.core.wording import counted, span
from streamcheck.runtime.telemetry import Phase, Snapshot

NAMED_MAX = 5
"""Partitions that an alert names, the worst first."""
GROWTH_PARTS = 5
"""A lag grows where its least value has risen from each of these parts of the span to the next, and doubled in all."""
GROWTH_RECORDS = 1_000
"""And by so many records: below it nobody need hurry."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check says now. over and clear: neither where it cannot be told, or lies between."""

    over: bool
    clear: bool
    value: float = 0.0
    limit: float = 0.0
    unit: str = "s"
    what: str = ""


UNKNOWN = Judged(over=False, clear=False)


BLIND_S = 10.0
"""The loop looks at positions every second; where it has not for so long, it was busy with something else."""


class Check(Protocol):
    """One question about the service. lasts_s: how long it must be over its limit for an alert."""

    name: str
    lasts_s: float

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:
        """Look at what is shown now. now_s: monotonic clock; undelivered: who delivers nothing at present, and why."""


class Lag:
    """Are too many records left to be read?"""

    name = "lag"

    def __init__(self, rules: Operations) -> None:
        self._limit, self.lasts_s = rules.lag_records, rules.lag_s

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """Of all partitions, and not before the service has caught up with what was there when it began."""
        if snapshot.phase is not Phase.LIVE:
            return UNKNOWN
        lag = sum(records for _, records in snapshot.lag)
        what = f"{counted(lag, 'record')} to be read ({_worst(snapshot.lag)}), more than {self._limit:,}"
        return Judged(lag > self._limit, lag <= self._limit // 2, lag, self._limit, "records", what)


class Growing:
    """Does the service fall behind, bit by bit?"""

    name = "lag_growing"
    lasts_s = 0.0

    def __init__(self, rules: Operations) -> None:
        self._span_s, self._part_s = rules.growing_s, rules.growing_s / GROWTH_PARTS
        self._least: deque[tuple[int, int]] = deque(maxlen=GROWTH_PARTS + 1)

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """By the least lag of each part of the span, so that a single burst is no growth."""
        if snapshot.phase not in (Phase.CATCHING_UP, Phase.LIVE) or not snapshot.broker.connected:
            self._least.clear()  # what was read, and how much there is, was not known meanwhile
            return UNKNOWN
        lag, part = sum(records for _, records in snapshot.lag), int(now_s // self._part_s)
        if self._least and self._least[-1][0] == part:
            self._least[-1] = (part, min(lag, self._least[-1][1]))
        else:
            self._least.append((part, lag))
        done = [least for _, least in list(self._least)[:-1]]
        if len(done) < 2:
            return Judged(over=False, clear=lag < GROWTH_RECORDS)
        rises = all(after > before for before, after in pairwise(done))
        grown = done[-1] >= 2 * done[0] + GROWTH_RECORDS
        what = (
            f"the lag has grown for {span(self._span_s)}: {done[0]:,} to {done[-1]:,} records ({_worst(snapshot.lag)})"
        )
        full = len(done) == GROWTH_PARTS
        return Judged(full and rises and grown, done[-1] <= done[-2], done[-1], done[0], "records", what)


class CommitAge:
    """Has a closed pane waited for its commit for too long?"""

    name = "commit"
    lasts_s = 0.0

    def __init__(self, rules: Operations) -> None:
        self._limit_s = rules.commit_s

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """From when there was something to commit; while the broker is away, that is the trouble."""
        if not snapshot.broker.connected:
            return UNKNOWN
        since_s = snapshot.commit_waiting_since_s
        waits_s = 0.0 if since_s is None else max(0.0, now_s - since_s)
        what = f"a closed pane has waited {span(waits_s)} for its commit (at most {span(self._limit_s)})"
        return Judged(waits_s > self._limit_s, waits_s <= self._limit_s / 2, waits_s, self._limit_s, "s", what)


class Stalled:
    """Is there a partition that has records and makes no progress?"""

    name = "stalled"
    lasts_s = 0.0

    def __init__(self, rules: Operations) -> None:
        self._limit_s = rules.stalled_s
        self._stood: dict[SourcePartition, tuple[int, float]] = {}
        self._looked: tuple[object, float] = ((), 0.0)
        self._said = UNKNOWN

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """By the position; one that is held back for others, and any while the broker is away, does not count.

        Nor does time in which nobody looked at positions, as while thousands of panes close at one blow.
        """
        if not snapshot.broker.connected or not snapshot.lag:
            self._stood.clear()
            return UNKNOWN
        before, looked_s = self._looked
        blind_s = now_s - looked_s if now_s - looked_s > BLIND_S else 0.0
        if snapshot.positions is before:
            return UNKNOWN if blind_s else self._said
        self._looked = snapshot.positions, now_s
        lag, stood = dict(snapshot.lag), dict[SourcePartition, tuple[int, float]]()
        for source, position in snapshot.positions:
            if lag.get(source) and source not in snapshot.held_back:
                at, since_s = self._stood.get(source, (None, now_s))
                stood[source] = (position, since_s + blind_s if at == position else now_s)
        self._stood = stood
        stands_s = {source: now_s - since_s for source, (_, since_s) in stood.items()}
        longest_s = max(stands_s.values(), default=0.0)
        over = [(source, lag[source]) for source, for_s in stands_s.items() if for_s > self._limit_s]
        what = f"no progress for {span(longest_s)} though there are records: {_worst(over)}"
        self._said = Judged(bool(over), longest_s <= self._limit_s / 2, longest_s, self._limit_s, "s", what)
        return self._said


class Delivery:
    """Is there somebody who delivers nothing: alerts, dead letters, journal, messages?"""

    name = "delivery"

    def __init__(self, rules: Operations) -> None:
        self.lasts_s = rules.delivery_s
        self._since_s: float | None = None

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """By what each says of its last attempt."""
        if not undelivered:
            self._since_s = None
            return Judged(over=False, clear=True)
        self._since_s = now_s if self._since_s is None else self._since_s
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(undelivered.items())[:NAMED_MAX])
        value = now_s - self._since_s
        return Judged(over=True, clear=False, value=value, limit=self.lasts_s, what=f"not delivered: {reasons}")


class BrokerAway:
    """Does the broker not answer?"""

    name = "broker"

    def __init__(self, rules: Operations) -> None:
        self.lasts_s = rules.broker_s
        self._since_s: float | None = None

    def judge(self, snapshot: Snapshot, now_s: float, undelivered: Mapping[str, str]) -> Judged:  # noqa: ARG002
        """Nothing is known before the first attempt."""
        broker = snapshot.broker
        if broker.connected:
            self._since_s = None
            return Judged(over=False, clear=True)
        if not broker.message:
            return UNKNOWN
        self._since_s = now_s if self._since_s is None else self._since_s
        what = f"the broker does not answer: {broker.message}"
        return Judged(over=True, clear=False, value=now_s - self._since_s, limit=self.lasts_s, what=what)


CHECKS = (Lag, Growing, CommitAge, Stalled, Delivery, BrokerAway)
NAMES = tuple(check.name for check in CHECKS)


def _worst(lag: Iterable[tuple[SourcePartition, int]]) -> str:
    """The partitions with most to be read."""
    behind = sorted(((records, source) for source, records in lag if records), key=lambda each: (-each[0], each[1]))
    named = ", ".join(f"{source} {records:,}" for records, source in behind[:NAMED_MAX])
    more = len(behind) - NAMED_MAX
    return named + (f" and {more} more" if more > 0 else "")
