"""Why did an alert open, for people: since when, how much, what moved, for whom, and did the model suffer?

Worked out when an alert becomes pending or fires, from what its instance judged last; nothing per pane. Everything is
bounded, and what it says comes from the core's own state, so that records stay the same bytes in every run.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from streamcheck.core.alerts import BETWEEN, Change, Finding, iso
from streamcheck.core.causes import CAUSE, FAULT, FAULTS, FOLLOWS, OF_STREAM, first
from streamcheck.core.instances import Instance
from streamcheck.core.keys import LIMIT
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.measures._categories import CategoryAccumulator
from streamcheck.core.measures._share_table import ShareAccumulator
from streamcheck.core.measures.base import LabelledMeasure, Needs
from streamcheck.core.measures.outside import BinsAccumulator
from streamcheck.core.measures.psi import HistogramAccumulator
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.moved import NAME_MAX, SHOWN_MAX, bins_moved, categories_moved
from streamcheck.core.plan import Target
from streamcheck.core.row_monitors import RowInstance
from streamcheck.core.wording import number

OPENING = ("pending", "firing")
CHANGE_WIDTH = 7.7
"""Of the time of a shift by d standard errors per pane, the estimate lies within so many / d^2 panes 9 times of 10:
Bai (1997), Review of Economics and Statistics 79, for shifts that are small against a pane's error."""
EARLY_PANES = 10
"""A chart may have risen by chance shortly before the change: 9 to 11 panes 1 time in 20, whatever the shift (measured
with cusum, k = 1, shifts of 1 to 5 standard errors)."""
SHIFT_MIN = 0.5
"""A smaller shift per pane is not told from this one: the interval ends at 31 panes."""
UNITS = {"change": "", "sd": " sd", "per_cent": " %", "points": " points"}
Label = tuple[tuple[str, str], ...]


def explained(changes: list[Change], instances: Iterable[Instance], pane_ms: int) -> list[Change]:
    """The changes of one pane, those that open an alert with their explanation; instances: all, in their order."""
    if not any(change.transition.state in OPENING for change in changes):
        return changes
    others = _Others(instances)
    return [others.explain(c, pane_ms) if c.transition.state in OPENING else c for c in changes]


