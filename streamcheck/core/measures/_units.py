"""Units that producers mix up: what a value becomes when it is written in another one, and how people say so."""

from typing import NamedTuple

import numpy as np

from streamcheck.core.types import FloatArray

POWERS = (1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 9, -9)
_NAMED = {
    2: "as from euros to cents, or a share to per cent",
    -2: "as from cents to euros, or per cent to a share",
    3: "as from seconds to milliseconds, or kilometres to metres",
    -3: "as from milliseconds to seconds, or metres to kilometres",
    6: "as from seconds to microseconds",
    -6: "as from microseconds to seconds",
    9: "as from seconds to nanoseconds",
    -9: "as from nanoseconds to seconds",
}


class Unit(NamedTuple):
    """What became of a value: value * factor + offset."""

    factor: float
    offset: float
    said: str

    def made(self, values: FloatArray) -> FloatArray:
        """What became of them."""
        return values * self.factor + self.offset

    def undone(self, values: FloatArray) -> FloatArray:
        """The values as they were."""
        return (values - self.offset) / self.factor


def _times(factor: float, said: str, meaning: str | None = None) -> Unit:
    return Unit(factor, 0.0, f"{said} ({meaning})" if meaning else said)


UNITS: tuple[Unit, ...] = (
    *(_times(10.0**k, f"x{10**k}" if k > 0 else f"x1/{10**-k}", _NAMED.get(k)) for k in POWERS),
    Unit(1.8, 32.0, "from °C to °F"),
    Unit(1 / 1.8, -32.0 / 1.8, "from °F to °C"),
    Unit(1.0, 273.15, "from °C to K"),
    Unit(1.0, -273.15, "from K to °C"),
    _times(60.0, "x60", "as from minutes to seconds"),
    _times(1 / 60.0, "x1/60", "as from seconds to minutes"),
    _times(3600.0, "x3600", "as from hours to seconds"),
    _times(1 / 3600.0, "x1/3600", "as from seconds to hours"),
    _times(-1.0, "x-1", "the sign"),
)
"""Factors near 1 (miles, pounds, inches) are left out: with few rows any growth by a half would look like one."""

FACTORS: FloatArray = np.array([unit.factor for unit in UNITS])
OFFSETS: FloatArray = np.array([unit.offset for unit in UNITS])
