"""Which monitors do gauges and pages show where they are too many?"""

from collections.abc import Mapping, Sequence

from streamcheck.core.instances import Instance

SHOWN_MAX = 5_000
"""Monitors times segments in gauges and pages: each is ten lines of gauges, 1 kB, and as much again on its way."""


def most_shown(members: Sequence[Mapping[int, Instance]], most: int) -> list[Instance]:
    """All instances, in the order of the plan and of their segments; of too many, those with an alert come first.

    members: of each monitor, by the number of the segment; then those of the first segments.
    """
    found = [(number, place, of[number]) for place, of in enumerate(members) for number in sorted(of)]
    if len(found) <= most:
        return [instance for _, _, instance in found]
    ranked = sorted(((one.quiet, number, place), one) for number, place, one in found)
    kept = {id(one) for _, one in ranked[:most]}
    return [one for _, _, one in found if id(one) in kept]
