"""By which schema is a record written? A zero and the schema's number in four bytes, before what is written by it.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import numpy as np

from streamcheck.core.pieces import Pieces
from streamcheck.core.types import BoolArray, IntArray

PREFIX_BYTES = 5
NO_SCHEMA_ID = "no schema id"


def framed(values: Pieces) -> BoolArray:
    """Which values begin so."""
    found = values.lengths >= PREFIX_BYTES
    octets = np.frombuffer(values.data, np.uint8)
    found[found] = octets[values.begins[found]] == 0
    return found


def schema_ids(values: Pieces) -> IntArray:
    """The numbers of their schemas. All are framed.

    >>> schema_ids(Pieces.of([bytes([0, 0, 0, 1, 2]), bytes([0, 0, 0, 0, 7])])).tolist()
    [258, 7]
    """
    octets = np.frombuffer(values.data, np.uint8)
    digits = octets[values.begins[:, None] + np.arange(1, PREFIX_BYTES)].astype(np.int64)
    numbers: IntArray = digits @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.int64)
    return numbers
