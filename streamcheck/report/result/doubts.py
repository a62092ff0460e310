"""Was the right thing replayed? What looks as if files, units or ids were not what the config takes them for."""

from collections import Counter
from collections.abc import Iterator

from streamcheck.core.plan import TimeUnit
from streamcheck.core.wording import counted, moment, span
from streamcheck.report.result.result import ConfigResult

LIKELY_MS = (946_684_800_000, 4_102_444_800_000)
"""From 2000 to 2100: when events of a service happen."""
LEARNING = ("provisional", "warming up", "learning")
"""How the status of a reference begins with which nothing alarms yet."""
PER_MS = {TimeUnit.S: 1_000.0, TimeUnit.MS: 1.0, TimeUnit.US: 1e-3, TimeUnit.NS: 1e-6}


def doubts(result: ConfigResult) -> tuple[str, ...]:
    """Sentences of a whole replay, each with what to look at; none where all seems well."""
    found = (*_predictions(result), *_unit(result), *_labels(result), *_columns(result))
    return found or tuple(_unready(result))


def _predictions(result: ConfigResult) -> Iterator[str]:
    """Why did no prediction count?"""
    if result.rows.total:
        return
    topics = result.plan.predictions.topics
    mine = [each for each in result.reading.partitions if each.source.topic in topics]
    rejected: dict[str, int] = {}
    for books in mine:
        for reason, number in books.rejected:
            rejected[reason] = rejected.get(reason, 0) + number
    if rejected:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(rejected.items()))
        more = "; is streams.predictions.time as the events have it?" if "bad time" in rejected else ""
        yield f"No prediction counted: {counted(sum(rejected.values()), 'event')} rejected ({reasons}){more}"
    else:
        yield "No prediction counted: the input holds none, or none between --from and --to"


def _unit(result: ConfigResult) -> Iterator[str]:
    """Would event times be likely ones in another unit?"""
    seen_ms, time = result.rows.seen_ms, result.plan.predictions.time
    if seen_ms is None or time is None or time.unit not in PER_MS or _likely(seen_ms[0]):
        return
    for unit, factor in PER_MS.items():
        other_ms = round(seen_ms[0] / PER_MS[time.unit] * factor)
        if _likely(other_ms):
            yield (
                f"Event times begin at {moment(seen_ms[0])}, in unit: {time.unit}; in unit: {unit} they would begin at "
                f"{moment(other_ms)}. Is streams.predictions.time.unit right?"
            )


def _likely(at_ms: int) -> bool:
    return LIKELY_MS[0] <= at_ms < LIKELY_MS[1]


def _labels(result: ConfigResult) -> Iterator[str]:
    """Did no label meet its prediction?"""
    join, plan = result.reading.join, result.plan
    if plan.labels is None or plan.join is None or not result.rows.total or join.labels_matched:
        return
    waited = span(plan.join.horizon_ms / 1000)
    if join.labels:
        yield (
            f"None of {counted(join.labels, 'label')} met its prediction: are streams.predictions.id and "
            f"streams.labels.id the same, and do labels come within the horizon ({waited})?"
        )


def _unready(result: ConfigResult) -> Iterator[str]:
    """Was the history too short for most of what is watched?"""
    judged = [reading for reading in result.reading.monitors if reading.detector]
    waiting = [reading for reading in judged if reading.status.startswith(LEARNING)]
    if 2 * len(waiting) > len(judged):
        [(status, _)] = Counter(reading.status for reading in waiting).most_common(1)
        auto = {spec.id for spec in result.plan.monitors if spec.reference.name == "auto"}
        slow = any(reading.monitor in auto for reading in waiting)
        yield (
            f"{len(waiting):,} of {counted(len(judged), 'pair')} of monitor and segment could not alarm: their "
            f"references were not ready by the end ({status})"
            + (". reference: {first: 1h} is ready sooner than auto, which takes two days" if slow else "")
        )


def _columns(result: ConfigResult) -> Iterator[str]:
    """Which columns held nothing of use?"""
    recorder = result.recorded
    for name, history in recorder.columns.items() if recorder is not None else ():
        if () not in history.ages:
            continue
        look = history.look(history.ages[()].total)
        if look["rows"] and not look["ok"]:
            parts = (("missing", "missing"), ("wrong_type", "of a wrong type"), ("non_finite", "not finite"))
            said = ", ".join(f"{int(look[part]):,} {words}" for part, words in parts if look[part])
            yield f"No value of {name} could be used: {said}"
