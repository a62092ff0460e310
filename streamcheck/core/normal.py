"""What is normal for one monitor and segment, and when does another normal take its place?

A reference that holds a change itself, and one whose time is over (a new model, a change that was accepted), makes room
for a successor, which has been learning since the change began to show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamcheck.core.alerts import iso
from streamcheck.core.components import State, build
from streamcheck.core.plan import ComponentSpec
from streamcheck.core.references._pools import PANES_PROVISIONAL, Pool, united
from streamcheck.core.references.base import Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

REFUSED_SHARE = 0.01
"""Of references that hold no change, at most as many are cut: what a detector is calibrated to while one learns."""
PIECE_PANES = 5
"""The first PANES_PROVISIONAL panes are kept in so many pieces of this, to be compared with one another."""
APART_MAX = 3.75
"""Standard errors between what came before and after some piece: Student's t with 24 degrees of freedom (30 panes, 6
means) lies beyond in 1 of 1,000 cases, and there are five places to look at."""
CUTS_MAX = 3
"""Of one reference in a row. A signal that changes all the time is never judged else; it is taken as it is."""
UNKNOWN = -1
"""Stands for the stage in states of a format that did not hold it."""
CANDIDATE_BYTES = 3_000
"""Room that must be there for a successor to begin; what it takes from then on is charged as of any reference."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The reference in use has replaced another. since_ms: of its first pane (None: none yet); why: for people."""

    since_ms: int | None
    why: str


