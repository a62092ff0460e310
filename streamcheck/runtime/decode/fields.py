"""What a value of a field counts as: a number, a category, 0 or 1, or nothing usable."""

import hashlib
import math
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import itemgetter
from types import NoneType

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import CodeArray, Dictionary, FieldStatus, FloatArray, IntArray, StatusArray

TEXT_MAX = 64
"""Characters of a category; a longer one is not a category but free text, and must not fill memory or gauges."""
TEXT_KEPT = 40

_NUMBER_STATUS: dict[object, int] = {float: FieldStatus.OK, int: FieldStatus.OK, NoneType: FieldStatus.MISSING}
_PLAIN = frozenset((float, int, NoneType))
_NUMBERS = frozenset((float, int))
_TEXTS = frozenset((str, NoneType))
_BYTES = 256
_BINARY = {"1": 1, "true": 1, "0": 0, "false": 0}

Encode = Callable[[object], int]
ByteArray = npt.NDArray[np.uint8]


def read_numbers(values: Sequence[object]) -> tuple[FloatArray, StatusArray]:
    """The values as floats (0.0 where not OK), and the status of each.

    >>> numbers, status = read_numbers([1, 2.5, None, "3", True])
    >>> numbers.tolist(), status.tolist()
    ([1.0, 2.5, 0.0, 0.0, 0.0], [0, 0, 1, 2, 2])
    """
    if set(map(type, values)) <= _PLAIN:
        try:
            numbers = np.array(values, np.float64) + 0.0  # None becomes NaN, which JSON cannot say; a zero has no sign
        except OverflowError:
            pass
        else:
            status = np.zeros(len(numbers), np.uint8)
            judge_numbers(numbers, status)
            return numbers, status
    return _one_by_one(values)


def judge_numbers(numbers: FloatArray, status: StatusArray) -> None:
    """Replace those that are none (NaN) or infinite by 0.0, and say so in the status."""
    bad = ~np.isfinite(numbers)
    if bad.any():
        status[np.isnan(numbers)] = FieldStatus.MISSING
        status[np.isinf(numbers)] = FieldStatus.NON_FINITE
        numbers[bad] = 0.0


def _one_by_one(values: Sequence[object]) -> tuple[FloatArray, StatusArray]:
    wanted = map(_NUMBER_STATUS.get, map(type, values), repeat(FieldStatus.WRONG_TYPE))
    status = np.fromiter(wanted, np.uint8, len(values))
    numbers = np.zeros(len(values), np.float64)
    # Per row, because this column holds more than numbers, or one that has no float.
    for at in np.flatnonzero(status == FieldStatus.OK).tolist():
        value = values[at]
        if isinstance(value, int | float) and _finite(value):
            numbers[at] = value + 0.0
        else:
            status[at] = FieldStatus.NON_FINITE
    return numbers, status


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no float is near
        return False


def text(value: object) -> str | FieldStatus:
    """The category that a value names, or why it names none.

    >>> text(2.0), text(0.5), text(True), text("x" * 70), text([1])
    ('2', '0.5', 'true', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…8fc6d96d', <FieldStatus.WRONG_TYPE: 2>)
    """
    if isinstance(value, str):
        return _shortened(value)
    if value is None:
        return FieldStatus.MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return FieldStatus.WRONG_TYPE
    if not _finite(value):
        return FieldStatus.NON_FINITE
    return _shortened(str(int(value)) if value == int(value) else repr(value))


def _shortened(category: str) -> str:
    if len(category) <= TEXT_MAX:
        return category
    digest = hashlib.blake2b(category.encode(), digest_size=4).hexdigest()
    return f"{category[:TEXT_KEPT]}…{digest}"


def category_encoder(dictionary: Dictionary) -> Encode:
    """Value -> code in a dictionary that grows, or minus its FieldStatus."""

    def encode(value: object) -> int:
        found = text(value)
        return dictionary.encode(found) if isinstance(found, str) else -int(found)

    return encode


def binary_encoder(positive: str | None) -> Encode:
    """Value -> 0 or 1, or minus its FieldStatus. `positive`: the text of the positive class; None: 1 and true.

    >>> encode = binary_encoder("fraud")
    >>> encode("fraud"), encode("ok"), binary_encoder(None)(1.0), binary_encoder(None)("ok")
    (1, 0, 1, -2)
    """
    wanted = None if positive is None else _shortened(positive)

    def encode(value: object) -> int:
        found = text(value)
        if not isinstance(found, str):
            return -int(found)
        if wanted is None:
            return _BINARY.get(found, -int(FieldStatus.WRONG_TYPE))
        return int(found == wanted)

    return encode


def read_codes(values: Sequence[object], encode: Encode) -> tuple[CodeArray, StatusArray]:
    """The codes of the values (-1 where not OK), given in order of first appearance, and the status of each."""
    try:
        known = dict.fromkeys(values)
        kinds = set(map(type, known))
    except TypeError:  # lists are no keys
        known, kinds = {}, {list}
    if not kinds <= _TEXTS:
        kinds = set(map(type, values))
        kinds.discard(NoneType)
    if not (kinds <= _TEXTS or kinds <= _NUMBERS or kinds == {bool}):
        # 1 and True are one key of a dict but two categories, and lists are none: name each value first.
        values = [text(value) for value in values]
        encode = _after_text(encode)
        known = dict.fromkeys(values)
    found = np.array([encode(value) for value in known], np.int32)
    codes = found[_places(values, list(known))]
    status = np.zeros(len(values), np.uint8)
    if found.size and found.min() < 0:
        bad = codes < 0
        status[bad] = -codes[bad]
        codes[bad] = -1
    return codes, status


def _places(values: Sequence[object], known: list[object]) -> IntArray | ByteArray:
    """Where each value stands among the known ones, all different."""
    if len(values) < 2 or len(known) < 2:
        return np.zeros(len(values), np.int64)
    places = itemgetter(*values)(dict(zip(known, range(len(known)), strict=True)))
    if len(known) <= _BYTES:
        return np.frombuffer(bytes(places), np.uint8)  # five times as fast as an array of whole numbers
    return np.array(places, np.int64)


def _after_text(encode: Encode) -> Encode:
    return lambda found: -int(found) if isinstance(found, FieldStatus) else encode(found)