class _Others:
    """All instances as they stand at the end of the pane, by what they look at."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self._own: dict[tuple[str, Label], Instance] = {}
        self._beside: dict[tuple[Target, str, Label], list[Instance]] = {}
        self._of_column: dict[tuple[Target, str], list[Instance]] = {}
        self._qualities: list[LabelledInstance] = []
        for one in instances:
            spec = one.spec
            self._own[spec.id, one.segment] = one
            self._beside.setdefault((spec.target, spec.column, one.segment), []).append(one)
            self._of_column.setdefault((spec.target, spec.column), []).append(one)
            if isinstance(one, LabelledInstance) and spec.by is None:
                self._qualities.append(one)

    def explain(self, change: Change, pane_ms: int) -> Change:
        own = self._own[change.spec.id, change.segment]
        finding = change.transition.finding
        told: dict[str, Any] = dict(finding.evidence)
        words = []
        follows, said = self._cause(own)
        told |= follows
        words += [said] if said else []
        if BETWEEN not in told and change.spec.detector.name != LIMIT:  # a line estimates no start of a change
            between = since(finding, change.transition.end_ms, pane_ms)
            told |= {BETWEEN: [iso(at) for at in between]} if between is not None else {}
        for more, said in (self._size(own, finding), self._what(own), self._segments(own), self._quality(own)):
            told |= more
            words += [said] if said else []
        found = replace(finding, evidence=tuple(told.items()))
        return replace(change, transition=replace(change.transition, finding=found), detail="; ".join(words))

    def _cause(self, own: Instance) -> tuple[dict[str, Any], str]:
        """The fault of the same column, for the same rows or all, that an alert of drift follows from."""
        measure = "rows" if own.spec.measure is None else own.spec.measure.name
        if measure not in FOLLOWS and measure not in OF_STREAM:
            return {}, ""
        column = OF_STREAM.get(measure, own.spec.column)
        faults = [
            (one.spec.measure.name, (one, words))
            for one in self._of_column.get((own.spec.target, column), [])
            if one.segment in ((), own.segment) and not one.quiet and one.spec.measure is not None
            if one.spec.measure.name in FAULTS and one.tracker.finding is not None
            if (words := dict(one.tracker.finding.evidence).get(FAULT)) is not None
        ]
        found = first(faults)
        if found is None:
            return {}, ""
        fault, words = found
        return {CAUSE: {"monitor": fault.spec.id, FAULT: words}}, f"follows from {fault.spec.id}: {words}"

    def _size(self, own: Instance, finding: Finding) -> tuple[dict[str, Any], str]:
        """How far the shown value has gone, in units that its measure knows; for a limit that is no matter."""
        measure = own.measure if isinstance(own, PaneInstance | RowInstance) and own.reference is not None else None
        if measure is None or (own.spec.detector.name == LIMIT and measure.limit is None):
            return {}, ""
        if finding.value is None or finding.reference is None or own.seen is None:
            return {}, ""
        if finding.value == finding.reference:
            return {}, ""
        size = measure.size(finding.value, finding.reference, own.seen.normal)
        words = [f"{_signed(value)}{UNITS[unit]}" for unit, value in size.items()]
        return ({"size": dict(size)}, "by " + ", ".join(words)) if words else ({}, "")

    def _what(self, own: Instance) -> tuple[dict[str, Any], str]:
        """Which bins or categories, where a reference beside it (or its own) counts them."""
        if own.seen is None or not isinstance(own, PaneInstance | RowInstance):
            return {}, ""
        if own.measure.needs is Needs.FEATURES:
            pairs = own.seen.normal.moved(own.seen.summary, SHOWN_MAX)
            first, second = pairs[0]["columns"]
            return {"pairs": pairs}, f"between {first} and {second}"
        if own.measure.needs not in (Needs.NUMERIC, Needs.CATEGORICAL):
            return {}, ""
        summary = own.seen.summary
        beside = self._beside[own.spec.target, own.spec.column, own.segment]
        for one in [own, *beside]:
            normal = one.reference.baseline(own.seen.start_ms) if one.reference is not None else None
            if isinstance(normal, CategoryAccumulator | ShareAccumulator):
                if own.measure.needs is Needs.CATEGORICAL and normal.n:
                    return categories_moved(summary, normal)
                continue
            counts = normal.counts if isinstance(normal, HistogramAccumulator | BinsAccumulator) else None
            if counts is not None and summary.ok and summary.layout:
                return bins_moved(summary.layout, summary.counts, counts, summary.low, summary.high)
        return {}, ""

    def _segments(self, own: Instance) -> tuple[dict[str, Any], str]:
        """For which segments the same alert is open, where it is watched by segment; the strongest first."""
        if own.segment:
            return {}, ""
        found = [
            (-(one.score or 0.0) / (one.threshold or math.inf), at, one)
            for at, one in enumerate(self._of_column[own.spec.target, own.spec.column])
            if one.segment and not one.quiet and _alike(one, own)
        ]
        named = [one for _, _, one in sorted(found, key=lambda item: item[:2])[:SHOWN_MAX]]
        if not named:
            return {}, ""
        told = [
            {"segment": _short(one.segment), "value": one.level, "reference": one.baseline, "score": one.score}
            for one in named
        ]
        first = ", ".join(f"{field}={value}" for field, value in _short(named[0].segment).items())
        return {"segments": told}, f"also for {first}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")

    def _quality(self, own: Instance) -> tuple[dict[str, Any], str]:
        """How good the model has been lately, as far as labels have come: the first quality of the config."""
        if own.spec.target is Target.LABELLED:
            return {}, ""
        for one in self._qualities:
            assert isinstance(one.measure, LabelledMeasure), one.spec.id
            estimate = one.measure.estimate(one.window.rows()) if one.window is not None and len(one.window) else None
            if estimate is None or one.baseline is None or one.on_window:
                continue
            shown = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "rows": estimate.n}
            told = {"measure": one.measure.name, **shown, "reference": one.baseline}
            words = f"{one.measure.name} of the newest {estimate.n:,} labelled rows {number(estimate.value)}"
            return {"quality": told}, f"{words} ({number(one.baseline)} in its reference)"
        return {}, ""


def since(finding: Finding, end_ms: int, pane_ms: int) -> tuple[int, int] | None:
    """Between which moments did it begin, 9 times of 10? None where the detector's evidence has no standard error.

    For detectors that do not say it themselves. CHANGE_WIDTH / d^2 panes to either side, d the newest signal's distance
    in standard errors, less the one that it is uncertain by itself; at least EARLY_PANES to the later side, but never
    after the end of the pane that was judged.
    """
    known = dict(finding.evidence)
    if not known.get("standard_error"):
        return None
    shift = abs(known["signal"] - known["expected"]) / known["standard_error"]
    panes = math.ceil(CHANGE_WIDTH / max(shift - 1.0, SHIFT_MIN) ** 2)
    latest = finding.change_at_ms + max(panes, EARLY_PANES) * pane_ms
    return finding.change_at_ms - panes * pane_ms, min(latest, end_ms)


def _alike(one: Instance, own: Instance) -> bool:
    return one.spec.measure == own.spec.measure and one.spec.detector.name == own.spec.detector.name


def _short(segment: Label) -> Mapping[str, str]:
    return {field: value[:NAME_MAX] for field, value in segment}


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)
