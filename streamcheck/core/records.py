"""The record of an alert, byte for byte (DESIGN section 10), and what it says to people in one sentence."""

import orjson

from streamcheck.core.alerts import ESCALATED, NEWEST, PART, Change, alert_id, iso
from streamcheck.core.causes import FAULT
from streamcheck.core.keys import LIMIT
from streamcheck.core.plan import Finds
from streamcheck.core.wording import differing, span

SCHEMA = 1


def record(config: str, lineage: str, sequence: int, incident: str, change: Change) -> bytes:
    """The record of one transition as published."""
    spec, segment, transition = change.spec, change.segment, change.transition
    finding = transition.finding
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "id": alert_id(config, spec.id, segment, transition.opened_ms),
            "lineage": lineage,
            "sequence": sequence,
            "incident": incident,
            "state": transition.state,
            "config": config,
            "monitor": spec.id,
            "column": spec.column,
            "segment": dict(segment),
            "severity": transition.severity or spec.rule.severity,
            "owner": spec.rule.owner,
            "runbook": spec.rule.runbook,
            "pane_start": iso(transition.start_ms),
            "pane_end": iso(transition.end_ms),
            "change_at": iso(finding.change_at_ms),
            "value": finding.value,
            "reference": finding.reference,
            "score": finding.score,
            "threshold": finding.threshold,
            "rows": finding.rows,
            "detector": spec.detector.name,
            "summary": "; ".join(filter(None, (summarise(change), _risen(change), change.detail))),
            "evidence": {**dict(finding.evidence), **({"kind": "skew"} if spec.finds is Finds.SKEW else {})},
        }
    )


def _risen(change: Change) -> str:
    """That nobody has acknowledged it, where it has become more urgent."""
    told = dict(change.transition.finding.evidence).get(ESCALATED)
    if told is None or change.transition.state == "resolved":
        return ""
    return f"acknowledged by nobody for {span(told['after_s'])}: {told['from']} becomes {change.transition.severity}"


def _recovery(change: Change) -> str:
    """What it means that an alert is resolved: that depends on what its detector can say."""
    finding = change.transition.finding
    accepted = dict(finding.evidence).get("accepted_because")
    if accepted:
        return f"is taken as it is from now on ({accepted})"
    if change.spec.detector.name == LIMIT and finding.threshold is not None:
        return f"is back within its limit {finding.threshold:.4g} ({change.noun})"
    if change.spec.measure is None:
        return f"has not drifted further (seen by {change.spec.detector.name})"
    if change.spec.finds is Finds.SKEW:
        return f"is as in training again ({change.noun})"
    return f"is back within its reference ({change.noun})"


def summarise(change: Change) -> str:
    """One sentence for people: what, where, from, to, since when."""
    spec, segment, noun, transition = change.spec, change.segment, change.noun, change.transition
    finding = transition.finding
    where = " for " + ", ".join(f"{field}={value}" for field, value in segment) if segment else ""
    since = iso(finding.change_at_ms)[:19].replace("T", " ")
    if transition.state == "resolved":
        return f"{spec.column}{where} {_recovery(change)}, after a change at about {since}"
    fault = dict(finding.evidence).get(FAULT)
    if fault is not None:
        against = ", against training (skew)," if spec.finds is Finds.SKEW else ""
        return f"{spec.column}{where}: {fault}{against} since about {since}"
    rows = "" if change.sure else f" of {finding.rows} rows"
    if spec.detector.name == LIMIT and finding.score is not None and finding.threshold is not None:
        side = "above" if finding.direction > 0 else "below"
        value, limit = differing(finding.score, finding.threshold)  # the score is what the limit judges
        return f"{spec.column}{where} is {value}, {side} its limit {limit} ({noun}{rows})"
    if finding.value is None or finding.reference is None:
        return f"{spec.column}{where} changed (seen by {spec.detector.name}) since about {since}"
    noun = " of ".join(filter(None, (noun, dict(finding.evidence).get(PART))))
    if spec.finds is Finds.SKEW:
        value, reference = differing(finding.value, finding.reference)
        apart = f"{value} in serving, {reference} in training"
        return f"{spec.column}{where}: skew, {apart} ({noun}{rows}) since about {since}"
    return f"{spec.column}{where} {_moved(change, noun, rows, since)}"


def _moved(change: Change, noun: str, rows: str, since: str) -> str:
    """Which way, from where to where. rows: of how many the value is."""
    spec, finding = change.spec, change.transition.finding
    assert finding.value is not None, spec.id
    assert finding.reference is not None, spec.id
    value, reference = differing(finding.value, finding.reference)
    verbs = {1: "rose", -1: "fell", 0: "changed"}
    seen = (finding.value > finding.reference) - (finding.value < finding.reference)
    if spec.measure is None and finding.direction and seen != finding.direction:
        # the method has seen more rows than these, which stand for them
        few = f"{noun} of the newest {finding.rows} rows {value}, {reference} before"
        return f"{verbs[finding.direction]} since about {since} (seen by {spec.detector.name}; {few})"
    # a signal need not go the way of the numbers that stand for it: scores of rows are bounded, a spread is not
    verb = verbs[finding.direction if seen == finding.direction else 0]
    newest = dict(finding.evidence).get(NEWEST)
    lately = f", {differing(newest['mean'], finding.value)[0]} of the newest {newest['rows']}" if newest else ""
    # sums take huge values as VALUE_MAX: numbers that are equal tell nothing
    numbers = f" from {reference} to {value}" if seen else ""
    return f"{verb}{numbers} ({noun}{rows}{lately}) since about {since}"
