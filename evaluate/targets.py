"""What must be reached, and what the kept figures say: judged by the point estimate, with its interval beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluate.settings import settings

Held = Mapping[str, Mapping[str, Any]]
Found = Mapping[str, Any]
WHO = "default"


@dataclass(frozen=True, slots=True)
class Target:
    """One row: what, at least, from which cell, the measured text, and whether that is enough."""

    what: str
    bound: str
    table: str
    key: str
    shown: Callable[[Found], str]
    reached: Callable[[Found], bool]
    untold: Callable[[Found], bool] = lambda found: False  # noqa: ARG005
    """Whether so little was run that nothing can be said: no alarm, where hardly one was to be expected."""


def ratio_within(low: float, high: float) -> Callable[[Found], bool]:
    """Whether the ratio lies within bounds; without alarms, whether its lower end is above the lower bound."""

    def judged(found: Found) -> bool:
        ratio = found["ratio"]
        if ratio["value"] is None:
            return bool(low <= ratio["low"] <= high)
        return bool(low <= ratio["value"] <= high)

    return judged


def too_few(low: float) -> Callable[[Found], bool]:
    """Whether there was no alarm, and the promise, at this ratio, would not have had one for certain."""
    return lambda found: found["ratio"]["value"] is None and found["ratio"]["low"] < low


def _ratio(found: Found) -> str:
    ratio = found["ratio"]
    if ratio["value"] is None:
        return f"≥ {ratio['low']:.2f} (no alarm, {found['expected']:g} expected)"
    high = "" if ratio["high"] is None else f"{ratio['high']:.2f}"
    return f"{ratio['value']:.2f} ({ratio['low']:.2f}–{high}; {found['alarms']} alarms)"


def _delay(found: Found) -> str:
    delay = found["delay_rows"]["value"]
    recall = 100 * found["recall"]["value"]
    false = found["false_per_100k"]["value"]
    return f"{'not by half' if delay is None else f'{delay:,.0f}'} rows, recall {recall:.0f} %, {false:.2f} false"


def soon(rows: float, recall: float = 0.0) -> Callable[[Found], bool]:
    """Whether median delay and recall are good enough, and the false alarms before the change no more than one in
    100,000 rows, as far as so few can tell."""

    def judged(found: Found) -> bool:
        quick = (found["delay_rows"]["value"] or 1e9) <= rows
        return bool(quick and found["recall"]["value"] >= recall and found["false_per_100k"]["low"] <= 1)

    return judged


def _targets() -> list[Target]:
    names = ("iid, 100", "iid, 300", "lognormal, 100", "t3, 100", "iid, 5 to 99 rows, 100", "ar-.5, 100", "ar-.5, 300")
    within = ratio_within(1, 5)
    untold = too_few(1)
    made = [Target(f"ratio: {key} panes", "1..5", "null", f"{WHO}, {key}", _ratio, within, untold) for key in names]
    pane_effects = f"{WHO}, pane-effects, 300"
    made.append(Target("ratio: pane effects, 300", "≥ 1", "null", pane_effects, _ratio, ratio_within(1, 1e9), untold))
    for amplitude in (0.1, 0.5):
        key = f"slot means, cycle of {amplitude} sd"
        made.append(Target(f"ratio: {key}, 7 days", "1..5", "seasons", key, _ratio, within, untold))
    for words in ("thin traffic", "50 rows a pane"):
        for amplitude in (0.0, 0.1, 0.5):
            key = f"default config, {words}, cycle of {amplitude} sd"
            made.append(Target(f"ratio: {key}", "1..5", "seasons", key, _ratio, within, untold))
    return [*made, *_delays(), *_others(), *_costs()]


DELAYS: tuple[tuple[str, str, int, float], ...] = (
    ("mean +.25", "iid", 300, 1.0),
    ("mean +.5", "iid", 100, 1.0),
    ("mean +1", "iid", 50, 1.0),
    ("variance x2", "iid", 150, 0.0),
    ("lognormal mean +.1", "iid", 300, 0.0),
    ("error 10 to 15 %", "errors", 650, 0.0),
    ("error 10 to 20 %", "errors", 200, 0.0),
    ("missing 0 to 2 %", "iid", 100, 0.0),
    ("category 1 to 3 %", "categories", 600, 0.0),
)
"""Change, the stream that a promise was tuned on, rows at most, recall at least."""


def _delays() -> Iterator[Target]:
    """At the promise of one false alarm per 100,000 rows, and at the promise that comes to one in fact."""
    for name, stream, rows, recall in DELAYS:
        bound = f"≤ {rows} rows" + (", recall 100 %" if recall else "")
        for how, setting in settings(WHO, stream):
            key = f"{WHO}, {name}" if setting is None else f"{WHO}, {how}, {name}"
            words = "promised 1 per 100,000 rows" if setting is None else "tuned to 1 per 100,000"
            yield Target(f"{name}, {words}", bound, "changes", key, _delay, soon(rows, recall))


def _costs() -> Iterator[Target]:
    def charts(found: Found) -> str:
        return f"{found['ms_per_pane']:.2f} ms; {found['ms_with_signals']:.2f} ms with a signal and a verdict for each"

    def whole(found: Found) -> str:
        return f"{found['ms_per_pane']:.1f} ms for {found['monitors']:,} monitors"

    def cheap(found: Found) -> bool:
        return bool(found["ms_per_pane"] <= found["monitors"] / 1_000)

    yield Target("cost of a pane: charts alone", "≤ 1 ms for 1,000", "cost", "scan, 1,000 charts", charts, cheap)
    what = "cost of a pane: rows, measures, references, alerts as well"
    yield Target(what, "the same", "cost", f"{WHO}, 200 features", whole, cheap)


def _others() -> list[Target]:
    def segment(found: Found) -> str:
        return f"{_delay(found)}, alone {100 * found['alone']['value']:.0f} %"

    def named(found: Found) -> bool:
        return soon(2_200)(found) and found["alone"]["value"] >= 0.9

    def trees(found: Found) -> str:
        numbers = f"{found['hits']} of {found['drifts']}, mean delay {found['delay_mean']}, {found['false']} false"
        return f"{numbers}, start within {found['start_error_median']} (median) to {found['start_error_max']} rows"

    def seen(found: Found) -> bool:
        soon_enough = found["delay_mean"] is not None and found["delay_mean"] <= 90
        return bool(found["hits"] >= 20 and soon_enough and found["false"] <= 2 and found["start_error_max"] <= 50)

    def noaa(found: Found) -> str:
        first = min((at["row"] for at in found["first"].values()), default=None)
        return f"first at {first}, before: {dict(found['before'])}"

    def weather(found: Found) -> bool:
        first = min((at["row"] for at in found["first"].values()), default=10**9)
        return first <= 12_060 and not set(found["before"]) - {"visibility"}

    def live(found: Found) -> bool:
        columns = ("vicprice", "vicdemand", "transfer")
        silent = not any(name in found["before"] for name in columns)
        return silent and all(found["first"].get(name, {}).get("row") == 17_472 for name in columns)

    def prices(found: Found) -> bool:
        return not any(name in found["before"] for name in ("nswprice", "nswdemand"))

    def before(found: Found) -> str:
        first = {name: at["row"] for name, at in found["first"].items()}
        return f"before: {dict(found['before'])}, first: {first}"

    tree = f"{WHO}, both sides, restarted at each change"
    go_live = "go-live: silent before 17,424, found in the first pane"
    return [
        Target("one segment, error 10 to 20 %", "≤ 2,200 rows, alone ≥ 90 %", "segments", WHO, segment, named),
        Target("Tornado 101, 102", "≥ 20 of 22, mean ≤ 90, ≤ 2 false, start ≤ 50", "tornado", tree, trees, seen),
        Target("NOAA, drifted", "≤ 12,060; others than visibility silent", "ordered", "NOAA, drifted", noaa, weather),
        Target(f"elec2, {go_live}", "three columns", "ordered", "elec2, a day a pane", before, live),
        Target("elec2, price and demand, season on", "silent", "ordered", "elec2, hour of week", before, prices),
    ]


def permuted(held: Held) -> tuple[str, bool] | None:
    """The sets in random order, together."""
    found = [entry["found"] for entry in held["permuted"].values()]
    if not found:
        return None
    alarms, expected = sum(each["alarms"] for each in found), sum(each["expected"] for each in found)
    return f"{alarms} alarms, {expected:.1f} promised", alarms <= expected


def rows(held: Held) -> Sequence[Sequence[str]]:
    """For a table: what, bound, measured, verdict."""
    made = []
    for target in TARGETS:
        entry = held[target.table].get(target.key)
        if entry is None:
            made.append([target.what, target.bound, "", "not run"])
            continue
        verdict = "reached" if target.reached(entry["found"]) else "NOT reached"
        verdict = "too few to tell" if target.untold(entry["found"]) else verdict
        short = "" if entry["parts"].split()[0] == entry["parts"].split()[-1] else f" ({entry['parts']} parts)"
        made.append([target.what, target.bound, target.shown(entry["found"]), verdict + short])
    sets = permuted(held)
    made.append(["permuted bank, elec2, NOAA", "no more than promised", *(("", "not run") if sets is None else
                 (sets[0], "reached" if sets[1] else "NOT reached"))])  # fmt: skip
    return made


TARGETS: tuple[Target, ...] = tuple(_targets())