class Normal:
    """The reference in use, and the one that would take its place.

    renewed: how the reference in use came to be, None for a first one; times: how many there were before it; cuts: how
    many of them in a row were given up while they learned.
    """

    def __init__(self, spec: ComponentSpec, make: Any, room: Room, timing: Timing) -> None:
        self._spec, self._make, self._room, self._timing = spec, make, room, timing
        self.reference = self._new()
        self.stage: Stage | None = None
        """That of the last pane; None before the first of this reference."""
        self._known = True
        """False after an older state, which did not say at which stage it was."""
        self.renewed: Renewal | None = None
        self.times = self.cuts = 0
        self._successor: Reference | None = None
        self._successor_ms: int | None = None
        self._pieces: list[tuple[int, Pool]] | None = []
        """The first panes, by the start of each piece; None once they have been compared."""

    def _new(self) -> Reference:
        made: Reference = build("reference", self._spec.name, dict(self._spec.params))
        made.bind(self._make, self._room, self._timing)
        return made

    @property
    def learning_steps(self) -> float:
        """Panes that the reference learns from, if none is missing."""
        return max(self.reference.learning_ms / self._timing.pane_ms, PANES_PROVISIONAL)

    @property
    def settled(self) -> bool:
        """Whether each pane is compared with the same from now on, as long as this reference lasts."""
        return self.stage is Stage.READY and self.reference.frozen and not self.reference.hourly

    def enters(self, start_ms: int) -> bool:
        """Whether with this pane comparisons become others than before."""
        stage = self.reference.stage(start_ms)
        changed, self.stage = stage is not self.stage and self._known, stage
        self._known = True
        return changed

    def observe(self, start_ms: int, summary: Any, *, quiet: bool, suspicious: bool) -> None:
        """A pane was judged. suspicious: it may be after a change, so that a successor learns from here on."""
        self.reference.observe(start_ms, summary, quiet=quiet)
        if self.renewed is not None and self.renewed.since_ms is None:
            self.renewed = Renewal(start_ms, self.renewed.why)
        self.heed(start_ms, summary, suspicious=suspicious)

    def heed(self, start_ms: int, summary: Any, *, suspicious: bool) -> None:
        """The part of `observe` that concerns a successor."""
        if self._follow(start_ms, suspicious=suspicious) and self._successor is not None:
            self._successor.observe(start_ms, summary, quiet=True)

    def heed_many(self, start_ms: int, summaries: Sequence[Any], *, suspicious: bool) -> None:
        """The same of many that are alike suspicious, one at least."""
        if self._follow(start_ms, suspicious=suspicious) and self._successor is not None:
            self._successor.observe_many(start_ms, summaries, quiet=True)

    def _follow(self, start_ms: int, *, suspicious: bool) -> bool:
        """Begin or drop a successor. Whether one is to learn, if there was room for it."""
        if self._successor is not None and not suspicious:
            self._drop()
        if not suspicious or not self.reference.learns:
            return False
        if self._successor is None and self._has_room():
            self._successor, self._successor_ms = self._new(), start_ms
        return True

    def even(self, *, compared: bool) -> bool:
        """Whether one more pane changes sums alone: its age is known, and first panes, if they are to be, compared."""
        return (self._pieces is None or not compared) and (self.renewed is None or self.renewed.since_ms is not None)

    @property
    def succeeded(self) -> bool:
        """Whether a successor is learning."""
        return self._successor is not None

    def beginning(self, start_ms: int, summary: Any) -> int | None:
        """One more pane, in case it is among the first: the start of a piece that something has changed with.

        Before there is a reference to judge by, it is judged whether one can be made of these panes.
        """
        if self._pieces is None:
            return None
        if not self._pieces or self._pieces[-1][1].panes == PIECE_PANES:
            pool = Pool.within(self._room, self._make) if self.stage is Stage.LEARNING else None
            if pool is None:
                self._compared()
                return None
            self._pieces.append((start_ms, pool))
        self._pieces[-1][1].add(summary)
        if sum(pool.panes for _, pool in self._pieces) < PANES_PROVISIONAL:
            return None
        starts, contents = [at for at, _ in self._pieces], [pool.content for _, pool in self._pieces]
        scatter = contents[0].scatter_within(contents)
        found = [
            united(self._make, contents[:cut]).apart(united(self._make, contents[cut:]), scatter)
            for cut in range(1, len(contents))
        ]
        self._compared()
        return starts[1 + found.index(max(found))] if max(found) > APART_MAX else None

    def _compared(self) -> None:
        self._room.give(sum(pool.held_bytes for _, pool in self._pieces or ()))
        self._pieces = None

    def _has_room(self) -> bool:
        if not self._room.take(CANDIDATE_BYTES):
            return False
        self._room.give(CANDIDATE_BYTES)
        return True

    def _drop(self) -> None:
        assert self._successor is not None, "there is a successor"
        self._room.give(self._successor.held_bytes)
        self._successor = self._successor_ms = None

    def renew(self, why: str, since_ms: int | None = None, *, cut: bool = False) -> bool:
        """Begin anew, with what the successor has learned. since_ms: nothing before it may be in the new reference.

        cut: because it held a change while it learned.

        False where the reference is at its word for good: a profile.
        """
        if not self.reference.learns:
            return False
        if self._successor is not None and self._successor_ms is not None and self._successor_ms < (since_ms or 0):
            self._drop()
        self._room.give(self.reference.held_bytes)
        self.reference = self._successor or self._new()
        self.renewed = Renewal(self._successor_ms, why)
        self.stage, self._successor, self._successor_ms = None, None, None
        self._compared()
        self._pieces = []
        self.times, self.cuts = self.times + 1, self.cuts + 1 if cut else 0
        return True

    def evidence(self, start_ms: int) -> tuple[tuple[str, Any], ...]:
        """What an alert says of the reference that it is judged by."""
        slot = self.reference.describe(start_ms)
        told = () if slot is None else (("compared_with", slot),)
        if self.renewed is None or self.renewed.since_ms is None:
            return told
        return (*told, ("reference_since", iso(self.renewed.since_ms)), ("reference_because", self.renewed.why))

    def status(self) -> str:
        """How far it has come, for people; "ready" and nothing more once it has."""
        progress = self.reference.progress()
        if progress.readiness is Readiness.READY:
            return "ready"
        if not self.reference.learns:
            return "not in the profile"
        anew = "" if self.renewed is None else f", begun anew: {self.renewed.why}"
        return f"{progress.readiness} {progress.have} of {progress.want} {progress.unit}{anew}"

    def export(self) -> State:
        """The state, sharing no memory."""
        successor = None if self._successor is None else [self._successor_ms, self._successor.export()]
        return {
            "reference": self.reference.export(),
            "stage": UNKNOWN if not self._known else None if self.stage is None else int(self.stage),
            "renewed": None if self.renewed is None else [self.renewed.since_ms, self.renewed.why],
            "times": [self.times, self.cuts],
            "successor": successor,
            "pieces": None if self._pieces is None else [[at, pool.export()] for at, pool in self._pieces],
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.reference.restore(state["reference"])
        self._known = state["stage"] != UNKNOWN
        self.stage = None if state["stage"] is None or not self._known else Stage(state["stage"])
        self.renewed = None if state["renewed"] is None else Renewal(*state["renewed"])
        self.times, self.cuts = state["times"]
        if self._successor is not None:
            self._drop()
        if state["successor"] is not None:
            self._successor_ms, self._successor = state["successor"][0], self._new()
            self._successor.restore(state["successor"][1])
        self._compared()
        if state["pieces"] is not None:
            self._pieces = [(at, Pool.restored(self._make, self._room, pool)) for at, pool in state["pieces"]]
