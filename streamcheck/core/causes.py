"""Which fault of the pipeline explains a drift? What is broken is told apart from what has changed."""

from collections.abc import Iterable
from typing import Any

from streamcheck.core.measures.base import Measure

FAULT = "fault"
"""The evidence that says in words what is broken."""
CAUSE = "cause"
"""The evidence that names the alert of a fault from which this one follows."""
FAULTS = ("freshness", "unit_change", "wrong_type_rate", "zeros", "stuck", "missing_rate")
"""Measures whose alerts may be faults, the most telling first."""
FOLLOWS = frozenset(
    ("mean_shift", "scale", "outside", "out_of_range", "psi", "mean", "category_share", "category_shift", "rows")
)
"""Measures of the same column that a fault moves, too; rows: row detectors."""
OF_STREAM = {"volume": "freshness"}
"""Measures of the stream, and the one whose alert explains theirs."""


def told(measure: Measure, summary: Any, content: Any) -> tuple[tuple[str, Any], ...]:
    """What a measure that has found something says of it, as evidence; with FAULT where it is one."""
    evidence, words = measure.told(summary, content)
    return (*evidence.items(), *(((FAULT, words),) if words else ()))


def first(faults: Iterable[tuple[str, Any]]) -> Any:
    """Of faults that are open, by the name of their measure, the most telling one; None where there is none.

    >>> first([("missing_rate", "a"), ("unit_change", "b")])
    'b'
    """
    ranked = sorted(((FAULTS.index(name), at, one) for at, (name, one) in enumerate(faults)), key=lambda each: each[:2])
    return ranked[0][2] if ranked else None


def reading(fault: str, follow: int) -> str:
    """What an incident comes to, in one line.

    >>> reading("amount: unit changed x100 since about 10:42", 4)
    'amount: unit changed x100 since about 10:42; 4 drift alerts follow from it'
    >>> reading("amount: stuck at 5", 1), reading("amount: stuck at 5", 0)
    ('amount: stuck at 5; 1 drift alert follows from it', 'amount: stuck at 5')
    """
    if not follow:
        return fault
    return f"{fault}; {follow} drift {'alert follows' if follow == 1 else 'alerts follow'} from it"
